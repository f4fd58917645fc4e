// P4: where transactions end, how much is cached, restarts, restores and aborts show nowhere.
#include "daemon/pipeline/pipeline.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "state/memory_store.hpp"
#include "state/rocks_store.hpp"
#include "tests/support/pipeline_bench.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

using test::Bench;
using test::bench_rules;
using test::expect_same;
using test::Fault;
using test::Input;
using test::Outcome;
using test::outcome_of;

constexpr std::size_t kRecords = 4'000;

const Input& input() {
  static const Input records = test::first_records(kRecords);
  return records;
}

/// One transaction for as much as possible, everything in memory, nothing ever goes wrong.
const Outcome& undisturbed() {
  static const Outcome outcome = [] {
    Bench bench(bench_rules());
    bench.feed(input());
    return outcome_of(bench);
  }();
  return outcome;
}

TEST(PipelineP4, TheReferenceRunSeesEveryKindOfThing) {
  Bench bench(bench_rules());
  bench.feed(input());
  const Outcome& o = undisturbed();
  EXPECT_GT(o.events.size(), 1'500U);
  for (const char* cause : {"order", "refund", "silence", "model"}) {
    const std::string text = std::string("\"cause\":\"") + cause + "\"";
    EXPECT_TRUE(std::any_of(o.events.begin(), o.events.end(), [&](const auto& e) {
      return e.value->find(text) != std::string::npos;
    })) << cause;
  }
  for (const char* kind : {"provisional", "first_fit", "means"}) {
    EXPECT_TRUE(std::any_of(o.epochs.begin(), o.epochs.end(), [&](const std::string& e) {
      return e.find(std::string("\"") + kind + "\"") != std::string::npos;
    })) << kind;
  }
  EXPECT_EQ(o.applied.size(), o.epochs.size());
  EXPECT_TRUE(bench.partition().segmenter().sums() == bench.partition().segmenter().recount());
}

TEST(PipelineP4, TheWallClockDoesNotShow) {
  Bench bench(bench_rules());
  bench.wall = test::kWall + 40 * kMsPerDay;
  bench.feed(input());
  expect_same(undisturbed(), outcome_of(bench));
}

TEST(PipelineP4, TransactionSizesDoNotShow) {
  for (const std::int64_t records : {7, 100, 10'000}) {
    SCOPED_TRACE(records);
    PipelineRules rules = bench_rules();
    rules.transaction_records_max = records;
    Bench bench(rules);
    bench.feed(input());
    expect_same(undisturbed(), outcome_of(bench));
  }
}

TEST(PipelineP4, ATransactionForEveryRecordDoesNotShow) {
  PipelineRules rules = bench_rules();
  const Input few = test::first_records(1'500);
  Bench one(rules);
  one.feed(few);
  rules.transaction_records_max = 1;
  Bench other(rules);
  other.feed(few);
  EXPECT_GE(other.commits, few.size());
  expect_same(outcome_of(one), outcome_of(other));
}

TEST(PipelineP4, LimitsOfBytesAndRowsDoNotShow) {
  PipelineRules rules = bench_rules();
  rules.transaction_bytes_max = 20'000;
  rules.overlay_rows_max = 40;
  Bench bench(rules);
  bench.feed(input());
  EXPECT_GT(bench.commits, 100U);
  expect_same(undisturbed(), outcome_of(bench));
}

TEST(PipelineP4, HowRecordsArriveDoesNotShow) {
  for (const std::size_t chunk : {3U, 777U}) {
    PipelineRules rules = bench_rules();
    rules.partition.prefetch_records = chunk / 2;
    Bench bench(rules);
    bench.feed(input(), chunk);
    expect_same(undisturbed(), outcome_of(bench));
  }
}

TEST(PipelineP4, TheCacheDoesNotShow) {
  for (const std::size_t rows : {2U, 100U, 500'000U}) {
    SCOPED_TRACE(rows);
    PipelineRules rules = bench_rules();
    rules.cache_rows_max = rows;
    rules.transaction_records_max = 150;
    Bench bench(rules);
    bench.feed(input());
    EXPECT_LE(bench.partition().rows().size(), std::max<std::size_t>(2 * rows, 400));
    EXPECT_EQ(bench.tally.cache_misses > 100, rows < 500'000);
    expect_same(undisturbed(), outcome_of(bench));
  }
}

TEST(PipelineP4, SlicesOfARelabellingDoNotShow) {
  for (const std::int64_t moves : {3, 5'000}) {
    SCOPED_TRACE(moves);
    PipelineRules rules = bench_rules();
    rules.relabel_per_transaction_max = moves;
    Bench bench(rules);
    bench.feed(input());
    expect_same(undisturbed(), outcome_of(bench));
  }
}

/// Small transactions and slices, so that a fault meets every kind of moment.
PipelineRules finely_cut() {
  PipelineRules rules = bench_rules();
  rules.transaction_records_max = 40;
  rules.relabel_per_transaction_max = 5;
  rules.cache_rows_max = 100;
  return rules;
}

class Disturbed : public testing::TestWithParam<Fault> {};

TEST_P(Disturbed, RunsGiveTheSame) {
  for (const std::uint64_t seed : {1U, 2U}) {
    Bench bench(finely_cut());
    bench.inject(GetParam(), 12, seed);
    bench.feed(input(), 1'000);
    EXPECT_GT(bench.faults, 15U);
    expect_same(undisturbed(), outcome_of(bench));
    EXPECT_TRUE(bench.partition().segmenter().sums() == bench.partition().segmenter().recount());
  }
}

INSTANTIATE_TEST_SUITE_P(PipelineP4, Disturbed,  // (the macro has an `info` of its own)
                         testing::Values(Fault::kAbort, Fault::kRestart, Fault::kCrash,
                                         Fault::kRevoke),
                         [](const auto& fault) {
                           return std::string(fault.param == Fault::kAbort     ? "ByAborts"
                                              : fault.param == Fault::kRestart ? "ByRestarts"
                                              : fault.param == Fault::kCrash   ? "ByLostWork"
                                                                               : "ByRevocations");
                         });

TEST(PipelineP4, AStoreOnDiskGivesTheSame) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP()
      << "RocksDB's own threads are not built with the sanitizer, and nothing here has any";
#endif
  // Nothing is flushed at close: each restart finds a store that lacks the newest writes, as after
  // a crash of the machine, and has them from the changelog.
  const test::TempDirectory directory;
  RocksOptions options;
  options.write_buffer_bytes = 64 << 10;
  options.flush_on_close = false;
  const RocksEnvironment environment{options};
  Bench bench(finely_cut(), [&] {
    auto store = RocksStore::open(environment, directory.path("0"));
    EXPECT_TRUE(store);
    return std::move(*store);
  });
  bench.inject(Fault::kRestart, 25, 3);
  bench.feed(input(), 1'000);
  EXPECT_GT(bench.faults, 5U);
  expect_same(undisturbed(), outcome_of(bench));
}

TEST(PipelineP4, ARestoreFromTheChangelogGivesTheSame) {
  // Every opening gets an empty store, filled from the changelog alone.
  Bench bench(finely_cut(), [] { return std::make_unique<MemoryStore>(); });
  bench.inject(Fault::kRestart, 30, 4);
  bench.feed(input(), 1'000);
  EXPECT_GT(bench.faults, 5U);
  expect_same(undisturbed(), outcome_of(bench));
}

/// Decides over and over without ever committing.
Budget pending_without_commits(const PipelineRules& rules, std::size_t records) {
  Epochs epochs;
  Pipeline pipeline(rules, test::bench_decoder(), epochs);
  auto opened = Partition::open(pipeline.partition_rules(), 0, std::make_unique<MemoryStore>(),
                                epochs, "uuid");
  EXPECT_TRUE(opened);
  pipeline.add(std::move(*opened));
  for (std::size_t i = 0; i < records; ++i) {
    const auto& put = input()[i];
    pipeline.hold(Message::copy_of(0, static_cast<std::int64_t>(i), 0, put.key, put.json));
  }
  for (int round = 0; round < 20; ++round) EXPECT_TRUE(pipeline.advance(test::kWall));
  return pipeline.find(0)->pending();
}

TEST(PipelineP3, WithoutCommitsTheOverlayStaysWithinItsBounds) {
  PipelineRules rules = bench_rules();
  rules.transaction_records_max = 30;
  EXPECT_EQ(pending_without_commits(rules, 300).records, 30);
  rules = bench_rules();
  rules.overlay_rows_max = 20;
  const Budget by_rows = pending_without_commits(rules, 300);
  EXPECT_GE(by_rows.rows, 20);
  EXPECT_LE(by_rows.rows, 21);
  rules = bench_rules();
  rules.transaction_bytes_max = 20'000;
  const Budget by_bytes = pending_without_commits(rules, 300);
  EXPECT_GE(by_bytes.bytes, 20'000);
  EXPECT_LE(by_bytes.bytes, 25'000) << "one record beyond it at most";
}

TEST(Pipeline, MetaSaysUpToWhenSilenceWasDecided) {
  Bench bench(bench_rules());
  bench.feed(input());
  const Meta& meta = bench.partition().meta();
  ASSERT_TRUE(meta.evaluated_upto);
  EXPECT_EQ(meta.timers_fired_upto, *meta.evaluated_upto);
  EXPECT_LE(meta.timers_fired_upto, *meta.clock);
}

TEST(Pipeline, AFinerGridAfterARestartDoesNotTurnTheClockBack) {
  const auto memory = std::make_shared<MemoryStore>();
  PipelineRules rules = bench_rules();
  Epochs epochs;
  std::optional<Instant> clock;
  for (const std::int64_t every : {kMsPerDay, kMsPerHour}) {
    rules.partition.evaluate_every_ms = every;
    Pipeline pipeline(rules, test::bench_decoder(), epochs);
    auto opened = Partition::open(pipeline.partition_rules(), 0,
                                  std::make_unique<ForwardingStore>(memory), epochs, "uuid");
    ASSERT_TRUE(opened);
    pipeline.add(std::move(*opened));
    Partition& partition = *pipeline.find(0);
    for (std::int64_t i = every == kMsPerDay ? 0 : 60; i < (every == kMsPerDay ? 60 : 90); ++i) {
      const auto& put = input()[static_cast<std::size_t>(i)];
      pipeline.hold(Message::copy_of(0, i, 0, put.key, put.json));
      test::CommittedLog log;
      std::vector<InputOffset> offsets;
      for (auto next = Pipeline::Next::kCommit; next == Pipeline::Next::kCommit;) {
        next = *pipeline.advance(test::kWall);
        EXPECT_GE(partition.meta().clock, clock);
        clock = partition.meta().clock;
        ASSERT_TRUE(pipeline.put_all(log, test::kWall, offsets));
        ASSERT_TRUE(pipeline.committed(0, -1, test::kWall));
        pipeline.settled();
      }
    }
  }
}

TEST(PipelineP4, RecordsOfEveryTypeAndThoseThatWaitGiveTheSame) {
  // Refunds and cancellations before their order, orders said again and in several versions.
  Input records;
  const auto add = [&](int customer, const std::string& rest) {
    const std::string id = "c" + std::to_string(customer);
    records.push_back({id, R"({"customer_id":")" + id + "\"," + rest + "}"});
  };
  for (int i = 0; i < 1'200; ++i) {
    const int customer = i / 4 * 7 % 40;  // several in a row, so that they share a transaction
    const std::string order = "\"order_id\":\"o" + std::to_string(i % 97) + "\"";
    const std::string at =
        ":\"" + format_rfc3339(Instant{1'300'000'000'000 + i * 2 * kMsPerHour}) + "\"";
    const std::string amount =
        ",\"amount\":\"" + std::to_string(i * 37 % 900) + ".50\",\"currency\":\"GBP\"";
    switch (i % 6) {
      case 0:
        add(customer, R"("type":"refund","refund_id":"r)" + std::to_string(i % 31) + "\"," + order +
                          ",\"refunded_at\"" + at + amount);
        break;
      case 1:
        add(customer, R"("type":"cancellation",)" + order + ",\"cancelled_at\"" + at);
        break;
      default:
        add(customer,
            order + ",\"ordered_at\"" + at + amount + ",\"version\":" + std::to_string(i * 13 % 5));
    }
  }
  PipelineRules rules = bench_rules();
  rules.model.min_customers = 5;
  Bench one(rules);
  one.feed(records);
  for (const std::int64_t size : {1, 9}) {
    rules.transaction_records_max = size;
    Bench other(rules);
    other.feed(records);
    expect_same(outcome_of(one), outcome_of(other));
  }
  const auto& waiting = one.tally.records[observe::RecordType::kRefund];
  EXPECT_GT(waiting[observe::Outcome::kWaiting], 10U);
}

}  // namespace
}  // namespace segmentd
