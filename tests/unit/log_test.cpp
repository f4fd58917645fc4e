// Log lines stay one line and valid JSON whatever they hold, and repeat at a bounded rate.
#include "daemon/observe/log.hpp"

#include <limits>
#include <sstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "daemon/observe/json_text.hpp"

namespace segmentd::observe {
namespace {

std::string json_of(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// What a JSON reader makes of it; fails the test if it is not valid.
std::string read_back(const std::string& json) {
  simdjson::dom::parser parser;
  std::string_view text;
  EXPECT_EQ(parser.parse(json).get_string().get(text), simdjson::SUCCESS) << json;
  return std::string(text);
}

TEST(JsonText, EveryByteReadsBackOrBecomesTheReplacement) {
  for (int code = 0; code < 256; ++code) {
    const std::string text(1, static_cast<char>(code));
    const std::string json = json_of(text);
    EXPECT_EQ(read_back(json), code < 0x80 ? text : "\xEF\xBF\xBD") << code;
    for (const char c : json) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << code;
  }
}

TEST(JsonText, KeepsValidUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(json_of("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(json_of("a\xC3"), "\"a" + bad + "\"");                              // cut off
  EXPECT_EQ(json_of("\xC0\xAF"), "\"" + bad + bad + "\"");                      // overlong
  EXPECT_EQ(json_of("\xE0\x80\x80"), "\"" + bad + bad + bad + "\"");            // overlong
  EXPECT_EQ(json_of("\xED\xA0\x80"), "\"" + bad + bad + bad + "\"");            // surrogate
  EXPECT_EQ(json_of("\xF4\x90\x80\x80"), "\"" + bad + bad + bad + bad + "\"");  // > U+10FFFF
  EXPECT_EQ(json_of("\xE2\x82z"), "\"" + bad + bad + "z\"");
}

TEST(LogText, FieldsThatNeedQuotesHaveThem) {
  EXPECT_EQ(render_text("committed", {{"partition", 3},
                                      {"rows", std::uint64_t{18}},
                                      {"seconds", 0.25},
                                      {"first", true},
                                      {"topic", "orders"},
                                      {"why", "broker said \"no\""},
                                      {"empty", ""},
                                      {"equation", "a=b"}}),
            "committed partition=3 rows=18 seconds=0.25 first=true topic=orders "
            "why=\"broker said \\\"no\\\"\" empty=\"\" equation=\"a=b\"");
}

TEST(LogText, StaysOneLine) {
  EXPECT_EQ(render_text("two\nlines", {{"detail", "x\r\ny"}}), "two\\nlines detail=\"x\\r\\ny\"");
}

TEST(LogJson, KeepsTypesAndEscapesKeysAndValues) {
  EXPECT_EQ(render_json("say \"hi\"", {{"n", -7}, {"ratio", 0.5}, {"ok", false}, {"s", "\\"}}),
            R"("message":"say \"hi\"","fields":{"n":-7,"ratio":0.5,"ok":false,"s":"\\"})");
  EXPECT_EQ(render_json("m", {{"x", std::numeric_limits<double>::infinity()},
                              {"y", std::numeric_limits<double>::quiet_NaN()}}),
            R"("message":"m","fields":{"x":null,"y":null})");
}

/// Logs to a string for the time of a test, then to stderr again.
class LogOutput : public testing::Test {
 protected:
  void TearDown() override { set_up_log({}); }

  std::vector<std::string> lines() const {
    std::vector<std::string> found;
    std::istringstream in(out_.str());
    for (std::string line; std::getline(in, line);) found.push_back(line);
    return found;
  }

  std::ostringstream out_;
};

TEST_F(LogOutput, JsonIsOneObjectALine) {
  set_up_log({LogLevel::kInfo, LogFormat::kJson}, &out_);
  log_line(LogLevel::kWarning, "parked \"x\"\n%v {}", {{"partition", 2}, {"why", "a\nb"}});
  log_line(LogLevel::kInfo, "started");
  ASSERT_EQ(lines().size(), 2U);
  simdjson::dom::parser parser;
  const simdjson::dom::element line = parser.parse(lines()[0]);
  EXPECT_EQ(std::string_view(line["level"]), "warning");
  EXPECT_EQ(std::string_view(line["message"]), "parked \"x\"\n%v {}");
  EXPECT_EQ(std::int64_t(line["fields"]["partition"]), 2);
  EXPECT_EQ(std::string_view(line["fields"]["why"]), "a\nb");
  EXPECT_TRUE(parse_rfc3339(std::string_view(line["time"])));
}

TEST_F(LogOutput, TextBeginsWithTimeAndLevel) {
  set_up_log({LogLevel::kInfo, LogFormat::kText}, &out_);
  log_line(LogLevel::kError, "lost", {{"partition", 2}});
  ASSERT_EQ(lines().size(), 1U);
  const std::string line = lines()[0];
  EXPECT_TRUE(parse_rfc3339(line.substr(0, 24))) << line;
  EXPECT_EQ(line.substr(24), " error lost partition=2");
}

TEST_F(LogOutput, LinesBelowTheLevelAreNotWritten) {
  set_up_log({LogLevel::kWarning, LogFormat::kText}, &out_);
  log_line(LogLevel::kDebug, "a");
  log_line(LogLevel::kInfo, "b");
  log_line(LogLevel::kWarning, "c");
  EXPECT_EQ(lines().size(), 1U);
}

TEST_F(LogOutput, ThreadsDoNotMixTheirLines) {
  set_up_log({LogLevel::kInfo, LogFormat::kJson}, &out_);
  const auto write = [](int thread) {
    for (int i = 0; i < 200; ++i) log_line(LogLevel::kInfo, "line", {{"thread", thread}});
  };
  std::thread one(write, 1);
  std::thread two(write, 2);
  one.join();
  two.join();
  simdjson::dom::parser parser;
  EXPECT_EQ(lines().size(), 400U);
  for (const std::string& line : lines()) EXPECT_EQ(parser.parse(line).error(), simdjson::SUCCESS);
}

TEST_F(LogOutput, ALimitedLineTellsHowManyWereKeptBack) {
  set_up_log({LogLevel::kInfo, LogFormat::kText}, &out_);
  RateLimit limit;
  for (const std::int64_t second : {0, 1, 59, 60}) {
    log_limited(limit, "parked/2", Instant{second * kMsPerSecond}, LogLevel::kWarning, "parked",
                {{"partition", 2}});
  }
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_TRUE(lines()[0].ends_with("warning parked partition=2")) << lines()[0];
  EXPECT_TRUE(lines()[1].ends_with("warning parked partition=2 repeated=2")) << lines()[1];
}

TEST(RateLimit, KeysAreIndependentAndAClockSetBackIsNotSilence) {
  RateLimit limit(1000);
  EXPECT_EQ(limit.allow("a", Instant{5000}), 0U);
  EXPECT_EQ(limit.allow("b", Instant{5000}), 0U);
  EXPECT_EQ(limit.allow("a", Instant{5999}), std::nullopt);
  EXPECT_EQ(limit.allow("a", Instant{6000}), 1U);
  EXPECT_EQ(limit.allow("a", Instant{100}), 0U);
  EXPECT_EQ(limit.allow("a", Instant{200}), std::nullopt);
}

TEST(RateLimit, ForgetsSilentKeysAtTheBound) {
  RateLimit limit(1000);
  for (std::size_t i = 0; i < RateLimit::kKeysMax; ++i) {
    EXPECT_EQ(limit.allow("k" + std::to_string(i), Instant{0}), 0U);
  }
  EXPECT_EQ(limit.allow("more", Instant{2000}), 0U);
  EXPECT_EQ(limit.allow("more", Instant{2001}), std::nullopt);
  EXPECT_EQ(limit.allow("k0", Instant{2001}), 0U);
}

TEST(LogSettings, WordsAreReadAndOthersRefused) {
  EXPECT_EQ(*parse_log_level("warning"), LogLevel::kWarning);
  EXPECT_EQ(*parse_log_format("json"), LogFormat::kJson);
  EXPECT_EQ(parse_log_level("loud").error().what,
            "log level 'loud' is not one of debug, info, warning, error");
  EXPECT_EQ(parse_log_format("xml").error().code, Errc::kMisconfigured);
}

}  // namespace
}  // namespace segmentd::observe
