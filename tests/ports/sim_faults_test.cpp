// What the cluster in memory does beyond the contract's common part: moments that a real broker
// brings about only by chance (some are forced on one in tests/kafka/outcome_test.cpp), and
// compaction, which a real one begins only after many seconds.
#include <deque>
#include <set>

#include <gtest/gtest.h>

#include "tests/support/recording_listener.hpp"
#include "tests/support/sim_cluster.hpp"
#include "tests/support/sim_source.hpp"

namespace segmentd::test {
namespace {

using Outcome = TransactionResult::Outcome;

/// Goes wrong at the next call through one door.
class OneFate final : public Fates {
 public:
  unsigned at(Door door, int, unsigned ways) override {
    if (door != next || way > ways) return 0;
    next = Door::kSleep;
    return way;
  }
  Door next = Door::kSleep;
  unsigned way = 0;
};

class SimFaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    log_ = cluster_.open_transactions(process_, "txn");
    ASSERT_TRUE(log_->reopen());
    broker_ = cluster_.open_broker(process_);
    source_ = cluster_.open_source(process_, "one", heard_);
    while (heard_.owned.empty()) (void)source_->poll(milliseconds(100));
    ASSERT_EQ(commit("1").outcome, Outcome::kCommitted);
  }
  TransactionResult commit(const std::string& sequence) {
    EXPECT_TRUE(log_->begin());
    EXPECT_TRUE(log_->produce(OutputTopic::kChangelog, 0, "META", sequence));
    const InputOffset offsets[] = {{0, 1, sequence}};
    return log_->commit(offsets, source_->group());
  }
  TransactionResult commit_with(Door door, unsigned way, const std::string& sequence) {
    fates_.next = door;
    fates_.way = way;
    return commit(sequence);
  }
  std::string committed() {
    const std::int32_t asked[] = {0};
    const auto offsets = source_->committed(asked, milliseconds(30'000));
    return offsets ? offsets->front().metadata : "unknown";
  }
  std::string changelog() {
    std::string text;
    for (const SimRecord* record : cluster_.output(OutputTopic::kChangelog, 0).committed()) {
      text += *record->value + " ";
    }
    return text;
  }

  OneFate fates_;
  SimProcess process_;
  SimCluster cluster_{1, 1, fates_};
  RecordingListener heard_;
  std::unique_ptr<TransactionLog> log_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<SimSource> source_;
};

TEST_F(SimFaultsTest, AnErrorBeforeTheDecisionIsNoCommit) {
  const std::pair<Door, unsigned> early[] = {{Door::kCommit, 1},
                                             {Door::kSendOffsets, 1},
                                             {Door::kSendOffsets, 2},
                                             {Door::kEndTransaction, 1}};
  for (const auto& [door, way] : early) {
    EXPECT_EQ(commit_with(door, way, "2").outcome, Outcome::kUnknown);
    EXPECT_FALSE(log_->begin());
    ASSERT_TRUE(log_->reopen());
    EXPECT_EQ(committed(), "1");
  }
  EXPECT_EQ(changelog(), "1 ");
}

TEST_F(SimFaultsTest, AnErrorAlthoughItWasCommitted) {
  EXPECT_EQ(commit_with(Door::kEndTransaction, 4, "2").outcome, Outcome::kUnknown);
  ASSERT_TRUE(log_->reopen());
  EXPECT_EQ(committed(), "2");
  EXPECT_EQ(changelog(), "1 2 ");
}

TEST_F(SimFaultsTest, ADecisionThatComesLaterIsSettledByReopening) {
  EXPECT_EQ(commit_with(Door::kEndTransaction, 2, "2").outcome, Outcome::kUnknown);
  cluster_.deliver_a_stray();
  ASSERT_TRUE(log_->reopen());
  EXPECT_EQ(committed(), "2");
  EXPECT_EQ(commit_with(Door::kEndTransaction, 2, "3").outcome, Outcome::kUnknown);
  ASSERT_TRUE(log_->reopen());  // fences the request on its way
  cluster_.deliver_a_stray();
  EXPECT_EQ(committed(), "2");
  EXPECT_EQ(changelog(), "1 2 ");
}

TEST_F(SimFaultsTest, AStrayRequestIsFencedByTheProducersReplacement) {
  EXPECT_EQ(commit_with(Door::kEndTransaction, 5, "2").outcome, Outcome::kCommitted);
  ASSERT_TRUE(log_->begin());
  EXPECT_EQ(log_->replaced(), 1U);
  ASSERT_TRUE(log_->produce(OutputTopic::kChangelog, 0, "META", "torn"));
  cluster_.pass(10);  // sent
  cluster_.deliver_a_stray();
  EXPECT_EQ(log_->abort().outcome, Outcome::kAborted);
  EXPECT_EQ(changelog(), "1 2 ");
}

TEST_F(SimFaultsTest, WithoutTheReplacementItTearsTheNextTransaction) {
  cluster_.keep_producer_with_stray = true;
  EXPECT_EQ(commit_with(Door::kEndTransaction, 5, "2").outcome, Outcome::kCommitted);
  ASSERT_TRUE(log_->begin());
  ASSERT_TRUE(log_->produce(OutputTopic::kChangelog, 0, "META", "torn"));
  cluster_.pass(10);
  cluster_.deliver_a_stray();
  (void)log_->abort();
  EXPECT_EQ(changelog(), "1 2 torn ");
}

TEST_F(SimFaultsTest, OffsetsOfAnUndecidedTransactionAreWaitedFor) {
  EXPECT_EQ(commit_with(Door::kEndTransaction, 1, "2").outcome, Outcome::kUnknown);
  const std::int32_t asked[] = {0};
  const auto too_early = source_->committed(asked, milliseconds(1'000));
  ASSERT_FALSE(too_early);
  EXPECT_EQ(too_early.error().code, Errc::kRetry);
  ASSERT_TRUE(log_->reopen());
  EXPECT_EQ(committed(), "1");
}

TEST_F(SimFaultsTest, ATransactionOpenForTooLongIsAbortedAndItsWriterFenced) {
  ASSERT_TRUE(log_->begin());
  ASSERT_TRUE(log_->produce(OutputTopic::kChangelog, 0, "META", "2"));
  for (int i = 0; i < 200; ++i) (void)source_->poll(milliseconds(100));
  const InputOffset offsets[] = {{0, 1, "2"}};
  EXPECT_EQ(log_->commit(offsets, source_->group()).outcome, Outcome::kFenced);
  EXPECT_TRUE(cluster_.transactions().quiet());
  EXPECT_EQ(changelog(), "1 ");
}

TEST_F(SimFaultsTest, TheOffsetMayShowBeforeTheRecordsAndAfter) {
  bool before = false;
  bool after = false;
  for (int n = 2; n < 200 && !(before && after); ++n) {
    ASSERT_EQ(commit(std::to_string(n)).outcome, Outcome::kCommitted);
    const SimLog& log = cluster_.output(OutputTopic::kChangelog, 0);
    const bool records = log.stable_end() == log.end();
    const bool offset = !cluster_.group().pending(0);
    before = before || (offset && !records);
    after = after || (records && !offset);
    while (cluster_.transactions().write_a_marker(cluster_.now_ms())) {
    }
  }
  EXPECT_TRUE(before);
  EXPECT_TRUE(after);
}

TEST_F(SimFaultsTest, CompactionLeavesGapsAndTheNewestValueBelowTheStableEnd) {
  for (const char* sequence : {"2", "3", "4"}) {
    ASSERT_EQ(commit(sequence).outcome, Outcome::kCommitted);
  }
  while (cluster_.transactions().write_a_marker(cluster_.now_ms())) {
  }
  ASSERT_TRUE(log_->begin());
  ASSERT_TRUE(log_->produce(OutputTopic::kChangelog, 0, "META", "open"));
  cluster_.pass(10);
  SimLog& log = cluster_.output(OutputTopic::kChangelog, 0);
  log.compact();
  const ReadFrom from[] = {{0, 1}};  // in the middle of what is gone
  auto reader = broker_->open_reader("changelog", from, milliseconds(1));
  ASSERT_TRUE(reader);
  std::vector<Message> records;
  ASSERT_TRUE((*reader)->read(records, 100, milliseconds(1)));
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].value, "4");
  EXPECT_EQ(records[0].offset, 6);
  EXPECT_FALSE((*reader)->complete());
  EXPECT_EQ((*reader)->progress(0).position, 8);
  EXPECT_EQ((*reader)->progress(0).end, 9);
}

/// As read_committed goes: the end that is told is the last stable offset, while what the fetches
/// say of the end is the high watermark; and behind an aborted record the end is told once more.
TEST_F(SimFaultsTest, AnOpenTransactionInTheInputHoldsBackItsEnd) {
  SimLog& input = cluster_.input(0);
  const auto put = [&](int producer) {
    SimRecord record;
    record.value = "order";
    record.producer = producer;
    input.append(std::move(record));
  };
  const auto told = [&] {
    const Polled polled = source_->poll(milliseconds(1));
    const auto* end = std::get_if<PartitionEnd>(&polled);
    return end == nullptr ? -1 : end->next_offset;
  };
  put(kNoProducer);
  put(1'000);
  put(kNoProducer);
  ASSERT_TRUE(source_->activate(0, 0));
  ASSERT_TRUE(std::holds_alternative<Message>(source_->poll(milliseconds(1))));
  EXPECT_EQ(told(), 1);
  EXPECT_EQ(source_->last_known_end(0), 3);
  EXPECT_EQ(told(), -1);
  input.finish(1'000, false, 0);
  EXPECT_TRUE(std::holds_alternative<Message>(source_->poll(milliseconds(1))));
  EXPECT_EQ(told(), 4);
  put(1'001);
  EXPECT_EQ(told(), -1);
  input.finish(1'001, false, 0);
  EXPECT_EQ(told(), 6);
  EXPECT_EQ(told(), -1);
}

TEST_F(SimFaultsTest, AFrozenProcessKeepsItsOldStampAndIsRefused) {
  const GroupStamp stamp = source_->group();
  process_.frozen = true;
  RecordingListener other_heard;
  SimProcess other{1, true, false};
  const auto second = cluster_.open_source(other, "two", other_heard);
  while (other_heard.owned.empty()) (void)second->poll(milliseconds(500));
  EXPECT_TRUE(source_->group().same_member(stamp));  // it knows nothing
  EXPECT_EQ(commit("2").outcome, Outcome::kAborted);
  process_.frozen = false;
  (void)source_->poll(milliseconds(10));
  EXPECT_TRUE(heard_.owned.empty());
}

TEST_F(SimFaultsTest, WithoutGenerationAndMemberTheGroupTakesAnything) {
  EXPECT_EQ(cluster_.group().check_commit(-1, ""), SimGroup::Answer::kOk);
  EXPECT_NE(cluster_.group().check_commit(-1, "somebody"), SimGroup::Answer::kOk);
}

}  // namespace
}  // namespace segmentd::test
