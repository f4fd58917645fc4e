#include "config/rules.hpp"

#include <algorithm>
#include <charconv>

#include "state/core/instant.hpp"

namespace segmentd::config {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";
constexpr std::size_t kNameMax = 64;
constexpr std::size_t kTopicNameMax = 249;  // Kafka's own bound: a directory name of 255 bytes

bool contains(std::string_view set, char c) {
  return set.find(c) != std::string_view::npos;
}

bool is_lower_or_digit(char c) {
  return contains(kLower, c) || contains(kDigits, c);
}
bool is_letter_or_digit(char c) {
  return is_lower_or_digit(c) || contains(kUpper, c);
}
bool is_joint(char c) {
  return contains("._-", c);
}

/// All of `text` is one number >= 0, digits alone.
template <class Integer>
bool read_number(std::string_view text, Integer& number) {
  if (text.find_first_not_of(kDigits) != std::string_view::npos) return false;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && rest == text.data() + text.size();
}

}  // namespace

bool is_not_empty(std::string_view text) {
  return !text.empty();
}

bool is_currency_code(std::string_view text) {
  return text.size() == 3 && text.find_first_not_of(kUpper) == std::string_view::npos;
}

bool is_application_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax && is_lower_or_digit(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_lower_or_digit(c) || is_joint(c); });
}

bool is_instance_name_or_empty(std::string_view text) {
  if (text.empty()) return true;
  return text.size() <= kNameMax && is_letter_or_digit(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter_or_digit(c) || is_joint(c); });
}

bool is_topic_name(std::string_view text) {
  return !text.empty() && text.size() <= kTopicNameMax && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter_or_digit(c) || is_joint(c); });
}

bool is_json_pointer(std::string_view text) {
  if (text.empty() || text.front() != '/') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '~') continue;
    if (i + 1 == text.size() || !contains("01", text[i + 1])) return false;
  }
  return true;
}

bool is_host_and_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  // An IPv6 address without brackets cannot be told from its port.
  if (!bracketed && host.find_first_of(":[] \t/") != std::string_view::npos) return false;
  unsigned port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
  return error == std::errc{} && rest == end && port <= 65535;
}

bool is_broker(std::string_view text) {
  return !text.empty() && text.find_first_of(" \t,") == std::string_view::npos;
}

bool is_list_word(std::string_view text) {
  return !text.empty() && !contains(text, ',') && !contains(" \t", text.front()) &&
         !contains(" \t", text.back());
}

bool is_time_or_empty(std::string_view text) {
  return text.empty() || parse_rfc3339(text).has_value();
}

std::optional<RecordPlace> parse_record_place(std::string_view text) {
  const auto second = text.rfind('/');
  if (second == std::string_view::npos || second == 0) return std::nullopt;
  const auto first = text.rfind('/', second - 1);
  if (first == std::string_view::npos || !is_topic_name(text.substr(0, first))) return std::nullopt;
  RecordPlace place{std::string(text.substr(0, first)), 0, 0};
  if (!read_number(text.substr(first + 1, second - first - 1), place.partition) ||
      !read_number(text.substr(second + 1), place.offset)) {
    return std::nullopt;
  }
  return place;
}

bool is_record_place(std::string_view text) {
  return parse_record_place(text).has_value();
}

}  // namespace segmentd::config
