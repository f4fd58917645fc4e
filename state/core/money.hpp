// Money is a whole number of minor units (cents, pence, 1/1000 pounds) of the one declared
// currency. How many decimals a major unit has is a setting (`decimals`). No floating point.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace segmentd {

/// The largest magnitude of one amount: 2^53 - 1, what every JSON reader keeps exactly.
inline constexpr std::int64_t kAmountMinorMax = 9'007'199'254'740'991;
inline constexpr int kDecimalsMax = 8;

/// a + b, held at the ends of the range: for totals that are told, never decided by.
std::int64_t add_saturated(std::int64_t a, std::int64_t b);

enum class AmountProblem { kNone, kNotANumber, kTooManyDecimals, kOverflow };

struct ParsedAmount {
  std::int64_t minor = 0;
  AmountProblem problem = AmountProblem::kNone;
};

/// Reads a decimal number exactly: `139.12`, `-3`, `.5`, `1e2`, `12.50`. Zeros beyond `decimals`
/// are accepted, other digits there are kTooManyDecimals; |minor| > kAmountMinorMax is kOverflow.
/// No blanks, no thousands separators, no plus sign, no NaN.
ParsedAmount parse_amount(std::string_view text, int decimals);

/// `21400120` with 3 decimals: `21400.120`. Always exactly `decimals` digits behind the point.
std::string format_amount(std::int64_t minor, int decimals);

}  // namespace segmentd
