// Points in time and lengths of time. Event time and wall time are both milliseconds since 1970
// UTC; which of the two a value is, its name says.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace segmentd {

inline constexpr std::int64_t kMsPerSecond = 1000;
inline constexpr std::int64_t kMsPerMinute = 60 * kMsPerSecond;
inline constexpr std::int64_t kMsPerHour = 60 * kMsPerMinute;
inline constexpr std::int64_t kMsPerDay = 24 * kMsPerHour;

/// Milliseconds since 1970-01-01T00:00:00Z; negative before it.
struct Instant {
  std::int64_t ms = 0;
  auto operator<=>(const Instant&) const = default;
};

constexpr std::int64_t operator-(Instant a, Instant b) {
  return a.ms - b.ms;
}
constexpr Instant operator+(Instant a, std::int64_t ms) {
  return {a.ms + ms};
}
constexpr Instant operator-(Instant a, std::int64_t ms) {
  return {a.ms - ms};
}

/// The years that are accepted, written and read: 1900-01-01 up to, not including, 2200-01-01 UTC.
inline constexpr Instant kFirstInstant{-2'208'988'800'000};
inline constexpr Instant kLastInstant{7'258'118'400'000 - 1};

/// A calendar date and time of day without a zone.
struct CivilTime {
  int year = 1970;
  int month = 1;
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
};

/// Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level
/// date algorithms"). Any year; month and day in range.
std::int64_t days_from_civil(int year, int month, int day);

/// The instant at which a clock without offset (UTC) shows this civil time.
Instant instant_of_utc(const CivilTime& civil);
/// What a UTC clock shows at this instant.
CivilTime utc_civil(Instant at);

/// A parsed RFC 3339 time. Without an offset the caller decides the zone.
struct ParsedTime {
  CivilTime civil;
  std::optional<std::int64_t> offset_ms;  // local minus UTC; nullopt = no zone was written
};

/// Reads RFC 3339 and its usual relatives: `2011-03-14T12:03:00Z`, `...+01:00`, `... 12:03:00.250`,
/// a blank or `t` for `T`, no zone, date alone (then 00:00). Fractions beyond milliseconds are cut.
/// A leap second (60) reads as the next second. nullopt = not such a time, or no such date.
std::optional<ParsedTime> parse_rfc3339(std::string_view text);

/// RFC 3339, UTC, three decimals: `2011-03-14T12:03:00.000Z`.
std::string format_rfc3339(Instant at);

}  // namespace segmentd
