// How figures follow from a customer's orders: what one order group contributes, all of them added
// up, and the difference one changed group makes. Used by apply(), by folding and by the row codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "state/core/customer.hpp"
#include "state/core/wide.hpp"

namespace segmentd {

/// What one order group adds to a customer's figures. All zero for a group whose order is not
/// known.
struct Contribution {
  bool counting =
      false;  // for frequency, recency, days and squares: counts, not ended, not refunded whole
  bool cancelled = false;
  Instant at;                  // of the order
  std::int32_t local_day = 0;  // of the order
  Int128 gross = 0;            // 0 unless its status counts and it is not cancelled
  Int128 refunded = 0;         // of a group that has gross
  std::int64_t refunds = 0;    // also those of an order that does not count
};

Contribution contribution_of(const OrderGroup& group, const Rules& rules);

/// (gross - refunded)^2 of a counting group, else 0. Requires |gross|, |refunded| <=
/// kFigureMinorMax.
Unsigned128 squared(const Contribution& contribution);

/// Totals and open groups added up; nullopt = a sum does not fit. Requires days and times in range,
/// no other soundness.
std::optional<Figures> added_up(const Customer& customer, const Rules& rules);

/// Brings `figures` of `customer` from `before` to `after`, the contributions of one order group.
/// `own` is its index in customer.orders, where it still lies as it was, or orders.size() if it is
/// new. False = a sum does not fit; then figures are spoilt.
[[nodiscard]] bool replace(Figures& figures, const Customer& customer, std::size_t own,
                           const Contribution& before, const Contribution& after,
                           const Rules& rules);

/// Adds a refund that names no order. False = a sum does not fit; then figures are spoilt.
[[nodiscard]] bool add_loose_refund(Figures& figures, std::int64_t amount_minor);

/// Adds a contribution to the folded totals. Requires that the customer's figures hold it already:
/// then every sum fits.
void fold_in(Folded& folded, const Contribution& contribution);

/// Folds open groups and refunds without order, those with the oldest activity first, until
/// entries(customer) <= rules.remembered_max. Figures stay as they are.
void fold_down(Customer& customer, const Rules& rules);

/// Checks all that check() does but the figures: orderings, ranges, defaults, C2.
std::string check_structure(const Customer& customer, const Rules& rules);

}  // namespace segmentd
