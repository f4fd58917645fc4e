#include "daemon/commands/progress_bar.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

namespace segmentd {
namespace {

constexpr int kWidth = 40;
constexpr std::chrono::milliseconds kRedraw{100};

const char* verb(Progress::Stage stage) {
  switch (stage) {
    case Progress::Stage::kMeasuring:
      return "looking ahead";
    case Progress::Stage::kReading:
      return "reading";
    case Progress::Stage::kWriting:
      return "sending";
  }
  return "";
}

}  // namespace

void ProgressBar::show(const Progress& progress) {
  if (!visible_) return;
  const auto now = std::chrono::steady_clock::now();
  const bool last = progress.total > 0 && progress.done >= progress.total;
  if (now < next_ && !last) return;
  next_ = now + kRedraw;
  drawn_ = true;
  const double share =
      progress.total > 0
          ? std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(progress.total))
          : 0;
  const auto filled = static_cast<std::size_t>(share * kWidth);
  const std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '.');
  std::fprintf(stderr, "\r%-13s [%s] %3.0f %%  %llu records", verb(progress.stage), bar.c_str(),
               share * 100, static_cast<unsigned long long>(progress.records));
  std::fflush(stderr);
}

void ProgressBar::finish() {
  if (drawn_) std::fputc('\n', stderr);
  drawn_ = false;
}

}  // namespace segmentd
