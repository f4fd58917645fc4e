#include "daemon/watch/line_rate.hpp"

#include <utility>

#include "state/core/instant.hpp"

namespace segmentd {

bool LineRate::take(std::int64_t now_ms) {
  if (per_second_ == 0) return true;
  const std::int64_t second = now_ms / kMsPerSecond;
  if (second != second_) {
    second_ = second;
    shown_ = 0;
  }
  if (shown_ < per_second_) {
    ++shown_;
    return true;
  }
  ++left_out_;
  return false;
}

std::int64_t LineRate::ended(std::int64_t now_ms) {
  return now_ms / kMsPerSecond == second_ ? 0 : rest();
}

std::int64_t LineRate::rest() {
  return std::exchange(left_out_, 0);
}

}  // namespace segmentd
