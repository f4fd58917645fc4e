// What a worker does when the group, the transactions, the stores or the input are not as they
// should be (W1-W6): after each trouble every order has had its effect once, or the partition is
// parked and says why.
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "state/codec.hpp"
#include "tests/worker/worker_fixture.hpp"

namespace segmentd {
namespace {

using test::FakeSource;
using test::Fate;
using test::kPartitions;
using test::kWriter;
using test::WorkerTest;
using namespace std::chrono_literals;

// --- W3, W4: how transactions end ---

TEST_F(WorkerTest, AbortsAndUnknownOutcomesShowNowhere) {
  for (const Fate fate : {Fate::kAborted, Fate::kUnknownCommitted, Fate::kUnknownLost}) {
    for (int i = 0; i < 4; ++i) log_.fates.push_back(fate);
    log_.fates.push_back(Fate::kCommitted);
  }
  log_.reopen_failures = 2;
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  EXPECT_EQ(log_.reopened, 8);
  EXPECT_EQ(rejoins_, 0) << "an outcome that can be read is no reason to give the partitions up";
  EXPECT_EQ(metric("segmentd_transactions_total{outcome=\"aborted\"}"), "4");
  EXPECT_EQ(metric("segmentd_transactions_total{outcome=\"unknown\"}"), "8");
  EXPECT_EQ(metric("segmentd_producer_reopens_total"), "8");
  expect_calm();
}

TEST_F(WorkerTest, LosingThePartitionsWhileAnOutcomeIsUnknownDoesNotStopItForGood) {
  // The broker goes away in a commit, the session ends, the broker comes back.
  log_.fates = {Fate::kCommitted, Fate::kCommitted, Fate::kUnknownLost};
  log_.reopen_failures = 1;
  int away = 0;
  EXPECT_EQ(run(consume_all([&](FakeSource& source) {
              if (log_.broken() && away == 0) {
                away = source.polls;
                source.lose({0, 1});
              }
              if (away > 0 && source.polls == away + 3) source.assign({0, 1});
            })).kind,
            WorkerEnd::Kind::kStopped);
  EXPECT_GT(away, 0);
  EXPECT_EQ(metric("segmentd_rebalances_total{kind=\"lost\"}"), "1");
  expect_calm();
}

TEST_F(WorkerTest, FencedByItsOwnMembershipBeforeItJoinsAgain) {
  int fenced = 0;
  EXPECT_EQ(run(consume_all([&](FakeSource& source) {
              if (source.polls == 60 && ++fenced == 1) {
                source.trouble = SourceTrouble{SourceTrouble::Kind::kFenced, -1, "fenced"};
              }
            })).kind,
            WorkerEnd::Kind::kStopped);
  EXPECT_GT(fenced, 1) << "the second source was not read";
  expect_calm();
}

TEST_F(WorkerTest, FencedAgainAtOnceItEnds) {
  int fenced = 0;
  const WorkerEnd end = run(consume_all([&](FakeSource& source) {
    if (source.polls != 60) return;
    ++fenced;
    source.trouble = SourceTrouble{SourceTrouble::Kind::kFenced, -1, "fenced"};
  }));
  EXPECT_EQ(end.kind, WorkerEnd::Kind::kFenced);
  EXPECT_EQ(end.what, "fenced");
  EXPECT_EQ(fenced, 2);
}

TEST_F(WorkerTest, AnotherWritersTransactionOfTheSameNumberIsNotOurs) {
  log_.fates = {Fate::kCommitted, Fate::kCommitted, Fate::kUnknownLost};
  std::vector<std::int32_t> taken;
  std::map<std::int32_t, std::size_t> rows_before;
  log_.before_commit = [&](std::span<const InputOffset> offsets) {
    if (log_.fates.size() != 1 || !taken.empty()) return;
    for (const InputOffset& o : offsets) {  // while we slept, another went on, to the same number
      const auto mark = offset_mark(o.metadata);
      cluster_.offsets[o.partition] = {o.partition, o.next_offset,
                                       offset_metadata({mark->txn_seq, "other", {}})};
      taken.push_back(o.partition);
      rows_before[o.partition] = stores_[o.partition]->statistics().rows;
    }
  };
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (!taken.empty() && !log_.broken() && source.rejoins > 0) stop();
  });
  ASSERT_FALSE(taken.empty());
  EXPECT_EQ(metric("segmentd_resolutions_total{result=\"not_ours\"}"),
            std::to_string(taken.size()));
  for (const std::int32_t p : taken) {
    EXPECT_EQ(stores_[p]->statistics().rows, rows_before[p]) << "P2: what was not committed";
  }
}

// --- W8: nobody's partitions ---

TEST_F(WorkerTest, APartitionThatNobodyHasMakesANewMemberJoinAgain) {
  rules_.unassigned_look = 1ms;
  rules_.unassigned_patience = 100ms;
  int polls_then = 0;
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0});
    if (source.rejoins == 0) {  // now and then the coordinator is between two generations
      source.group_assignment = {source.polls % 7 != 0 || source.polls > 20, {0}};
    } else {
      source.group_assignment = {true, {0, 1}};
      if (++polls_then > 300) stop();
    }
  });
  EXPECT_EQ(rejoins_, 1);
}

TEST_F(WorkerTest, PartitionsOnTheirWayAreWaitedForAndWhatJoiningCannotMendEnds) {
  rules_.unassigned_look = 1ms;
  rules_.unassigned_patience = 10s;
  const auto polls_of = [&](int polls, std::set<std::int32_t> assigned) {
    run([&](FakeSource& source) {
      if (source.polls == 1) source.assign({0});
      source.group_assignment = {true, assigned};
      if (source.polls > polls) stop();
    });
    return rejoins_;
  };
  EXPECT_EQ(polls_of(300, {0}), 0);
  rules_.unassigned_patience = 1ms;
  EXPECT_EQ(polls_of(300, {0, 1}), 0);
  EXPECT_EQ(polls_of(600, {0}), 3);
}

// --- W2, W5: the group ---

TEST_F(WorkerTest, TheLastCommitBeforeARevokeGoesOut) {
  bool revoked = false;
  std::int64_t before = -1;
  rules_.commit_interval = 10s;  // nothing else commits
  rules_.poll_records_max = 1;
  pipeline_rules_.transaction_records_max = 10'000;
  pipeline_rules_.partition.evaluate_every_ms = 300 * kMsPerDay;
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (!revoked && source.active(0) && source.active(1) && source.polls > 60) {
      before = log_.committed;
      source.revoke({0, 1});
      revoked = true;
      stop();
    }
  });
  EXPECT_EQ(log_.committed, before + 1);
  ASSERT_TRUE(cluster_.offsets.contains(0));
  EXPECT_GT(*cluster_.offsets.at(0).next_offset, 0);
}

TEST_F(WorkerTest, PartitionsThatComeAndGoShowNowhere) {
  int turns = 0;
  EXPECT_EQ(run(consume_all([&](FakeSource& source) {
              if (source.polls % 40 != 0 || turns >= 8) return;
              const bool away = turns++ % 2 == 0;
              away ? source.revoke({0, 1}) : source.assign({0, 1});
            })).kind,
            WorkerEnd::Kind::kStopped);
  EXPECT_EQ(turns, 8);
  EXPECT_EQ(metric("segmentd_rebalances_total{kind=\"assigned\"}"), "5");
  EXPECT_EQ(metric("segmentd_rebalances_total{kind=\"revoked\"}"), "5") << "the last as it left";
  expect_calm();
}

TEST_F(WorkerTest, ARestartGoesOnWhereItStopped) {
  for (const int commits : {3, 7, 12}) consume_until(commits);
  stores_.clear();  // and the disk is lost
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  expect_calm();
}

// --- asked to stop ---

TEST_F(WorkerTest, AStopDoesNotTryAgainWhatHasJustFailed) {
  log_.fates = {Fate::kCommitted, Fate::kAborted, Fate::kAborted};
  int tried_after = 0;
  log_.before_commit = [&](auto) {
    if (stop_) ++tried_after;
    if (log_.fates.size() == 1) stop();
  };
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  EXPECT_EQ(tried_after, 0);
  log_.before_commit = {};
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  expect_calm();
}

TEST_F(WorkerTest, AStopDoesNotWaitForTheEndOfARelabelling) {
  pipeline_rules_.relabel_per_transaction_max = 1;
  std::vector<std::int64_t> before;
  int standing = 0;
  int tried_after = 0;
  log_.before_commit = [&](std::span<const InputOffset> offsets) {
    if (stop_) ++tried_after;
    std::vector<std::int64_t> now;
    for (const InputOffset& o : offsets) now.push_back(o.next_offset);
    standing = now == before ? standing + 1 : 0;  // nothing was read: it relabels
    before = std::move(now);
    if (standing == 3) stop();
  };
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  EXPECT_FALSE(all_consumed());
  EXPECT_LE(tried_after, 1);
  log_.before_commit = {};
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
}

// --- W6: what cannot go on ---

TEST_F(WorkerTest, AnOffsetSetByHandParksItsPartitionAndNoOther) {
  consume_until(4);
  cluster_.offsets[0] = {0, 0, ""};
  const std::size_t before = cluster_.changes[0].size();
  const auto end = static_cast<std::int64_t>(cluster_.input[1].size());
  std::string said;
  const WorkerEnd ended = run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (source.polls == 200) source.assign({});  // any later rebalance
    said = not_ready();
    const bool parked = said.find("partition 0 is parked") != std::string::npos;
    if (parked && source.polls > 300 && cluster_.offsets.at(1).next_offset == end) stop();
  });
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kStopped);
  EXPECT_NE(said.find("set the offset by hand"), std::string::npos) << said;
  EXPECT_EQ(cluster_.changes[0].size(), before);
}

TEST_F(WorkerTest, TheProcessEndsWhenEveryPartitionIsParked) {
  consume_until(4);
  cluster_.offsets[0] = {0, 0, ""};
  cluster_.offsets[1] = {1, 0, "not/ours"};
  const WorkerEnd ended = run([](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
  });
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kState);
}

TEST_F(WorkerTest, WhatTheBrokerRefusesThreeTimesParksItsPartition) {
  log_.refuses = 1;
  const std::string said = said_while_0_goes_on();
  EXPECT_NE(said.find("partition 1 is parked"), std::string::npos) << said;
  EXPECT_NE(said.find("max.message.bytes"), std::string::npos) << said;
}

TEST_F(WorkerTest, AnInputThatWasMadeAnewIsNoticed) {
  run(consume_all());
  for (auto& partition : cluster_.input) {
    for (auto& record : partition) record.timestamp_ms += 1;  // as many records, but others
    partition.push_back(partition.back());
  }
  const WorkerEnd ended = run([](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
  });
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kState);
  EXPECT_NE(ended.what.find("made anew"), std::string::npos) << ended.what;
  expect_calm();
}

TEST_F(WorkerTest, AnotherPartitionCountParksEverything) {
  consume_until(4);
  cluster_.partitions_told = kPartitions + 1;
  const auto commits = log_.committed;
  const WorkerEnd ended = run([](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
  });
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kState);
  EXPECT_NE(ended.what.find("the input has 3 partitions now, it had 2"), std::string::npos);
  EXPECT_EQ(log_.committed, commits);
}

TEST_F(WorkerTest, APartitionCountThatChangesAtWorkIsNoticedAtTheNextAssignment) {
  rules_.poll_records_max = 1;
  bool raised = false;
  const WorkerEnd ended = run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (raised || log_.committed < 4) return;
    raised = true;
    cluster_.partitions_told = kPartitions + 1;
    source.assign({});
  });
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kState);
  EXPECT_LT(*cluster_.offsets.at(0).next_offset,
            static_cast<std::int64_t>(cluster_.input[0].size()));
}

TEST_F(WorkerTest, APartitionThatWasAddedDoesNotBeginWhereTheOthersCannotGoOn) {
  consume_until(4);
  // As after a restart: topics and process know of one more, and only the new one comes here.
  cluster_.input.emplace_back();
  cluster_.changelog.emplace_back();
  cluster_.changes.emplace_back();
  rules_.partitions = kPartitions + 1;
  const WorkerEnd ended = run([](FakeSource& source) {
    if (source.polls == 1) source.assign({kPartitions});
  });
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kState);
  EXPECT_NE(ended.what.find("the input has 3 partitions now, it had 2"), std::string::npos)
      << ended.what;
  EXPECT_FALSE(cluster_.offsets.contains(kPartitions));
}

TEST_F(WorkerTest, TheProcessGoesOnWhileAnotherWorkerCan) {
  Holdings holdings(2);
  EXPECT_FALSE(holdings.all_stuck()) << "nothing is owned yet";
  holdings.publish(0, 2, 2);
  EXPECT_TRUE(holdings.all_stuck());
  holdings.publish(1, 1, 0);
  EXPECT_FALSE(holdings.all_stuck());
  holdings.publish(1, 1, 1);
  EXPECT_TRUE(holdings.all_stuck());
  holdings.publish(0, 0, 0);
  EXPECT_TRUE(holdings.all_stuck());
  holdings.publish(1, 0, 0);
  EXPECT_FALSE(holdings.all_stuck());
}

TEST_F(WorkerTest, APartitionOnItsWayToAnotherWorkerIsWaitedFor) {
  consume_until(4);
  cluster_.offsets[0] = {0, 0, ""};
  rules_.stuck_patience = 10s;
  int parked_at = 0;
  const WorkerEnd ended = run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (parked_at == 0 && not_ready().find("partition 0 is parked") != std::string::npos) {
      parked_at = source.polls;
      source.revoke({1});  // now all that is here is parked
    }
    if (parked_at > 0 && source.polls > parked_at + 50) stop();
  });
  EXPECT_EQ(ended.kind, WorkerEnd::Kind::kStopped);
  EXPECT_TRUE(left_.contains(1));
}

// --- W7 ---

TEST_F(WorkerTest, APartitionTakenUpIsClaimedAtOnce) {
  for (auto& partition : cluster_.input) partition.clear();
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (cluster_.offsets.size() == kPartitions) stop();
  });
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    const auto mark = offset_mark(cluster_.offsets.at(p).metadata);
    ASSERT_TRUE(mark);
    EXPECT_EQ(mark->writer, kWriter);
  }
}

TEST_F(WorkerTest, AMemberWithoutPartitionsIsReady) {
  std::string said = "nothing yet";
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({});
    if (source.polls > 3) said = not_ready();
    if (source.polls > 5) stop();
  });
  EXPECT_EQ(said, "");
}

// --- R1: when a store is given up ---

TEST_F(WorkerTest, AStoreOfAnotherChangelogIsMovedAsideAndMadeAnew) {
  run(consume_all());
  new_uuid_ = "another";  // the application in another life: its changelog, but not this store's
  auto stores = std::exchange(stores_, {});
  for (auto* topic : {&cluster_.changelog, &cluster_.changes}) {
    for (auto& partition : *topic) partition.clear();
  }
  cluster_.offsets.clear();
  run(consume_all());
  const Seen before = seen();
  for (auto& partition : cluster_.changelog) {  // and longer than the old one
    const auto once = partition;
    partition.insert(partition.begin(), once.begin(), once.end());
  }
  stores_ = std::move(stores);
  EXPECT_EQ(take_up().kind, WorkerEnd::Kind::kStopped);
  ASSERT_EQ(given_up_.size(), 2U);
  for (const auto& [partition, how] : given_up_) EXPECT_EQ(how, GivenUp::kMovedAside);
  EXPECT_EQ(seen().changes, before.changes);
  EXPECT_EQ(seen().rows, before.rows);
}

TEST_F(WorkerTest, AChangelogThatWasDeletedParksAndTheStoreIsKept) {
  run(consume_all());
  for (auto& partition : cluster_.changelog) partition.clear();
  for (const bool offsets_too : {false, true, true}) {  // and so at every start
    if (offsets_too) cluster_.offsets.clear();
    const auto stores = stores_;
    const WorkerEnd ended = run([](FakeSource& source) {
      if (source.polls == 1) source.assign({0, 1});
    });
    EXPECT_EQ(ended.kind, WorkerEnd::Kind::kState);
    EXPECT_NE(ended.what.find("the changelog was deleted"), std::string::npos) << ended.what;
    EXPECT_TRUE(given_up_.empty());
    EXPECT_EQ(stores_, stores);
  }
}

TEST_F(WorkerTest, AChangelogOfTwoStatesIsNotTakenForABadDisk) {
  run(consume_all());
  test::FakeRecord other = cluster_.changelog[1].back();  // META
  auto meta = decode_meta(*other.value);
  meta->store_uuid = "another";
  other.value = encode_meta(*meta);
  cluster_.changelog[1].push_back(other);
  std::string said;
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    said = not_ready();
    if (said.find("parked") != std::string::npos) stop();
  });
  EXPECT_NE(said.find("partition 1 is parked: the changelog holds the records of two states"),
            std::string::npos)
      << said;
  EXPECT_EQ(set_aside_.size(), 0U);
}

TEST_F(WorkerTest, AStoreOfAQuietPartitionStaysKnownToBeComplete) {
  bool later = false;
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (!all_consumed()) return;
    if (!std::exchange(later, true)) wall_.ms += 13 * kMsPerHour;
    if (*stores_[0]->position()->complete_at == wall_) stop();
  });
  EXPECT_EQ(take_up().kind, WorkerEnd::Kind::kStopped);
  EXPECT_TRUE(given_up_.empty());
}

TEST_F(WorkerTest, AStoreThatWasAwayForTooLongIsReadAnew) {
  run(consume_all());
  wall_.ms += 11 * kMsPerHour;
  EXPECT_EQ(take_up().kind, WorkerEnd::Kind::kStopped);
  EXPECT_TRUE(given_up_.empty());
  wall_.ms += 13 * kMsPerHour;  // half of a day since it was last known to be complete
  EXPECT_EQ(take_up().kind, WorkerEnd::Kind::kStopped);
  ASSERT_EQ(given_up_.size(), 2U);
  EXPECT_EQ(given_up_.front().second, GivenUp::kDeleted);
  expect_calm();
}

TEST_F(WorkerTest, AStoreThatCannotBeOpenedIsMadeAnewFromTheChangelog) {
  consume_until(6);
  open_trouble_.insert({1, Error{Errc::kCorrupt, "checksum"}});
  EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
  EXPECT_EQ(set_aside_[1], 1);
  expect_calm();
}

TEST_F(WorkerTest, AStoreThatFailsAtWorkIsMadeAnewOnce) {
  bool failed = false;
  EXPECT_EQ(run(consume_all([&](FakeSource&) {
              if (failed || log_.committed < 6) return;
              failed = true;
              write_trouble_ = Error{Errc::kCorrupt, "checksum"};
            })).kind,
            WorkerEnd::Kind::kStopped);
  EXPECT_TRUE(failed);
  EXPECT_EQ(set_aside_.size(), 1U);
  expect_calm();
}

TEST_F(WorkerTest, AStoreThatIsDamagedAgainAndAgainIsParked) {
  set_aside_[1] = 1;  // not long ago
  open_trouble_.insert({1, Error{Errc::kCorrupt, "checksum"}});
  const std::string said = said_while_0_goes_on();
  EXPECT_NE(said.find("partition 1 is parked: checksum"), std::string::npos) << said;
}

TEST_F(WorkerTest, AFullDiskIsWaitedFor) {
  int looks = 0;
  bool failed = false;
  std::string said;
  EXPECT_EQ(run(consume_all([&](FakeSource&) {
              if (!failed && log_.committed >= 6) {
                failed = true;
                room_ = false;
                write_trouble_ = Error{Errc::kUnavailable, "No space left on device"};
              }
              if (!failed || ++looks != 100) return;
              said = not_ready();
              write_trouble_.reset();
              room_ = true;
            })).kind,
            WorkerEnd::Kind::kStopped);
  EXPECT_NE(said.find("No space left"), std::string::npos) << said;
  // While one was away the others were judged without it: the model is another, the orders are not.
  for (std::size_t p = 0; p < kPartitions; ++p) {
    EXPECT_EQ(seen().rows[p].size(), calm().rows[p].size());
  }
}

}  // namespace
}  // namespace segmentd
