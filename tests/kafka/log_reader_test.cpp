// Logs read to their end, on a real broker.
#include <chrono>

#include <gtest/gtest.h>

#include "tests/kafka/test_broker.hpp"

namespace segmentd::test {
namespace {

using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;

class LogReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    source_ = scene_.member("one", heard_);
    ASSERT_TRUE(poll_until_owned(*source_, heard_, 2));
    broker_ = scene_.broker();
    log_ = scene_.writer(id_);
  }

  const std::string& changelog() const { return scene_.output(OutputTopic::kChangelog); }
  void put(std::int32_t partition, const std::string& key, std::optional<std::string_view> value) {
    ASSERT_TRUE(log_->produce(OutputTopic::kChangelog, partition, key, value));
  }
  void commit() {
    const std::vector<InputOffset> offsets{{.partition = 0, .next_offset = 1, .metadata = "1"}};
    const auto result = log_->commit(offsets, source_->group());
    ASSERT_EQ(result.outcome, TransactionResult::Outcome::kCommitted) << result.what;
  }
  void transact(std::int32_t partition, const Texts& keys) {
    ASSERT_TRUE(log_->begin());
    for (const std::string& key : keys) put(partition, key, "v");
    commit();
  }
  /// Leaves aborted records in the log: they must have arrived there, not only been queued.
  void abort_with(std::int32_t partition, const Texts& keys) {
    const std::int64_t before = decided_end_of(partition);
    ASSERT_TRUE(log_->begin());
    for (const std::string& key : keys) put(partition, key, "v");
    wait_for_end(partition, before + static_cast<std::int64_t>(keys.size()));
    const auto aborted = log_->abort();
    ASSERT_EQ(aborted.outcome, TransactionResult::Outcome::kAborted) << aborted.what;
  }
  /// The end once no transaction is open and every marker is written.
  std::int64_t decided_end_of(std::int32_t partition) {
    const auto until = Clock::now() + kPatience;
    for (;;) {
      const auto marks = broker_->watermarks(changelog(), partition, kPatience);
      if (marks && marks->stable_end == marks->end) return marks->end;
      if (Clock::now() >= until) return -1;
    }
  }
  std::int64_t end_of(std::int32_t partition) {
    const auto marks = broker_->watermarks(changelog(), partition, kPatience);
    EXPECT_TRUE(marks) << marks.error().what;
    return marks ? marks->end : -1;
  }
  void wait_for_end(std::int32_t partition, std::int64_t end) {
    const auto until = Clock::now() + kPatience;
    while (end_of(partition) < end && Clock::now() < until) {
    }
  }
  std::unique_ptr<LogReader> reader(std::int32_t partition, std::int64_t offset = kFromBeginning) {
    const std::vector<ReadFrom> from{{.partition = partition, .offset = offset}};
    auto opened = broker_->open_reader(changelog(), from, kPatience);
    EXPECT_TRUE(opened) << opened.error().what;
    return opened ? std::move(*opened) : nullptr;
  }
  /// Reads until `enough`; returns the keys.
  static Texts read_until(LogReader& reader, const std::function<bool()>& enough) {
    std::vector<Message> messages;
    const auto until = Clock::now() + kPatience;
    while (!enough() && Clock::now() < until) {
      const auto read = reader.read(messages, 100, milliseconds(50));
      EXPECT_TRUE(read) << read.error().what;
    }
    Texts keys;
    for (const Message& message : messages) {
      keys.emplace_back(message.key.value_or("<null>"));
      if (!message.value) keys.back() += " gone";
    }
    return keys;
  }

  Scene scene_{2};
  std::string id_ = unique_name("txn");
  RecordingListener heard_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<TransactionLog> log_;
};

TEST_F(LogReaderTest, AnEmptyPartitionIsCompleteAtOnce) {
  const auto empty = reader(0);
  EXPECT_EQ(read_until(*empty, [&] { return empty->complete(); }), Texts{});
  EXPECT_TRUE(empty->complete());
  EXPECT_EQ(empty->progress(0).position, 0);
  EXPECT_EQ(empty->progress(0).end, 0);
  EXPECT_EQ(empty->progress(0).remaining(), 0);
}

TEST_F(LogReaderTest, ReadsCommittedRowsAndTombstonesPastControlRecords) {
  transact(0, {"a", "b"});
  abort_with(0, {"x", "y"});
  ASSERT_TRUE(log_->begin());
  put(0, "a", std::nullopt);
  commit();
  abort_with(0, {"z"});  // the log ends with an aborted record and its marker
  const auto all = reader(0);
  EXPECT_EQ(read_until(*all, [&] { return all->complete(); }), (Texts{"a", "b", "a gone"}));
  EXPECT_TRUE(all->complete());
  EXPECT_EQ(all->progress(0).position, decided_end_of(0));
  EXPECT_EQ(decided_end_of(0), 10);  // 6 records and 4 markers
}

TEST_F(LogReaderTest, StartsWhereItIsTold) {
  transact(0, {"a", "b", "c"});
  const auto tail = reader(0, 1);
  EXPECT_EQ(read_until(*tail, [&] { return tail->complete(); }), (Texts{"b", "c"}));
  const auto at_end = reader(0, decided_end_of(0));
  EXPECT_EQ(read_until(*at_end, [&] { return at_end->complete(); }), Texts{});
  EXPECT_TRUE(at_end->complete());
  const auto from_end = reader(0, kFromEnd);
  read_until(*from_end, [&] { return from_end->complete(); });
  transact(0, {"d"});
  EXPECT_EQ(read_until(*from_end, [&] { return from_end->progress(0).position >= 5; }), Texts{"d"});
}

TEST_F(LogReaderTest, FollowsTheTail) {
  const auto tail = reader(0);
  read_until(*tail, [&] { return tail->complete(); });
  for (const char* key : {"a", "b"}) {
    transact(0, {key});
    const std::int64_t end = decided_end_of(0);
    EXPECT_EQ(read_until(*tail, [&] { return tail->progress(0).position >= end; }), Texts{key});
  }
  EXPECT_TRUE(tail->complete());
}

TEST_F(LogReaderTest, AnOffsetThatIsNotThereIsItsOwnError) {
  transact(0, {"a"});
  const auto lost = reader(0, 1000);
  std::vector<Message> messages;
  Result<void> read;
  for (int i = 0; read && i < 300; ++i) read = lost->read(messages, 100, milliseconds(100));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::kCorrupt) << read.error().what;
  EXPECT_TRUE(messages.empty());
}

TEST_F(LogReaderTest, AMissingTopicOrPartitionIsUnavailable) {
  const std::vector<ReadFrom> first{{.partition = 0, .offset = kFromBeginning}};
  const auto topic = broker_->open_reader(unique_name("missing"), first, kPatience);
  ASSERT_FALSE(topic);
  EXPECT_EQ(topic.error().code, Errc::kUnavailable) << topic.error().what;
  const std::vector<ReadFrom> third{{.partition = 2, .offset = kFromBeginning}};
  const auto partition = broker_->open_reader(changelog(), third, kPatience);
  ASSERT_FALSE(partition);
  EXPECT_EQ(partition.error().code, Errc::kUnavailable) << partition.error().what;
}

TEST_F(LogReaderTest, AnOpenTransactionIsNoEndAndFencingItsWriterMakesOne) {
  transact(0, {"a"});
  ASSERT_TRUE(log_->begin());  // a writer that dies here
  put(0, "zombie", "v");
  wait_for_end(0, 3);  // "a", its marker, "zombie"
  const auto tail = reader(0);
  EXPECT_EQ(read_until(*tail,
                       [&] {
                         const auto progress = tail->progress(0);
                         return progress.at_stable_end && progress.end == 3;
                       }),
            Texts{"a"});
  EXPECT_FALSE(tail->complete());
  EXPECT_EQ(tail->progress(0).position, 2);
  EXPECT_EQ(tail->progress(0).remaining(), 1);
  const auto marks = broker_->watermarks(changelog(), 0, kPatience);
  ASSERT_TRUE(marks);
  EXPECT_EQ(marks->first, 0);
  EXPECT_EQ(marks->stable_end, 2);
  EXPECT_EQ(marks->end, 3);
  const auto fenced = broker_->fence(id_, kPatience);
  ASSERT_TRUE(fenced) << fenced.error().what;
  EXPECT_EQ(read_until(*tail, [&] { return tail->complete(); }), Texts{});
  EXPECT_TRUE(tail->complete());
  EXPECT_EQ(tail->progress(0).position, 4);
  // The zombie is out.
  const std::vector<InputOffset> offsets{{.partition = 0, .next_offset = 9, .metadata = "9"}};
  EXPECT_EQ(log_->commit(offsets, source_->group()).outcome, TransactionResult::Outcome::kFenced);
}

TEST_F(LogReaderTest, ReadsSeveralPartitionsTogether) {
  transact(0, {"a"});
  transact(1, {"b", "c"});
  const std::vector<ReadFrom> from{{.partition = 0, .offset = kFromBeginning},
                                   {.partition = 1, .offset = 1}};
  const auto both = broker_->open_reader(changelog(), from, kPatience);
  ASSERT_TRUE(both);
  Texts keys = read_until(**both, [&] { return (*both)->complete(); });
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys, (Texts{"a", "c"}));
  EXPECT_EQ((*both)->progress(1).position, 3);
}

TEST_F(LogReaderTest, TakesNoMoreThanAsked) {
  transact(0, {"a", "b", "c"});
  const auto all = reader(0);
  std::vector<Message> messages;
  for (int i = 0; messages.empty() && i < 300; ++i) {
    ASSERT_TRUE(all->read(messages, 2, milliseconds(100)));
  }
  EXPECT_LE(messages.size(), 2U);
}

TEST_F(LogReaderTest, WatermarksOfAMissingTopicAreUnavailable) {
  const auto marks = broker_->watermarks(unique_name("missing"), 0, milliseconds(5000));
  ASSERT_FALSE(marks);
  EXPECT_EQ(marks.error().code, Errc::kUnavailable) << marks.error().what;
}

}  // namespace
}  // namespace segmentd::test
