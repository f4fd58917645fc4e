// Where everybody is, and how they came there: what `segmentd watch --summary` prints.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "daemon/watch/customer_table.hpp"
#include "daemon/wire/read_back.hpp"

namespace segmentd {

/// Moves counted by cause, and those into and out of one segment.
class MoveCounts {
 public:
  explicit MoveCounts(Segment watched) : watched_(watched) {}

  void add(const SegmentChange& change);
  /// Whether this move enters or leaves the watched segment.
  bool crosses(const SegmentChange& change) const {
    return (change.from == watched_) != (change.to == watched_);
  }

  Segment watched() const { return watched_; }
  std::int64_t all() const { return all_; }
  std::int64_t by(Cause cause) const { return by_cause_[static_cast<std::size_t>(cause)]; }
  std::int64_t entered() const { return entered_; }
  std::int64_t left() const { return left_; }

 private:
  Segment watched_;
  std::int64_t all_ = 0;
  std::int64_t entered_ = 0;
  std::int64_t left_ = 0;
  std::array<std::int64_t, kCauses> by_cause_{};
};

/// A table for people: customers and revenue by segment, moves by cause, moves into and out of the
/// watched segment. Ends with a line end.
std::string summary_text(const CustomerTable& table, const MoveCounts& moves);

}  // namespace segmentd
