// Writes JSON onto the end of a string, in the order it is told. Escapes what must be; checks
// nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/core/instant.hpp"

namespace segmentd {

/// Appends `text` as a JSON string with its quotes. REQUIRES: UTF-8; other bytes pass as they are.
void append_json_string(std::string& out, std::string_view text);

/// Appends the shortest decimal that reads back as the same double, always with a point or an
/// exponent: `0.0`, `12.25`, `1e-09`, `-0.0`. What is not finite becomes null.
void append_json_double(std::string& out, double number);

/// Members come as (name, value), elements as (value). Names are ours and need no escape.
class JsonWriter {
 public:
  /// `out` is appended to and must outlive the writer.
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object();
  void begin_object(std::string_view name);
  void begin_array(std::string_view name);
  void end_object();
  void end_array();

  void text(std::string_view name, std::string_view value);
  void integer(std::string_view name, std::int64_t value);
  void number(std::string_view name, double value);
  void boolean(std::string_view name, bool value);
  void null(std::string_view name);
  /// RFC 3339, UTC, three decimals.
  void time(std::string_view name, Instant value);
  void time(std::string_view name, const std::optional<Instant>& value);
  /// Empty is null.
  void text_or_null(std::string_view name, std::string_view value);

  void number(double element_value);
  void text(std::string_view element_value);

 private:
  void element();
  void member(std::string_view name);

  std::string& out_;
  bool first_ = true;  // in the innermost object or array
};

}  // namespace segmentd
