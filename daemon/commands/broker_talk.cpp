#include "daemon/commands/broker_talk.hpp"

#include <iostream>

#include <unistd.h>

namespace segmentd {

kafka::LogLine LastComplaint::line() {
  return [this](int level, std::string_view text) {
    constexpr int kError = 3;
    if (level > kError) return;
    const std::lock_guard lock(mutex_);
    if (text_.empty()) std::cerr << "segmentd: trying for a while yet: " << text << std::endl;
    text_ = text;
  };
}

std::string LastComplaint::text() const {
  const std::lock_guard lock(mutex_);
  return text_.empty() ? std::string() : " (" + text_ + ")";
}

void say_asking(const config::Settings& settings) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::cerr << "asking " << settings.bootstrap_servers() << " ...\n";
}

Error of_broker(const Error& error, const config::Settings& settings,
                const LastComplaint& complaint) {
  return {error.code,
          "broker " + settings.bootstrap_servers() + ": " + error.what + complaint.text()};
}

}  // namespace segmentd
