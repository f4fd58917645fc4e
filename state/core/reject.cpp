#include "state/core/reject.hpp"

#include <array>

namespace segmentd {

std::string_view word(RejectReason reason) {
  static constexpr std::array<std::string_view, kRejectReasons> kWords{
      "malformed_json", "invalid_utf8",     "missing_field", "unknown_type", "unsupported_type",
      "bad_id",         "bad_time",         "future",        "bad_amount",   "too_many_decimals",
      "overflow",       "unknown_currency", "oversized",     "key_mismatch", "wrong_partition",
      "null_value",     "too_old",          "clock_jump",    "skipped"};
  return kWords[static_cast<std::size_t>(reason)];
}

}  // namespace segmentd
