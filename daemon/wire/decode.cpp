#include "daemon/wire/decode.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "daemon/wire/json_grammar.hpp"
#include "daemon/wire/reject_text.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

using Kind = JsonValue::Kind;

/// Numbers of the fields, in the order of pointers_of().
enum Field : std::size_t {
  kType,
  kOrderId,
  kCustomerId,
  kOrderedAt,
  kAmount,
  kCurrency,
  kStatus,
  kVersion,
  kPaymentId,
  kPaidAt,
  kRefundId,
  kRefundedAt,
  kCancelledAt,
};

std::vector<std::string> pointers_of(const FieldPointers& f) {
  return {f.type,      f.order_id,    f.customer_id, f.ordered_at, f.amount,
          f.currency,  f.status,      f.version,     f.payment_id, f.paid_at,
          f.refund_id, f.refunded_at, f.cancelled_at};
}

// No amount that fits needs more; a longer one only costs time.
constexpr std::size_t kAmountBytesMax = 128;

/// A string, or an integer as its digits: how ids and versions come.
std::optional<std::string_view> text_or_digits(const JsonValue& value) {
  if (value.kind == Kind::kString) return value.text;
  if (value.kind == Kind::kNumber && is_json_integer(value.text)) return value.text;
  return std::nullopt;
}

std::optional<std::int64_t> whole_number(std::string_view digits) {
  std::int64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, problem] = std::from_chars(digits.data(), end, number);
  if (problem != std::errc{} || stop != end) return std::nullopt;
  return number;
}

/// What was found, for a detail.
std::string shown(const JsonValue& value) {
  switch (value.kind) {
    case Kind::kAbsent:
      return "nothing";
    case Kind::kNull:
      return "null";
    case Kind::kString:
      return quoted(value.text);
    case Kind::kNumber:
      return std::string(cut_utf8(value.text, 60));
    case Kind::kBool:
      return std::string(value.text);
    case Kind::kContainer:
      return "an object or array";
  }
  return "nothing";
}

Reject refuse(RejectReason reason, const std::string& pointer, std::string_view what) {
  return make_reject(reason, fmt::format("{}: {}", cut_utf8(pointer, 100), what));
}

Reject missing(const std::string& pointer) {
  return make_reject(RejectReason::kMissingField, fmt::format("{} is missing", pointer));
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_but_for_case(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return lower(a) == b; });
}

/// Milliseconds per unit, and units per millisecond; one of the two is 1.
struct Unit {
  std::int64_t ms = 1;
  std::int64_t per_ms = 1;
};

Unit unit_of(TimeFormat format) {
  switch (format) {
    case TimeFormat::kSeconds:
      return {kMsPerSecond, 1};
    case TimeFormat::kMicroseconds:
      return {1, 1000};
    case TimeFormat::kMilliseconds:
    case TimeFormat::kRfc3339:
      break;
  }
  return {1, 1};
}

/// Rounded down to milliseconds; nullopt = outside kFirstInstant .. kLastInstant.
std::optional<Instant> instant_of_count(std::int64_t count, Unit unit) {
  // Compared before it is multiplied, so that nothing overflows.
  if (count > kLastInstant.ms / unit.ms * unit.per_ms + unit.per_ms - 1) return std::nullopt;
  if (count < kFirstInstant.ms / unit.ms * unit.per_ms) return std::nullopt;
  const std::int64_t floored = count / unit.per_ms - (count % unit.per_ms < 0 ? 1 : 0);
  return Instant{floored * unit.ms};
}

bool in_range(Instant at) {
  return at >= kFirstInstant && at <= kLastInstant;
}

}  // namespace

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kIdBytesMax &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Result<Decoder> Decoder::create(DecodeRules rules) {
  if (rules.currency.empty()) return Error{Errc::kMisconfigured, "currency is not set"};
  if (rules.decimals < 0 || rules.decimals > kDecimalsMax) {
    return Error{Errc::kMisconfigured,
                 fmt::format("decimals is {}, outside 0 .. {}", rules.decimals, kDecimalsMax)};
  }
  auto reader = FieldReader::for_pointers(pointers_of(rules.fields));
  if (!reader) return reader.error();
  return Decoder(std::move(rules), *std::move(reader));
}

Decoder::Decoder(DecodeRules rules, FieldReader reader)
    : rules_(std::move(rules)), pointers_(pointers_of(rules_.fields)), fields_(std::move(reader)) {}

DecodedRecord Decoder::decode(std::optional<std::string_view> key,
                              std::optional<std::string_view> value) {
  last_type_.reset();
  Record record;
  Refused refused = read_json(value);
  if (!refused) refused = read_type(record);
  if (!refused) refused = read_customer(key, record);
  if (!refused) {
    switch (record.type) {
      case RecordType::kOrder:
        refused = read_order(record);
        break;
      case RecordType::kPayment:
        refused = read_payment(record);
        break;
      case RecordType::kRefund:
        refused = read_refund(record);
        break;
      case RecordType::kCancellation:
        refused = read_cancellation(record);
        break;
    }
  }
  if (refused) return *std::move(refused);
  return record;
}

Decoder::Refused Decoder::read_json(std::optional<std::string_view> value) {
  if (!value) return make_reject(RejectReason::kNullValue, "the message has no value");
  if (value->size() > rules_.max_bytes) {
    return make_reject(RejectReason::kOversized,
                       fmt::format("{} bytes, more than {}", value->size(), rules_.max_bytes));
  }
  switch (fields_.read(*value)) {
    case JsonTrouble::kNone:
      return std::nullopt;
    case JsonTrouble::kInvalidUtf8:
      return make_reject(RejectReason::kInvalidUtf8, "the value is not UTF-8");
    case JsonTrouble::kMalformed:
      return make_reject(RejectReason::kMalformedJson,
                         value->empty() ? "the value is empty" : "the value is not JSON");
    case JsonTrouble::kNotAnObject:
      return make_reject(RejectReason::kMalformedJson, "the value is JSON, but not an object");
    case JsonTrouble::kTooDeep:
      return make_reject(RejectReason::kMalformedJson,
                         fmt::format("nested deeper than {} levels", kJsonDepthMax));
  }
  return make_reject(RejectReason::kMalformedJson, "the value is not JSON");
}

Decoder::Refused Decoder::read_type(Record& record) {
  const JsonValue& type = fields_[kType];
  if (type.missing()) {
    record.type = RecordType::kOrder;
  } else {
    const std::string_view text = type.kind == Kind::kString ? type.text : std::string_view();
    if (text == "customer" || text == "erasure") {
      return refuse(RejectReason::kUnsupportedType, pointer(kType),
                    quoted(text) + " records are not supported in this version");
    }
    bool known = false;
    for (int i = 0; i < kRecordTypes && !known; ++i) {
      record.type = static_cast<RecordType>(i);
      known = text == word(record.type);
    }
    if (!known) {
      return refuse(RejectReason::kUnknownType, pointer(kType),
                    shown(type) + " is none of order, payment, refund, cancellation");
    }
  }
  last_type_ = record.type;
  return std::nullopt;
}

Decoder::Refused Decoder::read_customer(std::optional<std::string_view> key, Record& record) {
  const JsonValue& customer = fields_[kCustomerId];
  if (customer.missing() || (customer.kind == Kind::kString && customer.text.empty())) {
    return std::nullopt;  // anonymous, whatever the key is
  }
  if (auto refused = read_id(kCustomerId, record.customer_id)) return refused;
  if (rules_.key == KeyMode::kNone) return std::nullopt;
  if (!key) {
    return make_reject(
        RejectReason::kKeyMismatch,
        fmt::format("the key is null, the customer is {}", quoted(record.customer_id)));
  }
  if (!key_agrees(*key, record.customer_id)) {
    return make_reject(RejectReason::kKeyMismatch,
                       fmt::format("the key is {}, the customer is {} (input.key)", quoted(*key),
                                   quoted(record.customer_id)));
  }
  return std::nullopt;
}

bool Decoder::key_agrees(std::string_view key, std::string_view customer_id) {
  if (rules_.key == KeyMode::kRaw) return key == customer_id;
  // The usual form without a parser; an id with a quote or a backslash is not written like that.
  if (key.size() == customer_id.size() + 2 && key.front() == '"' && key.back() == '"' &&
      key.substr(1, customer_id.size()) == customer_id &&
      customer_id.find_first_of("\"\\") == std::string_view::npos) {
    return true;
  }
  const JsonValue read = json_key_.read(key);
  return read.kind != Kind::kAbsent && read.text == customer_id;
}

Decoder::Refused Decoder::read_order(Record& record) {
  if (auto refused = require_id(kOrderId, record.order_id)) return refused;
  if (auto refused = read_time(kOrderedAt, record.at)) return refused;
  if (!rules_.money_from_payments || !fields_[kAmount].missing()) {
    if (auto refused = read_money(record)) return refused;
  }
  if (auto refused = read_status(record)) return refused;
  if (auto refused = read_version(record)) return refused;
  record.local_day = rules_.zone.local_day(record.at);
  return std::nullopt;
}

Decoder::Refused Decoder::read_payment(Record& record) {
  if (auto refused = require_id(kPaymentId, record.own_id)) return refused;
  if (auto refused = require_id(kOrderId, record.order_id)) return refused;
  if (auto refused = read_time(kPaidAt, record.at)) return refused;
  return read_money(record);
}

Decoder::Refused Decoder::read_refund(Record& record) {
  if (auto refused = require_id(kRefundId, record.own_id)) return refused;
  const JsonValue& order = fields_[kOrderId];
  if (!order.missing() && !(order.kind == Kind::kString && order.text.empty())) {
    if (auto refused = read_id(kOrderId, record.order_id)) return refused;
  }
  if (auto refused = read_time(kRefundedAt, record.at)) return refused;
  return read_money(record);
}

Decoder::Refused Decoder::read_cancellation(Record& record) {
  if (auto refused = require_id(kOrderId, record.order_id)) return refused;
  return read_time(kCancelledAt, record.at);
}

Decoder::Refused Decoder::read_status(Record& record) {
  const JsonValue& status = fields_[kStatus];
  if (status.missing()) return std::nullopt;  // it counts
  const auto text = text_or_digits(status);
  if (!text) {
    return refuse(RejectReason::kMalformedJson, pointer(kStatus),
                  shown(status) + " is not a string");
  }
  record.counts =
      std::any_of(rules_.counting_statuses.begin(), rules_.counting_statuses.end(),
                  [&](const std::string& counting) { return equal_but_for_case(*text, counting); });
  return std::nullopt;
}

Decoder::Refused Decoder::read_version(Record& record) {
  const JsonValue& version = fields_[kVersion];
  if (version.missing()) return std::nullopt;  // the later offset wins
  if (const auto digits = text_or_digits(version)) record.version = whole_number(*digits);
  if (record.version) return std::nullopt;
  return refuse(RejectReason::kMalformedJson, pointer(kVersion),
                shown(version) + " is not a whole number of 64 bits");
}

Decoder::Refused Decoder::read_id(std::size_t field, std::string& id) const {
  const auto text = text_or_digits(fields_[field]);
  if (!text) {
    return refuse(RejectReason::kBadId, pointer(field),
                  shown(fields_[field]) + " is neither a string nor an integer");
  }
  if (!is_id(*text)) {
    return refuse(
        RejectReason::kBadId, pointer(field),
        fmt::format("an id has 1 to {} bytes and no control characters; this one has {}: {}",
                    kIdBytesMax, text->size(), quoted(*text)));
  }
  id = *text;
  return std::nullopt;
}

Decoder::Refused Decoder::require_id(std::size_t field, std::string& id) const {
  return fields_[field].missing() ? Refused(missing(pointer(field))) : read_id(field, id);
}

Decoder::Refused Decoder::read_time(std::size_t field, Instant& at) const {
  const JsonValue& time = fields_[field];
  if (time.missing()) return missing(pointer(field));
  if (rules_.time_format == TimeFormat::kRfc3339) {
    const auto parsed =
        time.kind == Kind::kString ? parse_rfc3339(time.text) : std::optional<ParsedTime>();
    if (!parsed) {
      return refuse(RejectReason::kBadTime, pointer(field),
                    shown(time) + " is not an RFC 3339 time (input.time_format)");
    }
    at = parsed->offset_ms ? instant_of_utc(parsed->civil) - *parsed->offset_ms
                           : rules_.zone.instant_of(parsed->civil);
  } else {
    const auto digits = text_or_digits(time);
    const auto count = digits ? whole_number(*digits) : std::nullopt;
    if (!count) {
      return refuse(RejectReason::kBadTime, pointer(field),
                    shown(time) + " is not a whole number (input.time_format)");
    }
    at = instant_of_count(*count, unit_of(rules_.time_format)).value_or(kLastInstant + 1);
  }
  if (in_range(at)) return std::nullopt;
  return refuse(RejectReason::kBadTime, pointer(field),
                shown(time) + " is outside the years 1900 to 2199 (input.time_format)");
}

Decoder::Refused Decoder::read_money(Record& record) const {
  if (auto refused = read_amount(record)) return refused;
  return read_currency();
}

Decoder::Refused Decoder::read_amount(Record& record) const {
  const JsonValue& amount = fields_[kAmount];
  const std::string& at = pointer(kAmount);
  if (amount.missing()) return missing(at);
  if ((amount.kind != Kind::kString && amount.kind != Kind::kNumber) ||
      amount.text.size() > kAmountBytesMax) {
    return refuse(RejectReason::kBadAmount, at, shown(amount) + " is not an amount");
  }
  const ParsedAmount parsed = parse_amount(amount.text, rules_.decimals);
  switch (parsed.problem) {
    case AmountProblem::kNone:
      break;
    case AmountProblem::kNotANumber:
      return refuse(RejectReason::kBadAmount, at, shown(amount) + " is not a decimal number");
    case AmountProblem::kTooManyDecimals:
      return refuse(RejectReason::kTooManyDecimals, at,
                    fmt::format("{} has more than {} decimals", shown(amount), rules_.decimals));
    case AmountProblem::kOverflow:
      return refuse(RejectReason::kOverflow, at,
                    fmt::format("{} is more than {}", shown(amount),
                                format_amount(kAmountMinorMax, rules_.decimals)));
  }
  if (parsed.minor < 0) {
    return refuse(RejectReason::kBadAmount, at,
                  shown(amount) + " is negative; send money given back as a refund record");
  }
  record.amount_minor = parsed.minor;
  return std::nullopt;
}

Decoder::Refused Decoder::read_currency() const {
  const JsonValue& currency = fields_[kCurrency];
  if (currency.missing()) return missing(pointer(kCurrency));
  if (currency.kind == Kind::kString && currency.text == rules_.currency) return std::nullopt;
  return refuse(RejectReason::kUnknownCurrency, pointer(kCurrency),
                fmt::format("{} is not {}", shown(currency), quoted(rules_.currency)));
}

}  // namespace segmentd
