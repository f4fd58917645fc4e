#include "state/core/money.hpp"

#include <algorithm>
#include <limits>

namespace segmentd {
namespace {

constexpr int kExponentMargin = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct Scanned {
  std::string digits;  // all significant digits, the point removed
  int scale = 0;       // value = digits * 10^-scale
  bool negative = false;
  bool ok = false;
};

/// Splits sign, digits, point and exponent, without giving anything up.
Scanned scan(std::string_view text) {
  Scanned s;
  std::size_t i = 0;
  if (i < text.size() && text[i] == '-') {
    s.negative = true;
    ++i;
  }
  bool any = false;
  for (; i < text.size() && is_digit(text[i]); ++i, any = true) s.digits += text[i];
  if (i < text.size() && text[i] == '.') {
    ++i;
    for (; i < text.size() && is_digit(text[i]); ++i, any = true) {
      s.digits += text[i];
      ++s.scale;
    }
  }
  if (!any) return s;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    bool down = false;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) down = text[i++] == '-';
    if (i == text.size()) return s;
    // An exponent beyond all digits there are decides by itself; larger ones say the same.
    const int enough = static_cast<int>(s.digits.size()) + kExponentMargin;
    int exponent = 0;
    for (; i < text.size() && is_digit(text[i]); ++i) {
      exponent = std::min(enough, exponent * 10 + (text[i] - '0'));
    }
    s.scale += down ? exponent : -exponent;
  }
  s.ok = i == text.size();
  return s;
}

}  // namespace

std::int64_t add_saturated(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<std::int64_t>::max()
               : std::numeric_limits<std::int64_t>::min();
}

ParsedAmount parse_amount(std::string_view text, int decimals) {
  Scanned s = scan(text);
  if (!s.ok) return {0, AmountProblem::kNotANumber};
  const std::size_t first = s.digits.find_first_not_of('0');
  if (first == std::string::npos) return {0, AmountProblem::kNone};
  s.digits.erase(0, first);
  for (; s.scale > decimals; --s.scale) {
    if (s.digits.back() != '0') return {0, AmountProblem::kTooManyDecimals};
    s.digits.pop_back();
    if (s.digits.empty()) return {0, AmountProblem::kNone};
  }
  constexpr std::size_t kDigitsMax = 16;  // 9007199254740991
  const std::size_t width = s.digits.size() + static_cast<std::size_t>(decimals - s.scale);
  if (width > kDigitsMax) return {0, AmountProblem::kOverflow};
  s.digits.resize(width, '0');
  std::int64_t minor = 0;
  for (const char c : s.digits) minor = minor * 10 + (c - '0');
  if (minor > kAmountMinorMax) return {0, AmountProblem::kOverflow};
  return {s.negative ? -minor : minor, AmountProblem::kNone};
}

std::string format_amount(std::int64_t minor, int decimals) {
  const bool negative = minor < 0;
  // Through unsigned, so that the least value has a magnitude too.
  std::uint64_t rest =
      negative ? 0 - static_cast<std::uint64_t>(minor) : static_cast<std::uint64_t>(minor);
  std::string reversed;
  for (int i = 0; i < decimals || rest > 0 || i == decimals; ++i) {
    if (i == decimals && decimals > 0) reversed += '.';
    reversed += static_cast<char>('0' + rest % 10);
    rest /= 10;
  }
  if (negative) reversed += '-';
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}

}  // namespace segmentd
