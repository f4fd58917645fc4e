// How many lines a second a reader can bear: the first ones of each second are shown, the rest is
// counted.
#pragma once

#include <cstdint>

namespace segmentd {

class LineRate {
 public:
  /// `per_second` = 0: every line is shown.
  explicit LineRate(std::int64_t per_second) : per_second_(per_second) {}

  /// True = show this line, false = it was counted. `now_ms` of a clock that never goes back. Ask
  /// ended() before.
  bool take(std::int64_t now_ms);
  /// How many lines were left out in a second that is over; each is told once. 0 = none, or the
  /// second is not over.
  std::int64_t ended(std::int64_t now_ms);
  /// The same without waiting for the second's end.
  std::int64_t rest();

 private:
  std::int64_t per_second_;
  std::int64_t second_ = -1;
  std::int64_t shown_ = 0;
  std::int64_t left_out_ = 0;
};

}  // namespace segmentd
