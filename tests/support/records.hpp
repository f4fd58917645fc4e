// Records written short, for tests of the core and the store.
#pragma once

#include <string>

#include "state/core/customer.hpp"
#include "state/core/record.hpp"

namespace segmentd::test {

/// A customer of whom nothing is known yet.
inline Customer nobody(const std::string& id = "17850") {
  Customer customer;
  customer.id = id;
  return customer;
}

/// Midnight of a day counted from 1970-01-01.
inline Instant day(std::int64_t n) {
  return {n * kMsPerDay};
}

/// An order record that takes what is optional behind it: order("a", day(1), 5).v(2).
struct OrderRecord : Record {
  OrderRecord v(std::int64_t number) const {
    OrderRecord other = *this;
    other.version = number;
    return other;
  }
  OrderRecord not_counting() const {
    OrderRecord other = *this;
    other.counts = false;
    return other;
  }
};

inline Record record(RecordType type, const std::string& order_id, const std::string& own_id,
                     Instant at, std::int64_t amount_minor) {
  Record made;
  made.type = type;
  made.customer_id = "17850";
  made.order_id = order_id;
  made.own_id = own_id;
  made.at = at;
  made.amount_minor = amount_minor;
  return made;
}

inline OrderRecord order(const std::string& id, Instant at, std::int64_t amount_minor) {
  OrderRecord made{record(RecordType::kOrder, id, "", at, amount_minor)};
  made.local_day =
      static_cast<std::int32_t>((at.ms >= 0 ? at.ms : at.ms - (kMsPerDay - 1)) / kMsPerDay);
  return made;
}

inline Record payment(const std::string& id, const std::string& order_id, Instant at,
                      std::int64_t amount_minor) {
  return record(RecordType::kPayment, order_id, id, at, amount_minor);
}

/// Without an order: order_id empty.
inline Record refund(const std::string& id, const std::string& order_id, Instant at,
                     std::int64_t amount_minor) {
  return record(RecordType::kRefund, order_id, id, at, amount_minor);
}

inline Record cancellation(const std::string& order_id, Instant at) {
  return record(RecordType::kCancellation, order_id, "", at, 0);
}

}  // namespace segmentd::test
