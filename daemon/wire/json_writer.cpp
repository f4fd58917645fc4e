#include "daemon/wire/json_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace segmentd {
namespace {

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u00";
  out += kHex[static_cast<unsigned char>(c) >> 4U];
  out += kHex[static_cast<unsigned char>(c) & 15U];
}

bool needs_escape(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!needs_escape(text[i])) continue;
    out.append(text, from, i - from);
    append_escaped(out, text[i]);
    from = i + 1;
  }
  out.append(text, from, text.size() - from);
  out += '"';
}

void append_json_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  std::array<char, 32> digits{};
  const auto [end, problem] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
  out += text;
  // Else a reader would take it for an integer, and -0 would lose its sign.
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void JsonWriter::element() {
  if (!first_) out_ += ',';
  first_ = false;
}

void JsonWriter::member(std::string_view name) {
  element();
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void JsonWriter::begin_object() {
  element();
  out_ += '{';
  first_ = true;
}

void JsonWriter::begin_object(std::string_view name) {
  member(name);
  out_ += '{';
  first_ = true;
}

void JsonWriter::begin_array(std::string_view name) {
  member(name);
  out_ += '[';
  first_ = true;
}

void JsonWriter::end_object() {
  out_ += '}';
  first_ = false;
}

void JsonWriter::end_array() {
  out_ += ']';
  first_ = false;
}

void JsonWriter::text(std::string_view name, std::string_view value) {
  member(name);
  append_json_string(out_, value);
}

void JsonWriter::integer(std::string_view name, std::int64_t value) {
  member(name);
  std::array<char, 24> digits{};
  const auto [end, problem] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out_.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void JsonWriter::number(std::string_view name, double value) {
  member(name);
  append_json_double(out_, value);
}

void JsonWriter::number(double element_value) {
  element();
  append_json_double(out_, element_value);
}

void JsonWriter::text(std::string_view element_value) {
  element();
  append_json_string(out_, element_value);
}

void JsonWriter::boolean(std::string_view name, bool value) {
  member(name);
  out_ += value ? "true" : "false";
}

void JsonWriter::null(std::string_view name) {
  member(name);
  out_ += "null";
}

void JsonWriter::time(std::string_view name, Instant value) {
  text(name, format_rfc3339(value));
}

void JsonWriter::time(std::string_view name, const std::optional<Instant>& value) {
  value ? time(name, *value) : null(name);
}

void JsonWriter::text_or_null(std::string_view name, std::string_view value) {
  value.empty() ? null(name) : text(name, value);
}

}  // namespace segmentd
