#include "tests/support/wire_examples.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

namespace segmentd {

EncodeContext example_context() {
  EncodeContext context;
  context.application = "shop";
  context.store_uuid = "0b8a1c6e-2f3d-4c5b-9a7e-1d2c3b4a5f60";
  context.currency = "GBP";
  context.decimals = 3;
  return context;
}

SegmentChange example_change() {
  SegmentChange change;
  change.customer_id = "14646";
  change.sequence = 7;
  change.from = Segment::kLoyal;
  change.to = Segment::kInsiders;
  change.from_since = instant_of_utc({2011, 1, 9});
  change.cause = Cause::kOrder;
  change.trigger = Trigger{RecordType::kOrder, "545475", "545475"};
  change.at = instant_of_utc({2011, 3, 14, 12, 3});
  change.before = {change.at - (12 * kMsPerDay + 6 * kMsPerHour), 12 * kMsPerDay + 6 * kMsPerHour,
                   11, 21'400'120};
  change.after = {change.at, 0, 12, 23'400'120};
  change.decided_at = change.at + 250;
  change.epoch = 4;
  change.confidence = 0.41;
  change.next = Lapse{Segment::kAtRisk, instant_of_utc({2011, 6, 30, 8})};
  return change;
}

SegmentChange example_first_change() {
  SegmentChange change = example_change();
  change.sequence = 1;
  change.from = Segment::kNone;
  change.to = Segment::kPromising;
  change.from_since.reset();
  change.cause = Cause::kBackfill;
  change.trigger.reset();
  change.before = {};
  change.epoch = 1;
  change.provisional = true;
  change.confidence.reset();
  change.next.reset();
  return change;
}

SegmentChange example_last_change() {
  SegmentChange change = example_change();
  change.from = Segment::kAtRisk;
  change.to = Segment::kNone;
  change.cause = Cause::kRefund;
  change.trigger = Trigger{RecordType::kRefund, "r\"9\\", ""};
  change.after = {std::nullopt, 0, 0, -10'250};
  change.confidence.reset();
  change.next.reset();
  return change;
}

std::vector<SegmentChange> example_changes() {
  std::vector<SegmentChange> changes{example_change(), example_first_change(),
                                     example_last_change()};
  for (int cause = 0; cause < kCauses; ++cause) {
    SegmentChange change = example_change();
    change.cause = static_cast<Cause>(cause);
    if (cause > static_cast<int>(Cause::kRefund)) change.trigger.reset();
    changes.push_back(change);
  }
  for (int segment = 1; segment < kSegmentWords; ++segment) {
    SegmentChange change = example_change();
    change.to = static_cast<Segment>(segment);
    change.from = static_cast<Segment>(kSegmentWords - segment);
    changes.push_back(change);
  }
  for (int type = 0; type < kRecordTypes; ++type) {
    SegmentChange change = example_change();
    change.customer_id = "Zo\u00eb \"7\" \\ \U0001F600";
    change.trigger = Trigger{static_cast<RecordType>(type), "x1", "545475"};
    change.before.recency_ms = 1;
    changes.push_back(change);
  }
  return changes;
}

Customer example_customer() {
  Customer customer;
  customer.id = "14646";
  customer.figures.frequency = 12;
  customer.figures.monetary_minor = 23'400'120;
  customer.figures.first_order_at = instant_of_utc({2010, 12, 20, 10, 9});
  customer.figures.last_order_at = instant_of_utc({2011, 3, 14, 12, 3});
  customer.figures.gross_minor = 23'500'120;
  customer.figures.refunded_minor = 100'000;
  customer.figures.refunds = 2;
  customer.figures.cancellations = 1;
  customer.figures.purchase_days = 9;
  customer.segment = Segment::kInsiders;
  customer.segment_since = instant_of_utc({2011, 3, 14, 12, 3});
  customer.cluster = 2;
  customer.epoch = 4;
  customer.announced = {Segment::kInsiders, customer.segment_since, 7};
  customer.updated_at = customer.segment_since + 250;
  return customer;
}

Customer example_unplaced_customer() {
  Customer customer;
  customer.id = "12346";
  customer.figures.monetary_minor = -10'250;
  customer.figures.refunded_minor = 10'250;
  customer.figures.refunds = 1;
  customer.updated_at = instant_of_utc({2011, 1, 18, 10, 17});
  return customer;
}

Epoch example_epoch() {
  Epoch epoch;
  epoch.number = 4;
  epoch.predecessor = 3;
  epoch.kind = EpochKind::kMeans;
  epoch.instant = instant_of_utc({2011, 3, 14});
  epoch.features.decimals = 3;
  epoch.features.floor_minor = 3750;
  epoch.mean = {0.5, 1, 6};
  epoch.scale = {0.25, 0.5, 2};
  epoch.seed = std::numeric_limits<std::uint64_t>::max();
  epoch.inertia = 6123.456;
  epoch.excess_before = 0.0005;
  epoch.currency = "GBP";
  epoch.centroids = {{{-0.0, 2.5, 8}, Segment::kInsiders, 310, 5'000'000'125},
                     {{0.75, 0.5, 5}, Segment::kOccasional, 4029, -1}};
  return epoch;
}

std::vector<Epoch> example_epochs() {
  std::vector<Epoch> epochs{example_epoch()};
  for (int k = kSegmentsMin; k <= kSegmentsMax; ++k) {
    Epoch epoch = example_epoch();
    epoch.number = k;
    epoch.predecessor = k - kSegmentsMin;
    epoch.kind = static_cast<EpochKind>(k % 4);
    epoch.features.recency = static_cast<Recency>(k % 3);
    epoch.mean = {0.1 * k, std::sqrt(k), std::exp(-k)};
    epoch.scale = {std::nextafter(1.0, 2.0), 1e-300, 1e17 / 3};
    epoch.inertia = 1.0 / (3 * k);
    epoch.seed = static_cast<std::uint64_t>(k);
    epoch.centroids.clear();
    for (int i = 1; i <= k; ++i) {
      epoch.centroids.push_back({{std::sin(i), 0.1 + i * 0.2, std::log(i)},
                                 static_cast<Segment>(i),
                                 i,
                                 std::int64_t{1'000'000'007} * i});
    }
    epochs.push_back(epoch);
  }
  return epochs;
}

}  // namespace segmentd
