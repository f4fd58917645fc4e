// Folding: what is beyond Rules::remembered_max becomes totals, oldest activity first.
#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

#include "state/core/day_runs.hpp"
#include "state/core/figures.hpp"

namespace segmentd {
namespace {

/// An order group or a refund without order, as a candidate for folding. Ordered by activity, then
/// groups before refunds, then id (the vectors are sorted by it).
struct Candidate {
  enum Kind { kGroup, kLooseRefund };
  Instant activity;
  Kind kind = kGroup;
  std::size_t index = 0;
  bool operator<(const Candidate& other) const {
    return std::tie(activity, kind, index) < std::tie(other.activity, other.kind, other.index);
  }
};

std::int64_t entries(const OrderGroup& group) {
  return 1 + static_cast<std::int64_t>(group.payments.size() + group.refunds.size());
}

std::vector<Candidate> candidates(const Customer& customer) {
  std::vector<Candidate> all;
  all.reserve(customer.orders.size() + customer.loose_refunds.size());
  for (std::size_t i = 0; i < customer.orders.size(); ++i) {
    all.push_back({customer.orders[i].newest, Candidate::kGroup, i});
  }
  for (std::size_t i = 0; i < customer.loose_refunds.size(); ++i) {
    all.push_back({customer.loose_refunds[i].at, Candidate::kLooseRefund, i});
  }
  return all;
}

void fold_group(Folded& folded, const OrderGroup& group, const Rules& rules) {
  if (group.known) {
    fold_in(folded, contribution_of(group, rules));
    return;
  }
  folded.dropped_waiting +=
      static_cast<std::int64_t>(group.payments.size() + group.refunds.size()) +
      (group.cancelled ? 1 : 0);
}

/// Erases the elements with these indices, the others keep their order.
template <class T>
void erase_at(std::vector<T>& items, std::vector<std::size_t>& indices) {
  if (indices.empty()) return;
  std::sort(indices.begin(), indices.end());
  std::size_t next = 0;
  std::size_t kept = indices.front();
  for (std::size_t i = kept; i < items.size(); ++i) {
    if (next < indices.size() && indices[next] == i) {
      ++next;
    } else {
      items[kept++] = std::move(items[i]);
    }
  }
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(kept), items.end());
}

}  // namespace

std::int64_t entries(const Customer& customer) {
  auto count = static_cast<std::int64_t>(customer.loose_refunds.size());
  for (const OrderGroup& group : customer.orders) count += entries(group);
  return count;
}

void fold_in(Folded& folded, const Contribution& contribution) {
  folded.gross_minor += static_cast<std::int64_t>(contribution.gross);
  folded.refunded_minor += static_cast<std::int64_t>(contribution.refunded);
  folded.refunds += contribution.refunds;
  folded.cancellations += contribution.cancelled ? 1 : 0;
  if (!contribution.counting) return;
  const std::int32_t day = contribution.local_day;
  const auto gross = static_cast<std::int64_t>(contribution.gross);
  if (folded.days.empty() || day < folded.days.front().first_day) {
    folded.first_day_minor = gross;
  } else if (day == folded.days.front().first_day) {
    folded.first_day_minor += gross;
  }
  add_day(folded.days, day);
  ++folded.orders;
  folded.squared_minor = halves(wide(folded.squared_minor) + squared(contribution));
  const Instant at = contribution.at;
  folded.first_order_at = folded.first_order_at ? std::min(*folded.first_order_at, at) : at;
  folded.last_order_at = folded.last_order_at ? std::max(*folded.last_order_at, at) : at;
}

void fold_down(Customer& customer, const Rules& rules) {
  std::int64_t open = entries(customer);
  if (open <= rules.remembered_max) return;
  // Each candidate frees at least one entry: no more than the excess are needed, nearly always one.
  std::vector<Candidate> oldest_first = candidates(customer);
  const auto excess = static_cast<std::size_t>(open - rules.remembered_max);
  const auto needed =
      oldest_first.begin() + static_cast<std::ptrdiff_t>(std::min(excess, oldest_first.size()));
  std::partial_sort(oldest_first.begin(), needed, oldest_first.end());
  oldest_first.erase(needed, oldest_first.end());
  std::vector<std::size_t> groups;
  std::vector<std::size_t> refunds;
  Folded& folded = customer.folded;
  for (const Candidate& oldest : oldest_first) {
    if (open <= rules.remembered_max) break;
    folded.until = folded.until ? std::max(*folded.until, oldest.activity) : oldest.activity;
    if (oldest.kind == Candidate::kGroup) {
      const OrderGroup& group = customer.orders[oldest.index];
      fold_group(folded, group, rules);
      open -= entries(group);
      groups.push_back(oldest.index);
    } else {
      folded.refunded_minor += customer.loose_refunds[oldest.index].amount_minor;
      ++folded.refunds;
      --open;
      refunds.push_back(oldest.index);
    }
  }
  erase_at(customer.orders, groups);
  erase_at(customer.loose_refunds, refunds);
}

}  // namespace segmentd
