// The table of settings and its parts: what is taken, what is refused, what is derived.
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "config/settings.hpp"
#include "config/units.hpp"

namespace segmentd::config {
namespace {

using std::chrono::milliseconds;

// --- units ---

TEST(Units, DurationsAreReadAndWrittenInTheirLargestUnit) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("10s"), milliseconds(10'000));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("24h"), milliseconds(86'400'000));
  EXPECT_EQ(parse_duration("400d"), milliseconds(34'560'000'000));
  EXPECT_EQ(format_duration(milliseconds(86'400'000)), "1d");
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(1'001)), "1001ms");
  EXPECT_EQ(format_duration(milliseconds(0)), "0s");
  for (const char* wrong : {"", "5", "s", "-5s", "+5s", "5 s", "1.5h", "5sec", "5S",
                            "106751991168d", "99999999999999999999ms"}) {
    EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(parse_duration("9223372036854775807ms"),
            milliseconds(std::numeric_limits<std::int64_t>::max()));
}

TEST(Units, BytesAreReadAndWrittenInTheirLargestUnit) {
  EXPECT_EQ(parse_bytes("64MiB"), 67'108'864);
  EXPECT_EQ(parse_bytes("900kB"), 900'000);
  EXPECT_EQ(parse_bytes("1GB"), 1'000'000'000);
  EXPECT_EQ(parse_bytes("17"), 17);
  EXPECT_EQ(parse_bytes("17B"), 17);
  EXPECT_EQ(format_bytes(1'048'576), "1MiB");
  EXPECT_EQ(format_bytes(900'000), "900kB");
  EXPECT_EQ(format_bytes(1'048'577), "1048577B");
  EXPECT_EQ(format_bytes(0), "0B");
  for (const char* wrong : {"", "MiB", "-1B", "1mb", "1 MiB", "1.5MiB", "9223372036854775807kB"}) {
    EXPECT_EQ(parse_bytes(wrong), std::nullopt) << wrong;
  }
}

// --- options ---

struct SampleSet : OptionSet {
  StringOption word{*this, {"a.word", "A word. More of it."}, "x", kNotEmpty};
  IntegerOption count{*this, {"a.count", "A count."}, 3, -2, 5};
  BoolOption flag{*this, {"a.flag", "A flag."}, false};
  NumberOption share{*this, {"a.share", "A share."}, 0.5, 0.0, 0.9};
  DurationOption wait{
      *this, {"a.wait", "A wait."}, milliseconds(10), milliseconds(10), milliseconds(2'000)};
  BytesOption size{*this, {"a.size", "A size."}, 1'024, 1'000, 2'048};
  ListOption ordered{
      *this, {"a.ordered", "A list."}, {"b", "a"}, ListOption::Kind::kOrdered, kListWord};
  ListOption words{*this, {"a.words", "A set."}, {}, ListOption::Kind::kCaseless, kListWord};
};

TEST(Option, RangesHoldAtTheirBoundary) {
  SampleSet s;
  EXPECT_EQ(s.count.set("-2", "t"), "");
  EXPECT_EQ(s.count.set("5", "t"), "");
  EXPECT_EQ(s.count.set("-3", "t"), "is outside -2 .. 5");
  EXPECT_EQ(s.count.set("6", "t"), "is outside -2 .. 5");
  EXPECT_EQ(s.count(), 5);
  EXPECT_EQ(s.share.set("0", "t"), "");
  EXPECT_EQ(s.share.set("0.9", "t"), "");
  EXPECT_EQ(s.share.set("0.9001", "t"), "is outside 0 .. 0.9");
  EXPECT_EQ(s.share.set("-0.1", "t"), "is outside 0 .. 0.9");
  EXPECT_EQ(s.share.set("nan", "t"), "is outside 0 .. 0.9");
  EXPECT_EQ(s.share(), 0.9);
  EXPECT_EQ(s.wait.set("10ms", "t"), "");
  EXPECT_EQ(s.wait.set("2s", "t"), "");
  EXPECT_EQ(s.wait.set("9ms", "t"), "is outside 10ms .. 2s");
  EXPECT_EQ(s.wait.set("2001ms", "t"), "is outside 10ms .. 2s");
  EXPECT_EQ(s.wait(), milliseconds(2'000));
  EXPECT_EQ(s.size.set("1kB", "t"), "");
  EXPECT_EQ(s.size.set("2KiB", "t"), "");
  EXPECT_EQ(s.size.set("999", "t"), "is outside 1kB .. 2KiB");
  EXPECT_EQ(s.size.set("2049", "t"), "is outside 1kB .. 2KiB");
  EXPECT_EQ(s.size(), 2'048);
}

TEST(Option, ARefusalSaysWhatIsAllowedAndChangesNothing) {
  SampleSet s;
  EXPECT_EQ(s.word.set("", "t"), "must be not empty");
  EXPECT_EQ(s.word.set("a\tb", "t"), "contains a control character");
  EXPECT_EQ(s.count.set("4x", "t"), "is not an integer; allowed: -2 .. 5");
  EXPECT_EQ(s.count.set("", "t"), "is not an integer; allowed: -2 .. 5");
  EXPECT_EQ(s.count.set("4.0", "t"), "is not an integer; allowed: -2 .. 5");
  EXPECT_EQ(s.flag.set("yes", "t"), "is neither true nor false");
  EXPECT_EQ(s.share.set("half", "t"), "is not a number; allowed: 0 .. 0.9");
  EXPECT_EQ(s.wait.set("4", "t"),
            "must be a whole number and ms, s, m, h or d; allowed: 10ms .. 2s");
  EXPECT_EQ(s.ordered.set("a,,b", "t"),
            "item '' must be a word without comma and surrounding blanks");
  EXPECT_EQ(s.count.set_items({"1"}, "t"), "is a list; one value is wanted");
  EXPECT_EQ(s.word(), "x");
  EXPECT_EQ(s.count(), 3);
  EXPECT_EQ(s.ordered(), (std::vector<std::string>{"b", "a"}));
  for (const OptionBase* option : s.options()) EXPECT_TRUE(option->is_default());
}

TEST(Settings, ARecordToBeSkippedIsNamedByTopicPartitionAndOffset) {
  Settings s;
  EXPECT_EQ(s.set("input.skip", "orders/0/4711, my.orders_2/12/9223372036854775807"), "");
  const auto place = parse_record_place(s.input.skip().back());
  ASSERT_TRUE(place);
  EXPECT_EQ(place->topic, "my.orders_2");
  EXPECT_EQ(place->partition, 12);
  EXPECT_EQ(place->offset, 9223372036854775807);
  for (const char* wrong :
       {"orders", "orders/1", "/0/1", "orders//1", "orders/0/", "orders/-1/1", "orders/0/-1",
        "orders/+1/1", "orders/0/1x", "orders/0x1/1", "a/orders/0/1", "orders/2147483648/1",
        "orders/0/9223372036854775808", "orders/0/ 1"}) {
    EXPECT_NE(
        s.set("input.skip", wrong).find("must be topic/partition/offset, such as orders/0/47"),
        std::string::npos)
        << wrong;
  }
  EXPECT_EQ(s.input.skip().size(), 2U);
  ASSERT_EQ(s.notes().size(), 1U) << "one is of another topic than the input";
  EXPECT_NE(s.notes().front().find("my.orders_2/12/9223372036854775807"), std::string::npos);
  EXPECT_EQ(s.fingerprint(), Settings().fingerprint());
  EXPECT_EQ(s.set("input.skip", ""), "");
  EXPECT_TRUE(s.input.skip().empty());
}

TEST(Option, AListIsReadFromOneTextAndASetHasOneCanonicalForm) {
  SampleSet s;
  EXPECT_EQ(s.ordered.set(" one , two", "t"), "");
  EXPECT_EQ(s.ordered(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(s.ordered.text(), "one,two");
  EXPECT_EQ(s.ordered.set("", "t"), "");
  EXPECT_TRUE(s.ordered().empty());
  EXPECT_EQ(s.words.set_items({"Shipped", "paid", "SHIPPED"}, "t"), "");
  EXPECT_EQ(s.words.text(), "paid,shipped");
  EXPECT_EQ(s.words.toml(), R"(["shipped", "paid", "shipped"])");
}

TEST(Option, TomlTextIsEscaped) {
  EXPECT_EQ(toml_quoted("a\"b\\c\nd\x01\xc3\xa9"), "\"a\\\"b\\\\c\\nd\\u0001\xc3\xa9\"");
}

TEST(Option, TheSummaryEndsWithTheFirstClause) {
  const Settings s;
  EXPECT_EQ(s.currency.summary(), "ISO 4217 code of your orders");
  EXPECT_EQ(s.table.on.summary(), "When a customer's table row is written");
  EXPECT_EQ(s.rocksdb.write_buffer_bytes.summary(), "Write buffer of one partition");
}

TEST(Option, AProblemIsOneLineAndALongValueIsCut) {
  const Problem problem{"a.key", "x\ny" + std::string(100, 'z'), "s.toml:3", "is wrong"};
  EXPECT_EQ(problem.text(), "a.key = 'x?y" + std::string(77, 'z') + "...' (s.toml:3): is wrong");
}

// --- the table ---

TEST(Settings, NamesAndDefaultsOfTheContractStand) {
  const Settings s;
  for (const char* key : {"application",
                          "brokers",
                          "currency",
                          "decimals",
                          "time_zone",
                          "clock",
                          "workers",
                          "instance",
                          "state_dir",
                          "http.address",
                          "input.topic",
                          "input.start",
                          "input.partitioner",
                          "input.key",
                          "input.time_format",
                          "input.money",
                          "input.counting_statuses",
                          "input.future_tolerance",
                          "orders.remembered",
                          "model.k",
                          "model.recency",
                          "model.margin",
                          "model.seed",
                          "model.evaluate_every",
                          "model.min_customers",
                          "model.min_days",
                          "table.on",
                          "on_stop",
                          "announce_from",
                          "clock.max_step",
                          "rejected.max_bytes",
                          "model.announce_first_fit"}) {
    EXPECT_NE(s.find(key), nullptr) << key;
  }
  EXPECT_EQ(s.application(), "segmentd");
  EXPECT_EQ(s.decimals(), 2);
  EXPECT_EQ(s.instance(), "") << "the one kept in the state directory";
  EXPECT_EQ(s.clock(), Clock::kWall);
  EXPECT_EQ(s.clock_step_max(), std::chrono::hours(400 * 24));
  EXPECT_EQ(s.input.start(), InputStart::kEarliest);
  EXPECT_EQ(s.input.counting_statuses(),
            (std::vector<std::string>{"completed", "paid", "delivered"}));
  EXPECT_EQ(s.orders.remembered(), 512);
  EXPECT_EQ(s.rejected.bytes_max(), 900'000);
  EXPECT_EQ(s.model.k(), 4);
  EXPECT_EQ(s.model.recency(), Recency::kSaturating);
  EXPECT_EQ(s.field.refunded_at(), "/refunded_at");
  EXPECT_EQ(s.http.address(), "127.0.0.1:9464");
}

TEST(Settings, EveryDefaultIsAValueThatWouldBeTaken) {
  const Settings defaults;
  Settings s;
  std::set<std::string> keys;
  for (const OptionBase* option : defaults.options()) {
    EXPECT_TRUE(keys.insert(option->key()).second) << option->key() << " is declared twice";
    EXPECT_FALSE(option->summary().empty()) << option->key();
    EXPECT_TRUE(option->help().ends_with('.')) << option->key();
    if (!option->has(kRequired)) {
      EXPECT_EQ(s.set(option->key(), option->text()), "") << option->key();
    }
  }
  EXPECT_EQ(s.fingerprint(), defaults.fingerprint());
}

TEST(Settings, WordsAreReadAsTheirEnumerators) {
  Settings s;
  EXPECT_EQ(s.set("input.time_format", "us"), "");
  EXPECT_EQ(s.input.time_format(), InputTimeFormat::kMicroseconds);
  EXPECT_EQ(s.set("input.partitioner", "unchecked"), "");
  EXPECT_EQ(s.input.partitioner(), InputPartitioner::kUnchecked);
  EXPECT_EQ(s.set("log.level", "error"), "");
  EXPECT_EQ(s.log.level(), LogLevel::kError);
  EXPECT_EQ(s.set("model.recency", "log"), "");
  EXPECT_EQ(s.model.recency(), Recency::kLog);
  EXPECT_EQ(s.set("clock", "Event"), "is not one of wall, event");
}

TEST(Settings, NamesPointersAndAddressesAreChecked) {
  Settings s;
  const std::string letters64(64, 'a');
  for (const auto& [key, right] : std::vector<std::pair<const char*, std::string>>{
           {"application", letters64},
           {"application", "0.a_b-c"},
           {"input.topic", "Orders.v1"},
           {"input.topic", std::string(249, 't')},
           {"currency", "EUR"},
           {"instance", "Pod-0"},
           {"instance", ""},
           {"input.field.amount", "/after/money/0/a~1b~0"},
           {"http.address", "[::1]:0"},
           {"http.address", "localhost:65535"},
           {"brokers", "a:9092, PLAINTEXT://b:9092"},
           {"announce_from", "2026-01-01T00:00:00Z"},
           {"announce_from", ""}}) {
    EXPECT_EQ(s.set(key, right), "") << key << " " << right;
  }
  for (const auto& [key, wrong] :
       std::vector<std::pair<const char*, std::string>>{{"application", letters64 + "a"},
                                                        {"application", "A"},
                                                        {"application", "-a"},
                                                        {"application", ""},
                                                        {"input.topic", std::string(250, 't')},
                                                        {"input.topic", ".."},
                                                        {"input.topic", "a/b"},
                                                        {"currency", "eur"},
                                                        {"currency", "EURO"},
                                                        {"instance", "a b"},
                                                        {"instance", "-a"},
                                                        {"instance", letters64 + "a"},
                                                        {"input.field.amount", "amount"},
                                                        {"input.field.amount", ""},
                                                        {"input.field.amount", "/a~2"},
                                                        {"input.field.amount", "/a~"},
                                                        {"http.address", "9464"},
                                                        {"http.address", ":9464"},
                                                        {"http.address", "h:65536"},
                                                        {"http.address", "::1:80"},
                                                        {"http.address", "h:"},
                                                        {"brokers", "a b:9092"},
                                                        {"announce_from", "soon"}}) {
    EXPECT_NE(s.set(key, wrong), "") << key << " " << wrong;
  }
}

TEST(Settings, WordsAgreeWithTheCore) {
  Settings s;
  for (const Recency recency : {Recency::kSaturating, Recency::kLinear, Recency::kLog}) {
    ASSERT_EQ(s.set("model.recency", word(recency)), "");
    EXPECT_EQ(s.model.recency(), recency);
  }
  for (int i = 1; i < kSegmentWords; ++i) {
    const std::string segment(word(static_cast<Segment>(i)));
    EXPECT_NE(s.find("labels." + segment), nullptr) << segment;
  }
}

TEST(Settings, ACopyIsIndependent) {
  Settings original;
  ASSERT_EQ(original.set("currency", "GBP", "here"), "");
  ASSERT_EQ(original.set("kafka.linger.ms", "7", "there"), "");
  Settings copy = original;
  ASSERT_EQ(copy.set("currency", "EUR"), "");
  ASSERT_EQ(copy.set("kafka.linger.ms", "8"), "");
  EXPECT_EQ(original.currency(), "GBP");
  EXPECT_EQ(original.currency.origin(), "here");
  EXPECT_EQ(original.kafka.all().at("linger.ms").value, "7");
  EXPECT_EQ(copy.currency(), "EUR");
  copy = original;
  EXPECT_EQ(copy.currency(), "GBP");
  EXPECT_EQ(copy.find("currency"), &copy.currency);
}

TEST(Settings, NamesAreDerivedFromTheApplication) {
  Settings s;
  ASSERT_EQ(s.set("application", "shop"), "");
  ASSERT_EQ(s.set("brokers", "a:1,b:2"), "");
  ASSERT_EQ(s.set("labels.at_risk", "Slipping"), "");
  EXPECT_EQ(s.rejected_topic(), "shop-rejected");
  EXPECT_EQ(s.changelog_topic(), "shop-changelog");
  EXPECT_EQ(s.model_topic(), "shop-model");
  EXPECT_EQ(s.statistics_topic(), "shop-statistics");
  EXPECT_EQ(s.bootstrap_servers(), "a:1,b:2");
  EXPECT_EQ(s.label("at_risk"), "Slipping");
  EXPECT_EQ(s.label("insiders"), "Insiders");
  EXPECT_EQ(s.transaction_timeout(), milliseconds(10'000));
  ASSERT_EQ(s.set("kafka.transaction.timeout.ms", "6000"), "");
  EXPECT_EQ(s.transaction_timeout(), milliseconds(6'000));
}

TEST(Settings, TheFingerprintHoldsWhatGivesStateItsMeaning) {
  Settings s;
  ASSERT_EQ(s.set("currency", "GBP"), "");
  EXPECT_EQ(s.fingerprint(),
            "clock=wall\n"
            "currency=GBP\n"
            "decimals=2\n"
            "input.counting_statuses=completed,delivered,paid\n"
            "input.field.amount=/amount\n"
            "input.field.cancelled_at=/cancelled_at\n"
            "input.field.currency=/currency\n"
            "input.field.customer_id=/customer_id\n"
            "input.field.order_id=/order_id\n"
            "input.field.ordered_at=/ordered_at\n"
            "input.field.paid_at=/paid_at\n"
            "input.field.payment_id=/payment_id\n"
            "input.field.refund_id=/refund_id\n"
            "input.field.refunded_at=/refunded_at\n"
            "input.field.status=/status\n"
            "input.field.type=/type\n"
            "input.field.version=/version\n"
            "input.key=raw\n"
            "input.money=amount\n"
            "input.partitioner=murmur2\n"
            "input.time_format=rfc3339\n"
            "model.k=4\n"
            "model.recency=saturating\n"
            "model.recency_tau=180d\n"
            "time_zone=UTC\n");
  const std::string before = s.fingerprint();
  ASSERT_EQ(s.set("input.counting_statuses", "Paid,COMPLETED,delivered,paid"), "");
  ASSERT_EQ(s.set("model.recency_tau", "4320h"), "");
  ASSERT_EQ(s.set("orders.remembered", "8"), "");
  ASSERT_EQ(s.set("limits.cache_rows", "8"), "");
  EXPECT_EQ(s.fingerprint(), before);
  ASSERT_EQ(s.set("decimals", "3"), "");
  EXPECT_NE(s.fingerprint(), before);
}

}  // namespace
}  // namespace segmentd::config
