// Bytes of the input topic to records: the only place that knows how a record looks from outside.
// Pure but for its buffers; never throws, never fails: what is no record is a Reject.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/wire/field_reader.hpp"
#include "daemon/wire/zone.hpp"
#include "state/core/record.hpp"
#include "state/core/reject.hpp"
#include "state/core/result.hpp"

namespace segmentd {

enum class KeyMode : std::uint8_t {
  kRaw,   // the key's bytes are the customer id
  kJson,  // the key is a JSON string or integer
  kNone,  // records have no keys: lines of a file
};

enum class TimeFormat : std::uint8_t { kRfc3339, kSeconds, kMilliseconds, kMicroseconds };

/// Where each field stands in a message, as JSON pointers. Several may be the same.
struct FieldPointers {
  std::string type = "/type";
  std::string order_id = "/order_id";
  std::string customer_id = "/customer_id";
  std::string ordered_at = "/ordered_at";
  std::string amount = "/amount";
  std::string currency = "/currency";
  std::string status = "/status";
  std::string version = "/version";
  std::string payment_id = "/payment_id";
  std::string paid_at = "/paid_at";
  std::string refund_id = "/refund_id";
  std::string refunded_at = "/refunded_at";
  std::string cancelled_at = "/cancelled_at";
};

/// How messages are read; settings.
struct DecodeRules {
  FieldPointers fields;
  KeyMode key = KeyMode::kRaw;
  TimeFormat time_format = TimeFormat::kRfc3339;
  Zone zone;                         // of times without one, and of the local day
  std::string currency;              // the one that is accepted, to the letter
  int decimals = 2;                  // 0 .. kDecimalsMax
  bool money_from_payments = false;  // an order then needs no amount
  std::vector<std::string> counting_statuses{"completed", "paid", "delivered"};  // lower case
  std::size_t max_bytes = 1 << 20;                                               // of a value
};

using DecodedRecord = std::variant<Record, Reject>;

inline constexpr std::size_t kIdBytesMax = 256;

/// 1 to kIdBytesMax bytes without control characters (below 0x20, 0x7f). UTF-8 is not checked.
bool is_id(std::string_view text);

/// One per thread: it reuses its buffers.
class Decoder {
 public:
  /// kMisconfigured: a field is no JSON pointer, decimals out of range, no currency.
  static Result<Decoder> create(DecodeRules rules);

  /// nullopt = null, which is not the empty key or value. Yields every code of RejectReason but
  /// those that need a clock, a partition or a row: kFuture, kWrongPartition, kTooOld, kClockJump,
  /// kSkipped.
  DecodedRecord decode(std::optional<std::string_view> key, std::optional<std::string_view> value);

  /// What the record last given to decode() said it was; nullopt = refused before that was known.
  std::optional<RecordType> last_type() const { return last_type_; }

 private:
  using Refused = std::optional<Reject>;

  Decoder(DecodeRules rules, FieldReader reader);

  Refused read_json(std::optional<std::string_view> value);
  Refused read_type(Record& record);
  Refused read_customer(std::optional<std::string_view> key, Record& record);
  Refused read_order(Record& record);
  Refused read_payment(Record& record);
  Refused read_refund(Record& record);
  Refused read_cancellation(Record& record);
  Refused read_status(Record& record);
  Refused read_version(Record& record);

  Refused read_id(std::size_t field, std::string& id) const;
  Refused require_id(std::size_t field, std::string& id) const;
  Refused read_time(std::size_t field, Instant& at) const;
  Refused read_money(Record& record) const;
  Refused read_amount(Record& record) const;
  Refused read_currency() const;
  bool key_agrees(std::string_view key, std::string_view customer_id);
  const std::string& pointer(std::size_t field) const { return pointers_[field]; }

  DecodeRules rules_;
  std::vector<std::string> pointers_;
  FieldReader fields_;
  JsonKeyReader json_key_;
  std::optional<RecordType> last_type_;
};

}  // namespace segmentd
