#include "daemon/wire/json_grammar.hpp"

#include <cstddef>

namespace segmentd {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Takes digits from the front; false = there was none.
bool take_digits(std::string_view& rest) {
  std::size_t count = 0;
  while (count < rest.size() && is_digit(rest[count])) ++count;
  rest.remove_prefix(count);
  return count > 0;
}

bool take(std::string_view& rest, std::string_view any_of) {
  if (rest.empty() || any_of.find(rest.front()) == std::string_view::npos) return false;
  rest.remove_prefix(1);
  return true;
}

}  // namespace

bool is_json_number(std::string_view token) {
  take(token, "-");
  const bool leading_zero = !token.empty() && token.front() == '0';
  if (leading_zero) {
    token.remove_prefix(1);
  } else if (!take_digits(token)) {
    return false;
  }
  if (take(token, ".") && !take_digits(token)) return false;
  if (take(token, "eE")) {
    take(token, "+-");
    if (!take_digits(token)) return false;
  }
  return token.empty();
}

bool is_json_integer(std::string_view token) {
  return token.find_first_of(".eE") == std::string_view::npos;
}

bool is_json_string(std::string_view token) {
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return false;
  token.remove_prefix(1);
  token.remove_suffix(1);
  for (std::size_t at = token.find('\\'); at != std::string_view::npos; at = token.find('\\')) {
    token.remove_prefix(at + 1);
    if (take(token, "\"\\/bfnrt")) continue;
    if (!take(token, "u") || token.size() < 4) return false;
    for (std::size_t i = 0; i < 4; ++i) {
      if (!is_hex(token[i])) return false;
    }
    token.remove_prefix(4);
  }
  return true;
}

}  // namespace segmentd
