// Why a record was refused: the closed set of codes on the rejected topic and of the metric's
// label.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace segmentd {

enum class RejectReason : std::uint8_t {
  kMalformedJson,
  kInvalidUtf8,
  kMissingField,
  kUnknownType,
  kUnsupportedType,
  kBadId,
  kBadTime,
  kFuture,
  kBadAmount,
  kTooManyDecimals,
  kOverflow,
  kUnknownCurrency,
  kOversized,
  kKeyMismatch,
  kWrongPartition,
  kNullValue,
  kTooOld,
  kClockJump,
  kSkipped,  // by hand: input.skip names it
};
inline constexpr int kRejectReasons = 19;

/// `malformed_json`, `invalid_utf8`, ...
std::string_view word(RejectReason reason);

struct Reject {
  RejectReason reason;
  std::string
      detail;  // for a person: which field, what was found, what is allowed; at most 300 bytes
};

}  // namespace segmentd
