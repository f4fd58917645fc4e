// Bytes to records: what is accepted and how it is read, and every code the decoder refuses with.
#include "daemon/wire/decode.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/wire/reject_text.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

DecodeRules pounds() {
  DecodeRules rules;
  rules.currency = "GBP";
  return rules;
}

class DecodeTest : public testing::Test {
 protected:
  void use(DecodeRules rules) {
    auto made = Decoder::create(std::move(rules));
    ASSERT_TRUE(made) << made.error().what;
    decoder_ = *std::move(made);
  }

  DecodedRecord decode(std::string_view value,
                       std::optional<std::string_view> key = std::string_view("17850")) {
    if (!decoder_) use(pounds());
    return decoder_->decode(key, value);
  }

  Record accept(std::string_view value,
                std::optional<std::string_view> key = std::string_view("17850")) {
    const DecodedRecord decoded = decode(value, key);
    if (const auto* record = std::get_if<Record>(&decoded)) return *record;
    const auto& reject = std::get<Reject>(decoded);
    ADD_FAILURE() << value << " refused: " << word(reject.reason) << ": " << reject.detail;
    return {};
  }

  /// The code it was refused with, then the detail; `accepted` if it was not.
  std::string refused(std::string_view value,
                      std::optional<std::string_view> key = std::string_view("17850")) {
    const DecodedRecord decoded = decode(value, key);
    const auto* reject = std::get_if<Reject>(&decoded);
    if (reject == nullptr) return "accepted";
    EXPECT_LE(reject->detail.size(), kRejectDetailBytesMax);
    EXPECT_FALSE(reject->detail.empty());
    detail_ = reject->detail;
    return std::string(word(reject->reason));
  }

  std::optional<Decoder> decoder_;
  std::string detail_;  // of the last refused()
};

/// The order of the contract, with `from` replaced by `to`.
std::string order(std::string_view from = "", std::string_view to = "") {
  std::string json =
      R"({"type":"order","order_id":"536365","customer_id":"17850","ordered_at":"2010-12-01T08:26:00Z",)"
      R"("amount":"139.12","currency":"GBP","status":"completed","version":3})";
  if (from.empty()) return json;
  const std::size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

std::string order_with(std::string_view member) {
  return order(R"({"type")", "{" + std::string(member) + R"(,"type")");
}

std::string payment(std::string_view without = "") {
  std::string json =
      R"({"type":"payment","payment_id":"p1","order_id":"536365","customer_id":"17850",)"
      R"("paid_at":"2010-12-01T08:27:00Z","amount":"100.00","currency":"GBP"})";
  if (!without.empty()) json.replace(json.find(without), without.size(), "other");
  return json;
}

std::string refund(std::string_view from = "", std::string_view to = "") {
  std::string json =
      R"({"type":"refund","refund_id":"r9","order_id":"536365","customer_id":"17850",)"
      R"("refunded_at":"2010-12-02T10:00:00Z","amount":"27.50","currency":"GBP"})";
  if (!from.empty()) json.replace(json.find(from), from.size(), to);
  return json;
}

constexpr std::string_view kCancellation =
    R"({"type":"cancellation","order_id":"536365","customer_id":"17850",)"
    R"("cancelled_at":"2010-12-03T09:00:00Z"})";

// --- what is accepted ---

TEST_F(DecodeTest, ReadsAnOrder) {
  const Record record = accept(order());
  EXPECT_EQ(record.type, RecordType::kOrder);
  EXPECT_EQ(record.order_id, "536365");
  EXPECT_EQ(record.customer_id, "17850");
  EXPECT_EQ(record.own_id, "");
  EXPECT_EQ(format_rfc3339(record.at), "2010-12-01T08:26:00.000Z");
  EXPECT_EQ(record.local_day, days_from_civil(2010, 12, 1));
  EXPECT_EQ(record.amount_minor, 13912);
  EXPECT_TRUE(record.counts);
  EXPECT_EQ(record.version, 3);
}

TEST_F(DecodeTest, ReadsAPayment) {
  const Record record = accept(payment());
  EXPECT_EQ(record.type, RecordType::kPayment);
  EXPECT_EQ(record.own_id, "p1");
  EXPECT_EQ(record.order_id, "536365");
  EXPECT_EQ(format_rfc3339(record.at), "2010-12-01T08:27:00.000Z");
  EXPECT_EQ(record.amount_minor, 10000);
  EXPECT_EQ(record.version, std::nullopt);
}

TEST_F(DecodeTest, ReadsARefundWithAndWithoutItsOrder) {
  const Record record = accept(refund());
  EXPECT_EQ(record.type, RecordType::kRefund);
  EXPECT_EQ(record.own_id, "r9");
  EXPECT_EQ(record.order_id, "536365");
  EXPECT_EQ(record.amount_minor, 2750);
  EXPECT_EQ(accept(refund(R"("order_id":"536365",)", "")).order_id, "");
  EXPECT_EQ(accept(refund(R"("536365")", "null")).order_id, "");
  EXPECT_EQ(accept(refund(R"("536365")", R"("")")).order_id, "");
}

TEST_F(DecodeTest, ReadsACancellationWithoutMoney) {
  const Record record = accept(kCancellation);
  EXPECT_EQ(record.type, RecordType::kCancellation);
  EXPECT_EQ(record.order_id, "536365");
  EXPECT_EQ(record.amount_minor, 0);
  EXPECT_EQ(format_rfc3339(record.at), "2010-12-03T09:00:00.000Z");
}

TEST_F(DecodeTest, RemembersTheTypeOfTheLastRecord) {
  accept(refund());
  EXPECT_EQ(decoder_->last_type(), RecordType::kRefund);
  refused(refund("27.50", "x"));
  EXPECT_EQ(decoder_->last_type(), RecordType::kRefund);
  refused("{");
  EXPECT_EQ(decoder_->last_type(), std::nullopt);
}

TEST_F(DecodeTest, WithoutTypeItIsAnOrder) {
  EXPECT_EQ(accept(order(R"("type":"order",)", "")).type, RecordType::kOrder);
  EXPECT_EQ(accept(order(R"("order")", "null")).type, RecordType::kOrder);
}

TEST_F(DecodeTest, StatusesCountInAnyCaseAndWhenThereIsNone) {
  const auto counts = [this](std::string_view status) {
    return accept(order(R"("completed")", status)).counts;
  };
  EXPECT_TRUE(counts(R"("Completed")"));
  EXPECT_TRUE(counts(R"("PAID")"));
  EXPECT_TRUE(counts(R"("delivered")"));
  EXPECT_TRUE(counts("null"));
  EXPECT_FALSE(counts(R"("pending")"));
  EXPECT_FALSE(counts(R"("pai")"));
  EXPECT_FALSE(counts(R"("paid ")"));
  EXPECT_FALSE(counts(R"("")"));
  EXPECT_FALSE(counts("7"));
  EXPECT_TRUE(accept(order(R"("status":"completed",)", "")).counts);
  DecodeRules rules = pounds();
  rules.counting_statuses = {"7"};
  use(rules);
  EXPECT_TRUE(counts("7"));
  EXPECT_FALSE(counts(R"("completed")"));
}

TEST_F(DecodeTest, VersionIsOptional) {
  EXPECT_EQ(accept(order(R"(,"version":3)", "")).version, std::nullopt);
  EXPECT_EQ(accept(order(R"(:3})", ":null}")).version, std::nullopt);
  EXPECT_EQ(accept(order(R"(:3})", R"(:"12"})")).version, 12);
  EXPECT_EQ(accept(order(R"(:3})", ":-9223372036854775808}")).version, INT64_MIN);
}

TEST_F(DecodeTest, IdsAreStringsOrTheDigitsOfIntegers) {
  const auto id = [this](std::string_view json) {
    return accept(order(R"("536365")", json)).order_id;
  };
  EXPECT_EQ(id("536365"), "536365");
  EXPECT_EQ(id("123456789012345678901234567890"), "123456789012345678901234567890");
  EXPECT_EQ(id("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(id(R"(" x ")"), " x ");
  EXPECT_EQ(id(R"("Zo\u00eb \"7\" \\ \ud83d\ude00")"), "Zo\u00eb \"7\" \\ \U0001F600");
  EXPECT_EQ(id("\"" + std::string(256, 'a') + "\""), std::string(256, 'a'));
  EXPECT_EQ(accept(order(R"("17850")", "17850")).customer_id, "17850");
}

TEST_F(DecodeTest, NoCustomerIsAnonymousWhateverTheKey) {
  for (const char* customer : {"null", R"("")"}) {
    EXPECT_EQ(accept(order(R"("17850")", customer)).customer_id, "");
    EXPECT_EQ(accept(order(R"("17850")", customer), std::nullopt).customer_id, "");
  }
  EXPECT_EQ(accept(order(R"("customer_id":"17850",)", "")).customer_id, "");
}

TEST_F(DecodeTest, UnknownFieldsAreIgnored) {
  EXPECT_EQ(
      accept(order_with(R"("lines":[{"sku":"a","n":1.5e3},[],{}],"x":null,"y":true)")).order_id,
      "536365");
  // Well-formed, though no string or double can hold them.
  EXPECT_EQ(accept(order_with(R"("name":"\ud83d","n":1e999999,"m":123456789012345678901234567890)"))
                .order_id,
            "536365");
}

TEST_F(DecodeTest, TheLastOfDuplicateFieldsWins) {
  EXPECT_EQ(accept(order_with(R"("order_id":"first","amount":"x","order_id":7)")).order_id,
            "536365");
  EXPECT_EQ(accept(order(R"("version":3)", R"("version":3,"version":4)")).version, 4);
  EXPECT_EQ(accept(order(R"("version":3)", R"("version":3,"version":null)")).version, std::nullopt);
  EXPECT_EQ(accept(order(R"("version":3)", R"("version":3,"v\u0065rsion":5)")).version, 5);
}

TEST_F(DecodeTest, FieldsStandWhereThePointersSay) {
  DecodeRules rules = pounds();
  rules.fields.order_id = "/order/id";
  rules.fields.refund_id = "/order/id";
  rules.fields.customer_id = "/who/0/a~1b";
  rules.fields.ordered_at = "/order/at";
  use(rules);
  const Record record = accept(
      R"({"order":{"id":"late","at":"2010-12-01"},"who":["x",{"a/b":"9"}],)"
      R"("who":[{"a/b":"17850"}],"order":{"at":"2010-12-01","id":1},"amount":1,"currency":"GBP"})");
  EXPECT_EQ(record.order_id, "1");
  EXPECT_EQ(record.customer_id, "17850");
}

TEST_F(DecodeTest, ALaterDuplicateHidesAllThatStoodBelowTheEarlierOne) {
  DecodeRules rules = pounds();
  rules.fields.order_id = "/order/id";
  use(rules);
  EXPECT_EQ(refused(order_with(R"("order":{"id":"1"},"order":{})")), "missing_field");
  EXPECT_EQ(refused(order_with(R"("order":{"id":"1"},"order":3)")), "missing_field");
  EXPECT_EQ(accept(order_with(R"("order":3,"order":{"id":"1"})")).order_id, "1");
}

TEST_F(DecodeTest, AmountsAreExact) {
  const auto minor = [this](std::string_view amount) {
    return accept(order(R"("139.12")", amount)).amount_minor;
  };
  EXPECT_EQ(minor("139.12"), 13912);
  EXPECT_EQ(minor("0"), 0);
  EXPECT_EQ(minor("1.5e2"), 15000);
  EXPECT_EQ(minor("12.5000"), 1250);
  EXPECT_EQ(minor("90071992547409.91"), kAmountMinorMax);  // no double holds it
  EXPECT_EQ(minor(R"("90071992547409.91")"), kAmountMinorMax);
  EXPECT_EQ(minor("0.07"), 7);
  EXPECT_EQ(minor("1.10"), 110);
}

TEST_F(DecodeTest, DecimalsAreASetting) {
  DecodeRules rules = pounds();
  rules.decimals = 3;
  use(rules);
  EXPECT_EQ(accept(order("139.12", "139.123")).amount_minor, 139123);
  rules.decimals = 0;
  use(rules);
  EXPECT_EQ(accept(order("139.12", "139")).amount_minor, 139);
  EXPECT_EQ(refused(order()), "too_many_decimals");
}

TEST_F(DecodeTest, MoneyFromPaymentsNeedsNoAmountOfTheOrder) {
  const std::string bare = order(R"("amount":"139.12","currency":"GBP",)", "");
  EXPECT_EQ(refused(bare), "missing_field");
  DecodeRules rules = pounds();
  rules.money_from_payments = true;
  use(rules);
  EXPECT_EQ(accept(bare).amount_minor, 0);
  EXPECT_EQ(accept(order("\"139.12\"", "null")).amount_minor, 0);
  EXPECT_EQ(accept(order()).amount_minor, 13912);
  EXPECT_EQ(refused(order("139.12", "x")), "bad_amount");
  EXPECT_EQ(refused(payment("amount")), "missing_field");
}

// The same file is checked against the published JSON Schema.
TEST_F(DecodeTest, AcceptsThePublishedExamples) {
  std::ifstream lines(SEGMENTD_SOURCE_DIR "/tests/support/order_records.ndjson");
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const bool emoji = line.find("ud83d") != std::string::npos;
    accept(line, emoji ? "\U0001F600" : "17850");
  }
  EXPECT_GE(count, 10);
}

// --- keys ---

TEST_F(DecodeTest, RawKeysAreTheCustomerIdItself) {
  EXPECT_EQ(refused(order(), "17851"), "key_mismatch");
  EXPECT_EQ(refused(order(), std::nullopt), "key_mismatch");
  EXPECT_EQ(refused(order(), ""), "key_mismatch");
  EXPECT_EQ(refused(order(), "\"17850\""), "key_mismatch");
  EXPECT_EQ(refused(order(), "17850 "), "key_mismatch");
  EXPECT_EQ(refused(order(), "\xff"), "key_mismatch");
}

TEST_F(DecodeTest, JsonKeysAreAStringOrAnInteger) {
  DecodeRules rules = pounds();
  rules.key = KeyMode::kJson;
  use(rules);
  EXPECT_EQ(accept(order(), "\"17850\"").customer_id, "17850");
  EXPECT_EQ(accept(order(), " \"1785\\u0030\" ").customer_id, "17850");
  EXPECT_EQ(accept(order(), "17850").customer_id, "17850");
  EXPECT_EQ(accept(order(), " 17850\n").customer_id, "17850");
  for (const char* key : {"", "\"17851\"", "\"17850", "17850\"", "\"17850\"x", "{\"a\":1}", "null",
                          "17850 1", "17850.0", "[17850]", "\"17850\" \"17850\""}) {
    EXPECT_EQ(refused(order(), key), "key_mismatch") << key;
  }
  EXPECT_EQ(refused(order(), std::nullopt), "key_mismatch");
  // An id with a quote: the plain comparison must not take what is no JSON.
  const std::string quoted_id = order(R"("17850")", R"("a\"b")");
  EXPECT_EQ(accept(quoted_id, R"("a\"b")").customer_id, "a\"b");
  EXPECT_EQ(refused(quoted_id, R"("a"b")"), "key_mismatch");
}

// --- times ---

TEST_F(DecodeTest, Rfc3339KeepsMillisecondsAndOffsets) {
  const auto at = [this](std::string_view time) {
    return format_rfc3339(accept(order("2010-12-01T08:26:00Z", time)).at);
  };
  EXPECT_EQ(at("2010-12-01T08:26:00.250Z"), "2010-12-01T08:26:00.250Z");
  EXPECT_EQ(at("2010-12-01T08:26:00+01:00"), "2010-12-01T07:26:00.000Z");
  EXPECT_EQ(at("2010-12-01 08:26:00"), "2010-12-01T08:26:00.000Z");
  EXPECT_EQ(at("1900-01-01T00:00:00Z"), "1900-01-01T00:00:00.000Z");
  EXPECT_EQ(at("2199-12-31T23:59:59.999Z"), "2199-12-31T23:59:59.999Z");
}

TEST_F(DecodeTest, ATimeWithoutZoneIsInTheConfiguredOne) {
  auto london = Zone::load("Europe/London");
  ASSERT_TRUE(london) << london.error().what;
  DecodeRules rules = pounds();
  rules.zone = *london;
  use(rules);
  const auto at = [this](std::string_view time) {
    return format_rfc3339(accept(order("2010-12-01T08:26:00Z", time)).at);
  };
  EXPECT_EQ(at("2011-01-14T12:00:00"), "2011-01-14T12:00:00.000Z");
  EXPECT_EQ(at("2011-07-14T12:00:00"), "2011-07-14T11:00:00.000Z");
  EXPECT_EQ(at("2011-07-14T12:00:00Z"), "2011-07-14T12:00:00.000Z");
  EXPECT_EQ(at("2011-03-27T01:30:00"), "2011-03-27T01:30:00.000Z");  // skipped: as before the jump
  EXPECT_EQ(at("2011-03-27T02:00:00"), "2011-03-27T01:00:00.000Z");
  EXPECT_EQ(at("2011-10-30T01:30:00"), "2011-10-30T00:30:00.000Z");  // twice: the first
  EXPECT_EQ(at("2011-10-30T02:00:00"), "2011-10-30T02:00:00.000Z");
  const Record late = accept(order("2010-12-01T08:26:00Z", "2011-07-14T23:30:00Z"));
  EXPECT_EQ(late.local_day, days_from_civil(2011, 7, 15));
  EXPECT_EQ(accept(order("2010-12-01T08:26:00Z", "1969-12-31T23:59:59Z")).local_day, 0);
}

TEST_F(DecodeTest, ZonesCoverAllAcceptedYears) {
  const auto kolkata = Zone::load("Asia/Kolkata");
  ASSERT_TRUE(kolkata);
  EXPECT_EQ(format_rfc3339(kolkata->instant_of({2199, 6, 1, 5, 30})), "2199-06-01T00:00:00.000Z");
  EXPECT_EQ(kolkata->local_day(kFirstInstant), days_from_civil(1900, 1, 1));
  const auto apia = Zone::load("Pacific/Apia");  // 2011-12-30 did not happen there
  ASSERT_TRUE(apia);
  EXPECT_EQ(format_rfc3339(apia->instant_of({2011, 12, 29, 23, 59})), "2011-12-30T09:59:00.000Z");
  EXPECT_EQ(format_rfc3339(apia->instant_of({2011, 12, 31, 0, 0})), "2011-12-30T10:00:00.000Z");
  EXPECT_EQ(Zone::load("Europe/Atlantis").error().code, Errc::kMisconfigured);
}

TEST_F(DecodeTest, TimesAsNumbers) {
  DecodeRules rules = pounds();
  const auto at = [&](TimeFormat format, std::string_view time) {
    rules.time_format = format;
    use(rules);
    return format_rfc3339(accept(order(R"("2010-12-01T08:26:00Z")", time)).at);
  };
  EXPECT_EQ(at(TimeFormat::kSeconds, "1291191960"), "2010-12-01T08:26:00.000Z");
  EXPECT_EQ(at(TimeFormat::kSeconds, R"("1291191960")"), "2010-12-01T08:26:00.000Z");
  EXPECT_EQ(at(TimeFormat::kMilliseconds, "1291191960250"), "2010-12-01T08:26:00.250Z");
  EXPECT_EQ(at(TimeFormat::kMicroseconds, "1291191960250999"), "2010-12-01T08:26:00.250Z");
  EXPECT_EQ(at(TimeFormat::kMicroseconds, "-1"), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(at(TimeFormat::kSeconds, "-2208988800"), "1900-01-01T00:00:00.000Z");
  EXPECT_EQ(at(TimeFormat::kSeconds, "7258118399"), "2199-12-31T23:59:59.000Z");
  EXPECT_EQ(at(TimeFormat::kMicroseconds, "7258118399999999"), "2199-12-31T23:59:59.999Z");
}

// --- every code ---

TEST_F(DecodeTest, NullValue) {
  use(pounds());
  const auto decoded = decoder_->decode("17850", std::nullopt);
  EXPECT_EQ(std::get<Reject>(decoded).reason, RejectReason::kNullValue);
}

TEST_F(DecodeTest, Oversized) {
  DecodeRules rules = pounds();
  rules.max_bytes = order().size();
  use(rules);
  accept(order());
  EXPECT_EQ(refused(order() + " "), "oversized");
  EXPECT_EQ(refused(std::string(order().size() + 1, '\xff')), "oversized");
}

TEST_F(DecodeTest, MalformedJson) {
  const std::string deep = std::string(100'000, '[');
  for (const std::string& value :
       {std::string(),
        std::string(" "),
        std::string("{"),
        std::string("nul"),
        order() + "}",
        order() + "x",
        order() + order(),
        order().substr(0, order().size() - 1),
        std::string("\xef\xbb\xbf") + order(),
        order(R"("536365")", R"("5363)"),
        order(R"("536365")", "\"5\n6\""),
        order(R"("536365")", "tru"),
        order(R"("536365")", "05"),
        order(R"("536365")", "1."),
        order(R"("536365")", R"("\x")"),
        order(R"("536365")", R"("\ud800")"),
        order(R"("536365")", R"("\udc00x")"),
        order(R"("536365")", R"("\ud800\u0041")"),
        order(",", ""),
        order(",", ",,"),
        order(":3}", ":3,}"),
        order(":3}", ":3]"),
        order_with(R"("x":{"y":01})"),
        order_with(R"("x":[1,])"),
        order_with(R"("x":[1 2])"),
        order_with(R"("x":"\q")"),
        order_with(R"("x":"\u00g0")"),
        order_with(R"("x":nulll)"),
        order_with(R"("x":{1:2})"),
        order_with(R"("x":NaN)"),
        order_with(R"("x":"y":"z","v":[1]},"w":1)"),
        order_with(R"("x":"y":"z")"),
        order_with("\"x\":" + deep),
        deep,
        "{\"a\":" + deep,
        order_with("\"x\":" + std::string(300, '[') + std::string(300, ']')),
        order() + std::string(1, '\0'),
        std::string("\0", 1),
        std::string("17"),
        std::string("[]"),
        std::string("\"x\""),
        std::string("null"),
        "[" + order() + "]"}) {
    EXPECT_EQ(refused(value), "malformed_json") << value.substr(0, 200);
  }
  EXPECT_EQ(refused(order(":3}", ":3.0}")), "malformed_json");
  EXPECT_NE(detail_.find("/version"), std::string::npos);
  for (const char* version :
       {":9223372036854775808}", ":\"\"}", ":\"3x\"}", ":true}", ":{}}", ":1e3}"}) {
    EXPECT_EQ(refused(order(":3}", version)), "malformed_json") << version;
  }
  for (const char* status : {"true", "{}", "[]", "1.5"}) {
    EXPECT_EQ(refused(order(R"("completed")", status)), "malformed_json") << status;
    EXPECT_NE(detail_.find("/status"), std::string::npos);
  }
}

TEST_F(DecodeTest, NestingUpToTheLimitIsRead) {
  const auto nested = [](int levels) {
    const auto n = static_cast<std::size_t>(levels);
    return order_with("\"x\":" + std::string(n, '[') + std::string(n, ']'));
  };
  accept(nested(kJsonDepthMax - 1));
  EXPECT_EQ(refused(nested(kJsonDepthMax)), "malformed_json");
}

TEST_F(DecodeTest, InvalidUtf8) {
  for (const char* bytes :
       {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_EQ(refused(order("536365", bytes)), "invalid_utf8");
    EXPECT_EQ(refused(order("536365", std::string(bytes) + "\"")), "invalid_utf8");
    EXPECT_EQ(refused(order_with(R"("x":")" + std::string(bytes) + "\"")), "invalid_utf8");
    EXPECT_EQ(refused(bytes), "invalid_utf8");
  }
}

TEST_F(DecodeTest, MissingFieldNamesThePointer) {
  const auto missing = [this](const std::string& value, const std::string& pointer) {
    EXPECT_EQ(refused(value), "missing_field") << value;
    EXPECT_EQ(detail_, pointer + " is missing");
  };
  missing("{}", "/order_id");
  missing(order("order_id", "other"), "/order_id");
  missing(order(R"("536365")", "null"), "/order_id");
  missing(order("ordered_at", "other"), "/ordered_at");
  missing(order("amount", "other"), "/amount");
  missing(order(R"("139.12")", "null"), "/amount");
  missing(order("currency", "other"), "/currency");
  missing(payment("payment_id"), "/payment_id");
  missing(payment("order_id"), "/order_id");
  missing(payment("paid_at"), "/paid_at");
  missing(payment("amount"), "/amount");
  missing(payment("currency"), "/currency");
  missing(refund("refund_id", "other"), "/refund_id");
  missing(refund("refunded_at", "other"), "/refunded_at");
  missing(refund("amount", "other"), "/amount");
  missing(refund("currency", "other"), "/currency");
  missing(R"({"type":"cancellation","cancelled_at":"2010-12-03"})", "/order_id");
  missing(R"({"type":"cancellation","order_id":"1"})", "/cancelled_at");
  EXPECT_EQ(refused(R"({"a":{}})"), "missing_field");
}

TEST_F(DecodeTest, UnknownAndUnsupportedTypes) {
  for (const char* type :
       {R"("Order")", R"("orders")", R"("")", "7", "{}", "true", R"("order ")"}) {
    EXPECT_EQ(refused(order(R"("order")", type)), "unknown_type") << type;
  }
  EXPECT_EQ(refused(order(R"("order")", R"("customer")")), "unsupported_type");
  EXPECT_EQ(refused(R"({"type":"erasure"})"), "unsupported_type");
}

TEST_F(DecodeTest, BadId) {
  const std::string too_long = "\"" + std::string(257, 'a') + "\"";
  const std::string long_number(257, '1');
  for (const std::string& id :
       {std::string(R"("a\nb")"), std::string(R"("\u0000")"), std::string(R"("\u007f")"),
        std::string(R"("a\u001f")"), std::string("1.5"), std::string("1e3"), std::string("true"),
        std::string("{}"), std::string("[1]"), too_long, long_number}) {
    EXPECT_EQ(refused(order(R"("536365")", id)), "bad_id") << id;
    EXPECT_EQ(refused(order(R"("17850")", id)), "bad_id") << id;
    EXPECT_EQ(refused(refund(R"("r9")", id)), "bad_id") << id;
    EXPECT_EQ(refused(refund(R"("536365")", id)), "bad_id") << id;
  }
  EXPECT_EQ(refused(order(R"("536365")", R"("")")), "bad_id");
  EXPECT_EQ(refused(refund(R"("r9")", R"("")")), "bad_id");
}

TEST_F(DecodeTest, BadTime) {
  for (const char* time : {R"("")", R"("yesterday")", R"("2010-13-01T00:00:00Z")",
                           R"("2010-02-29")", "1291191960", "true", R"("2010-12-01T08:26:00Z ")",
                           R"("1899-12-31T23:59:59.999Z")", R"("2200-01-01T00:00:00Z")",
                           R"("1900-01-01T00:00:00+00:01")", R"("2010-12-01T08:26:00 PST")"}) {
    EXPECT_EQ(refused(order(R"("2010-12-01T08:26:00Z")", time)), "bad_time") << time;
  }
  EXPECT_EQ(refused(order(R"("2010-12-01T08:26:00Z")", "null")), "missing_field");
  DecodeRules rules = pounds();
  for (const TimeFormat format :
       {TimeFormat::kSeconds, TimeFormat::kMilliseconds, TimeFormat::kMicroseconds}) {
    rules.time_format = format;
    use(rules);
    for (const char* time :
         {"1.5", "1e9", R"("x")", R"("")", R"("1 ")", "9223372036854775807", "-9223372036854775808",
          "9223372036854775808", "{}", "false", R"("2010-12-01T08:26:00Z")", "7258118400000000",
          "-2208988800000001"}) {
      EXPECT_EQ(refused(order(R"("2010-12-01T08:26:00Z")", time)), "bad_time") << time;
    }
  }
}

TEST_F(DecodeTest, BadAmountTooManyDecimalsAndOverflow) {
  for (const char* amount : {R"("")", R"("1,50")", R"("GBP 1")", R"(" 1")", R"("+1")", R"("1e")",
                             R"("NaN")", "true", "{}", "-1", R"("-0.01")", "-5e1"}) {
    EXPECT_EQ(refused(order(R"("139.12")", amount)), "bad_amount") << amount;
  }
  EXPECT_EQ(refused(order(R"("139.12")", "-1")), "bad_amount");
  EXPECT_NE(detail_.find("refund"), std::string::npos);
  EXPECT_EQ(refused(refund(R"("27.50")", "-1")), "bad_amount");
  for (const char* amount : {"0.001", R"("1.239")", "1e-3", "1e-999999"}) {
    EXPECT_EQ(refused(order(R"("139.12")", amount)), "too_many_decimals") << amount;
  }
  for (const char* amount :
       {"90071992547409.92", "1e999999", "123456789012345678901234567890", R"("1e15")"}) {
    EXPECT_EQ(refused(order(R"("139.12")", amount)), "overflow") << amount;
  }
  // An amount of absurd length is refused, never read as something else.
  EXPECT_EQ(refused(order(R"("139.12")", "1" + std::string(400, '0') + "e-401")), "bad_amount");
}

TEST_F(DecodeTest, UnknownCurrency) {
  for (const char* currency : {R"("gbp")", R"("EUR")", R"("")", R"("GBP ")", "826", "{}"}) {
    EXPECT_EQ(refused(order(R"("GBP")", currency)), "unknown_currency") << currency;
    EXPECT_EQ(refused(refund(R"("GBP")", currency)), "unknown_currency") << currency;
  }
}

TEST_F(DecodeTest, DetailsStayShortAndWhole) {
  std::string umlauts;
  for (int i = 0; i < 200; ++i) umlauts += "\u00fc";
  EXPECT_EQ(refused(order("GBP", umlauts)), "unknown_currency");
  EXPECT_NE(detail_.find("\u00fc...\""), std::string::npos) << detail_;
  EXPECT_EQ(refused(order("GBP", R"(\u0007)")), "unknown_currency");
  EXPECT_NE(detail_.find("\"?\""), std::string::npos) << detail_;
  DecodeRules rules = pounds();
  rules.fields.order_id = "/" + std::string(1000, 'x');
  use(rules);
  EXPECT_EQ(refused(order()), "missing_field");
}

TEST_F(DecodeTest, AFailureLeavesNothingBehind) {
  accept(order());
  EXPECT_EQ(refused(order_with(R"("x":tru)")), "malformed_json");
  EXPECT_EQ(refused("{}"), "missing_field");
  EXPECT_EQ(accept(order()).version, 3);
  EXPECT_EQ(refused("{\"order_id\":\"1"), "malformed_json");
  EXPECT_EQ(accept(std::string(100'000, ' ') + order()).order_id, "536365");
}

TEST(DecoderRulesTest, WrongRulesAreNamed) {
  EXPECT_EQ(Decoder::create({}).error().what, "currency is not set");
  DecodeRules rules = pounds();
  rules.decimals = 9;
  EXPECT_EQ(Decoder::create(rules).error().code, Errc::kMisconfigured);
  for (const char* pointer : {"", "order_id", "/a~2", "/a~"}) {
    rules = pounds();
    rules.fields.amount = pointer;
    EXPECT_EQ(Decoder::create(rules).error().code, Errc::kMisconfigured) << pointer;
  }
}

TEST(RejectTextTest, TheWorkersRefusalsSayWhatAndWhichSetting) {
  const Instant at = instant_of_utc({2011, 3, 14, 12, 3});
  const Instant clock = instant_of_utc({2011, 3, 1});
  EXPECT_EQ(
      reject_future(at, clock, kMsPerHour).detail,
      "the record's time 2011-03-14T12:03:00.000Z is more than input.future_tolerance (1 h) after "
      "now, 2011-03-01T00:00:00.000Z");
  EXPECT_EQ(reject_future(at, clock, kMsPerHour).reason, RejectReason::kFuture);
  const Reject jump = reject_clock_jump(at, clock, 400 * kMsPerDay);
  EXPECT_EQ(jump.reason, RejectReason::kClockJump);
  EXPECT_NE(jump.detail.find("(400 d)"), std::string::npos);
  EXPECT_EQ(reject_too_old(at, clock).reason, RejectReason::kTooOld);
  EXPECT_NE(reject_too_old(at, clock).detail.find("2011-03-01"), std::string::npos);
  const Reject partition = reject_wrong_partition(3, 1, "murmur2");
  EXPECT_EQ(partition.reason, RejectReason::kWrongPartition);
  EXPECT_EQ(partition.detail,
            "the record lies in partition 3, but murmur2 puts its key into partition 1 "
            "(input.partitioner)");
}

}  // namespace
}  // namespace segmentd
