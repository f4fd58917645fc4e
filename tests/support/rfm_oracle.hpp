// Recency, frequency and monetary of every customer, worked out a second time: from the records
// alone, by the plain words of the contract, with maps that keep everything. Shares no code with
// the product.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace segmentd::test {

struct OracleSettings {
  int decimals = 2;
  std::set<std::string> counting_statuses{"completed", "paid", "delivered"};  // lower case
  bool money_is_payments = false;  // an order's money is the sum of its payments, not its amount
};

__extension__ typedef unsigned __int128 Wide;

/// Money in minor units, times in milliseconds since 1970 UTC.
struct OracleCustomer {
  std::optional<std::int64_t> first_order_at;  // of the counting orders
  std::optional<std::int64_t> last_order_at;
  std::int64_t frequency = 0;            // counting orders
  std::int64_t monetary_minor = 0;       // = gross - refunded
  std::int64_t gross_minor = 0;          // of orders of a counting status that are not cancelled
  std::int64_t refunded_minor = 0;       // of those orders, and without an order
  std::int64_t refunds = 0;              // in refunded_minor
  std::int64_t cancellations = 0;        // orders that are cancelled at the end
  std::set<std::int64_t> purchase_days;  // of the counting orders: days since 1970, UTC
  std::int64_t first_day_minor = 0;      // net money of the counting orders of the first such day
  Wide squared_minor = 0;                // sum over the counting orders of their net money squared
};

/// Orders of nobody: no customers, but counted.
struct OracleAnonymous {
  std::int64_t orders = 0;
  std::int64_t ordered_minor = 0;
  std::int64_t refunds = 0;
  std::int64_t refunded_minor = 0;
};

/// Takes records in the order they arrive. Ids are strings or integers; times RFC 3339 with Z or an
/// offset. A record that is not of the contract's form throws std::runtime_error: tests give it
/// valid ones only.
class RfmOracle {
 public:
  explicit RfmOracle(OracleSettings settings = {}) : settings_(std::move(settings)) {}

  /// One record, as JSON.
  void add(std::string_view json);
  /// Many, one a line; empty lines do not matter.
  void add_lines(std::string_view ndjson);

  std::map<std::string, OracleCustomer> customers() const;
  const OracleAnonymous& anonymous() const { return anonymous_; }

 private:
  struct Order {
    bool known = false;  // an order record came; until then the rest waits
    std::int64_t at = 0;
    std::int64_t amount_minor = 0;
    bool status_counts = false;
    std::optional<std::int64_t> version;
    bool cancelled = false;
    std::optional<std::int64_t> cancelled_version;
    std::map<std::string, std::int64_t> payments;
    std::map<std::string, std::int64_t> refunds;
  };
  struct Customer {
    std::map<std::string, Order> orders;
    std::set<std::string> refund_ids;
    std::map<std::string, std::int64_t> refunds_without_order;
  };
  struct Fields;

  void add_order(Customer& customer, const Fields& fields) const;
  void add_refund(Customer& customer, const Fields& fields) const;
  static void add_cancellation(Customer& customer, const Fields& fields);
  void count_anonymous(const Fields& fields);
  OracleCustomer measure(const Customer& customer) const;
  void measure_order(const Order& order, OracleCustomer& total,
                     std::map<std::int64_t, std::int64_t>& money_by_day) const;

  OracleSettings settings_;
  std::map<std::string, Customer> customers_;
  OracleAnonymous anonymous_;
};

}  // namespace segmentd::test
