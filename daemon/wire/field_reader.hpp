// Picks the values of given JSON pointers out of a document in one strict pass. Knows JSON, not
// orders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "state/core/result.hpp"

namespace segmentd {

/// What stands at a pointer. `text` is the unescaped string, or the number exactly as written; it
/// lives until the reader's next read().
struct JsonValue {
  enum class Kind : std::uint8_t { kAbsent, kNull, kString, kNumber, kBool, kContainer };
  Kind kind = Kind::kAbsent;
  std::string_view text;

  /// Absent or null.
  bool missing() const { return kind == Kind::kAbsent || kind == Kind::kNull; }
};

enum class JsonTrouble : std::uint8_t {
  kNone,
  kInvalidUtf8,
  kMalformed,  // not JSON, or a wanted string with an escape that is no character
  kNotAnObject,
  kTooDeep,  // nested deeper than kJsonDepthMax
};

inline constexpr int kJsonDepthMax = 256;

/// Not thread-safe: it reuses its buffers. The whole document is checked against RFC 8259, unwanted
/// values too; only lone surrogates escaped in unwanted strings and numbers too large for a machine
/// word or double pass, being well-formed. Of members of the same name the last one wins, with all
/// below it.
class FieldReader {
 public:
  /// kMisconfigured: an entry is not a JSON pointer.
  static Result<FieldReader> for_pointers(std::span<const std::string> pointers);

  FieldReader(FieldReader&&) noexcept;
  FieldReader& operator=(FieldReader&&) noexcept;
  ~FieldReader();

  /// After anything but kNone the values mean nothing.
  JsonTrouble read(std::string_view json);

  /// The value at pointer `i` of those given, of the last read().
  const JsonValue& operator[](std::size_t i) const;

 private:
  struct Walk;
  explicit FieldReader(std::unique_ptr<Walk> walk);
  std::unique_ptr<Walk> walk_;
};

/// Reads a document that is one JSON string or integer, as a message key may be. Not thread-safe.
class JsonKeyReader {
 public:
  JsonKeyReader();
  JsonKeyReader(JsonKeyReader&&) noexcept;
  JsonKeyReader& operator=(JsonKeyReader&&) noexcept;
  ~JsonKeyReader();

  /// The string, or the integer's digits as written, valid until the next read(); kAbsent when it
  /// is anything else.
  JsonValue read(std::string_view json);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace segmentd
