// The frame around every stored value: a version byte in front, a checksum behind.
#pragma once

#include <string>
#include <string_view>

#include "state/bytes.hpp"
#include "state/codec.hpp"

namespace segmentd {

inline constexpr std::size_t kChecksumBytes = 4;

inline void seal(std::string_view subject, std::string& bytes) {
  ByteWriter(bytes).fixed32(checksum(subject, bytes));
}

/// The bytes without the checksum, the version byte still in front; or why they cannot be trusted.
inline Result<std::string_view> unseal(std::string_view subject, std::string_view bytes,
                                       std::uint8_t oldest, std::uint8_t newest) {
  if (bytes.size() < 1 + kChecksumBytes)
    return Error{Errc::kCorrupt, "too short to be a stored value"};
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (ByteReader(bytes.substr(body.size())).fixed32() != checksum(subject, body)) {
    return Error{Errc::kCorrupt, "the checksum does not fit the bytes"};
  }
  const auto version = static_cast<std::uint8_t>(body.front());
  if (version < oldest || version > newest) {
    return Error{Errc::kCorrupt, "written in format " + std::to_string(version) +
                                     "; this program reads " + std::to_string(oldest) + " to " +
                                     std::to_string(newest)};
  }
  return body;
}

}  // namespace segmentd
