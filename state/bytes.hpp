// Numbers and texts as bytes: the building blocks of every format in state/FORMAT.md.
//
// Reading is strict and total: any bytes give a value or a failure, never undefined behaviour, and
// a value has exactly one spelling, so that what was read is written again as the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace segmentd {

/// Appends to a string.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  void byte(std::uint8_t value) { out_ += static_cast<char>(value); }

  /// LEB128: seven bits a byte, the lowest first, the top bit says that more follow.
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }

  /// Small magnitudes are short: 0, -1, 1, -2, ... are the varints 0, 1, 2, 3, ...
  void zigzag(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    varint((bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }

  /// Length in bytes, then the bytes.
  void text(std::string_view value) {
    varint(value.size());
    out_ += value;
  }

  /// Four bytes, the lowest first.
  void fixed32(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) byte(static_cast<std::uint8_t>(value >> shift));
  }

  /// Eight bytes, the lowest first.
  void fixed64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<std::uint8_t>(value >> shift));
  }

 private:
  std::string& out_;
};

/// Takes from the front. After the first failure every take gives zero or nothing and ok() stays
/// false, so that a caller asks once at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::uint8_t byte() {
    if (rest_.empty()) {
      fail();
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
      if (next < 0x80) {
        const bool needless = next == 0 && shift > 0;  // a longer spelling of the same number
        const bool beyond = shift == 63 && next > 1;   // more than 64 bits
        if (needless || beyond) break;
        return ok_ ? value : 0;
      }
    }
    fail();
    return 0;
  }

  std::int64_t zigzag() {
    const std::uint64_t bits = varint();
    return static_cast<std::int64_t>((bits >> 1) ^ ((bits & 1) != 0 ? ~std::uint64_t{0} : 0));
  }

  std::string_view text() {
    const std::uint64_t size = varint();
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }

  std::uint32_t fixed32() {
    std::uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8)
      value |= static_cast<std::uint32_t>(byte()) << shift;
    return value;
  }

  std::uint64_t fixed64() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 8)
      value |= static_cast<std::uint64_t>(byte()) << shift;
    return value;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace segmentd
