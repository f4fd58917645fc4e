// A move of one customer from one segment to another, as decided. The wire writes it as a
// CloudEvent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "state/core/customer.hpp"
#include "state/core/instant.hpp"
#include "state/core/segment.hpp"

namespace segmentd {

/// R, F and M at one moment, as an event shows them.
struct Snapshot {
  std::optional<Instant> last_order_at;
  std::int64_t recency_ms = 0;  // clock - last_order_at; meaningless without one
  std::int64_t frequency = 0;
  std::int64_t monetary_minor = 0;
};

/// Where silence leads a customer, and when.
struct Lapse {
  Segment segment = Segment::kNone;
  Instant at;
};

/// The record behind a move; absent for silence, model, definition and backfill.
struct Trigger {
  RecordType type = RecordType::kOrder;
  std::string id;        // order, payment or refund id
  std::string order_id;  // may be empty
};

struct SegmentChange {
  std::string customer_id;
  std::int64_t sequence = 0;  // from 1 without gaps
  Segment from = Segment::kNone;
  Segment to = Segment::kNone;
  std::optional<Instant> from_since;  // nullopt when from is kNone
  Cause cause = Cause::kOrder;
  std::optional<Trigger> trigger;
  Snapshot before;
  Snapshot after;
  Instant at;          // when it happened: the record's time, the deadline, the epoch's instant
  Instant decided_at;  // the worker's clock
  std::int64_t epoch = 0;
  bool provisional = false;
  std::optional<double> confidence;  // 1 - d1^2/d2^2 of the raw place; nullopt when in no segment
  std::optional<Lapse> next;         // nullopt = never
};

}  // namespace segmentd
