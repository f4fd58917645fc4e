// Whether a row is sound: what a decoder must be sure of before figures are computed from it, and
// what the tests hold apply() to.
#include <algorithm>
#include <limits>
#include <string>

#include "state/core/figures.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

constexpr std::size_t kIdBytesMax = 256;
// Local days of accepted instants, a zone's offset included.
constexpr std::int32_t kFirstDay = static_cast<std::int32_t>(kFirstInstant.ms / kMsPerDay) - 2;
constexpr std::int32_t kLastDay = static_cast<std::int32_t>(kLastInstant.ms / kMsPerDay) + 2;

bool is_id(const std::string& id) {
  return !id.empty() && id.size() <= kIdBytesMax;
}
bool in_range(Instant at) {
  return kFirstInstant <= at && at <= kLastInstant;
}
bool in_range(const std::optional<Instant>& at) {
  return !at || in_range(*at);
}
bool is_day(std::int32_t day) {
  return kFirstDay <= day && day <= kLastDay;
}
bool is_amount(std::int64_t minor) {
  return 0 <= minor && minor <= kAmountMinorMax;
}
bool is_sum(std::int64_t sum) {
  return 0 <= sum && sum <= kFigureMinorMax;
}

/// Empty = sorted by id without repeats, each part in range and none newer than `newest`.
std::string check_parts(const std::vector<Part>& parts, Instant newest) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    if (!is_id(part.id)) return "a part's id is empty or too long";
    if (i > 0 && !(parts[i - 1].id < part.id)) return "part '" + part.id + "' is out of order";
    if (!is_amount(part.amount_minor)) return "part '" + part.id + "': amount out of range";
    if (!in_range(part.at)) return "part '" + part.id + "': time out of range";
    if (part.at > newest) return "part '" + part.id + "' is newer than its order's activity";
  }
  return {};
}

std::string check_order(const OrderGroup& group) {
  if (!in_range(group.at) || !is_day(group.local_day)) return "time out of range";
  if (group.at > group.newest) return "the order is newer than its activity";
  if (!is_amount(group.amount_minor)) return "amount out of range";
  return {};
}

std::string check_unknown_order(const OrderGroup& group) {
  if (group.at != Instant{} || group.local_day != 0 || group.amount_minor != 0 || group.counts ||
      group.version || group.cancelled_version) {
    return "an order that is not known has an order's fields";
  }
  if (group.cancelled_at.has_value() != group.cancelled) return "a revived order that is not known";
  if (!group.cancelled && group.payments.empty() && group.refunds.empty()) return "nothing waits";
  return {};
}

std::string check_group(const OrderGroup& group, const Rules& rules) {
  if (!in_range(group.newest) || !in_range(group.cancelled_at)) return "time out of range";
  if (group.cancelled && !group.cancelled_at) return "cancelled at no time";
  if (group.cancelled_at > group.newest) return "the cancellation is newer than its activity";
  if (!group.cancelled && group.cancelled_version)
    return "a cancelled version without cancellation";
  if (!rules.money_from_payments && !group.payments.empty()) {
    return "payments are kept though money is the order's amount";
  }
  for (const auto* parts : {&group.payments, &group.refunds}) {
    if (std::string wrong = check_parts(*parts, group.newest); !wrong.empty()) return wrong;
  }
  return group.known ? check_order(group) : check_unknown_order(group);
}

std::string check_days(const std::vector<DayRun>& days) {
  std::int64_t end = std::numeric_limits<std::int32_t>::min();
  for (const DayRun& run : days) {
    if (run.first_day <= end) return "day runs overlap, touch or are out of order";
    end = std::int64_t{run.first_day} + run.days;
    if (run.days < 1 || !is_day(run.first_day) || end - 1 > kLastDay)
      return "a day is out of range";
  }
  return {};
}

/// Counting orders leave times and days behind; without them there are none.
std::string check_folded_orders(const Folded& folded) {
  const bool any = folded.orders > 0;
  if (folded.first_order_at.has_value() != any || folded.last_order_at.has_value() != any ||
      folded.days.empty() == any) {
    return "folded orders and their times or days do not agree";
  }
  if (!any) {
    const bool clean = folded.first_day_minor == 0 && folded.squared_minor == Sum128{};
    return clean ? "" : "totals of no folded order";
  }
  if (*folded.first_order_at > *folded.last_order_at || *folded.last_order_at > *folded.until) {
    return "folded orders' times are out of order";
  }
  return check_days(folded.days);
}

std::string check_folded(const Folded& folded) {
  if (!folded.until) return folded == Folded{} ? "" : "totals without anything folded";
  if (!in_range(folded.until) || !in_range(folded.first_order_at)) return "time out of range";
  for (const std::int64_t sum :
       {folded.orders, folded.gross_minor, folded.refunded_minor, folded.refunds,
        folded.cancellations, folded.dropped_waiting, folded.first_day_minor}) {
    if (!is_sum(sum)) return "a folded total is out of range";
  }
  // Else the first day's money, folded and open together, could leave the range that gross keeps.
  if (folded.first_day_minor > folded.gross_minor) return "the first day's money exceeds all money";
  return check_folded_orders(folded);
}

/// C2: what is open is not older than what was folded.
std::string check_horizon(const Customer& customer) {
  if (!customer.folded.until) return {};
  const Instant until = *customer.folded.until;
  const auto is_older = [until](Instant activity) { return activity < until; };
  if (std::any_of(customer.orders.begin(), customer.orders.end(),
                  [&](const OrderGroup& group) { return is_older(group.newest); })) {
    return "an open order is older than the fold";
  }
  if (std::any_of(customer.loose_refunds.begin(), customer.loose_refunds.end(),
                  [&](const Part& refund) { return is_older(refund.at); })) {
    return "an open refund is older than the fold";
  }
  return {};
}

std::string check_standing(const Customer& customer) {
  if (customer.cluster < -1 || customer.epoch < 0 || customer.announced.sequence < 0) {
    return "cluster, epoch or sequence out of range";
  }
  if (!in_range(customer.segment_since) || !in_range(customer.announced.since) ||
      !in_range(customer.updated_at)) {
    return "time out of range";
  }
  return {};
}

}  // namespace

std::string check_structure(const Customer& customer, const Rules& rules) {
  if (std::string wrong = check_standing(customer); !wrong.empty()) return wrong;
  for (std::size_t i = 0; i < customer.orders.size(); ++i) {
    const OrderGroup& group = customer.orders[i];
    if (!is_id(group.order_id)) return "an order's id is empty or too long";
    if (i > 0 && !(customer.orders[i - 1].order_id < group.order_id)) {
      return "order '" + group.order_id + "' is out of order";
    }
    if (std::string wrong = check_group(group, rules); !wrong.empty()) {
      return "order '" + group.order_id + "': " + wrong;
    }
  }
  if (std::string wrong = check_parts(customer.loose_refunds, kLastInstant); !wrong.empty()) {
    return "refunds without order: " + wrong;
  }
  if (std::string wrong = check_folded(customer.folded); !wrong.empty()) return wrong;
  return check_horizon(customer);
}

std::string check(const Customer& customer, const Rules& rules) {
  if (std::string wrong = check_structure(customer, rules); !wrong.empty()) return wrong;
  const std::optional<Figures> figures = added_up(customer, rules);
  if (!figures) return "a sum of money is out of range";
  if (*figures != customer.figures) return "the figures do not follow from the orders";
  return {};
}

}  // namespace segmentd
