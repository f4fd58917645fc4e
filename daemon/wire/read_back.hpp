// What a consumer of ours reads: events and table rows, parsed. For `segmentd watch` and tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/core/change.hpp"
#include "state/core/instant.hpp"
#include "state/core/result.hpp"
#include "state/core/segment.hpp"

namespace segmentd {

/// A segment change as published. Encoded again with the same labels, source, currency and decimals
/// it is the same bytes.
struct ReadEvent {
  std::string source;
  std::string id;
  std::string from_label;  // empty for no segment
  std::string to_label;
  std::string currency;
  std::string monetary_before;  // decimal, in major units
  std::string monetary_after;
  SegmentChange change;
};

/// kBadInput: not JSON, of another type or version, a member missing, or a segment or cause this
/// version does not know. Unknown members are ignored.
Result<ReadEvent> read_event(std::string_view json);

/// A row of the customer table.
struct ReadRow {
  std::string customer_id;
  Segment segment = Segment::kNone;
  std::string label;  // empty for no segment
  std::optional<std::int64_t> cluster;
  std::optional<Instant> segment_since;
  std::optional<Instant> first_order_at;
  std::optional<Instant> last_order_at;
  std::int64_t frequency = 0;
  std::string monetary;  // decimal, in major units
  std::int64_t monetary_minor = 0;
  std::int64_t gross_minor = 0;
  std::int64_t refunded_minor = 0;
  std::int64_t refunds = 0;
  std::int64_t cancellations = 0;
  std::int64_t purchase_days = 0;
  std::string currency;
  std::optional<std::int64_t> epoch;
  bool provisional = false;
  std::int64_t sequence = 0;
  Instant updated_at;
};

/// kBadInput: not JSON, a member missing, or a segment this version does not know.
Result<ReadRow> read_row(std::string_view json);

}  // namespace segmentd
