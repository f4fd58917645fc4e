// Any bytes into the decoder: it must answer, the same each time, and agree with a second reader
// about what is JSON. The first byte chooses the rules, the second the key's length.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>

#include "daemon/wire/decode.hpp"
#include "daemon/wire/encode.hpp"
#include "daemon/wire/read_back.hpp"
#include "daemon/wire/reject_text.hpp"
#include "state/core/money.hpp"

namespace {

using namespace segmentd;

void require(bool holds, const char* what) {
  if (holds) return;
  fmt::print(stderr, "broken: {}\n", what);
  std::abort();
}

Decoder decoder_of(unsigned choice) {
  DecodeRules rules;
  rules.currency = "GBP";
  rules.key = (choice & 1U) != 0 ? KeyMode::kJson : KeyMode::kRaw;
  rules.time_format = static_cast<TimeFormat>((choice >> 1U) & 3U);
  rules.money_from_payments = (choice & 8U) != 0;
  rules.max_bytes = 1 << 16;
  if ((choice & 16U) != 0) {
    rules.fields.order_id = "/order/id";
    rules.fields.customer_id = "/order/who/0";
    rules.zone = *Zone::load("Europe/London");
  }
  return *Decoder::create(rules);
}

std::vector<Decoder>& decoders() {
  static std::vector<Decoder> all = [] {
    std::vector<Decoder> made;
    for (unsigned choice = 0; choice < 32; ++choice) made.push_back(decoder_of(choice));
    return made;
  }();
  return all;
}

/// All that was decided, as text.
std::string told(const DecodedRecord& decoded) {
  if (const auto* reject = std::get_if<Reject>(&decoded)) {
    return fmt::format("{}: {}", word(reject->reason), reject->detail);
  }
  const auto& r = std::get<Record>(decoded);
  return fmt::format("{} {}|{}|{} {} {} {} {} {}", word(r.type), r.customer_id, r.order_id,
                     r.own_id, r.at.ms, r.local_day, r.amount_minor, r.counts,
                     r.version.value_or(-1));
}

bool is_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

void check_record(const Record& r) {
  require(r.customer_id.empty() || is_id(r.customer_id), "customer id");
  require(is_utf8(r.customer_id) && is_utf8(r.order_id) && is_utf8(r.own_id), "ids are UTF-8");
  require(r.type == RecordType::kRefund || is_id(r.order_id), "order id");
  require(r.at >= kFirstInstant && r.at <= kLastInstant, "time in range");
  require(r.amount_minor >= 0 && r.amount_minor <= kAmountMinorMax, "amount in range");
}

/// The ids of an accepted record survive being written and read.
void check_event(const Record& r) {
  if (r.customer_id.empty()) return;
  SegmentChange change;
  change.customer_id = r.customer_id;
  change.trigger = Trigger{r.type, r.own_id.empty() ? r.order_id : r.own_id, r.order_id};
  change.at = r.at;
  change.after = {r.at, 0, 1, r.amount_minor};
  EncodeContext context;
  context.currency = "GBP";
  std::string json;
  append_event(json, change, context);
  const auto read = read_event(json);
  require(static_cast<bool>(read), "an event can be read");
  std::string again;
  append_event(again, read->change, context);
  require(again == json && read->change.customer_id == r.customer_id, "an event reads back");
}

/// simdjson's eager reader as the second opinion. It is stricter in two things only: numbers that
/// no machine word or double holds, and lone surrogates in strings.
void check_json(std::string_view value, const DecodedRecord& decoded) {
  const auto* reject = std::get_if<Reject>(&decoded);
  const bool not_json = reject != nullptr && (reject->detail == "the value is not JSON" ||
                                              reject->detail == "the value is empty");
  const bool not_utf8 = reject != nullptr && reject->reason == RejectReason::kInvalidUtf8;
  require(!not_utf8 || !is_utf8(value), "invalid_utf8 is told of such bytes only");
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  const auto error = parser.parse(simdjson::padded_string(value)).get(document);
  switch (error) {
    case simdjson::SUCCESS:
      require(!not_json && !not_utf8, "JSON is taken for JSON");
      return;
    case simdjson::NUMBER_ERROR:
    case simdjson::STRING_ERROR:
    case simdjson::DEPTH_ERROR:
      return;
    case simdjson::UTF8_ERROR:
      require(not_utf8, "bad UTF-8 is refused");
      return;
    default:
      require(reject != nullptr &&
                  (not_json || not_utf8 || reject->reason == RejectReason::kMalformedJson),
              "what is no JSON is refused");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto choice = static_cast<unsigned char>(input[0]);
  const std::size_t key_size =
      std::min<std::size_t>(static_cast<unsigned char>(input[1]), size - 2);
  const std::string_view key = input.substr(2, key_size);
  const std::string_view value = input.substr(2 + key_size);
  Decoder& decoder = decoders()[choice % 32];
  const DecodedRecord decoded = decoder.decode(key, value);
  const std::string said = told(decoded);
  if (const auto* record = std::get_if<Record>(&decoded)) {
    check_record(*record);
    check_event(*record);
  } else {
    const auto& reject = std::get<Reject>(decoded);
    require(!reject.detail.empty() && reject.detail.size() <= kRejectDetailBytesMax, "detail");
  }
  if (value.size() <= 1 << 16) check_json(value, decoded);
  // Whatever was read in between.
  static_cast<void>(decoder.decode("9", R"({"order_id":"\u0041","customer_id":"9"})"));
  require(told(decoder.decode(key, value)) == said, "the same again");
  return 0;
}
