#include "daemon/wire/zone.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <limits>
#include <utility>

#include <date/tz.h>

namespace segmentd {
namespace {

constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

/// Rounds down, also before 1970.
std::int64_t day_of(std::int64_t ms) {
  const std::int64_t day = ms / kMsPerDay;
  return ms % kMsPerDay < 0 ? day - 1 : day;
}

std::int64_t ms_of(std::chrono::seconds s) {
  return s.count() * kMsPerSecond;
}

}  // namespace

Result<Zone> Zone::load(const std::string& name) {
  Zone zone;
  zone.name_ = name;
  if (name == "UTC") return zone;
  try {
    const date::time_zone* source = date::locate_zone(name);
    date::sys_seconds from{std::chrono::seconds(kFirstInstant.ms / kMsPerSecond)};
    while (true) {
      const date::sys_info info = source->get_info(from);
      const std::int64_t offset = ms_of(info.offset);
      if (!zone.periods_.empty()) {
        // The larger offset: a gap belongs to the period before it, an overlap too.
        Period& before = zone.periods_.back();
        before.end_local_ms = before.end_utc_ms + std::max(before.offset_ms, offset);
      }
      if (info.end.time_since_epoch() > std::chrono::seconds(kLastInstant.ms / kMsPerSecond)) {
        zone.periods_.push_back({offset, kForever, kForever});
        return zone;
      }
      zone.periods_.push_back({offset, ms_of(info.end.time_since_epoch()), kForever});
      from = info.end;
    }
  } catch (const std::exception& problem) {
    return Error{Errc::kMisconfigured,
                 "no time zone '" + name +
                     "' in the zone database of this system (package tzdata): " + problem.what()};
  }
}

std::int64_t Zone::offset_at(Instant at) const {
  const auto period =
      std::upper_bound(periods_.begin(), periods_.end(), at.ms,
                       [](std::int64_t ms, const Period& p) { return ms < p.end_utc_ms; });
  return period == periods_.end() ? 0 : period->offset_ms;
}

Instant Zone::instant_of(const CivilTime& local) const {
  const std::int64_t local_ms = instant_of_utc(local).ms;
  const auto period =
      std::upper_bound(periods_.begin(), periods_.end(), local_ms,
                       [](std::int64_t ms, const Period& p) { return ms < p.end_local_ms; });
  return {period == periods_.end() ? local_ms : local_ms - period->offset_ms};
}

std::int32_t Zone::local_day(Instant at) const {
  return static_cast<std::int32_t>(day_of(at.ms + offset_at(at)));
}

}  // namespace segmentd
