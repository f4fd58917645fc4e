#include "daemon/import/history_record.hpp"

#include <algorithm>

#include <simdjson.h>

#include "daemon/import/time_reader.hpp"
#include "daemon/wire/json_writer.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

constexpr std::size_t kIdBytesMax = 256;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

}  // namespace

bool is_valid_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax &&
         std::none_of(id.begin(), id.end(), is_control) &&
         simdjson::validate_utf8(id.data(), id.size());
}

void write_json(const HistoryRecord& record, int decimals, std::string& json) {
  json.clear();
  JsonWriter writer(json);
  const bool order = record.type == HistoryRecord::Type::kOrder;
  writer.begin_object();
  writer.text("type", order ? "order" : "refund");
  writer.text(order ? "order_id" : "refund_id", record.id);
  if (record.customer) {
    writer.text("customer_id", *record.customer);
  } else {
    writer.null("customer_id");
  }
  writer.text(order ? "ordered_at" : "refunded_at", format_rfc3339_short(record.at));
  writer.text("amount", format_amount(record.amount_minor, decimals));
  writer.text("currency", record.currency);
  if (record.status) writer.text("status", *record.status);
  writer.end_object();
}

}  // namespace segmentd
