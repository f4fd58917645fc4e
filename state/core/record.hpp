// One input record, decoded and validated: what a customer's order history is told. `contract`
// below means the project's contract as the README states it under "Records in".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "state/core/instant.hpp"

namespace segmentd {

enum class RecordType : std::uint8_t { kOrder, kPayment, kRefund, kCancellation };
inline constexpr int kRecordTypes = 4;
/// `order`, `payment`, `refund`, `cancellation`.
const char* word(RecordType type);

struct Record {
  RecordType type = RecordType::kOrder;
  std::string customer_id;  // empty = anonymous: counted, never a customer
  std::string order_id;     // empty only for a refund that names no order
  std::string own_id;       // payment id or refund id; empty for orders and cancellations
  Instant at;               // ordered_at, paid_at, refunded_at or cancelled_at
  /// Orders: the calendar day of `at` in the configured time zone, days since 1970-01-01. The
  /// decoder fills it because the core has no zone database.
  std::int32_t local_day = 0;
  std::int64_t amount_minor = 0;        // >= 0; 0 for cancellations
  bool counts = true;                   // orders: the status is a counting one, or there is none
  std::optional<std::int64_t> version;  // orders only; nullopt = the later offset wins
};

}  // namespace segmentd
