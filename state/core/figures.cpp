#include "state/core/figures.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "state/core/day_runs.hpp"

namespace segmentd {
namespace {

Int128 sum_of(const std::vector<Part>& parts) {
  Int128 sum = 0;
  for (const Part& part : parts) sum += part.amount_minor;
  return sum;
}

/// Adds up when and on which days a customer bought. Days of few orders are kept without
/// allocating.
class Purchases {
 public:
  void add(const Contribution& order) {
    if (!order.counting) return;
    first_ = count_ == 0 ? order.at : std::min(first_, order.at);
    last_ = count_ == 0 ? order.at : std::max(last_, order.at);
    if (count_ == 0 || order.local_day < first_day_) {
      first_day_ = order.local_day;
      first_day_minor_ = 0;
    }
    if (order.local_day == first_day_) first_day_minor_ += order.gross;
    if (count_ < few_.size()) {
      few_[count_] = order.local_day;
    } else {
      if (count_ == few_.size()) many_.assign(few_.begin(), few_.end());
      many_.push_back(order.local_day);
    }
    ++count_;
  }

  /// Sets the figures about times and days, the folded ones included.
  void tell(const Folded& folded, Figures& figures) {
    figures.first_order_at = folded.first_order_at;
    figures.last_order_at = folded.last_order_at;
    figures.purchase_days = total_days(folded.days);
    figures.first_day_minor = folded.first_day_minor;
    if (count_ == 0) return;
    if (!figures.first_order_at || first_ < *figures.first_order_at)
      figures.first_order_at = first_;
    if (!figures.last_order_at || last_ > *figures.last_order_at) figures.last_order_at = last_;
    figures.purchase_days += new_days(folded.days);
    const auto own = static_cast<std::int64_t>(first_day_minor_);
    if (folded.days.empty() || first_day_ < folded.days.front().first_day) {
      figures.first_day_minor = own;
    } else if (first_day_ == folded.days.front().first_day) {
      figures.first_day_minor += own;
    }
  }

 private:
  std::int64_t new_days(const std::vector<DayRun>& folded) {
    std::int32_t* begin = count_ <= few_.size() ? few_.data() : many_.data();
    std::int32_t* end = begin + count_;
    std::sort(begin, end);
    end = std::unique(begin, end);
    return std::count_if(begin, end,
                         [&folded](std::int32_t day) { return !contains_day(folded, day); });
  }

  std::size_t count_ = 0;
  Instant first_;
  Instant last_;
  std::int32_t first_day_ = 0;
  Int128 first_day_minor_ = 0;
  std::array<std::int32_t, 16> few_{};
  std::vector<std::int32_t> many_;
};

/// The sums of money: set at once, so that the one check of the range covers them all.
bool set_money(Figures& figures, Int128 gross, Int128 refunded) {
  if (!fits(gross) || !fits(refunded)) return false;
  figures.gross_minor = static_cast<std::int64_t>(gross);
  figures.refunded_minor = static_cast<std::int64_t>(refunded);
  figures.monetary_minor = figures.gross_minor - figures.refunded_minor;
  return true;
}

/// What a counting order that was not counting before adds to times and days, by one look over the
/// others instead of sorting all days. Its own group may lie among them: as it was, not counting.
void add_purchase(Figures& figures, const Customer& customer, const Contribution& added,
                  const Rules& rules) {
  const std::vector<DayRun>& folded = customer.folded.days;
  bool known_day = contains_day(folded, added.local_day);
  bool any = !folded.empty();
  std::int32_t first_day = any ? folded.front().first_day : 0;
  for (const OrderGroup& other : customer.orders) {
    // Only a day that decides something is worth the sums behind `counting`.
    const bool earlier = !any || other.local_day < first_day;
    const bool same = !known_day && other.local_day == added.local_day;
    if (!other.known || (!earlier && !same)) continue;
    if (!contribution_of(other, rules).counting) continue;
    known_day = known_day || same;
    if (earlier) first_day = other.local_day;
    any = true;
  }
  const auto gross = static_cast<std::int64_t>(added.gross);
  if (!any || added.local_day < first_day) {
    figures.first_day_minor = gross;
  } else if (added.local_day == first_day) {
    figures.first_day_minor += gross;
  }
  if (!known_day) ++figures.purchase_days;
  figures.first_order_at =
      figures.first_order_at ? std::min(*figures.first_order_at, added.at) : added.at;
  figures.last_order_at =
      figures.last_order_at ? std::max(*figures.last_order_at, added.at) : added.at;
}

/// Times and days anew, when a counting order went, moved or changed its money.
void renew_purchases(Figures& figures, const Customer& customer, std::size_t own,
                     const Contribution& after, const Rules& rules) {
  Purchases purchases;
  for (std::size_t i = 0; i < customer.orders.size(); ++i) {
    if (i != own) purchases.add(contribution_of(customer.orders[i], rules));
  }
  purchases.add(after);
  purchases.tell(customer.folded, figures);
}

bool same_purchase(const Contribution& a, const Contribution& b) {
  if (!a.counting && !b.counting) return true;
  return a.counting == b.counting && a.at == b.at && a.local_day == b.local_day &&
         a.gross == b.gross;
}

}  // namespace

Contribution contribution_of(const OrderGroup& group, const Rules& rules) {
  Contribution c;
  if (!group.known) return c;
  c.cancelled = group.cancelled;
  c.at = group.at;
  c.local_day = group.local_day;
  c.refunds = static_cast<std::int64_t>(group.refunds.size());
  if (!group.counts || group.cancelled) return c;
  c.gross = rules.money_from_payments ? sum_of(group.payments) : Int128{group.amount_minor};
  c.refunded = sum_of(group.refunds);
  const bool refunded_whole = c.refunds > 0 && c.gross > 0 && c.refunded >= c.gross;
  c.counting = !refunded_whole;
  return c;
}

Unsigned128 squared(const Contribution& contribution) {
  if (!contribution.counting) return 0;
  const Int128 net = contribution.gross - contribution.refunded;
  const auto magnitude = static_cast<Unsigned128>(net < 0 ? -net : net);
  return magnitude * magnitude;
}

std::optional<Figures> added_up(const Customer& customer, const Rules& rules) {
  const Folded& folded = customer.folded;
  Figures figures;
  figures.frequency = folded.orders;
  figures.refunds = folded.refunds + static_cast<std::int64_t>(customer.loose_refunds.size());
  figures.cancellations = folded.cancellations;
  Int128 gross = folded.gross_minor;
  Int128 refunded = folded.refunded_minor + sum_of(customer.loose_refunds);
  Unsigned128 squares = wide(folded.squared_minor);
  Purchases purchases;
  for (const OrderGroup& group : customer.orders) {
    const Contribution c = contribution_of(group, rules);
    if (!fits(c.gross) || !fits(c.refunded)) return std::nullopt;
    gross += c.gross;
    refunded += c.refunded;
    figures.frequency += c.counting ? 1 : 0;
    figures.refunds += c.refunds;
    figures.cancellations += c.cancelled ? 1 : 0;
    if (__builtin_add_overflow(squares, squared(c), &squares)) return std::nullopt;
    purchases.add(c);
  }
  if (!set_money(figures, gross, refunded)) return std::nullopt;
  figures.squared_minor = halves(squares);
  purchases.tell(folded, figures);
  return figures;
}

bool replace(Figures& figures, const Customer& customer, std::size_t own,
             const Contribution& before, const Contribution& after, const Rules& rules) {
  if (!set_money(figures, figures.gross_minor - before.gross + after.gross,
                 figures.refunded_minor - before.refunded + after.refunded)) {
    return false;
  }
  Unsigned128 squares = wide(figures.squared_minor) - squared(before);
  if (__builtin_add_overflow(squares, squared(after), &squares)) return false;
  figures.squared_minor = halves(squares);
  figures.frequency += (after.counting ? 1 : 0) - (before.counting ? 1 : 0);
  figures.refunds += after.refunds - before.refunds;
  figures.cancellations += (after.cancelled ? 1 : 0) - (before.cancelled ? 1 : 0);
  if (same_purchase(before, after)) return true;
  if (before.counting) {
    renew_purchases(figures, customer, own, after, rules);
  } else {
    add_purchase(figures, customer, after, rules);
  }
  return true;
}

bool add_loose_refund(Figures& figures, std::int64_t amount_minor) {
  ++figures.refunds;
  return set_money(figures, figures.gross_minor, Int128{figures.refunded_minor} + amount_minor);
}

Figures figures_of(const Customer& customer, const Rules& rules) {
  const std::optional<Figures> figures = added_up(customer, rules);
  if (!figures) std::abort();  // apply() and the decoder refuse such a customer
  return *figures;
}

}  // namespace segmentd
