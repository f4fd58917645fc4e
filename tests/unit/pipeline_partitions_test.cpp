// Several partitions in one process: they meet at every evaluation instant, so that with the event
// clock neither who is read first nor how much at a time shows.
#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/wire/partitioner.hpp"
#include "daemon/wire/read_back.hpp"
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

/// Two partitions; 400 records, several days, in partition 0; nothing is known of partition 1.
class Meeting : public testing::Test {
 protected:
  Meeting() : rules_(bench_rules()) { rules_.partition_count = 2; }

  Pipeline& open(std::initializer_list<std::int32_t> here) {
    pipeline_ = std::make_unique<Pipeline>(rules_, test::bench_decoder(), epochs_);
    for (const std::int32_t p : here) add(p);
    pipeline_->expect({0, 1});
    const Input& input = test::online_retail();
    for (std::size_t i = 0; i < 400; ++i) {
      pipeline_->hold(
          Message::copy_of(0, static_cast<std::int64_t>(i), 0, input[i].key, input[i].json));
    }
    return *pipeline_;
  }
  void add(std::int32_t number) {
    auto partition = Partition::open(pipeline_->partition_rules(), number,
                                     std::make_unique<MemoryStore>(), epochs_, "uuid");
    ASSERT_TRUE(partition);
    pipeline_->add(std::move(*partition));
  }
  bool any_epoch() const { return !log_.lines(OutputTopic::kModel).empty(); }

  PipelineRules rules_;
  Epochs epochs_;
  std::unique_ptr<Pipeline> pipeline_;
  CommittedLog log_;
};

TEST_F(Meeting, OneThatIsStillBeingRestoredIsWaitedFor) {
  Pipeline& pipeline = open({0});
  settle(pipeline, log_);
  ASSERT_TRUE(pipeline.find(0)->awaiting());
  EXPECT_FALSE(any_epoch());
  add(1);
  pipeline.reached_end(1, true);
  settle(pipeline, log_);
  EXPECT_FALSE(pipeline.find(0)->awaiting());
  EXPECT_TRUE(any_epoch());
}

TEST_F(Meeting, OneThatIsParkedIsNot) {
  Pipeline& pipeline = open({0});
  pipeline.expect({0});
  settle(pipeline, log_);
  EXPECT_FALSE(pipeline.find(0)->awaiting());
  EXPECT_TRUE(any_epoch());
}

TEST_F(Meeting, BeyondTheBoundOfHeldRecordsNobodyIs) {
  rules_.held_bytes_max = 100'000;
  Pipeline& pipeline = open({0});
  settle(pipeline, log_);
  EXPECT_FALSE(any_epoch()) << "whoever is not here yet is waited for";
  add(1);
  settle(pipeline, log_);
  EXPECT_TRUE(any_epoch()) << "whoever is far behind is not";
}

TEST_F(Meeting, OverHistoryTheWallClockWaitsLonger) {
  rules_.partition.event_clock = false;
  Pipeline& pipeline = open({0});
  settle(pipeline, log_);
  ASSERT_TRUE(pipeline.find(0)->awaiting());
  ASSERT_TRUE(pipeline.advance(kWall + rules_.history_patience_ms - 1));
  EXPECT_TRUE(pipeline.find(0)->awaiting());
  EXPECT_FALSE(any_epoch());
  ASSERT_TRUE(pipeline.advance(kWall + rules_.history_patience_ms));
  settle(pipeline, log_);
  EXPECT_TRUE(any_epoch());
}

TEST_F(Meeting, InServiceTheWallClockWaitsALittle) {
  rules_.partition.event_clock = false;
  rules_.partition.evaluate_every_ms = 400 * kMsPerDay;  // once in between: 2011-08-14
  Pipeline& pipeline = open({0});
  pipeline.hold(Message::copy_of(0, 400, 0, std::nullopt,
                                 R"({"order_id":"1","ordered_at":"2012-01-01T00:00:00Z",)"
                                 R"("amount":"1.000","currency":"GBP"})"));
  const Instant wall = instant_of_utc({2012, 1, 2, 0, 0, 0, 0});
  ASSERT_TRUE(pipeline.advance(wall));
  ASSERT_TRUE(pipeline.find(0)->awaiting());
  ASSERT_TRUE(pipeline.advance(wall + rules_.meet_patience_ms - 1));
  EXPECT_TRUE(pipeline.find(0)->awaiting());
  ASSERT_TRUE(pipeline.advance(wall + rules_.meet_patience_ms));
  EXPECT_FALSE(pipeline.find(0)->awaiting());
}

TEST_F(Meeting, APartitionWithoutAClockSaysSoWhenItAdoptsAnEpoch) {
  Pipeline& pipeline = open({0, 1});
  pipeline.reached_end(1, true);
  settle(pipeline, log_);
  ASSERT_TRUE(any_epoch());
  bool found = false;
  for (const OutputLine& line : log_.lines(OutputTopic::kStatistics)) {
    if (line.key->rfind("applied/1/", 0) != 0) continue;
    found = true;
    EXPECT_NE(line.value->find(R"("clock":null)"), std::string::npos) << *line.value;
  }
  EXPECT_TRUE(found);
  EXPECT_FALSE(pipeline.find(1)->meta().clock);
}

TEST_F(Meeting, ALateEpochIsToldAsOfItsInstantAndSilenceAsOfItself) {
  Pipeline& pipeline = open({0});
  pipeline.expect({0});
  settle(pipeline, log_);
  // Partition 0's clock is at its last record; an epoch of an earlier instant comes from elsewhere.
  Epoch late = epochs_.newest()->epoch();
  late.predecessor = late.number++;
  late.kind = EpochKind::kMeans;
  for (Centroid& c : late.centroids) c.at[kMonetaryFeature] += 0.5;
  const std::size_t before = log_.lines(OutputTopic::kChanges).size();
  ASSERT_GT(*pipeline.find(0)->meta().clock, late.instant);
  pipeline.adopt(late);
  settle(pipeline, log_);
  const auto& events = log_.lines(OutputTopic::kChanges);
  ASSERT_GT(events.size(), before);
  std::set<std::string> causes;
  for (std::size_t i = before; i < events.size(); ++i) {
    const Result<ReadEvent> told = read_event(*events[i].value);
    ASSERT_TRUE(told) << *events[i].value;
    causes.emplace(word(told->change.cause));
    if (told->change.cause == Cause::kModel) {
      EXPECT_EQ(told->change.at, late.instant);
    } else {
      EXPECT_LE(told->change.at, told->change.decided_at);
    }
  }
  EXPECT_EQ(causes, (std::set<std::string>{"model", "silence"}));
}

}  // namespace
}  // namespace segmentd
