// What a worker says of itself on `/metrics` and `/readyz` is what happened to it.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <span>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/worker/worker_fixture.hpp"

namespace segmentd {
namespace {

using test::FakeSource;
using test::Fate;
using test::kRecords;
using namespace std::chrono_literals;

class WorkerSayingTest : public test::WorkerTest {
 protected:
  std::string transactions(const std::string& outcome) const {
    return metric("segmentd_transactions_total{outcome=\"" + outcome + "\"}");
  }
  std::string resolutions(const std::string& result) const {
    return metric("segmentd_resolutions_total{result=\"" + result + "\"}");
  }
  std::string rebalances(const std::string& kind) const {
    return metric("segmentd_rebalances_total{kind=\"" + kind + "\"}");
  }
  /// Nothing is committed but what a test makes it commit.
  void hold_commits_back() {
    rules_.commit_interval = 10s;
    rules_.poll_records_max = 1;
    pipeline_rules_.transaction_records_max = 10'000;
    pipeline_rules_.partition.evaluate_every_ms = 300 * kMsPerDay;
  }
};

// --- transactions ---

TEST_F(WorkerSayingTest, HowEachTransactionEnded) {
  log_.fates = {Fate::kCommitted, Fate::kAborted,          Fate::kAborted,    Fate::kCommitted,
                Fate::kFenced,    Fate::kUnknownCommitted, Fate::kUnknownLost};
  log_.begin_failures = 3;
  log_.replaced_by_itself = 4;
  std::map<Fate, std::size_t> partitions;  // in the transactions that ended so
  log_.before_commit = [&](std::span<const InputOffset> offsets) {
    partitions[log_.fates.empty() ? Fate::kCommitted : log_.fates.front()] += offsets.size();
  };
  run(consume_all());
  const int known = log_.committed - 1;  // without the one that seemed to have failed
  EXPECT_EQ(transactions("committed"), std::to_string(known));
  EXPECT_EQ(transactions("aborted"), "2");
  EXPECT_EQ(transactions("unknown"), "2");
  EXPECT_EQ(transactions("fenced"), "1");
  EXPECT_EQ(transactions("fatal"), "0");
  EXPECT_EQ(transactions("not_begun"), "3");
  EXPECT_EQ(resolutions("committed"), std::to_string(partitions[Fate::kUnknownCommitted]));
  EXPECT_EQ(resolutions("not_committed"),
            std::to_string(partitions[Fate::kUnknownLost] + partitions[Fate::kFenced]));
  EXPECT_EQ(resolutions("not_ours"), "0");
  EXPECT_EQ(metric("segmentd_producer_reopens_total"), std::to_string(3 + 4));
  EXPECT_EQ(metric("segmentd_commit_duration_seconds_count"), std::to_string(known));
}

TEST_F(WorkerSayingTest, ATransactionThatEndsTheProcessIsCountedToo) {
  log_.fates = {Fate::kCommitted, Fate::kFatal};
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kBroker);
  EXPECT_EQ(transactions("committed"), "1");
  EXPECT_EQ(transactions("fatal"), "1");
  EXPECT_NE(not_ready().find("not allowed"), std::string::npos) << not_ready();
}

TEST_F(WorkerSayingTest, WhenItCommittedLastAndHowOldEachRecordWasThen) {
  run(consume_all());
  EXPECT_EQ(metric("segmentd_last_commit_timestamp_seconds{worker=\"0\"}"),
            std::to_string(wall_.ms / kMsPerSecond));
  EXPECT_EQ(metric("segmentd_order_to_commit_seconds_count"), std::to_string(kRecords));
}

TEST_F(WorkerSayingTest, HowLongADecisionHasWaitedForItsCommit) {
  hold_commits_back();
  rules_.commit_overdue = 5ms;
  const std::string uncommitted = "segmentd_uncommitted_seconds{worker=\"0\"}";
  double longest = 0;
  std::string said;
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (!source.active(0) || !source.active(1)) return;
    std::this_thread::sleep_for(1ms);
    longest = std::max(longest, std::stod("0" + metric(uncommitted)));
    said = not_ready();
    if (said.find("a commit is overdue") != std::string::npos) stop();
  });
  EXPECT_GT(longest, 0.004);
  EXPECT_LT(longest, 10);
  EXPECT_EQ(metric(uncommitted), "0") << "the last commit went out";
  EXPECT_NE(said.find("a commit is overdue"), std::string::npos) << said;
}

TEST_F(WorkerSayingTest, TheLagFallsWhileABacklogIsDecided) {
  rules_.poll_records_max = 10'000;  // all of it is here before anything is committed
  std::set<std::string> lags;
  log_.before_commit = [&](std::span<const InputOffset>) {
    lags.insert(metric("segmentd_consumer_lag_records{partition=\"0\"}"));
  };
  run(consume_all());
  EXPECT_GT(lags.size(), 6U);
  EXPECT_EQ(metric("segmentd_consumer_lag_records{partition=\"0\"}"), "");
}

// --- the group ---

TEST_F(WorkerSayingTest, WhatTheGroupDidAndHowOftenItTookTime) {
  rules_.poll_records_max = 1;  // a round for each poll
  int turn = 0;
  int quiet = 0;  // polls since the last turn with everything at work
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    const bool settled = source.active(0) && (source.active(1) || turn == 1);
    quiet = settled || turn == 3 ? quiet + 1 : 0;
    if (quiet < 3) return;
    quiet = 0;
    switch (++turn) {
      case 1:
        return source.revoke({1});
      case 2:
        return source.assign({1});
      case 3:
        return source.lose({0, 1});
      case 4:
        return source.assign({0, 1});
      default:
        stop();
    }
  });
  EXPECT_EQ(turn, 5);
  EXPECT_EQ(rebalances("assigned"), "3");
  EXPECT_EQ(rebalances("revoked"), "2") << "the second when it left";
  EXPECT_EQ(rebalances("lost"), "1");
  EXPECT_EQ(metric("segmentd_rebalance_duration_seconds_count"), "5");
}

TEST_F(WorkerSayingTest, WhichWritersItLockedOut) {
  run(consume_all());
  cluster_.open_writers = {{0, "gone-1"}, {1, "gone-2"}};
  EXPECT_EQ(take_up().kind, WorkerEnd::Kind::kStopped);
  EXPECT_TRUE(cluster_.open_writers.empty());
  EXPECT_EQ(metric("segmentd_writers_fenced_total"), "2");
}

// --- whether it is ready ---

TEST_F(WorkerSayingTest, NotReadyBeforeItIsAMemberAndWhileNothingIsAtWork) {
  std::map<int, std::string> said;  // at the first polls
  run([&](FakeSource& source) {
    if (source.polls == 3) source.assign({0, 1});
    said[source.polls] = not_ready();
    if (source.active(0) && source.active(1) && said[source.polls].empty()) stop();
  });
  EXPECT_EQ(said[1], "worker 0: starting; ");
  EXPECT_EQ(said[3], "worker 0: not yet a member of the group; ");
  EXPECT_EQ(said[4],
            "worker 0: partition 0 is being restored; worker 0: partition 1 is being restored; ");
}

TEST_F(WorkerSayingTest, NotReadyWhileAnOutcomeIsNotKnown) {
  log_.fates = {Fate::kCommitted, Fate::kUnknownLost};
  log_.reopen_failures = 1;
  std::string said;
  run(consume_all([&](FakeSource&) {
    if (log_.broken()) said = not_ready();
  }));
  EXPECT_EQ(said, "worker 0: a transaction's outcome is being resolved; ");
}

}  // namespace
}  // namespace segmentd
