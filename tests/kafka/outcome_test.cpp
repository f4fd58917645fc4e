// Commits whose answer is lost or late, on a broker of the test's own that can be disturbed.
#include <thread>

#include <gtest/gtest.h>

#include "tests/kafka/broker_process.hpp"
#include "tests/kafka/cutting_proxy.hpp"
#include "tests/kafka/test_broker.hpp"

namespace segmentd::test {
namespace {

using Outcome = TransactionResult::Outcome;
using Texts = std::vector<std::string>;

constexpr std::int16_t kProduce = 0;
constexpr std::int16_t kAddOffsetsToTxn = 25;
constexpr std::int16_t kEndTxn = 26;
constexpr std::int16_t kTxnOffsetCommit = 28;

class OutcomeTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    proxy_ = new CuttingProxy();
    broker_ = BrokerProcess::start({.advertised_port = proxy_->port()}).release();
    ASSERT_NE(broker_, nullptr);
    proxy_->forward_to(broker_->port());
  }
  static void TearDownTestSuite() {
    delete proxy_;
    delete broker_;
  }

  void SetUp() override {
    scene_.emplace(1, "127.0.0.1:" + std::to_string(proxy_->port()));
    source_ = scene_->member("one", heard_);
    ASSERT_TRUE(poll_until_owned(*source_, heard_, 1));
  }
  void write(TransactionLog& log, const std::string& sequence) {
    ASSERT_TRUE(log.begin());
    ASSERT_TRUE(log.produce(OutputTopic::kChangelog, 0, "META", sequence));
  }
  TransactionResult commit(TransactionLog& log, const std::string& sequence) {
    const std::vector<InputOffset> offsets{
        {.partition = 0, .next_offset = 0, .metadata = sequence}};
    return log.commit(offsets, source_->group());
  }
  std::unique_ptr<TransactionLog> writer_with_one_commit(const std::string& timeout_ms) {
    scene_->settings.properties = {{"transaction.timeout.ms", timeout_ms}};
    auto log = scene_->writer(unique_name("txn"));
    write(*log, "1");
    EXPECT_EQ(commit(*log, "1").outcome, Outcome::kCommitted);
    return log;
  }
  std::string committed() {
    const std::vector<std::int32_t> asked{0};
    for (int attempt = 0; attempt < 10; ++attempt) {
      const auto offsets = source_->committed(asked, milliseconds(5000));
      if (offsets) return offsets->front().metadata;
    }
    return "unknown";
  }
  Texts changelog() { return scene_->committed(scene_->output(OutputTopic::kChangelog)); }

  static CuttingProxy* proxy_;
  static BrokerProcess* broker_;
  std::optional<Scene> scene_;
  RecordingListener heard_;
  std::unique_ptr<Source> source_;
};
CuttingProxy* OutcomeTest::proxy_ = nullptr;
BrokerProcess* OutcomeTest::broker_ = nullptr;

TEST_F(OutcomeTest, ACommitWhoseAnswerIsLostIsRepeatedAndTheProducerReplaced) {
  const auto log = scene_->writer(unique_name("txn"));
  write(*log, "1");
  const int before = proxy_->seen(kEndTxn);
  proxy_->lose_answer_of(kEndTxn);
  const auto result = commit(*log, "1");
  EXPECT_GE(proxy_->seen(kEndTxn), before + 2);  // the library says nothing of it
  ASSERT_EQ(result.outcome, Outcome::kCommitted) << result.what;
  EXPECT_EQ(log->replaced(), 0U);
  write(*log, "2");
  EXPECT_EQ(log->replaced(), 1U);
  ASSERT_EQ(commit(*log, "2").outcome, Outcome::kCommitted);
  write(*log, "3");
  EXPECT_EQ(log->replaced(), 1U);
  // Unknown: the library had not dropped the record in time. A new producer ends it then.
  const bool aborted = log->abort().outcome == Outcome::kAborted;
  ASSERT_TRUE(aborted || log->reopen());
  EXPECT_EQ(committed(), "2");
  EXPECT_EQ(changelog(), (Texts{"META=1", "META=2"}));
}

TEST_F(OutcomeTest, OffsetsWhoseAnswerIsLostLeadToAReplacementToo) {
  const auto log = scene_->writer(unique_name("txn"));
  write(*log, "1");
  proxy_->lose_answer_of(kAddOffsetsToTxn);
  ASSERT_EQ(commit(*log, "1").outcome, Outcome::kCommitted);
  write(*log, "2");
  EXPECT_EQ(log->replaced(), 1U);
  EXPECT_EQ(committed(), "1");
}

TEST_F(OutcomeTest, AnUnansweredCommitIsUnknownAndResolvedAfterReopening) {
  const auto log = writer_with_one_commit("5000");
  write(*log, "2");
  const GroupStamp stamp = source_->group();
  broker_->hold();
  const std::vector<InputOffset> offsets{{.partition = 0, .next_offset = 0, .metadata = "2"}};
  const auto result = log->commit(offsets, stamp);
  broker_->go_on();
  EXPECT_EQ(result.outcome, Outcome::kUnknown) << result.what;
  EXPECT_FALSE(log->begin());  // not before it is resolved
  const auto reopened = log->reopen();
  ASSERT_TRUE(reopened) << reopened.error().what;
  // Nobody but the committed offset can tell, and what it tells is what readers see.
  const std::string sequence = committed();
  if (sequence == "2") {
    EXPECT_EQ(changelog(), (Texts{"META=1", "META=2"}));
  } else {
    EXPECT_EQ(sequence, "1");
    EXPECT_EQ(changelog(), Texts{"META=1"});
  }
}

TEST_F(OutcomeTest, OffsetsOfAnUndecidedTransactionAreWaitedFor) {
  const auto log = writer_with_one_commit("5000");
  write(*log, "2");
  const GroupStamp stamp = source_->group();
  const int before = proxy_->seen(kEndTxn);
  proxy_->swallow(kEndTxn);
  TransactionResult result;
  std::thread committing([&] {
    const std::vector<InputOffset> offsets{{.partition = 0, .next_offset = 0, .metadata = "2"}};
    result = log->commit(offsets, stamp);
  });
  while (proxy_->seen(kEndTxn) == before) std::this_thread::yield();
  const std::vector<std::int32_t> asked{0};
  const auto too_early = source_->committed(asked, milliseconds(1000));
  EXPECT_FALSE(too_early) << too_early->front().metadata;
  const auto before_it = source_->committed_before(asked, milliseconds(5000));
  ASSERT_TRUE(before_it) << before_it.error().what;
  EXPECT_EQ(before_it->front().metadata, "1");
  committing.join();
  proxy_->swallow(-1);
  EXPECT_EQ(result.outcome, Outcome::kUnknown) << result.what;
  ASSERT_TRUE(log->reopen());
  EXPECT_EQ(committed(), "1");
  EXPECT_EQ(changelog(), Texts{"META=1"});
}

// Whoever takes the partition over finds who left the transaction open by its records.
TEST_F(OutcomeTest, NoOffsetsAreSentBeforeTheRecordsAreTaken) {
  const auto log = writer_with_one_commit("3000");
  proxy_->swallow(kProduce);
  write(*log, "2");
  const int before = proxy_->seen(kAddOffsetsToTxn);
  EXPECT_EQ(commit(*log, "2").outcome, Outcome::kUnknown);
  EXPECT_EQ(proxy_->seen(kAddOffsetsToTxn), before);
  proxy_->swallow(-1);
  ASSERT_TRUE(log->reopen());
  EXPECT_EQ(changelog(), Texts{"META=1"});
}

// The library would wait for as long as the group's coordinator is away.
TEST_F(OutcomeTest, OffsetsThatNobodyTakesAreGivenUpInTime) {
  const auto log = writer_with_one_commit("3000");
  write(*log, "2");
  proxy_->swallow(kTxnOffsetCommit);
  const auto begun = std::chrono::steady_clock::now();
  const auto result = commit(*log, "2");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(15));
  EXPECT_EQ(result.outcome, Outcome::kUnknown) << result.what;
  proxy_->swallow(-1);
  ASSERT_TRUE(log->reopen());
  EXPECT_EQ(committed(), "1");
  write(*log, "2");
  EXPECT_EQ(commit(*log, "2").outcome, Outcome::kCommitted);
  EXPECT_EQ(changelog(), (Texts{"META=1", "META=2"}));
}

}  // namespace
}  // namespace segmentd::test
