// 128-bit integers, for sums that must not overflow before they are checked.
#pragma once

#include <cstdint>

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

/// Whether a sum of money may stand in a row.
constexpr bool fits(Int128 minor) {
  return minor >= -kFigureMinorMax && minor <= kFigureMinorMax;
}

}  // namespace segmentd
