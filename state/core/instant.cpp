#include "state/core/instant.hpp"

#include <array>
#include <cstdio>

namespace segmentd {
namespace {

constexpr bool is_leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

constexpr int days_in_month(int year, int month) {
  constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

/// Takes from the front of a text; every take says whether it was there.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool digits(std::size_t count, int& value) {
    if (rest_.size() < count) return false;
    int read = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const char c = rest_[i];
      if (c < '0' || c > '9') return false;
      read = read * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    value = read;
    return true;
  }

  [[nodiscard]] bool one_of(std::string_view allowed, char* taken = nullptr) {
    if (rest_.empty() || allowed.find(rest_.front()) == std::string_view::npos) return false;
    if (taken != nullptr) *taken = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }

  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool read_date(Reader& in, CivilTime& civil) {
  return in.digits(4, civil.year) && in.one_of("-") && in.digits(2, civil.month) &&
         in.one_of("-") && in.digits(2, civil.day) && civil.month >= 1 && civil.month <= 12 &&
         civil.day >= 1 && civil.day <= days_in_month(civil.year, civil.month);
}

bool read_fraction(Reader& in, int& millisecond) {
  if (!in.one_of(".,")) return true;
  int digits = 0;
  millisecond = 0;
  int digit = 0;
  while (in.digits(1, digit)) {
    if (digits < 3) millisecond = millisecond * 10 + digit;
    ++digits;
  }
  for (int i = digits; i < 3; ++i) millisecond *= 10;
  return digits > 0;
}

bool read_time_of_day(Reader& in, CivilTime& civil) {
  if (!in.digits(2, civil.hour) || !in.one_of(":") || !in.digits(2, civil.minute)) return false;
  if (in.one_of(":") && (!in.digits(2, civil.second) || !read_fraction(in, civil.millisecond))) {
    return false;
  }
  return civil.hour <= 23 && civil.minute <= 59 && civil.second <= 60;
}

bool read_zone(Reader& in, std::optional<std::int64_t>& offset_ms) {
  if (in.done()) return true;
  if (in.one_of("Zz")) {
    offset_ms = 0;
    return true;
  }
  char sign = '+';
  int hours = 0;
  int minutes = 0;
  if (!in.one_of("+-", &sign) || !in.digits(2, hours)) return false;
  const bool colon = in.one_of(":");
  if (!in.digits(2, minutes) && colon) return false;
  if (hours > 23 || minutes > 59) return false;
  const std::int64_t offset = hours * kMsPerHour + minutes * kMsPerMinute;
  offset_ms = sign == '-' ? -offset : offset;
  return true;
}

}  // namespace

std::int64_t days_from_civil(int year, int month, int day) {
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

Instant instant_of_utc(const CivilTime& civil) {
  const std::int64_t days = days_from_civil(civil.year, civil.month, civil.day);
  return {days * kMsPerDay + civil.hour * kMsPerHour + civil.minute * kMsPerMinute +
          civil.second * kMsPerSecond + civil.millisecond};
}

CivilTime utc_civil(Instant at) {
  std::int64_t days = at.ms / kMsPerDay;
  std::int64_t ms = at.ms % kMsPerDay;
  if (ms < 0) {
    ms += kMsPerDay;
    --days;
  }
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_shifted = (5 * day_of_year + 2) / 153;
  CivilTime civil;
  civil.day = static_cast<int>(day_of_year - (153 * month_shifted + 2) / 5 + 1);
  civil.month = static_cast<int>(month_shifted < 10 ? month_shifted + 3 : month_shifted - 9);
  civil.year = static_cast<int>(year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0));
  civil.hour = static_cast<int>(ms / kMsPerHour);
  civil.minute = static_cast<int>(ms / kMsPerMinute % 60);
  civil.second = static_cast<int>(ms / kMsPerSecond % 60);
  civil.millisecond = static_cast<int>(ms % kMsPerSecond);
  return civil;
}

std::optional<ParsedTime> parse_rfc3339(std::string_view text) {
  Reader in(text);
  ParsedTime parsed;
  if (!read_date(in, parsed.civil)) return std::nullopt;
  if (in.done()) return parsed;
  if (!in.one_of("Tt ") || !read_time_of_day(in, parsed.civil)) return std::nullopt;
  if (!read_zone(in, parsed.offset_ms) || !in.done()) return std::nullopt;
  return parsed;
}

std::string format_rfc3339(Instant at) {
  const CivilTime c = utc_civil(at);
  std::array<char, 48> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year,
                    c.month, c.day, c.hour, c.minute, c.second, c.millisecond);
  return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace segmentd
