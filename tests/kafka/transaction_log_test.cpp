// What a transaction makes visible, on a real broker.
#include <algorithm>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "tests/kafka/test_broker.hpp"

namespace segmentd::test {
namespace {

using Outcome = TransactionResult::Outcome;
using Texts = std::vector<std::string>;

/// A member that owns the input, and what it commits.
class TransactionLogTest : public testing::Test {
 protected:
  void SetUp() override {
    source_ = scene_.member("one", heard_);
    ASSERT_TRUE(poll_until_owned(*source_, heard_, 2));
  }

  static std::vector<InputOffset> at(std::int64_t offset, const std::string& metadata) {
    return {{.partition = 0, .next_offset = offset, .metadata = metadata}};
  }
  void put(TransactionLog& log, OutputTopic topic, const std::string& key,
           const std::string& value) {
    const auto queued = log.produce(topic, 0, key, value);
    ASSERT_TRUE(queued) << queued.error().what;
  }
  CommittedOffset committed(std::int32_t partition = 0) {
    const std::vector<std::int32_t> asked{partition};
    const auto offsets = source_->committed(asked, kPatience);
    EXPECT_TRUE(offsets);
    return offsets ? offsets->front() : CommittedOffset{};
  }

  std::int64_t end_of_changelog() {
    const auto marks = broker_->watermarks(scene_.output(OutputTopic::kChangelog), 0, kPatience);
    EXPECT_TRUE(marks);
    return marks ? marks->end : -1;
  }
  /// By another writer's open transaction, from its end as of now on.
  std::unique_ptr<TransactionLog> hide_changelog() {
    const std::int64_t end = end_of_changelog();
    auto other = scene_.writer(unique_name("other"));
    EXPECT_TRUE(other->begin());
    put(*other, OutputTopic::kChangelog, "c", "open");
    while (end_of_changelog() == end) std::this_thread::yield();
    return other;
  }

  Scene scene_{2};
  std::unique_ptr<Broker> broker_ = scene_.broker();
  RecordingListener heard_;
  std::unique_ptr<Source> source_;
};

TEST_F(TransactionLogTest, ACommitShowsEverythingAtOnce) {
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChanges, "c", "change");
  put(*log, OutputTopic::kChangelog, "c", "row");
  put(*log, OutputTopic::kChangelog, "META", "meta");
  EXPECT_EQ(scene_.visible(scene_.output(OutputTopic::kChanges)), Texts{});
  const auto result = log->commit(at(7, "41"), source_->group());
  ASSERT_EQ(result.outcome, Outcome::kCommitted) << result.what;
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChanges)), Texts{"c=change"});
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChangelog)),
            (Texts{"c=row", "META=meta"}));
  EXPECT_EQ(committed().next_offset, 7);
  EXPECT_EQ(committed().metadata, "41");
  ASSERT_EQ(result.written.size(), 2U);
  const auto changelog =
      std::find_if(result.written.begin(), result.written.end(),
                   [](const Written& w) { return w.topic == OutputTopic::kChangelog; });
  ASSERT_NE(changelog, result.written.end());
  EXPECT_EQ(changelog->partition, 0);
  EXPECT_EQ(changelog->last_offset, 1);
  EXPECT_EQ(log->replaced(), 0U);
}

/// What was said, by whichever thread.
class Said {
 public:
  kafka::LogLine line() {
    return [this](int, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    };
  }
  bool has(const std::string& words) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(lines_.begin(), lines_.end(),
                       [&](const std::string& line) { return line.find(words) != line.npos; });
  }

 private:
  mutable std::mutex mutex_;
  Texts lines_;
};

bool begins(TransactionLog& log) {
  for (int n = 0; n < 100; ++n) {  // of 200 ms
    if (log.begin()) return true;
  }
  return false;
}

/// KAFKA-20734, as it looks to a writer: what it committed stays hidden, and is ended with what it
/// writes there next.
TEST_F(TransactionLogTest, AnAbortThatMayUndoAnEndThatWasLostIsSaid) {
  const std::string changelog = scene_.output(OutputTopic::kChangelog);
  const auto other = hide_changelog();
  Said said;
  scene_.settings.log = said.line();
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "hidden");
  ASSERT_EQ(log->commit(at(1, "1"), source_->group()).outcome, Outcome::kCommitted);
  ASSERT_TRUE(begins(*log));
  EXPECT_TRUE(said.has("do not show the end of a transaction at " + changelog + "/0"));
  put(*log, OutputTopic::kTable, "c", "row");
  EXPECT_EQ(log->abort().outcome, Outcome::kAborted);
  EXPECT_FALSE(said.has("undoes another"));  // it took no part there
  ASSERT_TRUE(begins(*log));
  put(*log, OutputTopic::kChangelog, "c", "row");
  EXPECT_EQ(log->abort().outcome, Outcome::kAborted);
  EXPECT_TRUE(said.has("undoes another in " + changelog + "/0"));
}

/// Of an abort that was lost nothing comes to light: it is aborted once more, in the group too.
TEST_F(TransactionLogTest, AnAbortThatStaysHiddenIsWrittenOnceMore) {
  Said said;
  scene_.settings.log = said.line();
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kTable, "c", "row");
  ASSERT_EQ(log->commit(at(5, "5"), source_->group()).outcome, Outcome::kCommitted);
  const auto other = hide_changelog();
  ASSERT_TRUE(log->begin());
  std::int64_t end = end_of_changelog();
  put(*log, OutputTopic::kChangelog, "c", "never");
  while (end_of_changelog() == end) std::this_thread::yield();
  ASSERT_EQ(log->abort().outcome, Outcome::kAborted);
  end = end_of_changelog();
  for (int n = 0; n < 100 && !said.has("aborting once more"); ++n) EXPECT_FALSE(log->begin());
  EXPECT_GE(end_of_changelog(), end + 2);  // a record and a marker
  EXPECT_EQ(committed().next_offset, 5);
  EXPECT_EQ(other->abort().outcome, Outcome::kAborted);
  ASSERT_TRUE(begins(*log));
  put(*log, OutputTopic::kChangelog, "c", "shown");
  ASSERT_EQ(log->commit(at(6, "6"), source_->group()).outcome, Outcome::kCommitted);
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChangelog)), Texts{"c=shown"});
  EXPECT_EQ(committed().next_offset, 6);
}

TEST_F(TransactionLogTest, AnAbortShowsNothingAndLeavesTheProducerUsable) {
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "never");
  EXPECT_EQ(log->abort().outcome, Outcome::kAborted);
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "row");
  ASSERT_EQ(log->commit(at(1, "1"), source_->group()).outcome, Outcome::kCommitted);
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChangelog)), Texts{"c=row"});
}

TEST_F(TransactionLogTest, TheMetadataMovesWithoutTheOffset) {
  const auto log = scene_.writer(unique_name("txn"));
  for (const char* sequence : {"1", "2"}) {
    ASSERT_TRUE(log->begin());
    put(*log, OutputTopic::kChangelog, "META", sequence);
    ASSERT_EQ(log->commit(at(0, sequence), source_->group()).outcome, Outcome::kCommitted);
    EXPECT_EQ(committed().next_offset, 0);
    EXPECT_EQ(committed().metadata, sequence);
  }
}

TEST_F(TransactionLogTest, ManyInARowNeedNoReplacement) {
  const auto log = scene_.writer(unique_name("txn"));
  for (int n = 1; n <= 50; ++n) {
    ASSERT_TRUE(log->begin());
    put(*log, OutputTopic::kChangelog, "META", std::to_string(n));
    const auto result = log->commit(at(n, std::to_string(n)), source_->group());
    ASSERT_EQ(result.outcome, Outcome::kCommitted) << result.what;
    ASSERT_EQ(result.written.front().last_offset, 2 * (n - 1));  // a marker follows each
  }
  EXPECT_EQ(log->replaced(), 0U);
}

TEST_F(TransactionLogTest, RecordsKeepNullEmptyAndHeaders) {
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  const std::vector<Header> headers{{"segmentd-reason", "bad_id"}, {"empty", ""}};
  ASSERT_TRUE(log->produce(OutputTopic::kRejected, 1, std::nullopt, std::nullopt, headers));
  ASSERT_TRUE(log->produce(OutputTopic::kRejected, 1, "", "", headers));
  ASSERT_TRUE(log->produce(OutputTopic::kRejected, 1, "gone", std::nullopt));
  ASSERT_TRUE(log->produce(OutputTopic::kRejected, 1, std::nullopt, ""));
  ASSERT_EQ(log->commit(at(1, "1"), source_->group()).outcome, Outcome::kCommitted);
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kRejected), 1),
            (Texts{"<null>=<null>", "=", "gone=<null>", "<null>="}));
}

TEST_F(TransactionLogTest, ARecordTooLargeIsRefusedAndTheRestGoesOn) {
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  const auto queued = log->produce(OutputTopic::kTable, 0, "k", std::string(2'000'000, 'x'));
  ASSERT_FALSE(queued);
  EXPECT_EQ(queued.error().code, Errc::kBadInput);
  put(*log, OutputTopic::kTable, "k", "small");
  ASSERT_EQ(log->commit(at(1, "1"), source_->group()).outcome, Outcome::kCommitted);
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kTable)), Texts{"k=small"});
}

TEST_F(TransactionLogTest, AFullQueueIsWaitedFor) {
  Scene& scene = scene_;
  scene.settings.properties = {{"queue.buffering.max.messages", "100"}, {"linger.ms", "50"}};
  const auto log = scene.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  const std::vector<Header> header{{"h", "v"}};
  for (int n = 0; n < 1000; ++n) {
    const auto queued = n % 2 == 0 ? log->produce(OutputTopic::kTable, 0, "k", "v")
                                   : log->produce(OutputTopic::kTable, 0, "k", "v", header);
    ASSERT_TRUE(queued) << queued.error().what;
  }
  ASSERT_EQ(log->commit(at(1, "1"), source_->group()).outcome, Outcome::kCommitted);
  EXPECT_EQ(scene.committed(scene.output(OutputTopic::kTable)).size(), 1000U);
}

TEST_F(TransactionLogTest, AStaleGenerationIsRefusedForCertain) {
  const auto log = scene_.writer(unique_name("txn"));
  const GroupStamp stale = source_->group();
  RecordingListener other;
  const auto second = scene_.member("two", other);
  poll_until(*source_, [&] {
    (void)second->poll(milliseconds(10));
    return other.owned.size() == 1;
  });
  const GroupStamp fresh = source_->group();
  EXPECT_FALSE(stale.same_member(fresh));
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "stale");
  const auto refused = log->commit(at(9, "9"), stale);
  EXPECT_EQ(refused.outcome, Outcome::kAborted) << refused.what;
  EXPECT_NE(refused.what.find("ILLEGAL_GENERATION"), std::string::npos) << refused.what;
  EXPECT_EQ(committed().next_offset, std::nullopt);
  // The producer is kept, and goes on.
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "fresh");
  EXPECT_EQ(log->commit(at(9, "9"), fresh).outcome, Outcome::kCommitted);
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChangelog)), Texts{"c=fresh"});
}

TEST_F(TransactionLogTest, AMemberThatLeftIsRefusedForCertain) {
  const auto log = scene_.writer(unique_name("txn"));
  const GroupStamp stamp = source_->group();
  source_->leave(kPatience);
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "late");
  const auto refused = log->commit(at(9, "9"), stamp);
  EXPECT_EQ(refused.outcome, Outcome::kAborted) << refused.what;
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChangelog)), Texts{});
}

TEST_F(TransactionLogTest, WithoutMembershipOrOffsetsNothingIsCommitted) {
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "unfenced");
  EXPECT_EQ(log->commit(at(9, "9"), GroupStamp{}).outcome, Outcome::kAborted);
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "unfenced");
  EXPECT_EQ(log->commit({}, source_->group()).outcome, Outcome::kAborted);
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChangelog)), Texts{});
  EXPECT_EQ(committed().next_offset, std::nullopt);
}

TEST_F(TransactionLogTest, TheNextOwnerOfTheIdFencesAndAbortsWhatWasOpen) {
  const std::string id = unique_name("txn");
  const auto first = scene_.writer(id);
  ASSERT_TRUE(first->begin());
  put(*first, OutputTopic::kChangelog, "c", "zombie");
  const auto second = scene_.writer(id);
  ASSERT_TRUE(second->begin());
  put(*second, OutputTopic::kChangelog, "c", "alive");
  ASSERT_EQ(second->commit(at(1, "1"), source_->group()).outcome, Outcome::kCommitted);
  const auto late = first->commit(at(2, "2"), source_->group());
  EXPECT_EQ(late.outcome, Outcome::kFenced) << late.what;
  EXPECT_EQ(committed().metadata, "1");
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChangelog)), Texts{"c=alive"});
  // Only by reopening it goes on, and fences in turn.
  EXPECT_FALSE(first->begin());
  ASSERT_TRUE(first->reopen());
  ASSERT_TRUE(first->begin());
  put(*first, OutputTopic::kChangelog, "c", "back");
  EXPECT_EQ(first->commit(at(3, "3"), source_->group()).outcome, Outcome::kCommitted);
}

TEST_F(TransactionLogTest, ReopeningAbortsWhatWasOpen) {
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "never");
  const auto reopened = log->reopen();
  ASSERT_TRUE(reopened) << reopened.error().what;
  ASSERT_TRUE(log->begin());
  put(*log, OutputTopic::kChangelog, "c", "row");
  EXPECT_EQ(log->commit(at(1, "1"), source_->group()).outcome, Outcome::kCommitted);
  EXPECT_EQ(scene_.committed(scene_.output(OutputTopic::kChangelog)), Texts{"c=row"});
}

TEST_F(TransactionLogTest, TheLastCommitFitsIntoTheRevoke) {
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(source_->activate(0, 0));
  ASSERT_TRUE(source_->activate(1, 0));
  TransactionResult last;
  heard_.before_revoked = [&](auto) {
    ASSERT_TRUE(log->begin());
    put(*log, OutputTopic::kChangelog, "META", "last");
    last = log->commit(at(5, "5"), source_->group());
  };
  RecordingListener other;
  const auto second = scene_.member("two", other);
  poll_until(*source_, [&] {
    (void)second->poll(milliseconds(10));
    return other.owned.size() == 1;
  });
  EXPECT_EQ(last.outcome, Outcome::kCommitted) << last.what;
  EXPECT_EQ(committed().metadata, "5");
}

TEST_F(TransactionLogTest, TheLastCommitFitsIntoLeaving) {
  const auto log = scene_.writer(unique_name("txn"));
  ASSERT_TRUE(source_->activate(0, 0));
  TransactionResult last;
  heard_.before_revoked = [&](auto) {
    ASSERT_TRUE(log->begin());
    put(*log, OutputTopic::kChangelog, "META", "last");
    last = log->commit(at(5, "5"), source_->group());
  };
  source_->leave(kPatience);
  EXPECT_EQ(last.outcome, Outcome::kCommitted) << last.what;
}

TEST_F(TransactionLogTest, AMissingTopicIsNamed) {
  OutputTopicNames topics = scene_.outputs;
  topics[static_cast<std::size_t>(OutputTopic::kModel)] = unique_name("missing");
  const auto log = kafka::open_transaction_log(
      scene_.settings, {.transactional_id = "x", .input_topic = scene_.input, .topics = topics});
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, Errc::kUnavailable);
  EXPECT_NE(log.error().what.find("missing"), std::string::npos) << log.error().what;
}

}  // namespace
}  // namespace segmentd::test
