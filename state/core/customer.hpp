// What is known of one customer, and how one record changes it.
//
// A row keeps the customer's last orders and refunds open to change, folds older ones into totals,
// and derives recency, frequency and monetary from both. Everything is integers: no floating point
// in state.
//
// Invariants, re-checked by check() after every decode and in the tests:
//   C1  The derived figures (Figures) are a function of totals + open groups: the same for any
//       arrival order of the same records as long as nothing was folded in between. (What one order
//       id is told twice without versions, or between whose versions a cancellation falls, is told
//       by its order.)
//   C2  Every folded record's time is <= folded.until, every open group's activity is >=
//       folded.until: a record that is not remembered, whose order is not known either, and that is
//       not newer than folded.until was either folded or is too late; it is refused, never applied
//       twice.
//   C3  entries(customer) <= Rules::remembered_max after every apply() that changed the row. Not
//       part of check(): a row may have been written under a larger remembered_max.
//   C4  gross_minor - refunded_minor == monetary_minor, each within +-kFigureMinorMax.
//
// Folding changes no figure: it only gives up being able to change what it folds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "state/core/instant.hpp"
#include "state/core/record.hpp"
#include "state/core/segment.hpp"

namespace segmentd {

/// The largest magnitude of a sum of money in a row; a record that would exceed it is refused.
inline constexpr std::int64_t kFigureMinorMax = std::int64_t{1} << 62;

/// What gives records their meaning; settings, fixed for the life of a state directory
/// (remembered_max may change).
struct Rules {
  bool money_from_payments = false;  // input.money = payments
  int remembered_max = 512;  // orders.remembered: open orders, refunds and payments of a customer
};

/// A part of an order that has an id of its own and is taken once: a payment or a refund. The first
/// one of an id is the one that counts.
struct Part {
  std::string id;
  Instant at;  // of a refund without order: the newest time its id was sent with, its activity (C2)
  std::int64_t amount_minor = 0;
  bool operator==(const Part&) const = default;
};

/// Everything known about one order id, the order itself perhaps not yet.
struct OrderGroup {
  std::string order_id;
  /// The group's activity: the newest time of any record that named it, also of one that was stale
  /// or was said before. Never goes back, so that whatever was applied once is not newer than the
  /// fold.
  Instant newest;
  bool known = false;  // an order record came; else the parts wait, without effect
  // Of the order record in force; default while not known:
  Instant at;
  std::int32_t local_day = 0;
  std::int64_t amount_minor = 0;
  bool counts = false;                  // its status counts
  std::optional<std::int64_t> version;  // the highest seen
  // Of cancellations:
  bool cancelled = false;  // stays until an order record of a higher version than cancelled_version
  /// The order's version when it was cancelled; unset while not cancelled, while the order is not
  /// known and where it had none.
  std::optional<std::int64_t> cancelled_version;
  /// The newest cancellation seen. Stays when the order is revived: the same cancellation sent
  /// again does not end it again.
  std::optional<Instant> cancelled_at;
  std::vector<Part> payments;  // by id, only kept with Rules::money_from_payments
  std::vector<Part> refunds;   // by id
  bool operator==(const OrderGroup&) const = default;
};

/// A run of consecutive local days on which the customer had counting orders (folded ones).
struct DayRun {
  std::int32_t first_day = 0;
  std::int32_t days = 0;
  bool operator==(const DayRun&) const = default;
};

/// 128-bit sums, in two halves so that the header needs no compiler extension.
struct Sum128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Sum128&) const = default;
};

/// What folded orders and refunds left behind. Never shrinks.
struct Folded {
  std::optional<Instant> until;  // C2; unset = nothing was folded
  std::int64_t orders = 0;       // counting orders
  std::optional<Instant> first_order_at;
  std::optional<Instant> last_order_at;
  std::int64_t gross_minor = 0;
  std::int64_t refunded_minor = 0;
  std::int64_t refunds = 0;
  std::int64_t cancellations = 0;
  std::int64_t dropped_waiting =
      0;                     // payments, refunds and cancellations whose order did not come in time
  Sum128 squared_minor;      // of counting orders' money
  std::vector<DayRun> days;  // sorted, disjoint, not adjacent
  std::int64_t first_day_minor = 0;  // money on days.front().first_day
  bool operator==(const Folded&) const = default;
};

/// The figures that follow from a row's orders. `last_order_at` unset = no counting order: the
/// customer is known but in no segment.
struct Figures {
  std::int64_t frequency = 0;
  std::int64_t monetary_minor = 0;  // may be <= 0
  std::optional<Instant> first_order_at;
  std::optional<Instant> last_order_at;
  std::int64_t gross_minor = 0;
  std::int64_t refunded_minor = 0;
  std::int64_t refunds = 0;
  std::int64_t cancellations = 0;
  std::int64_t purchase_days = 0;
  std::int64_t first_day_minor = 0;
  Sum128 squared_minor;
  bool operator==(const Figures&) const = default;
};

/// What the world was last told about a customer.
struct Announced {
  Segment segment = Segment::kNone;
  Instant since;              // when that segment began; meaningless for kNone
  std::int64_t sequence = 0;  // events published about this customer
  bool operator==(const Announced&) const = default;
};

struct Customer {
  std::string id;
  std::vector<OrderGroup> orders;   // sorted by order_id
  std::vector<Part> loose_refunds;  // refunds that name no order, sorted by id
  Folded folded;
  Figures figures;  // derived, kept because every decision needs it: C1
  // The segment in force and by what it was decided.
  Segment segment = Segment::kNone;
  Instant segment_since;  // time of the move into `segment`; meaningless while it never was in one
  std::int32_t cluster = -1;  // index in the epoch's centroids; -1 = none
  std::int64_t epoch = 0;     // the epoch that decided it; 0 = none yet
  bool provisional = false;   // that epoch was a provisional one
  Announced announced;
  Instant updated_at;  // the clock when the row last changed
  /// Sections of the stored row that this program does not know, as they came (state/FORMAT.md):
  /// they are carried along, so that an older program loses nothing a newer one wrote.
  std::string sections;
  bool operator==(const Customer&) const = default;
};

/// What became of a record. Only kTooOld and kOverflow are refused.
enum class Applied : std::uint8_t {
  kChanged,    // the row changed
  kUnchanged,  // nothing new: said before
  kStale,      // an order record of a lower version than seen
  kWaiting,    // kept until its order comes; no figure changed
  kTooOld,     // neither it nor its order is remembered, and it is not newer than the fold
  kOverflow,   // a sum of money would leave +-kFigureMinorMax
};

/// Applies one record of this customer (record.customer_id == customer.id, 0 <= amount_minor <=
/// kAmountMinorMax) to the row, renews its figures and folds what is beyond Rules::remembered_max.
/// Does not touch segment, announced or updated_at. On kUnchanged, kStale, kTooOld and kOverflow
/// the row is bit for bit what it was; a repeated or stale record that is newer than all else known
/// of its order moves the group's activity and is kChanged (kWaiting while the order is not known).
Applied apply(Customer& customer, const Record& record, const Rules& rules);

/// The figures recomputed from totals and open groups; what apply() keeps in customer.figures (C1).
/// Requires a sound customer: their sums fit.
Figures figures_of(const Customer& customer, const Rules& rules);

/// Open entries: known orders, waiting groups, payments and refunds, each one (C3).
std::int64_t entries(const Customer& customer);

/// Checks C1, C2, C4 and the orderings and ranges named above; empty = sound, else what is wrong.
std::string check(const Customer& customer, const Rules& rules);

/// Whether a move caused by this record is told as `refund` (it lowered or ended something) or
/// `order`. An order or payment record that lowered frequency or monetary, or ended the last
/// counting order, is `refund`; refunds and cancellations always are.
Cause cause_of(const Record& record, const Figures& before, const Figures& after);

}  // namespace segmentd
