// The settings of what comes in: the input topic, where the fields stand, orders, rejects.
#pragma once

#include "config/option.hpp"
#include "config/rules.hpp"

namespace segmentd::config {

enum class InputStart { kEarliest, kLatest };
enum class InputPartitioner { kMurmur2, kConsistent, kUnchecked };
enum class InputKey { kRaw, kJson };
enum class InputTimeFormat { kRfc3339, kSeconds, kMilliseconds, kMicroseconds };
enum class MoneySource { kAmount, kPayments };

struct InputSettings {
  OptionSet& set;
  StringOption topic{set,
                     {"input.topic", "Topic the orders are read from; key = the customer id."},
                     "orders",
                     kTopicName};
  Choice<InputStart> start{
      set,
      {"input.start", "Where a partition begins that has neither state nor a committed offset."},
      InputStart::kEarliest,
      {"earliest", "latest"}};
  Choice<InputPartitioner> partitioner{
      set,
      {"input.partitioner",
       "How the producers of the input choose the partition: `murmur2` as Java does, `consistent` "
       "(CRC32) as librdkafka does by default. A record elsewhere is rejected as "
       "`wrong_partition`; "
       "`unchecked` takes it wherever it lies.",
       kMeaning},
      InputPartitioner::kMurmur2,
      {"murmur2", "consistent", "unchecked"}};
  Choice<InputKey> key{
      set,
      {"input.key", "How the record's key holds the customer id: `raw` bytes or a `json` string.",
       kMeaning},
      InputKey::kRaw,
      {"raw", "json"}};
  Choice<InputTimeFormat> time_format{
      set,
      {"input.time_format",
       "How times are written: RFC 3339, or seconds, milliseconds or microseconds since 1970 UTC.",
       kMeaning},
      InputTimeFormat::kRfc3339,
      {"rfc3339", "s", "ms", "us"}};
  Choice<MoneySource> money{
      set,
      {"input.money", "What an order is worth: its `amount`, or the sum of its `payments`.",
       kMeaning},
      MoneySource::kAmount,
      {"amount", "payments"}};
  ListOption counting_statuses{
      set,
      {"input.counting_statuses",
       "An order counts if its status is one of these, in upper or lower case. An order without "
       "status counts always.",
       kMeaning},
      {"completed", "paid", "delivered"},
      ListOption::Kind::kCaseless,
      kListWord};
  DurationOption future_tolerance{
      set,
      {"input.future_tolerance",
       "A time further ahead of the wall clock than this is rejected as `future`."},
      std::chrono::hours(1),
      std::chrono::milliseconds(0),
      std::chrono::hours(365 * 24)};
  BytesOption bytes_max{
      set,
      {"input.max_bytes", "A record with a larger value is rejected as `oversized`."},
      1LL << 20,
      1LL << 10,
      64LL << 20};
  ListOption skip{
      set,
      {"input.skip",
       "Records to be rejected as `skipped` without being looked at: the way out where one of them "
       "stops a partition. Each is named as in the log, `orders/0/4711`. Leave it set: a replay "
       "needs it for the same result, and takes its file for partition 0, a line an offset."},
      {},
      ListOption::Kind::kOrdered,
      kRecordPlace};
};

/// JSON pointers (RFC 6901) to the fields of a record.
struct FieldSettings {
  OptionSet& set;
  StringOption type{
      set,
      {"input.field.type",
       "Where the record's type stands: order, payment, refund or cancellation. Absent "
       "means order.",
       kMeaning},
      "/type",
      kJsonPointer};
  StringOption order_id{set,
                        {"input.field.order_id", "Where the order's id stands.", kMeaning},
                        "/order_id",
                        kJsonPointer};
  StringOption customer_id{
      set,
      {"input.field.customer_id", "Where the customer's id stands; it must agree with the key.",
       kMeaning},
      "/customer_id",
      kJsonPointer};
  StringOption ordered_at{set,
                          {"input.field.ordered_at", "Where an order's time stands.", kMeaning},
                          "/ordered_at",
                          kJsonPointer};
  StringOption amount{
      set,
      {"input.field.amount", "Where the amount of an order, payment or refund stands.", kMeaning},
      "/amount",
      kJsonPointer};
  StringOption currency{set,
                        {"input.field.currency", "Where the amount's currency stands.", kMeaning},
                        "/currency",
                        kJsonPointer};
  StringOption status{set,
                      {"input.field.status", "Where an order's status stands.", kMeaning},
                      "/status",
                      kJsonPointer};
  StringOption version{
      set,
      {"input.field.version",
       "Where an order's version stands. Absent means that the later record wins.", kMeaning},
      "/version",
      kJsonPointer};
  StringOption payment_id{set,
                          {"input.field.payment_id", "Where a payment's id stands.", kMeaning},
                          "/payment_id",
                          kJsonPointer};
  StringOption paid_at{set,
                       {"input.field.paid_at", "Where a payment's time stands.", kMeaning},
                       "/paid_at",
                       kJsonPointer};
  StringOption refund_id{set,
                         {"input.field.refund_id", "Where a refund's id stands.", kMeaning},
                         "/refund_id",
                         kJsonPointer};
  StringOption refunded_at{set,
                           {"input.field.refunded_at", "Where a refund's time stands.", kMeaning},
                           "/refunded_at",
                           kJsonPointer};
  StringOption cancelled_at{
      set,
      {"input.field.cancelled_at", "Where a cancellation's time stands.", kMeaning},
      "/cancelled_at",
      kJsonPointer};
};

struct OrderSettings {
  OptionSet& set;
  IntegerOption remembered{set,
                           {"orders.remembered",
                            "Orders and refunds of a customer that stay open to change. Older ones "
                            "are folded into totals; "
                            "a later record about one of those is rejected as `too_old`. Above "
                            "3333 a row may outgrow kafka.message.max.bytes: raise that too."},
                           512,
                           1,
                           100'000};
};

struct RejectedSettings {
  OptionSet& set;
  BytesOption bytes_max{
      set,
      {"rejected.max_bytes", "A rejected record's key and value together are cut to this size."},
      900'000,
      1'000,
      64LL << 20};
};

}  // namespace segmentd::config
