#include "daemon/wire/encode.hpp"

#include "daemon/wire/json_writer.hpp"
#include "state/core/instant.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

/// Reads back as the same milliseconds when multiplied and rounded, for ages of any accepted years.
double days_of(std::int64_t ms) {
  return static_cast<double>(ms) / static_cast<double>(kMsPerDay);
}

void segment_or_null(JsonWriter& json, std::string_view name, Segment segment) {
  segment == Segment::kNone ? json.null(name) : json.text(name, word(segment));
}

void label_or_null(JsonWriter& json, std::string_view name, Segment segment,
                   const EncodeContext& context) {
  segment == Segment::kNone ? json.null(name)
                            : json.text(name, context.labels[static_cast<std::size_t>(segment)]);
}

void write_trigger(JsonWriter& json, const std::optional<Trigger>& trigger) {
  if (!trigger) return json.null("trigger");
  json.begin_object("trigger");
  json.text("type", word(trigger->type));
  json.text("id", trigger->id);
  json.text_or_null("order_id", trigger->order_id);
  json.end_object();
}

void write_snapshot(JsonWriter& json, std::string_view name, const Snapshot& snapshot,
                    int decimals) {
  json.begin_object(name);
  json.time("last_order_at", snapshot.last_order_at);
  snapshot.last_order_at ? json.number("recency_days", days_of(snapshot.recency_ms))
                         : json.null("recency_days");
  json.integer("frequency", snapshot.frequency);
  json.text("monetary", format_amount(snapshot.monetary_minor, decimals));
  json.integer("monetary_minor", snapshot.monetary_minor);
  json.end_object();
}

void write_next(JsonWriter& json, const std::optional<Lapse>& next) {
  if (!next) return json.null("next");
  json.begin_object("next");
  segment_or_null(json, "segment", next->segment);
  json.time("at", next->at);
  json.end_object();
}

void write_data(JsonWriter& json, const SegmentChange& change, const EncodeContext& context) {
  json.begin_object("data");
  json.text("customer_id", change.customer_id);
  json.integer("sequence", change.sequence);
  segment_or_null(json, "from_segment", change.from);
  segment_or_null(json, "to_segment", change.to);
  label_or_null(json, "from_label", change.from, context);
  label_or_null(json, "to_label", change.to, context);
  change.from == Segment::kNone ? json.null("from_since")
                                : json.time("from_since", change.from_since);
  json.text("cause", word(change.cause));
  write_trigger(json, change.trigger);
  write_snapshot(json, "before", change.before, context.decimals);
  write_snapshot(json, "after", change.after, context.decimals);
  json.text("currency", context.currency);
  json.time("decided_at", change.decided_at);
  json.integer("epoch", change.epoch);
  json.boolean("provisional", change.provisional);
  change.confidence ? json.number("confidence", *change.confidence) : json.null("confidence");
  write_next(json, change.next);
  json.end_object();
}

void write_extras(JsonWriter& json, const RowExtras& extras) {
  extras.recency_ms ? json.number("recency_days", days_of(*extras.recency_ms))
                    : json.null("recency_days");
  segment_or_null(json, "raw_segment", extras.raw_segment);
  const auto lapse = [&json](std::string_view segment, std::string_view at,
                             const std::optional<Lapse>& next) {
    segment_or_null(json, segment, next ? next->segment : Segment::kNone);
    next ? json.time(at, next->at) : json.null(at);
  };
  lapse("raw_next_segment", "raw_next_at", extras.raw_next);
  lapse("next_segment", "next_at", extras.next);
  json.begin_array("distances");
  for (const double distance : extras.distances) json.number(distance);
  json.end_array();
}

void write_figures(JsonWriter& json, const Figures& figures, const EncodeContext& context) {
  json.time("first_order_at", figures.first_order_at);
  json.time("last_order_at", figures.last_order_at);
  json.integer("frequency", figures.frequency);
  json.text("monetary", format_amount(figures.monetary_minor, context.decimals));
  json.integer("monetary_minor", figures.monetary_minor);
  json.integer("gross_minor", figures.gross_minor);
  json.integer("refunded_minor", figures.refunded_minor);
  json.integer("refunds", figures.refunds);
  json.integer("cancellations", figures.cancellations);
  json.integer("purchase_days", figures.purchase_days);
  json.text("currency", context.currency);
}

}  // namespace

SegmentLabels default_labels() {
  return {"None",   "Insiders", "Loyal",  "Promising", "Occasional",
          "Steady", "At risk",  "Lapsed", "Dormant"};
}

std::string event_source(const EncodeContext& context) {
  return "/segmentd/" + context.application + "/" + context.store_uuid;
}

std::string event_id(const SegmentChange& change) {
  return change.customer_id + ":" + std::to_string(change.sequence);
}

void append_event(std::string& out, const SegmentChange& change, const EncodeContext& context) {
  JsonWriter json(out);
  json.begin_object();
  json.text("specversion", "1.0");
  json.text("type", kEventType);
  json.text("source", event_source(context));
  json.text("id", event_id(change));
  json.text("subject", change.customer_id);
  json.time("time", change.at);
  json.text("datacontenttype", "application/json");
  json.text("dataschema", kEventSchema);
  write_data(json, change, context);
  json.end_object();
}

std::vector<HeaderText> event_headers(const SegmentChange& change, const EncodeContext& context) {
  return {{"content-type", std::string(kEventContentType)},
          {"ce_specversion", "1.0"},
          {"ce_type", std::string(kEventType)},
          {"ce_source", event_source(context)},
          {"ce_id", event_id(change)},
          {"ce_subject", change.customer_id},
          {"ce_time", format_rfc3339(change.at)}};
}

void append_row(std::string& out, const Customer& customer, const EncodeContext& context,
                const RowExtras* extras) {
  JsonWriter json(out);
  const bool placed = customer.segment != Segment::kNone;
  json.begin_object();
  json.text("customer_id", customer.id);
  segment_or_null(json, "segment", customer.segment);
  label_or_null(json, "label", customer.segment, context);
  placed&& customer.cluster >= 0 ? json.integer("cluster", customer.cluster) : json.null("cluster");
  placed ? json.time("segment_since", customer.segment_since) : json.null("segment_since");
  write_figures(json, customer.figures, context);
  customer.epoch > 0 ? json.integer("epoch", customer.epoch) : json.null("epoch");
  json.boolean("provisional", customer.provisional);
  json.integer("sequence", customer.announced.sequence);
  json.time("updated_at", customer.updated_at);
  if (extras != nullptr) write_extras(json, *extras);
  json.end_object();
}

}  // namespace segmentd
