// A time zone as a table of offsets: what a local clock shows at an instant, and back. The table is
// made once from the system's zone database (package tzdata); afterwards nothing is looked up.
//
// Known limit: the compiled zone files name their transitions up to 2037; later instants take the
// last offset.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "state/core/instant.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// Immutable, so any number of threads may use one. Covers kFirstInstant to kLastInstant.
class Zone {
 public:
  /// UTC.
  Zone() = default;

  /// By its name in the zone database: `UTC`, `Europe/London`. kMisconfigured: there is no such
  /// zone or no database.
  static Result<Zone> load(const std::string& name);

  const std::string& name() const { return name_; }

  /// When a local clock shows this. A time that the clock shows twice (it was put back) is the
  /// first of the two; one that it skips (it was put forward) is taken with the offset before the
  /// jump.
  Instant instant_of(const CivilTime& local) const;

  /// The calendar day a local clock shows, in days since 1970-01-01.
  std::int32_t local_day(Instant at) const;

 private:
  /// One offset (local minus UTC) and where it ends, by either clock. Sorted.
  struct Period {
    std::int64_t offset_ms = 0;
    std::int64_t end_utc_ms = 0;    // the first ms of the next period
    std::int64_t end_local_ms = 0;  // the first local ms that belongs to the next period
  };

  std::int64_t offset_at(Instant at) const;

  std::string name_ = "UTC";
  std::vector<Period> periods_;  // empty = UTC
};

}  // namespace segmentd
