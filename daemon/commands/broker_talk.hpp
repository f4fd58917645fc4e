// What the commands that end by themselves say of the brokers they need.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "config/settings.hpp"
#include "daemon/kafka/client.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// The newest complaint of the Kafka library: why nobody answers. Outlives the connections that
/// tell it.
class LastComplaint {
 public:
  /// The first complaint goes to stderr at once: until nobody answers is certain takes a while.
  kafka::LogLine line();
  /// In parentheses, behind what failed; empty = nobody complained.
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

/// On a terminal: who is asked. Where nobody answers, what follows takes a while.
void say_asking(const config::Settings& settings);

/// The error with the brokers it is about and the complaint.
Error of_broker(const Error& error, const config::Settings& settings,
                const LastComplaint& complaint);

}  // namespace segmentd
