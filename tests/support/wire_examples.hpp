// Changes, customers and epochs that between them show every shape of what is written: for the
// encoder's tests and for checking the published JSON Schemas.
#pragma once

#include <vector>

#include "daemon/wire/encode.hpp"
#include "state/core/change.hpp"
#include "state/core/customer.hpp"
#include "state/core/epoch.hpp"

namespace segmentd {

EncodeContext example_context();

/// The event of the README: an order makes a loyal customer an Insider.
SegmentChange example_change();
/// From no segment: sequence 1, backfill, provisional, without trigger, confidence or next.
SegmentChange example_first_change();
/// A refund without order takes the last counting order away: to no segment.
SegmentChange example_last_change();
/// Those, and one of every other cause, segment and kind of record.
std::vector<SegmentChange> example_changes();

Customer example_customer();
/// Known, but with no counting order.
Customer example_unplaced_customer();

/// Of two centroids, with figures that are easy to check by hand and a negative zero.
Epoch example_epoch();
/// That, and one of every kind and recency, with 2 to 8 centroids and unruly numbers.
std::vector<Epoch> example_epochs();

}  // namespace segmentd
