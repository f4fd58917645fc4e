// Several partitions in one process: they meet at every evaluation instant, so that with the event
// clock neither who is read first nor how much at a time shows.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/wire/partitioner.hpp"
#include "state/memory_store.hpp"
#include "tests/support/pipeline_bench.hpp"

namespace segmentd {
namespace {

using test::bench_rules;
using test::CommittedLog;
using test::Input;
using test::kWall;
using test::OutputLine;

constexpr std::int32_t kPartitions = 4;
using Order = std::array<std::int32_t, kPartitions>;

const std::array<Input, kPartitions>& inputs() {
  static const auto split = [] {
    std::array<Input, kPartitions> parts;
    std::int32_t next = 0;
    for (const auto& put : test::first_records(3'000)) {
      const std::int32_t p = put.key ? partition_of(Partitioner::kMurmur2, *put.key, kPartitions)
                                     : next++ % kPartitions;
      parts[static_cast<std::size_t>(p)].push_back(put);
    }
    return parts;
  }();
  return split;
}

struct Played {
  std::array<std::vector<std::string>, kPartitions> events;
  std::vector<std::string> epochs;
  std::int64_t customers = 0, placed = 0, rejected = 0;
  std::vector<std::string> effects;  // sorted: partitions take turns
};

void settle(Pipeline& pipeline, CommittedLog& log) {
  while (true) {
    auto next = pipeline.advance(kWall);
    ASSERT_TRUE(next) << next.error().what;
    std::vector<InputOffset> offsets;
    ASSERT_TRUE(pipeline.put_all(log, kWall, offsets));
    log.commit();
    for (const InputOffset& o : offsets) ASSERT_TRUE(pipeline.committed(o.partition, -1, kWall));
    pipeline.settled();
    if (*next != Pipeline::Next::kCommit) return;
  }
}

Played play(const Order& order, std::size_t chunk, std::int64_t transaction_records) {
  PipelineRules rules = bench_rules();
  rules.partitioner = Partitioner::kMurmur2;
  rules.partition_count = kPartitions;
  rules.transaction_records_max = transaction_records;
  Epochs epochs;
  Pipeline pipeline(rules, test::bench_decoder(), epochs);
  for (const std::int32_t p : order) {
    auto partition = Partition::open(pipeline.partition_rules(), p, std::make_unique<MemoryStore>(),
                                     epochs, "uuid");
    EXPECT_TRUE(partition);
    pipeline.add(std::move(*partition));
  }
  CommittedLog log;
  for (bool more = true; more;) {
    more = false;
    for (const std::int32_t p : order) {
      const Input& input = inputs()[static_cast<std::size_t>(p)];
      auto at = static_cast<std::size_t>(pipeline.find(p)->next_expected_offset());
      for (std::size_t n = 0; n < chunk && at < input.size(); ++n, ++at) {
        pipeline.hold(
            Message::copy_of(p, static_cast<std::int64_t>(at), 0, input[at].key, input[at].json));
      }
      more = more || at < input.size();
      pipeline.reached_end(p, at == input.size());
      settle(pipeline, log);
    }
  }
  settle(pipeline, log);
  Played result;
  for (const OutputLine& line : log.lines(OutputTopic::kChanges)) {
    result.events[static_cast<std::size_t>(line.partition)].push_back(*line.value);
  }
  for (const OutputLine& line : log.lines(OutputTopic::kModel))
    result.epochs.push_back(*line.value);
  for (const OutputLine& line : log.lines(OutputTopic::kStatistics)) {
    result.effects.push_back(*line.value);
  }
  std::sort(result.effects.begin(), result.effects.end());
  result.rejected = static_cast<std::int64_t>(log.lines(OutputTopic::kRejected).size());
  for (const auto& [number, partition] : pipeline.partitions()) {
    result.customers += partition->segmenter().customers();
    result.placed += partition->segmenter().placed();
    EXPECT_EQ(partition->meta().next_offset,
              static_cast<std::int64_t>(inputs()[static_cast<std::size_t>(number)].size()));
    EXPECT_TRUE(partition->segmenter().sums() == partition->segmenter().recount());
  }
  return result;
}

TEST(Partitions, ReadingOrderAndTransactionSizesDoNotShow) {
  const Played one = play({0, 1, 2, 3}, 10'000, 10'000);
  EXPECT_GT(one.epochs.size(), 20U);
  EXPECT_EQ(one.effects.size(), kPartitions * one.epochs.size());
  EXPECT_EQ(one.rejected, 0);
  const std::vector<std::pair<Order, std::size_t>> others{
      {{3, 2, 1, 0}, 10'000}, {{2, 0, 3, 1}, 40}, {{1, 3, 0, 2}, 333}};
  for (const auto& [order, chunk] : others) {
    const Played other = play(order, chunk, static_cast<std::int64_t>(chunk) / 3);
    EXPECT_EQ(one.epochs, other.epochs);
    EXPECT_EQ(one.effects, other.effects);
    for (std::size_t p = 0; p < kPartitions; ++p)
      EXPECT_TRUE(one.events[p] == other.events[p]) << p;
    EXPECT_EQ(one.customers, other.customers);
    EXPECT_EQ(one.placed, other.placed);
  }
  test::Bench single(bench_rules());
  single.feed(test::first_records(3'000));
  EXPECT_EQ(one.customers, single.partition().segmenter().customers());
  EXPECT_EQ(one.placed, single.partition().segmenter().placed());
}

TEST(Partitions, WhoIsMissingAtAnInstantIsWaitedFor) {
  Epochs epochs;
  PipelineRules rules = bench_rules();
  rules.partition_count = 2;
  Pipeline pipeline(rules, test::bench_decoder(), epochs);
  for (const std::int32_t p : {0, 1}) {
    auto partition = Partition::open(pipeline.partition_rules(), p, std::make_unique<MemoryStore>(),
                                     epochs, "uuid");
    ASSERT_TRUE(partition);
    pipeline.add(std::move(*partition));
  }
  const Input& input = test::online_retail();
  for (std::size_t i = 0; i < 400; ++i) {  // several days, all in partition 0
    pipeline.hold(
        Message::copy_of(0, static_cast<std::int64_t>(i), 0, input[i].key, input[i].json));
  }
  CommittedLog log;
  settle(pipeline, log);
  ASSERT_TRUE(pipeline.find(0)->awaiting()) << "partition 1 may still have records of that day";
  EXPECT_TRUE(log.lines(OutputTopic::kModel).empty());
  pipeline.reached_end(1, true);
  settle(pipeline, log);
  EXPECT_FALSE(pipeline.find(0)->awaiting());
  EXPECT_FALSE(log.lines(OutputTopic::kModel).empty());
}

}  // namespace
}  // namespace segmentd
