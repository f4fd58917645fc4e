#include "daemon/import/time_reader.hpp"

#include <charconv>
#include <chrono>
#include <locale>
#include <sstream>
#include <utility>

#include <date/date.h>

namespace segmentd {
namespace {

using LocalMs = date::local_time<std::chrono::milliseconds>;

std::optional<Instant> in_range(Instant at) {
  if (at < kFirstInstant || at > kLastInstant) return std::nullopt;
  return at;
}

bool writes_offset(const std::string& format) {
  return format.find("%z") != std::string::npos || format.find("%Ez") != std::string::npos ||
         format.find("%Oz") != std::string::npos;
}

}  // namespace

struct TimeReader::Pattern {
  std::string format;
  bool has_offset = false;
  std::istringstream in{};

  /// The local time, and local minus UTC where the pattern has it.
  bool read(std::string_view text, LocalMs& local, std::chrono::minutes& offset) {
    in.clear();
    in.str(std::string(text));
    std::string abbreviation;
    date::from_stream(in, format.c_str(), local, &abbreviation, &offset);
    return !in.fail() && (in.eof() || in.peek() == std::istringstream::traits_type::eof());
  }
};

TimeReader::TimeReader(Unit unit, Zone zone, std::unique_ptr<Pattern> pattern)
    : unit_(unit), zone_(std::move(zone)), pattern_(std::move(pattern)) {}
TimeReader::TimeReader(TimeReader&&) noexcept = default;
TimeReader& TimeReader::operator=(TimeReader&&) noexcept = default;
TimeReader::~TimeReader() = default;

Result<TimeReader> TimeReader::make(const std::string& format, const std::string& zone) {
  Result<Zone> known = Zone::load(zone);
  if (!known) return known.error();
  if (format == "rfc3339") return TimeReader(Unit::kRfc3339, std::move(*known), nullptr);
  if (format == "s") return TimeReader(Unit::kSeconds, std::move(*known), nullptr);
  if (format == "ms") return TimeReader(Unit::kMilliseconds, std::move(*known), nullptr);
  if (format == "us") return TimeReader(Unit::kMicroseconds, std::move(*known), nullptr);
  if (format.find('%') == std::string::npos) {
    return Error{Errc::kMisconfigured,
                 "time format '" + format + "' is neither rfc3339, s, ms, us nor a pattern with %"};
  }
  auto pattern = std::make_unique<Pattern>(Pattern{format, writes_offset(format)});
  pattern->in.imbue(std::locale::classic());
  return TimeReader(Unit::kPattern, std::move(*known), std::move(pattern));
}

std::optional<Instant> TimeReader::read(std::string_view text) {
  if (unit_ == Unit::kRfc3339) {
    const std::optional<ParsedTime> parsed = parse_rfc3339(text);
    if (!parsed) return std::nullopt;
    if (!parsed->offset_ms) return in_range(zone_.instant_of(parsed->civil));
    return in_range(instant_of_utc(parsed->civil) - *parsed->offset_ms);
  }
  if (unit_ != Unit::kPattern) return read_count(text);
  LocalMs local{};
  std::chrono::minutes offset{0};
  if (!pattern_->read(text, local, offset)) return std::nullopt;
  const Instant shown{local.time_since_epoch().count()};  // were the local clock UTC
  if (pattern_->has_offset) return in_range(shown - std::chrono::milliseconds(offset).count());
  return in_range(zone_.instant_of(utc_civil(shown)));
}

std::optional<Instant> TimeReader::read_count(std::string_view text) const {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, count);
  if (problem != std::errc{} || stop != end) return std::nullopt;
  if (unit_ == Unit::kSeconds) {
    if (count < kFirstInstant.ms / kMsPerSecond || count > kLastInstant.ms / kMsPerSecond) {
      return std::nullopt;
    }
    return Instant{count * kMsPerSecond};
  }
  if (unit_ == Unit::kMilliseconds) return in_range({count});
  const std::int64_t below = count % 1000 < 0 ? 1 : 0;
  return in_range({count / 1000 - below});
}

std::string format_rfc3339_short(Instant at) {
  std::string text = format_rfc3339(at);
  if (text.ends_with(".000Z")) text.replace(text.size() - 5, 5, "Z");
  return text;
}

}  // namespace segmentd
