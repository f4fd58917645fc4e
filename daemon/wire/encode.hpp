// What leaves: segment changes as CloudEvents, customers as table rows. Pure functions that append
// to a string of the caller's, so that one buffer serves many.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/core/change.hpp"
#include "state/core/customer.hpp"
#include "state/core/segment.hpp"

namespace segmentd {

/// By Segment; that of kNone is never shown.
using SegmentLabels = std::array<std::string, kSegmentWords>;

/// `Insiders`, `Loyal`, `At risk`, ...
SegmentLabels default_labels();

/// What every event and row says alike.
struct EncodeContext {
  std::string application;
  std::string store_uuid;
  std::string currency;
  int decimals = 2;
  SegmentLabels labels = default_labels();
};

inline constexpr std::string_view kEventType = "io.segmentd.segment.changed.v1";
inline constexpr std::string_view kEventSchema = "urn:segmentd:segment-changed:1";
inline constexpr std::string_view kEventContentType = "application/cloudevents+json; charset=UTF-8";

/// A header of a message to produce.
struct HeaderText {
  std::string_view name;  // of static storage
  std::string value;
};

/// `/segmentd/<application>/<store_uuid>`.
std::string event_source(const EncodeContext& context);
/// `<customer_id>:<sequence>`.
std::string event_id(const SegmentChange& change);

/// Appends the CloudEvent in structured mode, one line without line end.
void append_event(std::string& out, const SegmentChange& change, const EncodeContext& context);

/// content-type and the ce_ attributes, so that a consumer may filter without parsing.
std::vector<HeaderText> event_headers(const SegmentChange& change, const EncodeContext& context);

/// What `replay --table` knows beside the row, as of its end.
struct RowExtras {
  std::optional<std::int64_t> recency_ms;  // nullopt = no counting order
  Segment raw_segment = Segment::kNone;    // nearest centroid, without margin
  std::optional<Lapse> raw_next;
  std::optional<Lapse> next;
  std::span<const double> distances;  // standardised, by cluster
};

/// Appends the customer's table row, one line without line end. `extras` may be null.
void append_row(std::string& out, const Customer& customer, const EncodeContext& context,
                const RowExtras* extras = nullptr);

}  // namespace segmentd
