// Times as history files write them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/wire/zone.hpp"
#include "state/core/instant.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// Reads times of one format in one zone. One thread.
class TimeReader {
 public:
  /// `format`: `rfc3339` (and its relatives, see parse_rfc3339), `s`, `ms` or `us` since 1970, or a
  /// pattern as strptime takes it (`%Y%m%d`, `%d.%m.%Y %H:%M`; `%z` for an offset). `zone`: the
  /// IANA zone of times written without an offset (`Europe/Berlin`). kMisconfigured when either is
  /// unknown.
  static Result<TimeReader> make(const std::string& format, const std::string& zone);

  TimeReader(TimeReader&&) noexcept;
  TimeReader& operator=(TimeReader&&) noexcept;
  ~TimeReader();

  /// nullopt = not such a time, no such date, or outside [kFirstInstant, kLastInstant]. Local times
  /// that a clock shows twice or never are taken as Zone::instant_of says.
  std::optional<Instant> read(std::string_view text);

 private:
  struct Pattern;
  enum class Unit { kRfc3339, kSeconds, kMilliseconds, kMicroseconds, kPattern };

  TimeReader(Unit unit, Zone zone, std::unique_ptr<Pattern> pattern);
  std::optional<Instant> read_count(std::string_view text) const;

  Unit unit_;
  Zone zone_;
  std::unique_ptr<Pattern> pattern_;  // only for kPattern
};

/// RFC 3339, UTC, with milliseconds only where there are any: `2010-12-01T08:26:00Z`.
std::string format_rfc3339_short(Instant at);

}  // namespace segmentd
