// One record applied to one customer. Every path first makes the changed group and the changed
// figures beside the row and only then puts them in: a refused record leaves no trace.
#include "state/core/customer.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "state/core/figures.hpp"

namespace segmentd {
namespace {

/// Not remembered and not newer than the fold: it was folded, or it is too late.
bool too_old(const Customer& customer, Instant at) {
  return customer.folded.until && at <= *customer.folded.until;
}

std::vector<Part>::iterator place_of(std::vector<Part>& parts, const std::string& id) {
  return std::lower_bound(
      parts.begin(), parts.end(), id,
      [](const Part& part, const std::string& wanted) { return part.id < wanted; });
}

/// Takes a payment or refund once: the first of an id is the one that counts.
void take_part(std::vector<Part>& parts, const Record& record) {
  const auto place = place_of(parts, record.own_id);
  if (place != parts.end() && place->id == record.own_id) return;
  parts.insert(place, Part{record.own_id, record.at, record.amount_minor});
}

/// A record of a higher version than the one that was cancelled.
bool revives(const OrderGroup& group, const Record& record) {
  if (!group.known || !group.cancelled || !record.version) return false;
  return !group.cancelled_version || *record.version > *group.cancelled_version;
}

bool is_stale(const OrderGroup& group, const Record& record) {
  return group.known && record.version && group.version && *record.version < *group.version;
}

void take_order(OrderGroup& group, const Record& record) {
  if (revives(group, record)) {
    group.cancelled = false;
    group.cancelled_version.reset();
  } else if (!group.known && group.cancelled) {
    group.cancelled_version = record.version;
  }
  group.known = true;
  group.at = record.at;
  group.local_day = record.local_day;
  group.amount_minor = record.amount_minor;
  group.counts = record.counts;
  if (record.version) group.version = record.version;  // not stale: never lower than seen
}

void take_cancellation(OrderGroup& group, const Record& record) {
  if (group.cancelled_at && record.at <= *group.cancelled_at) return;  // said before, or older
  group.cancelled_at = record.at;
  if (group.cancelled) return;
  group.cancelled = true;
  group.cancelled_version = group.version;
}

/// Lets one record change a group; what it leaves as it was, it had nothing new about.
void take(OrderGroup& group, const Record& record) {
  group.newest = std::max(group.newest, record.at);
  switch (record.type) {
    case RecordType::kOrder:
      if (!is_stale(group, record)) take_order(group, record);
      break;
    case RecordType::kPayment:
      take_part(group.payments, record);
      break;
    case RecordType::kRefund:
      take_part(group.refunds, record);
      break;
    case RecordType::kCancellation:
      take_cancellation(group, record);
      break;
  }
}

std::vector<OrderGroup>::iterator place_of(std::vector<OrderGroup>& orders, const std::string& id) {
  return std::lower_bound(
      orders.begin(), orders.end(), id,
      [](const OrderGroup& group, const std::string& wanted) { return group.order_id < wanted; });
}

OrderGroup opened_by(const Record& record) {
  OrderGroup group;
  group.order_id = record.order_id;
  group.newest = record.at;
  return group;
}

/// Puts `next` in the place of the group there, or before it where there is none of its id, and
/// renews the figures. False = a sum does not fit; then nothing has changed.
bool put(Customer& customer, std::vector<OrderGroup>::iterator place, bool remembered,
         OrderGroup&& next, const Rules& rules) {
  const Contribution before = remembered ? contribution_of(*place, rules) : Contribution{};
  const Contribution after = contribution_of(next, rules);
  const auto own = static_cast<std::size_t>(place - customer.orders.begin());
  Figures renewed = customer.figures;
  if (!replace(renewed, customer, remembered ? own : customer.orders.size(), before, after,
               rules)) {
    return false;
  }
  if (remembered) {
    *place = std::move(next);
  } else {
    customer.orders.insert(place, std::move(next));
  }
  customer.figures = renewed;
  return true;
}

void settle([[maybe_unused]] const Customer& customer, [[maybe_unused]] const Rules& rules) {
  assert(customer.figures == figures_of(customer, rules));  // C1
}

/// A refund that names no order lowers monetary only.
Applied apply_loose_refund(Customer& customer, const Record& record, const Rules& rules) {
  std::vector<Part>& refunds = customer.loose_refunds;
  const auto place = place_of(refunds, record.own_id);
  if (place != refunds.end() && place->id == record.own_id) {
    if (record.at <= place->at) return Applied::kUnchanged;
    place->at = record.at;  // sent again under a newer time: not to be taken again once folded
  } else {
    if (too_old(customer, record.at)) return Applied::kTooOld;
    Figures renewed = customer.figures;
    if (!add_loose_refund(renewed, record.amount_minor)) return Applied::kOverflow;
    refunds.insert(place, Part{record.own_id, record.at, record.amount_minor});
    customer.figures = renewed;
  }
  fold_down(customer, rules);
  settle(customer, rules);
  return Applied::kChanged;
}

}  // namespace

Applied apply(Customer& customer, const Record& record, const Rules& rules) {
  if (record.type == RecordType::kPayment && !rules.money_from_payments) return Applied::kUnchanged;
  if (record.order_id.empty()) return apply_loose_refund(customer, record, rules);

  const auto place = place_of(customer.orders, record.order_id);
  const bool remembered = place != customer.orders.end() && place->order_id == record.order_id;
  if (!remembered && too_old(customer, record.at)) return Applied::kTooOld;

  OrderGroup next = remembered ? *place : opened_by(record);
  take(next, record);
  if (remembered && next == *place) {
    const bool stale = record.type == RecordType::kOrder && is_stale(*place, record);
    return stale ? Applied::kStale : Applied::kUnchanged;
  }
  // A group that only waits may be what came about an order after that was folded: nothing as old
  // as the fold is added to it.
  if (remembered && !place->known && too_old(customer, record.at)) return Applied::kTooOld;

  const Applied outcome = next.known ? Applied::kChanged : Applied::kWaiting;
  if (!put(customer, place, remembered, std::move(next), rules)) return Applied::kOverflow;
  fold_down(customer, rules);
  settle(customer, rules);
  return outcome;
}

Cause cause_of(const Record& record, const Figures& before, const Figures& after) {
  if (record.type == RecordType::kRefund || record.type == RecordType::kCancellation) {
    return Cause::kRefund;
  }
  const bool lowered =
      after.frequency < before.frequency || after.monetary_minor < before.monetary_minor;
  return lowered ? Cause::kRefund : Cause::kOrder;
}

}  // namespace segmentd
