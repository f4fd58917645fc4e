// 128-bit integers, for sums that must not overflow before they are checked.
#pragma once

#include <cstdint>
#include <limits>

#include "state/core/customer.hpp"

namespace segmentd {

__extension__ using Int128 = __int128;
__extension__ using Unsigned128 = unsigned __int128;

constexpr Unsigned128 wide(const Sum128& sum) {
  return (static_cast<Unsigned128>(sum.high) << 64) | sum.low;
}

constexpr Sum128 halves(Unsigned128 value) {
  return {static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(value >> 64)};
}

/// The nearest number of 64 bits: for totals that are told, never decided by.
constexpr std::int64_t clamped(Int128 value) {
  constexpr Int128 kMost = std::numeric_limits<std::int64_t>::max();
  constexpr Int128 kLeast = std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(value > kMost ? kMost : value < kLeast ? kLeast : value);
}

/// Whether a sum of money may stand in a row.
constexpr bool fits(Int128 minor) {
  return minor >= -kFigureMinorMax && minor <= kFigureMinorMax;
}

}  // namespace segmentd
