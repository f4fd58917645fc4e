#include "tests/support/rfm_oracle.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <simdjson.h>

namespace segmentd::test {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

[[noreturn]] void refuse(const std::string& what) {
  throw std::runtime_error("oracle: " + what);
}

std::optional<std::string> text_of(const simdjson::dom::element& record, const char* name) {
  simdjson::dom::element value;
  if (record[name].get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  std::int64_t number = 0;
  if (value.get(number) == simdjson::SUCCESS) return std::to_string(number);
  refuse(std::string(name) + " is neither a string nor an integer");
}

/// "21400.12" with 3 decimals: 21400120.
std::int64_t minor_of(const std::string& text, int decimals) {
  const bool negative = !text.empty() && text[0] == '-';
  std::int64_t minor = 0;
  int behind_point = -1;
  for (const char c : text.substr(negative ? 1 : 0)) {
    if (c == '.' && behind_point < 0) {
      behind_point = 0;
      continue;
    }
    if (c < '0' || c > '9') refuse("amount " + text);
    minor = minor * 10 + (c - '0');
    if (behind_point >= 0) ++behind_point;
  }
  behind_point = std::max(behind_point, 0);
  if (behind_point > decimals) refuse("amount " + text);
  for (; behind_point < decimals; ++behind_point) minor *= 10;
  return negative ? -minor : minor;
}

std::int64_t ms_of(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%*1[T ]%2d:%2d:%2d%n", &year, &month, &day, &hour,
                  &minute, &second, &used) != 6) {
    refuse("time " + text);
  }
  std::int64_t ms = 0;
  std::string rest = text.substr(static_cast<std::size_t>(used));
  if (rest.starts_with('.')) {
    const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    ms = std::stoll((rest.substr(1, end - 1) + "000").substr(0, 3));
    rest = rest.substr(end);
  }
  int hours = 0, minutes = 0;
  char sign = '+';
  if (rest != "Z" && std::sscanf(rest.c_str(), "%c%2d:%2d", &sign, &hours, &minutes) != 3) {
    refuse("time " + text);
  }
  const std::int64_t offset = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
  const std::chrono::sys_days date = std::chrono::year(year) / month / day;
  return date.time_since_epoch().count() * kDayMs +
         ((hour * 60 + minute - offset) * 60 + second) * 1000 + ms;
}

std::int64_t day_of(std::int64_t ms) {
  return ms >= 0 ? ms / kDayMs : (ms + 1) / kDayMs - 1;
}

std::int64_t sum_of(const std::map<std::string, std::int64_t>& amounts) {
  std::int64_t sum = 0;
  for (const auto& [id, minor] : amounts) sum += minor;
  return sum;
}

}  // namespace

struct RfmOracle::Fields {
  std::string type;
  std::optional<std::string> customer, order, id, at, amount, status, version;

  const std::string& need(const std::optional<std::string>& field, const char* name) const {
    if (!field) refuse(type + " without " + name);
    return *field;
  }
  std::int64_t minor(int decimals) const { return minor_of(need(amount, "amount"), decimals); }
};

void RfmOracle::add(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element record;
  if (parser.parse(simdjson::padded_string(json)).get(record) != simdjson::SUCCESS) {
    refuse("not JSON: " + std::string(json));
  }
  Fields fields;
  fields.type = text_of(record, "type").value_or("order");
  fields.customer = text_of(record, "customer_id");
  fields.order = text_of(record, "order_id");
  fields.id = text_of(record, fields.type == "payment" ? "payment_id" : "refund_id");
  fields.at = text_of(record, "ordered_at");
  fields.amount = text_of(record, "amount");
  fields.status = text_of(record, "status");
  fields.version = text_of(record, "version");
  if (!fields.customer || fields.customer->empty()) return count_anonymous(fields);

  Customer& customer = customers_[*fields.customer];
  if (fields.type == "order") {
    add_order(customer, fields);
  } else if (fields.type == "payment") {
    customer.orders[fields.need(fields.order, "order_id")].payments.emplace(
        fields.need(fields.id, "payment_id"), fields.minor(settings_.decimals));
  } else if (fields.type == "refund") {
    add_refund(customer, fields);
  } else if (fields.type == "cancellation") {
    add_cancellation(customer, fields);
  } else {
    refuse("type " + fields.type);
  }
}

void RfmOracle::add_lines(std::string_view ndjson) {
  while (!ndjson.empty()) {
    const std::size_t end = std::min(ndjson.find('\n'), ndjson.size());
    if (end > 0) add(ndjson.substr(0, end));
    ndjson.remove_prefix(std::min(end + 1, ndjson.size()));
  }
}

void RfmOracle::add_order(Customer& customer, const Fields& fields) const {
  Order& order = customer.orders[fields.need(fields.order, "order_id")];
  std::optional<std::int64_t> version;
  if (fields.version) version = std::stoll(*fields.version);
  if (order.version && version && *version < *order.version) return;  // stale
  const bool was_waiting = !order.known;
  order.known = true;
  order.at = ms_of(fields.need(fields.at, "ordered_at"));
  order.amount_minor = fields.minor(settings_.decimals);
  std::string status = fields.status.value_or("");
  std::transform(status.begin(), status.end(), status.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  order.status_counts = !fields.status || settings_.counting_statuses.contains(status);
  if (version) order.version = version;
  if (order.cancelled && was_waiting) {
    order.cancelled_version = order.version;
  } else if (order.cancelled && version && order.cancelled_version &&
             *version > *order.cancelled_version) {
    order.cancelled = false;
  }
}

void RfmOracle::add_refund(Customer& customer, const Fields& fields) const {
  const std::string& id = fields.need(fields.id, "refund_id");
  if (!customer.refund_ids.insert(id).second) return;  // each refund once
  const std::int64_t minor = fields.minor(settings_.decimals);
  auto& refunds =
      fields.order ? customer.orders[*fields.order].refunds : customer.refunds_without_order;
  refunds.emplace(id, minor);
}

void RfmOracle::add_cancellation(Customer& customer, const Fields& fields) {
  Order& order = customer.orders[fields.need(fields.order, "order_id")];
  order.cancelled = true;
  order.cancelled_version = order.version;
}

void RfmOracle::count_anonymous(const Fields& fields) {
  if (fields.type == "order") {
    ++anonymous_.orders;
    anonymous_.ordered_minor += fields.minor(settings_.decimals);
  } else if (fields.type == "refund") {
    ++anonymous_.refunds;
    anonymous_.refunded_minor += fields.minor(settings_.decimals);
  }
}

std::map<std::string, OracleCustomer> RfmOracle::customers() const {
  std::map<std::string, OracleCustomer> measured;
  for (const auto& [id, customer] : customers_) measured.emplace(id, measure(customer));
  return measured;
}

OracleCustomer RfmOracle::measure(const Customer& customer) const {
  OracleCustomer total;
  std::map<std::int64_t, std::int64_t> money_by_day;
  for (const auto& [id, order] : customer.orders) measure_order(order, total, money_by_day);
  total.refunded_minor += sum_of(customer.refunds_without_order);
  total.refunds += static_cast<std::int64_t>(customer.refunds_without_order.size());
  total.monetary_minor = total.gross_minor - total.refunded_minor;
  for (const auto& [day, minor] : money_by_day) total.purchase_days.insert(day);
  if (!money_by_day.empty()) total.first_day_minor = money_by_day.begin()->second;
  return total;
}

void RfmOracle::measure_order(const Order& order, OracleCustomer& total,
                              std::map<std::int64_t, std::int64_t>& money_by_day) const {
  if (!order.known) return;
  if (order.cancelled) ++total.cancellations;
  if (order.cancelled || !order.status_counts) return;
  const std::int64_t money =
      settings_.money_is_payments ? sum_of(order.payments) : order.amount_minor;
  const std::int64_t refunded = sum_of(order.refunds);
  total.gross_minor += money;
  total.refunded_minor += refunded;
  total.refunds += static_cast<std::int64_t>(order.refunds.size());
  const bool refunded_whole = !order.refunds.empty() && refunded >= money && money > 0;
  if (refunded_whole) return;
  ++total.frequency;
  total.first_order_at = std::min(total.first_order_at.value_or(order.at), order.at);
  total.last_order_at = std::max(total.last_order_at.value_or(order.at), order.at);
  const std::int64_t net = money - refunded;
  money_by_day[day_of(order.at)] += net;
  const auto magnitude = static_cast<std::uint64_t>(std::llabs(net));
  total.squared_minor += static_cast<Wide>(magnitude) * magnitude;
}

}  // namespace segmentd::test
