#include "config/option.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>
#include <utility>

#include "config/units.hpp"

namespace segmentd::config {
namespace {

constexpr std::size_t kValueShownMax = 80;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// Reads the whole text as a number; nullopt = it is not one.
template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

std::string number_text(double number) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), end};
}

std::string range(const std::string& smallest, const std::string& largest) {
  return smallest == largest ? smallest : smallest + " .. " + largest;
}

std::string joined(const std::vector<std::string>& items, const char* separator) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : separator) + item;
  return text;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> items;
  if (trimmed(text).empty()) return items;
  for (;;) {
    const auto comma = text.find(',');
    items.emplace_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

std::string Problem::text() const {
  std::string line = key;
  if (!value.empty()) {
    const bool cut = value.size() > kValueShownMax;
    line += " = '" + value.substr(0, kValueShownMax) + (cut ? "...'" : "'");
  }
  if (!origin.empty()) line += " (" + origin + ")";
  line += ": " + reason;
  std::replace_if(line.begin(), line.end(), is_control, '?');  // it is to stay one line
  return line;
}

// --- what every option does ---

OptionBase::OptionBase(OptionSet& set, const About& about)
    : key_(about.key), help_(about.help), traits_(about.traits) {
  set.options_.push_back(this);
}

std::string OptionBase::summary() const {
  std::size_t end = help_.size();
  for (const char* stop : {". ", "; ", ": "}) end = std::min(end, help_.find(stop));
  if (end == help_.size() && help_.ends_with('.')) --end;
  return help_.substr(0, end);
}

std::string OptionBase::help_in_full() const {
  return has(kMeaning) ? help_ + " Fixed once there is state." : help_;
}

std::string OptionBase::set(std::string_view text, std::string_view origin) {
  std::string refusal = take(text);
  if (refusal.empty()) origin_ = origin;
  return refusal;
}

std::string OptionBase::set_items(const std::vector<std::string>& items, std::string_view origin) {
  std::string refusal = take_items(items);
  if (refusal.empty()) origin_ = origin;
  return refusal;
}

std::string OptionBase::take_items(const std::vector<std::string>& /*items*/) {
  return "is a list; one value is wanted";
}

void OptionBase::copy_from(const OptionBase& other) {
  copy_value(other);
  origin_ = other.origin_;
}

std::vector<const OptionBase*> OptionSet::options() const {
  return {options_.begin(), options_.end()};
}

OptionBase* OptionSet::find(std::string_view key) {
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const OptionBase* option) { return option->key() == key; });
  return found == options_.end() ? nullptr : *found;
}

const OptionBase* OptionSet::find(std::string_view key) const {
  return const_cast<OptionSet*>(this)->find(key);
}

void OptionSet::copy_values(const OptionSet& other) {
  for (std::size_t i = 0; i < options_.size(); ++i) options_[i]->copy_from(*other.options_[i]);
}

// --- text ---

StringOption::StringOption(OptionSet& set, const About& about, std::string value, const Rule& rule)
    : TypedOption(set, about, std::move(value)), rule_(rule) {}
std::string StringOption::type() const {
  return "text";
}
std::string StringOption::allowed() const {
  return rule_.allowed;
}
std::string StringOption::text() const {
  return value_;
}
std::string StringOption::toml() const {
  return toml_quoted(value_);
}

std::string StringOption::take(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_control)) return "contains a control character";
  if (!rule_.holds(text)) return std::string("must be ") + rule_.allowed;
  value_ = text;
  return {};
}

// --- integer ---

IntegerOption::IntegerOption(OptionSet& set, const About& about, std::int64_t value,
                             std::int64_t smallest, std::int64_t largest)
    : TypedOption(set, about, value), smallest_(smallest), largest_(largest) {}
std::string IntegerOption::type() const {
  return "integer";
}
std::string IntegerOption::allowed() const {
  return range(std::to_string(smallest_), std::to_string(largest_));
}
std::string IntegerOption::text() const {
  return std::to_string(value_);
}
std::string IntegerOption::toml() const {
  return text();
}

std::string IntegerOption::take(std::string_view text) {
  const auto number = whole_number<std::int64_t>(text);
  if (!number) return "is not an integer; allowed: " + allowed();
  if (*number < smallest_ || *number > largest_) return "is outside " + allowed();
  value_ = *number;
  return {};
}

// --- true or false ---

std::string BoolOption::type() const {
  return "boolean";
}
std::string BoolOption::allowed() const {
  return "true, false";
}
std::string BoolOption::text() const {
  return value_ ? "true" : "false";
}
std::string BoolOption::toml() const {
  return text();
}

std::string BoolOption::take(std::string_view text) {
  if (text != "true" && text != "false") return "is neither true nor false";
  value_ = text == "true";
  return {};
}

// --- number ---

NumberOption::NumberOption(OptionSet& set, const About& about, double value, double smallest,
                           double largest)
    : TypedOption(set, about, value), smallest_(smallest), largest_(largest) {}
std::string NumberOption::type() const {
  return "number";
}
std::string NumberOption::allowed() const {
  return range(number_text(smallest_), number_text(largest_));
}
std::string NumberOption::text() const {
  return number_text(value_);
}
std::string NumberOption::toml() const {
  return text();
}

std::string NumberOption::take(std::string_view text) {
  const auto number = whole_number<double>(text);
  if (!number) return "is not a number; allowed: " + allowed();
  // Written so that "not a number" is outside.
  if (!(*number >= smallest_ && *number <= largest_)) return "is outside " + allowed();
  value_ = *number;
  return {};
}

// --- duration ---

DurationOption::DurationOption(OptionSet& set, const About& about, std::chrono::milliseconds value,
                               std::chrono::milliseconds smallest,
                               std::chrono::milliseconds largest)
    : TypedOption(set, about, value), smallest_(smallest), largest_(largest) {}
std::string DurationOption::type() const {
  return "duration";
}
std::string DurationOption::allowed() const {
  return range(format_duration(smallest_), format_duration(largest_));
}
std::string DurationOption::text() const {
  return format_duration(value_);
}
std::string DurationOption::toml() const {
  return toml_quoted(text());
}

std::string DurationOption::take(std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration) return std::string("must be ") + kDurationForm + "; allowed: " + allowed();
  if (*duration < smallest_ || *duration > largest_) return "is outside " + allowed();
  value_ = *duration;
  return {};
}

// --- bytes ---

BytesOption::BytesOption(OptionSet& set, const About& about, std::int64_t value,
                         std::int64_t smallest, std::int64_t largest)
    : TypedOption(set, about, value), smallest_(smallest), largest_(largest) {}
std::string BytesOption::type() const {
  return "bytes";
}
std::string BytesOption::allowed() const {
  return range(format_bytes(smallest_), format_bytes(largest_));
}
std::string BytesOption::text() const {
  return format_bytes(value_);
}
std::string BytesOption::toml() const {
  return toml_quoted(text());
}

std::string BytesOption::take(std::string_view text) {
  const auto bytes = parse_bytes(text);
  if (!bytes) return std::string("must be ") + kBytesForm + "; allowed: " + allowed();
  if (*bytes < smallest_ || *bytes > largest_) return "is outside " + allowed();
  value_ = *bytes;
  return {};
}

// --- one word of a list ---

ChoiceOption::ChoiceOption(OptionSet& set, const About& about, std::size_t value,
                           std::initializer_list<const char*> words)
    : TypedOption(set, about, value), words_(words.begin(), words.end()) {}
std::string ChoiceOption::type() const {
  return "word";
}
std::string ChoiceOption::allowed() const {
  return joined(words_, ", ");
}
std::string ChoiceOption::text() const {
  return words_[value_];
}
std::string ChoiceOption::toml() const {
  return toml_quoted(text());
}

std::string ChoiceOption::take(std::string_view text) {
  const auto found = std::find(words_.begin(), words_.end(), text);
  if (found == words_.end()) return "is not one of " + allowed();
  value_ = static_cast<std::size_t>(found - words_.begin());
  return {};
}

// --- list ---

ListOption::ListOption(OptionSet& set, const About& about, std::vector<std::string> value,
                       Kind kind, const Rule& rule)
    : TypedOption(set, about, std::move(value)), kind_(kind), rule_(rule) {}
std::string ListOption::type() const {
  return "list";
}
std::string ListOption::allowed() const {
  return std::string("each ") + rule_.allowed;
}

std::string ListOption::text() const {
  std::vector<std::string> items = value_;
  if (kind_ == Kind::kCaseless) {
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
  }
  return joined(items, ",");
}

std::string ListOption::toml() const {
  std::vector<std::string> quoted;
  for (const std::string& item : value_) quoted.push_back(toml_quoted(item));
  return "[" + joined(quoted, ", ") + "]";
}

std::string ListOption::take(std::string_view text) {
  return take_items(split_at_commas(text));
}

std::string ListOption::take_items(const std::vector<std::string>& items) {
  std::vector<std::string> taken;
  for (const std::string& item : items) {
    const bool readable = std::none_of(item.begin(), item.end(), is_control);
    if (!readable || !rule_.holds(item)) {
      return "item '" + item + "' must be " + rule_.allowed;
    }
    taken.push_back(kind_ == Kind::kCaseless ? lower_case(item) : item);
  }
  value_ = std::move(taken);
  return {};
}

std::string toml_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted.append({'\\', c});
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (is_control(c)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04X", static_cast<unsigned>(c));
      quoted += escape.data();
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace segmentd::config
