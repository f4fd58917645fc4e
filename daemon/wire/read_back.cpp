#include "daemon/wire/read_back.hpp"

#include <cmath>

#include "daemon/wire/encode.hpp"
#include "daemon/wire/json_object.hpp"

namespace segmentd {
namespace {

namespace dom = simdjson::dom;

Cause read_cause(const JsonObject& data) {
  const std::string text = data.text("cause");
  for (int i = 0; i < kCauses; ++i) {
    if (text == word(static_cast<Cause>(i))) return static_cast<Cause>(i);
  }
  data.complain("cause", "is not known to this version");
  return Cause::kOrder;
}

std::optional<Trigger> read_trigger(const JsonObject& data) {
  const auto json = data.object_or_null("trigger");
  if (!json) return std::nullopt;
  Trigger trigger;
  const std::string type = json->text("type");
  bool known = false;
  for (int i = 0; i < kRecordTypes && !known; ++i) {
    trigger.type = static_cast<RecordType>(i);
    known = type == word(trigger.type);
  }
  if (!known) json->complain("type", "is not a record type");
  trigger.id = json->text("id");
  trigger.order_id = json->text_or_null("order_id").value_or("");
  return trigger;
}

Snapshot read_snapshot(const JsonObject& json, std::string& monetary) {
  Snapshot snapshot;
  snapshot.last_order_at = json.time_or_null("last_order_at");
  snapshot.recency_ms = std::llround(json.number_or_null("recency_days").value_or(0) *
                                     static_cast<double>(kMsPerDay));
  snapshot.frequency = json.integer("frequency");
  snapshot.monetary_minor = json.integer("monetary_minor");
  monetary = json.text("monetary");
  return snapshot;
}

std::optional<Lapse> read_next(const JsonObject& data) {
  const auto json = data.object_or_null("next");
  if (!json) return std::nullopt;
  return Lapse{json->segment_or_null("segment"), json->time("at")};
}

void read_data(const JsonObject& data, ReadEvent& event) {
  SegmentChange& change = event.change;
  change.customer_id = data.text("customer_id");
  change.sequence = data.integer("sequence");
  change.from = data.segment_or_null("from_segment");
  change.to = data.segment_or_null("to_segment");
  event.from_label = data.text_or_null("from_label").value_or("");
  event.to_label = data.text_or_null("to_label").value_or("");
  change.from_since = data.time_or_null("from_since");
  change.cause = read_cause(data);
  change.trigger = read_trigger(data);
  change.before = read_snapshot(data.object("before"), event.monetary_before);
  change.after = read_snapshot(data.object("after"), event.monetary_after);
  event.currency = data.text("currency");
  change.decided_at = data.time("decided_at");
  change.epoch = data.integer("epoch");
  change.provisional = data.boolean("provisional");
  change.confidence = data.number_or_null("confidence");
  change.next = read_next(data);
}

}  // namespace

Result<ReadEvent> read_event(std::string_view json) {
  dom::parser parser;
  dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) {
    return Error{Errc::kBadInput, "event: is not JSON"};
  }
  JsonComplaint complaint;
  const JsonObject envelope(document, "event", complaint);
  if (envelope.text("type") != kEventType) envelope.complain("type", "is not a segment change");
  ReadEvent event;
  event.source = envelope.text("source");
  event.id = envelope.text("id");
  event.change.at = envelope.time("time");
  read_data(envelope.object("data"), event);
  if (complaint.any()) return complaint.error();
  return event;
}

Result<ReadRow> read_row(std::string_view json) {
  dom::parser parser;
  dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) {
    return Error{Errc::kBadInput, "table row: is not JSON"};
  }
  JsonComplaint complaint;
  const JsonObject object(document, "table row", complaint);
  ReadRow row;
  row.customer_id = object.text("customer_id");
  row.segment = object.segment_or_null("segment");
  row.label = object.text_or_null("label").value_or("");
  row.cluster = object.integer_or_null("cluster");
  row.segment_since = object.time_or_null("segment_since");
  row.first_order_at = object.time_or_null("first_order_at");
  row.last_order_at = object.time_or_null("last_order_at");
  row.frequency = object.integer("frequency");
  row.monetary = object.text("monetary");
  row.monetary_minor = object.integer("monetary_minor");
  row.gross_minor = object.integer("gross_minor");
  row.refunded_minor = object.integer("refunded_minor");
  row.refunds = object.integer("refunds");
  row.cancellations = object.integer("cancellations");
  row.purchase_days = object.integer("purchase_days");
  row.currency = object.text("currency");
  row.epoch = object.integer_or_null("epoch");
  row.provisional = object.boolean("provisional");
  row.sequence = object.integer("sequence");
  row.updated_at = object.time("updated_at");
  if (complaint.any()) return complaint.error();
  return row;
}

}  // namespace segmentd
