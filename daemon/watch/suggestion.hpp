// The order that would move one customer, and nobody else: for trying the stream out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/watch/customer_table.hpp"
#include "state/core/instant.hpp"
#include "state/core/model.hpp"
#include "state/core/segment.hpp"

namespace segmentd {

struct Suggestion {
  std::string customer_id;
  Segment from = Segment::kNone;
  std::string order_id;  // not used by the table's customers before
  std::int64_t amount_minor = 0;
  Instant
      ordered_at;  // not beyond the partition's clock: with clock = event nobody else ages by it
  std::string currency;
};

/// Of the customers outside `to`, in the segment nearest to it that has any, the one for whom the
/// smallest round order - at least half of what the customer usually spends on one - is the least
/// out of the ordinary. nullopt = no order in reason (ten usual ones) moves anybody, or the model
/// has no such segment. The answer depends on its arguments alone.
std::optional<Suggestion> suggest_order(const CustomerTable& table, const Model& model, Segment to);

/// {"customer_id":..,"from_segment":..,"to_segment":..,"order_id":..,"ordered_at":..,"amount":..,
/// "currency":..} on one line, without its end.
std::string suggestion_json(const Suggestion& suggestion, Segment to, int decimals);

}  // namespace segmentd
