// What the pipeline itself refuses - future, clock_jump, wrong_partition, too_old - and what it
// passes on from the decoder: original bytes out, in the transaction of the offset, and the stream
// goes on.
#include <limits>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "daemon/observe/log.hpp"
#include "daemon/wire/partitioner.hpp"
#include "tests/support/pipeline_bench.hpp"

namespace segmentd {
namespace {

using test::Bench;
using test::bench_rules;
using test::CollectingSink;
using test::Input;
using test::kWall;
using test::OutputLine;

constexpr Instant kStart{1'300'000'000'000};

CollectingSink::Put order(const std::string& customer, int number, Instant at) {
  return {customer, R"({"customer_id":")" + customer + R"(","order_id":")" +
                        std::to_string(number) + R"(","ordered_at":")" + format_rfc3339(at) +
                        R"(","amount":"5.000","currency":"GBP"})"};
}

/// A good record, `bad`, a good record: one reject of `bad`, and the other two count.
OutputLine expect_refused(const PipelineRules& rules, const CollectingSink::Put& bad,
                          const std::string& reason) {
  Bench bench(rules);
  const Instant later = kStart + kMsPerDay;
  bench.feed({order("a", 1, kStart), bad, order("a", 2, later)});
  const auto& rejected = bench.log().lines(OutputTopic::kRejected);
  EXPECT_EQ(rejected.size(), 1U);
  if (rejected.size() != 1) return {};
  const OutputLine& line = rejected.front();
  EXPECT_EQ(line.key, bad.key);
  EXPECT_EQ(line.value, bad.json);
  EXPECT_EQ(line.header("segmentd-reason"), reason);
  EXPECT_EQ(line.header("segmentd-topic"), "orders");
  EXPECT_EQ(line.header("segmentd-partition"), "0");
  EXPECT_EQ(line.header("segmentd-offset"), "1");
  EXPECT_EQ(line.header("segmentd-timestamp"), "1600000000001");
  EXPECT_EQ(line.header("segmentd-truncated"), "false");
  EXPECT_EQ(bench.partition().meta().next_offset, 3);
  EXPECT_EQ(bench.partition().meta().clock, later) << "a refused record moves no clock";
  EXPECT_EQ(bench.rows().at("a").figures.frequency, 2);
  EXPECT_EQ(bench.rows().size(), 1U);
  return line;
}

TEST(Rejects, FutureIsLaterThanTheWallClockByMoreThanTheTolerance) {
  PipelineRules rules = bench_rules();
  rules.partition.clock_step_max_ms = 100'000 * kMsPerDay;
  expect_refused(rules, order("b", 1, kWall + kMsPerHour + 1), "future");
  Bench bench(rules);
  bench.feed({order("b", 1, kWall + kMsPerHour)});
  EXPECT_TRUE(bench.log().lines(OutputTopic::kRejected).empty());
}

TEST(Rejects, ARecordNamedByHandIsSkippedWhateverItIs) {
  PipelineRules rules = bench_rules();
  rules.skipped = {{0, 1}, {1, 0}, {0, 17}};
  EXPECT_NE(expect_refused(rules, order("a", 9, kStart + kMsPerHour), "skipped")
                .header("segmentd-detail")
                .find("input.skip"),
            std::string::npos);
  expect_refused(rules, {"a", "no JSON at all"}, "skipped");
}

TEST(Rejects, AClockJumpIsMoreThanTheStepAheadOfTheClock) {
  const PipelineRules rules = bench_rules();
  expect_refused(rules, order("b", 1, kStart + 400 * kMsPerDay + 1), "clock_jump");
  Bench bench(rules);
  bench.feed({order("a", 1, kStart), order("a", 2, kStart + 400 * kMsPerDay)});
  EXPECT_TRUE(bench.log().lines(OutputTopic::kRejected).empty());
}

TEST(Rejects, ACustomerLivesInThePartitionOfItsKey) {
  PipelineRules rules = bench_rules();
  rules.partitioner = Partitioner::kMurmur2;
  rules.partition_count = 4;
  std::string home, elsewhere;  // the first is at home in partition 0
  for (char c = 'a'; home.empty() || elsewhere.empty(); ++c) {
    (partition_of(Partitioner::kMurmur2, std::string(1, c), 4) == 0 ? home : elsewhere) = c;
  }
  std::ostringstream log;
  observe::set_up_log({}, &log);
  Bench bench(rules);
  Input input{order(home, 1, kStart), order(elsewhere, 1, kStart), order(home, 2, kStart)};
  input.push_back({std::nullopt, order("", 3, kStart).json});  // nobody's: anywhere is right
  bench.feed(input);
  input.push_back(order(elsewhere, 2, kStart));
  bench.feed(input);
  observe::set_up_log({});
  const auto fits = partitioner_of(elsewhere, 0, 4);
  const std::string said = log.str();
  EXPECT_NE(said.find(std::string("would_fit=") + (fits ? word(*fits) : "none")),
            std::string::npos);
  EXPECT_EQ(said.find("would_fit"), said.rfind("would_fit")) << "said once: " << said;
  EXPECT_EQ(said.find("=" + elsewhere + " "), std::string::npos) << "no customer id: " << said;
  const auto& rejected = bench.log().lines(OutputTopic::kRejected);
  ASSERT_EQ(rejected.size(), 2U);
  EXPECT_EQ(rejected[0].header("segmentd-reason"), "wrong_partition");
  EXPECT_EQ(rejected[0].key, elsewhere);
  EXPECT_EQ(rejected[0].value, input[1].json);
  EXPECT_EQ(bench.rows().at(home).figures.frequency, 2);
  EXPECT_EQ(bench.partition().meta().anonymous.orders, 1);
}

TEST(Anonymous, MoneyIsThatOfCountingOrdersOrOfPayments) {
  const auto nobodys = [](const std::string& rest) {
    return CollectingSink::Put{std::nullopt, "{" + rest + R"(,"currency":"GBP"})"};
  };
  const Input input{
      nobodys(R"("order_id":"1","ordered_at":"2011-03-14T12:00:00Z","amount":"5.000")"),
      nobodys(R"("order_id":"2","ordered_at":"2011-03-14T12:00:00Z","amount":"7.000",)"
              R"("status":"open")"),
      nobodys(R"("type":"payment","payment_id":"p","order_id":"1",)"
              R"("paid_at":"2011-03-14T12:00:00Z","amount":"2.000")"),
      nobodys(R"("type":"refund","refund_id":"r","refunded_at":"2011-03-14T12:00:00Z",)"
              R"("amount":"1.000")")};
  for (const bool payments : {false, true}) {
    PipelineRules rules = bench_rules();
    rules.partition.segmenter.customers.money_from_payments = payments;
    Bench bench(rules);
    bench.feed(input);
    const Anonymous& a = bench.partition().meta().anonymous;
    EXPECT_EQ(a.orders, 1);
    EXPECT_EQ(a.orders_minor, payments ? 2'000 : 5'000);
    EXPECT_EQ(a.refunds, 1);
    EXPECT_EQ(a.refunds_minor, 1'000);
    EXPECT_EQ(a.others, 2);
    EXPECT_EQ(bench.tally.anonymous_minor, payments ? 1'000 : 4'000);
  }
}

TEST(Anonymous, MoneyBeyondTheRangeStaysAtItsEnd) {
  Bench bench(bench_rules());
  Input input;
  for (int i = 0; i < 1'030; ++i) {
    input.push_back({std::nullopt, R"({"order_id":"1","ordered_at":"2011-03-14T12:00:00Z",)"
                                   R"("amount":"9007199254740.991","currency":"GBP"})"});
  }
  bench.feed(input);
  EXPECT_EQ(bench.partition().meta().anonymous.orders_minor,
            std::numeric_limits<std::int64_t>::max());
}

TEST(Rejects, WhatIsNotRememberedIsTooOld) {
  PipelineRules rules = bench_rules();
  rules.partition.segmenter.customers.remembered_max = 2;
  Bench bench(rules);
  Input input;
  for (int i = 0; i < 5; ++i) input.push_back(order("a", i, kStart + i * kMsPerDay));
  input.push_back(order("a", 0, kStart));  // folded: may have been counted
  input.push_back(order("a", 99, kStart));
  input.push_back(order("a", 5, kStart + 9 * kMsPerDay));
  bench.feed(input);
  const auto& rejected = bench.log().lines(OutputTopic::kRejected);
  ASSERT_EQ(rejected.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(rejected[i].header("segmentd-reason"), "too_old");
    EXPECT_EQ(rejected[i].key, "a");
    EXPECT_EQ(rejected[i].value, input[5 + i].json);
    EXPECT_EQ(rejected[i].header("segmentd-offset"), std::to_string(5 + i));
  }
  EXPECT_EQ(bench.rows().at("a").figures.frequency, 6);
}

TEST(Rejects, ATotalBeyondWhatIsKeptExactlyIsOverflow) {
  PipelineRules rules = bench_rules();
  rules.partition.segmenter.customers.remembered_max = 2;
  Bench bench(rules);
  Input input;
  for (int i = 0; i < 600; ++i) {  // 2^62 / 2^53 = 512 of the largest amounts fit
    auto put = order("a", i, kStart + i);
    put.json.replace(put.json.find("5.000"), 5, "9007199254740.991");
    input.push_back(put);
  }
  input.push_back(order("b", 1, kStart + kMsPerDay));
  bench.feed(input);
  const auto& rejected = bench.log().lines(OutputTopic::kRejected);
  ASSERT_EQ(rejected.size(), 88U);
  for (const OutputLine& line : rejected) EXPECT_EQ(line.header("segmentd-reason"), "overflow");
  EXPECT_EQ(rejected[0].value, input[512].json);
  EXPECT_EQ(bench.rows().at("a").figures.frequency, 512);
  EXPECT_EQ(bench.rows().at("b").figures.frequency, 1);
}

TEST(Rejects, TheDecodersOnesPassThrough) {
  const PipelineRules rules = bench_rules();
  expect_refused(rules, {std::string("b"), "{\"broken"}, "malformed_json");
  expect_refused(rules, {std::string("c"), order("b", 1, kStart).json}, "key_mismatch");
}

TEST(Rejects, ALongValueIsCutAndSaysSo) {
  PipelineRules rules = bench_rules();
  rules.partition.rejected_bytes_max = 50;
  Bench bench(rules);
  const std::string value = "{" + std::string(500, 'x');
  bench.feed({{std::string("key"), value}});
  const auto& rejected = bench.log().lines(OutputTopic::kRejected);
  ASSERT_EQ(rejected.size(), 1U);
  EXPECT_EQ(rejected[0].key, "key");
  EXPECT_EQ(rejected[0].value, value.substr(0, 47));
  EXPECT_EQ(rejected[0].header("segmentd-truncated"), "true");
}

}  // namespace
}  // namespace segmentd
