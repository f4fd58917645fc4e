#include "config/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "state/core/instant.hpp"

namespace segmentd::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t size;
};

// Largest first: formatting takes the first that divides.
constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", kMsPerDay}, {"h", kMsPerHour}, {"m", kMsPerMinute}, {"s", kMsPerSecond}, {"ms", 1}}};
constexpr std::array<Unit, 7> kByteUnits{{{"GiB", 1LL << 30},
                                          {"MiB", 1LL << 20},
                                          {"KiB", 1LL << 10},
                                          {"GB", 1'000'000'000},
                                          {"MB", 1'000'000},
                                          {"kB", 1'000},
                                          {"B", 1}}};

std::optional<std::int64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                           std::string_view unit_if_none) {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || text.front() == '-') return std::nullopt;
  std::string_view name(rest, static_cast<std::size_t>(end - rest));
  if (name.empty()) name = unit_if_none;
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (count > std::numeric_limits<std::int64_t>::max() / unit.size) return std::nullopt;
    return count * unit.size;
  }
  return std::nullopt;
}

std::string format_quantity(std::int64_t quantity, std::span<const Unit> units,
                            std::string_view unit_of_zero) {
  if (quantity == 0) return "0" + std::string(unit_of_zero);
  for (const Unit& unit : units) {
    if (quantity % unit.size == 0) {
      return std::to_string(quantity / unit.size).append(unit.name);
    }
  }
  return {};  // never: the smallest unit divides everything
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto ms = parse_quantity(text, kDurationUnits, "");
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds(*ms);
}

std::string format_duration(std::chrono::milliseconds duration) {
  return format_quantity(duration.count(), kDurationUnits, "s");
}

std::optional<std::int64_t> parse_bytes(std::string_view text) {
  return parse_quantity(text, kByteUnits, "B");
}

std::string format_bytes(std::int64_t bytes) {
  return format_quantity(bytes, kByteUnits, "B");
}

}  // namespace segmentd::config
