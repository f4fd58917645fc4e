// Online Retail, whole, through the pipeline: the published figures, a second sending, shuffled
// arrival.
#include <algorithm>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/pipeline_bench.hpp"
#include "tests/support/rfm_oracle.hpp"

namespace segmentd {
namespace {

using test::Bench;
using test::bench_rules;
using test::Input;
using test::online_retail;
using test::outcome_of;
using test::OutputLine;

class WholeExtract : public testing::Test {
 protected:
  /// Fed once for all tests; those that go on with it come last.
  static Bench& bench() {
    static Bench fed(bench_rules());
    static const bool once = (fed.feed(online_retail()), true);
    EXPECT_TRUE(once);
    return fed;
  }
};

TEST_F(WholeExtract, GivesThePublishedFigures) {
  std::int64_t placed = 0, placed_minor = 0, others = 0, others_minor = 0, orders = 0, most = 0;
  const auto rows = bench().rows();
  for (const auto& [id, row] : rows) {
    const bool in = row.segment != Segment::kNone;
    EXPECT_EQ(in, row.figures.frequency > 0) << id;
    (in ? placed : others) += 1;
    (in ? placed_minor : others_minor) += row.figures.monetary_minor;
    orders += row.figures.frequency;
    most = std::max(most, row.figures.frequency);
  }
  EXPECT_EQ(rows.size(), 4'372U);
  EXPECT_EQ(placed, 4'339);
  EXPECT_EQ(placed_minor, 8'310'477'054);
  EXPECT_EQ(others, 33);
  EXPECT_EQ(others_minor, -10'411'240);
  EXPECT_EQ(placed_minor + others_minor, 8'300'065'814);
  EXPECT_EQ(orders, 18'536);
  EXPECT_EQ(rows.at("14646").figures.frequency, 74);
  EXPECT_EQ(rows.at("14646").figures.monetary_minor, 279'489'020);
  EXPECT_EQ(rows.at("14646").segment, Segment::kInsiders);
  EXPECT_EQ(rows.at("12748").figures.frequency, 210);
  EXPECT_EQ(most, 210);
  EXPECT_EQ(rows.at("13256").figures.frequency, 1);
  EXPECT_EQ(rows.at("13256").figures.monetary_minor, 0);
  const Anonymous& a = bench().partition().meta().anonymous;
  EXPECT_EQ(a.orders, 3'525);
  EXPECT_EQ(a.refunds, 182);
  EXPECT_EQ(a.others, 0);
  EXPECT_EQ(bench().log().lines(OutputTopic::kRejected).size(), 0U);
  EXPECT_EQ(bench().partition().segmenter().customers(), 4'372);
  EXPECT_EQ(bench().partition().segmenter().placed(), 4'339);
}

TEST_F(WholeExtract, MoneyGivenBackWholeKeepsItsCustomerInASegment) {
  // 12346 pays 77,183.600 and has it back sixteen minutes later, by a refund that names no order.
  Bench until(bench_rules());
  Input input;
  for (const auto& put : online_retail()) {
    if (put.key == "12346") input.push_back(put);
  }
  ASSERT_EQ(input.size(), 2U);
  until.feed({input.front()});
  EXPECT_EQ(until.rows().at("12346").figures.monetary_minor, 77'183'600);
  until.feed(input);
  EXPECT_EQ(until.rows().at("12346").figures.monetary_minor, 0);
  const Customer row = bench().rows().at("12346");
  EXPECT_EQ(row.figures.monetary_minor, 0);
  EXPECT_EQ(row.figures.frequency, 1);
  EXPECT_NE(row.segment, Segment::kNone);
}

TEST_F(WholeExtract, TheTableIsTheStore) {
  const auto rows = bench().rows();
  const auto table = bench().table();
  ASSERT_EQ(table.size(), rows.size());
  for (const auto& [id, row] : rows) {
    std::string expected;
    EncodeContext context = bench_rules().partition.encode;
    context.store_uuid = "uuid";
    append_row(expected, row, context);
    ASSERT_EQ(table.at(id), expected);
  }
}

TEST_F(WholeExtract, EverybodysEventsAreAChainFromOne) {
  std::map<std::string, std::pair<std::int64_t, std::string>> last;
  for (const OutputLine& line : bench().log().lines(OutputTopic::kChanges)) {
    auto& [sequence, segment] = last[*line.key];
    EXPECT_NE(line.value->find("\"sequence\":" + std::to_string(++sequence) + ","),
              std::string::npos)
        << *line.value;
    const std::string from = segment.empty() ? "null" : segment;
    ASSERT_NE(line.value->find("\"from_segment\":" + from + ","), std::string::npos) << *line.value;
    const std::size_t to = line.value->find("\"to_segment\":") + 13;
    segment = line.value->substr(to, line.value->find(',', to) - to);
  }
  EXPECT_EQ(last.size(), 4'339U + 0U);
  for (const auto& [id, row] : bench().rows()) {
    EXPECT_EQ(row.announced.sequence, last.contains(id) ? last.at(id).first : 0) << id;
  }
}

TEST_F(WholeExtract, ASecondSendingChangesNothing) {
  const auto before = outcome_of(bench());
  const auto unchanged_before =
      bench().tally.records[observe::RecordType::kOrder][observe::Outcome::kUnchanged];
  Input twice = online_retail();
  twice.insert(twice.end(), online_retail().begin(), online_retail().end());
  bench().feed(twice);
  EXPECT_EQ(bench().partition().meta().next_offset, static_cast<std::int64_t>(twice.size()));
  test::expect_same(before, outcome_of(bench()));
  EXPECT_EQ(bench().tally.records[observe::RecordType::kOrder][observe::Outcome::kUnchanged],
            unchanged_before + 18'536);
}

TEST(Pipeline, ASecondSendingIsHarmlessWhereMostIsForgotten) {
  PipelineRules rules = bench_rules();
  rules.partition.segmenter.customers.remembered_max = 8;
  Bench bench(rules);
  bench.feed(online_retail());
  const auto before = outcome_of(bench);
  EXPECT_EQ(before.rejected.size(), 0U);
  Input twice = online_retail();
  twice.insert(twice.end(), online_retail().begin(), online_retail().end());
  bench.feed(twice);
  auto after = outcome_of(bench);
  EXPECT_GT(after.rejected.size(), 5'000U);
  for (const OutputLine& line : after.rejected)
    ASSERT_EQ(line.header("segmentd-reason"), "too_old");
  after.rejected.clear();
  test::expect_same(before, after);
}

void expect_as_the_oracle(Bench& bench, const Input& input) {
  test::RfmOracle oracle({.decimals = 3});
  for (const auto& put : input) oracle.add(put.json);
  const auto expected = oracle.customers();
  const auto rows = bench.rows();
  ASSERT_EQ(rows.size(), expected.size());
  for (const auto& [id, customer] : expected) {
    const Figures& figures = rows.at(id).figures;
    EXPECT_EQ(figures.frequency, customer.frequency) << id;
    EXPECT_EQ(figures.monetary_minor, customer.monetary_minor) << id;
    EXPECT_EQ(figures.last_order_at.has_value(), customer.last_order_at.has_value()) << id;
    if (figures.last_order_at) {
      EXPECT_EQ(figures.last_order_at->ms, *customer.last_order_at) << id;
    }
  }
}

TEST(Pipeline, TheFilesOrderAndAnyOtherGiveTheOraclesFigures) {
  Input input = online_retail();
  for (const bool shuffled : {false, true}) {
    if (shuffled) std::shuffle(input.begin(), input.end(), std::mt19937_64(17));
    PipelineRules rules = bench_rules();
    rules.partition.segmenter.customers.remembered_max = 100'000;
    Bench bench(rules);
    bench.feed(input);
    expect_as_the_oracle(bench, input);
    EXPECT_EQ(bench.log().lines(OutputTopic::kRejected).size(), 0U);
  }
}

}  // namespace
}  // namespace segmentd
