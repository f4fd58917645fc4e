// What the layouts of an import make of a file, on small files written here.
#include "daemon/import/import.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/import/delimited_reader.hpp"
#include "daemon/import/order_lines.hpp"
#include "tests/support/collecting_sink.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

using test::CollectingSink;
using test::TempDirectory;

constexpr const char* kRawHeader =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

class Import : public testing::Test {
 protected:
  /// Imports `content` by options_ into sink_.
  Result<ImportSummary> import(const std::string& content,
                               const std::string& name = "history.csv") {
    options_.input = directory_.file(name, content);
    return run_import(options_, sink_);
  }

  void columns(const std::string& text) {
    Result<OrderColumns> parsed = parse_columns(text);
    ASSERT_TRUE(parsed) << parsed.error().what;
    options_.columns = *parsed;
    options_.currency = "USD";
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const auto& put : sink_.puts) all.push_back(put.json);
    return all;
  }

  TempDirectory directory_;
  CollectingSink sink_;
  ImportOptions options_;
};

using Lines = std::vector<std::string>;
using LineNumbers = std::vector<std::uint64_t>;

std::string raw_line(const std::string& invoice, const std::string& minute = "00",
                     const std::string& price = "1") {
  return invoice + ",S,D,1,2010-12-01 08:" + minute + ":00," + price + ",17850.0,UK\n";
}

TEST_F(Import, OnlineRetailLinesBecomeOrdersAndRefunds) {
  options_.layout = Layout::kOnlineRetail;
  const auto summary =
      import(std::string(kRawHeader) +
             "536365,85123A,\"HOLDER, \"\"T\"\"\",6,2010-12-01 08:26:00,2.55,17850.0,UK\r\n"
             "536365,71053,LANTERN,1,2010-12-01 08:25:00,0.001,17850.0,UK\r\n"
             "536366,71053,LANTERN,2,2010-12-01 08:28:00,3.39,,UK\r\n"
             "C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,UK\r\n"
             "A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,UK");
  ASSERT_TRUE(summary) << summary.error().what;
  EXPECT_EQ(lines(),
            (Lines{R"({"type":"order","order_id":"536365","customer_id":"17850",)"
                   R"("ordered_at":"2010-12-01T08:25:00Z","amount":"15.301","currency":"GBP"})",
                   R"({"type":"order","order_id":"536366","customer_id":null,)"
                   R"("ordered_at":"2010-12-01T08:28:00Z","amount":"6.780","currency":"GBP"})",
                   R"({"type":"refund","refund_id":"C536379","customer_id":"14527",)"
                   R"("refunded_at":"2010-12-01T09:41:00Z","amount":"27.500","currency":"GBP"})"}));
  EXPECT_EQ(sink_.puts[0].key, "17850");
  EXPECT_EQ(sink_.puts[1].key, std::nullopt);
  EXPECT_EQ(sink_.finishes, 1);
  EXPECT_EQ(summary->rows, 5U);
  EXPECT_EQ(summary->records, 3U);
  EXPECT_EQ(summary->skipped.at(SkipReason::kAdjustment).first_lines, LineNumbers{6});
}

TEST_F(Import, AnInvoiceThatResumesWithinTheWindowStaysOne) {
  options_.layout = Layout::kOnlineRetail;
  // 1,000 other rows lie between the two lines of invoice 1: still one. Of invoice 2: 1,002, two.
  std::string raw = std::string(kRawHeader) + raw_line("1");
  for (int i = 0; i < 1000; ++i) raw += raw_line("x" + std::to_string(i));
  raw += raw_line("1", "30", "2") + raw_line("2");
  for (int i = 0; i < 1002; ++i) raw += raw_line("y" + std::to_string(i));
  raw += raw_line("2");
  const auto summary = import(raw);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->records, 1U + 1000U + 1U + 1002U + 1U);
  EXPECT_NE(lines().front().find(R"("order_id":"1",)"), std::string::npos);
  EXPECT_NE(lines().front().find(R"("amount":"3.000")"), std::string::npos) << lines().front();
}

TEST_F(Import, InvoicesLeaveInTheOrderOfTheirFirstLines) {
  options_.layout = Layout::kOnlineRetail;
  ASSERT_TRUE(import(std::string(kRawHeader) + raw_line("b", "01") + raw_line("a", "01") +
                     raw_line("b", "02") + raw_line("c", "03")));
  ASSERT_EQ(sink_.puts.size(), 3U);
  EXPECT_NE(lines()[0].find(R"("order_id":"b")"), std::string::npos);
  EXPECT_NE(lines()[0].find("08:01:00Z"), std::string::npos);
  EXPECT_NE(lines()[1].find(R"("order_id":"a")"), std::string::npos);
}

TEST_F(Import, BadInvoiceLinesAreSkippedWithReasonAndLine) {
  options_.layout = Layout::kOnlineRetail;
  const auto summary = import(std::string(kRawHeader) +                                 //
                              "1,S,D,1,2010-12-01 08:00:00,1,7,UK\n"                    // 2: good
                              "1,S,D\n"                                                 // 3
                              "2,S,D,x,2010-12-01 08:00:00,1,7,UK\n"                    // 4
                              "3,S,D,1,2010-13-01 08:00:00,1,7,UK\n"                    // 5
                              "4,S,D,1,2010-12-01 08:00:00,0.0001,7,UK\n"               // 6
                              ",S,D,1,2010-12-01 08:00:00,1,7,UK\n"                     // 7
                              "1,S,D,1,2010-12-01 08:00:00,1,8,UK\n"                    // 8
                              "C5,S,D,1,2010-12-01 08:00:00,1,7,UK\n"                   // 9
                              "6,S,D,9007199254740991,2010-12-01 08:00:00,9007,7,UK\n"  // 10
                              "7,S,D,1,2010-12-01 08:00:00,1,7,\"UK\n"                  // 11
                              "8,S,D,-1,2010-12-01 08:00:00,1,7,UK\n");                 // 12
  ASSERT_TRUE(summary);
  ASSERT_EQ(sink_.puts.size(), 1U);
  EXPECT_NE(lines()[0].find(R"("amount":"1.000")"), std::string::npos);
  const std::vector<std::pair<SkipReason, LineNumbers>> expected{
      {SkipReason::kMissingColumn, {3}},
      {SkipReason::kBadAmount, {4}},
      {SkipReason::kBadTime, {5}},
      {SkipReason::kTooManyDecimals, {6}},
      {SkipReason::kBadId, {7}},
      {SkipReason::kMixedCustomer, {8}},
      {SkipReason::kNegativeAmount, {9, 12}},
      {SkipReason::kOverflow, {10}},
      {SkipReason::kMalformedLine, {11}}};
  EXPECT_EQ(summary->skipped.size(), expected.size());
  for (const auto& [reason, numbers] : expected) {
    ASSERT_TRUE(summary->skipped.contains(reason)) << name_of(reason);
    EXPECT_EQ(summary->skipped.at(reason).first_lines, numbers) << name_of(reason);
  }
}

TEST_F(Import, AMissingHeaderColumnIsAnErrorThatNamesIt) {
  options_.layout = Layout::kOnlineRetail;
  const auto summary = import("InvoiceNo,Quantity\n1,2\n");
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code, Errc::kBadInput);
  EXPECT_NE(summary.error().what.find("InvoiceDate"), std::string::npos);
  EXPECT_EQ(import("").error().code, Errc::kBadInput);
}

TEST_F(Import, TheExtractGivesTheSameRecordsAsTheLinesItWasMadeOf) {
  options_.layout = Layout::kOnlineRetail;
  const std::string raw = std::string(kRawHeader) + raw_line("1") + raw_line("2", "05") +
                          "C3,S,D,-2,2010-12-01 09:00:00.250,1.25,,UK\n"
                          "A4,S,D,1,2010-12-01 09:01:00,1,,UK\n"
                          "\"5,\"\"x\",S,D,1,2010-12-01 09:02:00,1,\"7,8\",UK\n" +
                          raw_line("1", "07");
  ASSERT_TRUE(import(raw));
  auto extract = FileSink::open(directory_.path("extract.csv"));
  ASSERT_TRUE(extract);
  ASSERT_TRUE(write_extract(options_, **extract));
  options_.layout = Layout::kOnlineRetailInvoices;
  options_.input = directory_.path("extract.csv");
  CollectingSink again;
  const auto summary = run_import(options_, again);
  ASSERT_TRUE(summary) << summary.error().what;
  EXPECT_EQ(again.ndjson(), sink_.ndjson());
  EXPECT_EQ(again.puts.size(), 4U);
  EXPECT_EQ(summary->skipped.at(SkipReason::kAdjustment).count, 1U);
}

TEST_F(Import, OrdersByHeaderNames) {
  columns("customer=who,time=when,amount=paid,order=id,status=state,currency=unit");
  ASSERT_TRUE(
      import("id,\"state\",when,who,paid,unit\n"
             "o1,delivered,2017-08-09 20:19:05,\"a \"\"b\\c\",12.5,BRL\n"
             "o2,,2017-08-09 20:20:05,,3,\n"));
  EXPECT_EQ(lines(),
            (Lines{R"({"type":"order","order_id":"o1","customer_id":"a \"b\\c",)"
                   R"("ordered_at":"2017-08-09T20:19:05Z","amount":"12.50","currency":"BRL",)"
                   R"("status":"delivered"})",
                   R"({"type":"order","order_id":"o2","customer_id":null,)"
                   R"("ordered_at":"2017-08-09T20:20:05Z","amount":"3.00","currency":"USD"})"}));
  EXPECT_EQ(sink_.puts[0].key, "a \"b\\c");
}

TEST_F(Import, WithoutAnOrderColumnTheIdIsFileAndLine) {
  columns("customer=1,time=2,amount=3");
  options_.has_header = false;
  ASSERT_TRUE(import("7,1997-01-01,1\n\n7,1997-01-01,1", "sample.txt"));
  ASSERT_EQ(sink_.puts.size(), 2U);
  EXPECT_NE(lines()[0].find(R"("order_id":"sample.txt:1")"), std::string::npos);
  EXPECT_NE(lines()[1].find(R"("order_id":"sample.txt:3")"), std::string::npos);
}

TEST(ImportIds, DoNotDependOnWhereTheFileLiesOrWhetherItIsCompressed) {
  EXPECT_EQ(id_name_of("/some/where/sample.csv"), "sample.csv");
  EXPECT_EQ(id_name_of("sample.csv.xz"), "sample.csv");
  EXPECT_EQ(id_name_of("-"), "stdin");
}

TEST_F(Import, BadOrderLinesAreSkippedAndTheFirstLinesKept) {
  columns("customer=1,time=2,amount=3,order=4");
  options_.has_header = false;
  std::string file =
      "7,1997-01-01,1,a\n"
      "7,1997-01-01\n"
      "7,1997-01-01,1.001,b\n"
      "7,1997-01-01,-1,c\n"
      "7,1997-01-01,1,\n"
      "\xFF,1997-01-01,1,d\n" +
      std::string(257, 'x') + ",1997-01-01,1,e\n";
  for (int i = 0; i < 20; ++i) file += "7,1997-01-01,1 USD,f\n";
  const auto summary = import(file);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->records, 1U);
  EXPECT_EQ(summary->rows, 27U);
  EXPECT_EQ(summary->skipped.at(SkipReason::kMissingColumn).first_lines, LineNumbers{2});
  EXPECT_EQ(summary->skipped.at(SkipReason::kTooManyDecimals).first_lines, LineNumbers{3});
  EXPECT_EQ(summary->skipped.at(SkipReason::kNegativeAmount).first_lines, LineNumbers{4});
  EXPECT_EQ(summary->skipped.at(SkipReason::kBadId).first_lines, (LineNumbers{5, 6, 7}));
  const Skipped& amounts = summary->skipped.at(SkipReason::kBadAmount);
  EXPECT_EQ(amounts.count, 20U);
  EXPECT_EQ(amounts.first_lines, (LineNumbers{8, 9, 10, 11, 12}));
  const std::string text = describe(*summary, 2);
  EXPECT_NE(text.find("skipped 20 bad_amount, at line 8, 9, 10, 11, 12, ...\n"), std::string::npos)
      << text;
}

TEST_F(Import, SortsByTimeAndKeepsFileOrderWithinATime) {
  columns("customer=1,time=2,amount=3,order=4");
  options_.has_header = false;
  const std::string file =
      "7,1997-01-02,1,a\n7,1997-01-01,1,b\n7,1997-01-02,1,c\n7,1997-01-01,1,d\n";
  const auto as_is = import(file);
  ASSERT_TRUE(as_is);
  EXPECT_EQ(as_is->out_of_order, 2U);
  sink_.puts.clear();
  options_.sort_by_time = true;
  const auto sorted = import(file);
  ASSERT_TRUE(sorted);
  EXPECT_EQ(sorted->out_of_order, 0U);
  std::string order;
  for (const std::string& line : lines()) order += line.substr(line.find("order_id") + 11, 1);
  EXPECT_EQ(order, "bdac");
}

TEST_F(Import, LocalTimesAreReadInTheirZone) {
  columns("customer=1,time=2,amount=3");
  options_.has_header = false;
  options_.time_zone = "America/Sao_Paulo";
  ASSERT_TRUE(import("7,2017-08-09 20:19:05,1\n7,2017-12-09 20:19:05,1\n"));
  EXPECT_NE(lines()[0].find("2017-08-09T23:19:05Z"), std::string::npos) << lines()[0];
  EXPECT_NE(lines()[1].find("2017-12-09T22:19:05Z"), std::string::npos) << lines()[1];
}

TEST_F(Import, MovesAllTimesAlikeSoThatTheNewestIsWhereItIsTold) {
  columns("customer=1,time=2,amount=3");
  options_.has_header = false;
  options_.newest_at = Instant{1'800'000'000'123};  // 2027-01-15T08:00:00.123Z
  for (const bool sorted : {false, true}) {
    sink_.puts.clear();
    options_.sort_by_time = sorted;
    const auto summary = import("7,1997-01-02,1\n7,1997-01-03,1\n7,1997-01-01,1\n");
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->last_at, options_.newest_at);
    EXPECT_EQ(*summary->last_at - *summary->first_at, 2 * kMsPerDay);
    EXPECT_NE(lines()[sorted ? 2 : 1].find("2027-01-15T08:00:00.123Z"), std::string::npos);
    EXPECT_NE(lines()[sorted ? 0 : 2].find("2027-01-13T08:00:00.123Z"), std::string::npos);
  }
}

TEST_F(Import, WillNotReadStandardInputTwice) {
  columns("customer=1,time=2,amount=3");
  options_.newest_at = Instant{0};
  options_.input = "-";
  EXPECT_EQ(run_import(options_, sink_).error().code, Errc::kMisconfigured);
}

TEST_F(Import, TellsHowFarItIs) {
  columns("customer=1,time=2,amount=3");
  options_.has_header = false;
  options_.newest_at = Instant{0};
  std::vector<Progress> reports;
  options_.progress = [&](const Progress& progress) { reports.push_back(progress); };
  std::string file;
  for (int i = 0; i < 20'000; ++i) file += "7,1997-01-02,1\n";
  ASSERT_TRUE(import(file));
  ASSERT_GT(reports.size(), 10U);
  EXPECT_EQ(reports.front().stage, Progress::Stage::kMeasuring);
  EXPECT_LT(reports.front().done, file.size());
  EXPECT_EQ(reports.back().stage, Progress::Stage::kReading);
  EXPECT_EQ(reports.back().done, file.size());
  EXPECT_EQ(reports.back().total, file.size());
  EXPECT_EQ(reports.back().records, 20'000U);
}

TEST_F(Import, AnErrorOfTheSinkEndsIt) {
  columns("customer=1,time=2,amount=3");
  options_.has_header = false;
  sink_.fails_after = 1;
  const auto summary = import("7,1997-01-02,1\n7,1997-01-03,1\n7,1997-01-01,1\n");
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().what, "the sink is full");
  EXPECT_EQ(sink_.puts.size(), 1U);
  EXPECT_EQ(sink_.finishes, 0);
}

TEST_F(Import, FileSinkWritesOneLineARecordAndNoticesAFullDisk) {
  columns("customer=1,time=2,amount=3");
  options_.has_header = false;
  options_.input = directory_.file("in", "7,1997-01-02,1\n,1997-01-03,1\n");
  auto file = FileSink::open(directory_.path("out.ndjson"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(run_import(options_, **file));
  ASSERT_TRUE(run_import(options_, sink_));
  EXPECT_EQ(test::content_of(directory_.path("out.ndjson")), sink_.ndjson());
  auto full = FileSink::open("/dev/full");
  ASSERT_TRUE(full);
  EXPECT_EQ(run_import(options_, **full).error().code, Errc::kUnavailable);
  EXPECT_FALSE(FileSink::open(directory_.path("absent/out")));
}

TEST_F(Import, RefusesOptionsThatDoNotFit) {
  columns("customer=1,time=2,amount=3");
  const auto code_with = [&](auto change) {
    ImportOptions changed = options_;
    changed.input = directory_.file("in", "c,t,a\n7,1997-01-02,1\n");
    change(changed);
    const auto summary = run_import(changed, sink_);
    return summary ? std::nullopt : std::optional(summary.error().code);
  };
  EXPECT_EQ(code_with([](ImportOptions&) {}), std::nullopt);
  for (const char* currency : {"", "eur", "EURO", "EU"}) {
    EXPECT_EQ(code_with([&](auto& o) { o.currency = currency; }), Errc::kMisconfigured);
  }
  EXPECT_EQ(code_with([](auto& o) { o.decimals = 9; }), Errc::kMisconfigured);
  EXPECT_EQ(code_with([](auto& o) { o.time_zone = "Nowhere"; }), Errc::kMisconfigured);
  EXPECT_EQ(code_with([](auto& o) { o.time_format = "when"; }), Errc::kMisconfigured);
  EXPECT_EQ(code_with([](auto& o) { o.columns.amount = "4"; }), Errc::kMisconfigured);
  EXPECT_EQ(code_with([](auto& o) { o.columns.amount = "0"; }), Errc::kMisconfigured);
  EXPECT_EQ(code_with([](auto& o) { o.columns.amount = "money"; }), Errc::kMisconfigured);
  EXPECT_EQ(code_with([](auto& o) { o.columns.amount = ""; }), Errc::kMisconfigured);
  EXPECT_EQ(code_with([](auto& o) { o.input += "?"; }), Errc::kUnavailable);
}

TEST(ImportOptions, WordsOfTheCommandLine) {
  EXPECT_EQ(*parse_layout("online-retail"), Layout::kOnlineRetail);
  EXPECT_FALSE(parse_layout("retail"));
  EXPECT_EQ(*parse_delimiter("tab"), '\t');
  EXPECT_EQ(*parse_delimiter("blank"), kBlank);
  EXPECT_FALSE(parse_delimiter("|"));
  const auto columns = parse_columns("time=3,customer=who,amount=5,status=7");
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->customer, "who");
  EXPECT_EQ(columns->status, "7");
  for (const char* wrong :
       {"", "customer=1", "customer=1,time=2,amount=", "customer=1,time=2,amount",
        "customer=1,time=2,amount=3,sum=4", "customer=1,customer=1,time=2,amount=3"}) {
    EXPECT_FALSE(parse_columns(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace segmentd
