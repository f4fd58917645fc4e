// What a partition is parked for, while the others go on; and offsets that expired, for which none
// is.
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "state/codec.hpp"
#include "tests/support/metrics_page.hpp"
#include "tests/worker/worker_fixture.hpp"

namespace segmentd {
namespace {

using test::FakeRecord;
using test::FakeSource;
using test::kRecords;
using namespace std::chrono_literals;

class WorkerParkingTest : public test::WorkerTest {
 protected:
  /// Assigns everything and works until it ends, or `enough`.
  WorkerEnd run_until(const std::function<bool()>& enough) {
    return run([&](FakeSource& source) {
      if (source.polls == 1) source.assign({0, 1});
      look();
      if (enough()) stop();
    });
  }
  WorkerEnd run_until_it_ends() {
    return run_until([] { return false; });
  }
  void look() {
    said_ = not_ready();
    page_ = metrics_.exposition();
  }
  bool parked(std::int32_t p, const std::string& reason) const {
    return test::value_of(page_, "segmentd_partition_parked{partition=\"" + std::to_string(p) +
                                     "\",reason=\"" + reason + "\"}") == "1";
  }
  bool says(const std::string& words) const { return said_.find(words) != std::string::npos; }
  std::size_t records_fed() const {
    std::size_t fed = 0;
    for (const auto& partition : cluster_.input) fed += partition.size();
    return fed;
  }
  /// Each record counts once, in the commit that carries it.
  double records_counted() const {
    return test::sum_of(metrics_.exposition(), "segmentd_records_total");
  }

  std::string said_, page_;  // at the last look
};

// --- offsets that expired ---

TEST_F(WorkerParkingTest, WithoutCommittedOffsetsTheStateIsTheTruth) {
  consume_until(4);
  EXPECT_FALSE(consumed(0));
  cluster_.offsets.clear();
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  EXPECT_EQ(records_counted(), kRecords) << "more: read twice; fewer: passed over";
  expect_calm();
}

TEST_F(WorkerParkingTest, WithoutCommittedOffsetsAnInputThatWasMadeAnewIsNoticed) {
  consume_until(4);
  cluster_.offsets.clear();
  for (auto& partition : cluster_.input) {
    for (FakeRecord& record : partition) record.timestamp_ms += 1;
  }
  const int commits = log_.committed;
  const WorkerEnd ended = run_until_it_ends();
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kState);
  EXPECT_NE(ended.what.find("made anew"), std::string::npos) << ended.what;
  EXPECT_TRUE(parked(0, "input_recreated") && parked(1, "input_recreated")) << said_;
  EXPECT_EQ(log_.committed, commits);
}

// --- records that are gone ---

TEST_F(WorkerParkingTest, RecordsDeletedBeforeTheyWereReadParkTheirPartition) {
  bool gone = false;
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (source.active(1) && source.polls > 60 && !std::exchange(gone, true)) {
      source.trouble =
          SourceTrouble{SourceTrouble::Kind::kOffsetOutOfRange, 1, "Broker: Offset out of range"};
    }
    look();
    if (consumed(0)) stop();
  });
  EXPECT_TRUE(consumed(0));
  EXPECT_FALSE(consumed(1));
  EXPECT_TRUE(parked(1, "input_recreated")) << said_;
  EXPECT_FALSE(says("partition 0")) << said_;
  EXPECT_TRUE(
      says("partition 1 is parked: the input no longer has the next record (Broker: Offset "
           "out of range)"))
      << said_;
  EXPECT_TRUE(says("start a new application id")) << said_;
}

// --- an input that was deleted ---

class WorkerInputGoneTest : public WorkerParkingTest {
 protected:
  /// The library tells of it at the 60th poll; it is back from `back` on.
  WorkerEnd lose_the_input(int back) {
    rules_.input_patience = 500ms;
    return run([this, back](FakeSource& source) {
      if (source.polls == 1) source.assign({0, 1});
      if (source.polls == 60) {
        cluster_.input_gone = true;
        source.trouble = SourceTrouble{SourceTrouble::Kind::kUnknownTopic, -1, "no such topic"};
      }
      if (source.polls == back) cluster_.input_gone = false;
      look();
      if (back > 0 && source.polls > 2 * back && all_consumed()) stop();
    });
  }
};

TEST_F(WorkerInputGoneTest, AnInputThatWasDeletedEndsIt) {
  const WorkerEnd ended = lose_the_input(-1);
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kBroker);
  EXPECT_NE(ended.what.find("the input was deleted while segmentd worked on it"), std::string::npos)
      << ended.what;
  EXPECT_TRUE(says("the input does not exist")) << said_;
}

TEST_F(WorkerInputGoneTest, OneThatIsBackSoonIsWaitedFor) {
  EXPECT_EQ(lose_the_input(70).kind, WorkerEnd::Kind::kStopped);
  expect_calm();
}

// --- disks that may not be written ---

TEST_F(WorkerParkingTest, ADiskThatMayNotBeWrittenIsAStoreError) {
  consume_until(4);
  write_trouble_ = Error{Errc::kMisconfigured, "IO error: Read-only file system"};
  EXPECT_EQ(run_until_it_ends().kind, WorkerEnd::Kind::kState);
  EXPECT_TRUE(parked(0, "store_error") && parked(1, "store_error")) << said_;
  EXPECT_TRUE(says("Read-only file system")) << said_;
  write_trouble_.reset();
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  expect_calm();
}

// --- an end that stays hidden ---

TEST_F(WorkerParkingTest, AnEndThatStaysHiddenIsNamedWhereItHasToBeSeen) {
  consume_until(4);
  cluster_.open_writers = {{1, "gone-1"}};
  cluster_.fences_in_vain = true;
  rules_.restore_overdue = 10ms;
  run_until([this] { return says("partition 1 cannot be restored"); });
  EXPECT_TRUE(
      says("partition 1 cannot be restored: the changelog's end stays hidden although its "
           "writer has nothing open"))
      << said_;
  EXPECT_FALSE(says("partition 0")) << said_;
  cluster_.open_writers.clear();
  cluster_.fences_in_vain = false;
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  expect_calm();
}

// --- records that are too large ---

/// A customer of partition 1 whose row outgrows `bytes`, behind all others: no model depends on it.
class WorkerOversizedTest : public WorkerParkingTest {
 protected:
  static constexpr std::size_t kBytesMax = 6'000;

  WorkerOversizedTest() {
    for (int i = 0; i < 40; ++i) {
      const std::string id = std::string(200, 'x') + std::to_string(i);
      cluster_.input[1].push_back(
          {"90001",
           R"({"type":"order","order_id":")" + id + R"(","customer_id":"90001","ordered_at":")" +
               "2010-12-02T23:59:59Z" + R"(","amount":"10.00","currency":"GBP"})",
           1'600'000'000'000});
    }
    log_.record_bytes_max = kBytesMax;
    // All since the last epoch in one transaction, so that it holds what is of the other partition.
    rules_.poll_records_max = 10'000;
    rules_.commit_interval = 10s;
    pipeline_rules_.transaction_records_max = 10'000;
  }

  void park_the_oversized() {
    run_until([this] { return consumed(0) && parked(1, "repeated_failure"); });
    EXPECT_TRUE(says("partition 1 is parked: a record of ")) << said_;
    EXPECT_TRUE(says("kafka.message.max.bytes")) << said_;
    EXPECT_FALSE(says("partition 0")) << said_;
    EXPECT_TRUE(log_.aborted_of.contains(0)) << "nothing of the other partition had to go again";
    EXPECT_EQ(seen().changes[0], calm().changes[0]);
    EXPECT_EQ(seen().rows[0], calm().rows[0]);
    EXPECT_FALSE(consumed(1));
  }
  void go_on_with_larger_records() {
    log_.record_bytes_max = 0;
    EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
    EXPECT_EQ(records_counted(), static_cast<double>(records_fed()));
    EXPECT_EQ(seen().changes[0], calm().changes[0]);
    auto rows = seen().rows[1];
    EXPECT_EQ(rows.erase(row_key("90001")), 1U);
    EXPECT_EQ(rows, calm().rows[1]);
    EXPECT_TRUE(given_up_.empty());
  }
};

TEST_F(WorkerOversizedTest, ARecordLargerThanMayBeSentParksItsPartitionAndTheOtherGoesOutAgain) {
  park_the_oversized();
  EXPECT_EQ(metric("segmentd_transactions_total{outcome=\"aborted\"}"), "1");
  go_on_with_larger_records();
}

TEST_F(WorkerOversizedTest, AndSoWhereItsAbortIsNotKnownToBeOne) {
  log_.abort_is_unknown = true;
  park_the_oversized();
  EXPECT_EQ(metric("segmentd_transactions_total{outcome=\"unknown\"}"), "1");
  EXPECT_EQ(metric("segmentd_resolutions_total{result=\"not_committed\"}"), "1");
  EXPECT_EQ(log_.reopened, 1);
  go_on_with_larger_records();
}

// --- topics that lost what the state needs ---

TEST_F(WorkerParkingTest, AModelTopicThatLostTheEpochInForceParks) {
  run(consume_all());
  ASSERT_FALSE(cluster_.model.empty());
  const std::string epoch = std::to_string(cluster_.model.size());
  cluster_.model.clear();
  const WorkerEnd ended = run_until_it_ends();
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kState);
  EXPECT_NE(ended.what.find("epoch " + epoch + " is not on the model topic"), std::string::npos)
      << ended.what;
  EXPECT_TRUE(parked(0, "state_behind_log") && parked(1, "state_behind_log")) << said_;
  EXPECT_TRUE(given_up_.empty()) << "there is nothing wrong with the stores";
}

TEST_F(WorkerParkingTest, AChangelogWithRowsAndNoStateParks) {
  run(consume_all());
  const auto known = decode_meta(*cluster_.changelog[1].back().value)->txn_seq;
  for (auto& partition : cluster_.changelog) {  // shorter than the stores know it
    std::erase_if(partition, [](const FakeRecord& r) { return *r.key == kMetaKey; });
  }
  run_until([this] { return parked(0, "state_behind_log") && parked(1, "state_behind_log"); });
  EXPECT_TRUE(
      says("partition 1 is parked: the changelog has no state, but a store of this "
           "directory knew " +
           std::to_string(known) + " transactions"))
      << said_;
  ASSERT_EQ(given_up_.size(), 2U);
  for (const auto& [partition, how] : given_up_) EXPECT_EQ(how, GivenUp::kMovedAside);
  const int commits = log_.committed;
  EXPECT_EQ(run_until_it_ends().kind, WorkerEnd::Kind::kState) << "and so at the next start";
  EXPECT_EQ(log_.committed, commits);
}

}  // namespace
}  // namespace segmentd
