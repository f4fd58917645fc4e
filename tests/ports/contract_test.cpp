// What daemon/ports.hpp promises and the worker relies on. Built twice: over the cluster in memory
// (ports_sim_test) and over a real broker (ports_kafka_test). What only one of them can be made to
// do stands in sim_faults_test.cpp, and in tests/kafka/outcome_test.cpp.
#include <algorithm>
#include <functional>
#include <map>

#include <gtest/gtest.h>

#include "tests/ports/world.hpp"
#include "tests/support/recording_listener.hpp"

namespace segmentd::test {
namespace {

using Outcome = TransactionResult::Outcome;
using Texts = std::vector<std::string>;
using Heard = std::vector<std::string>;

constexpr milliseconds kPatience{30'000};
constexpr milliseconds kStep{50};

class PortsTest : public testing::Test {
 protected:
  /// Repeats `step`, which waits a little each time, until it says true or patience is over.
  bool eventually(const std::function<bool()>& step) {
    const milliseconds until = world_->now() + kPatience;
    while (world_->now() < until) {
      if (step()) return true;
    }
    return false;
  }
  bool owns(Source& source, const RecordingListener& heard, std::size_t count) {
    return eventually([&] {
      if (heard.owned.size() == count) return true;
      (void)source.poll(kStep);
      return heard.owned.size() == count;
    });
  }
  Texts values(Source& source, std::size_t count) {
    Texts came;
    eventually([&] {
      const Polled polled = source.poll(kStep);
      if (const auto* message = std::get_if<Message>(&polled)) came.emplace_back(*message->value);
      return came.size() >= count;
    });
    return came;
  }
  std::optional<SourceTrouble> trouble(Source& source, SourceTrouble::Kind kind) {
    std::optional<SourceTrouble> found;
    eventually([&] {
      Polled polled = source.poll(kStep);
      auto* told = std::get_if<SourceTrouble>(&polled);
      if (told != nullptr && told->kind == kind) found = *told;
      return found.has_value();
    });
    return found;
  }
  CommittedOffset committed(const Source& source, std::int32_t partition = 0) {
    const std::int32_t asked[] = {partition};
    const auto offsets = source.committed(asked, kPatience);
    EXPECT_TRUE(offsets) << offsets.error().what;
    return offsets ? offsets->front() : CommittedOffset{};
  }

  static std::vector<InputOffset> at(std::int64_t offset, const std::string& metadata,
                                     std::int32_t partition = 0) {
    return {{.partition = partition, .next_offset = offset, .metadata = metadata}};
  }
  void put(TransactionLog& log, const Texts& keys, std::int32_t partition = 0) {
    for (const std::string& key : keys) {
      ASSERT_TRUE(log.produce(OutputTopic::kChangelog, partition, key, "v"));
    }
  }
  /// The end of its last transaction may have to be shown first.
  bool begins(TransactionLog& log) {
    return eventually([&] { return bool(log.begin()); });
  }
  TransactionResult commit(TransactionLog& log, const Texts& keys, const Source& source,
                           const std::string& metadata = "1") {
    EXPECT_TRUE(begins(log));
    put(log, keys);
    return log.commit(at(1, metadata), source.group());
  }

  std::string changelog() const { return world_->output(OutputTopic::kChangelog); }
  Watermarks marks(Broker& broker, std::int32_t partition = 0) {
    std::optional<Watermarks> known;
    EXPECT_TRUE(eventually([&] {  // kRetry passes
      const auto found = broker.watermarks(changelog(), partition, kPatience);
      if (found) known = *found;
      if (!found) world_->wait(kStep);
      return known || found.error().code != Errc::kRetry;
    }));
    EXPECT_TRUE(known);
    return known.value_or(Watermarks{});
  }
  /// Puts records into an open transaction and waits until they lie in the log.
  void put_until_there(TransactionLog& log, Broker& broker, const Texts& keys) {
    ASSERT_TRUE(settled(broker));
    const std::int64_t end = marks(broker).end + static_cast<std::int64_t>(keys.size());
    put(log, keys);
    ASSERT_TRUE(eventually([&] {
      world_->wait(kStep);
      return marks(broker).end >= end;
    }));
  }
  /// Every transaction is decided, and its markers are there.
  bool settled(Broker& broker) {
    return eventually([&] {
      const Watermarks now = marks(broker);
      if (now.stable_end == now.end) return true;
      world_->wait(kStep);
      return false;
    });
  }
  std::unique_ptr<LogReader> reader(Broker& broker, std::int64_t offset = kFromBeginning) {
    const ReadFrom from[] = {{.partition = 0, .offset = offset}};
    auto opened = broker.open_reader(changelog(), from, kPatience);
    EXPECT_TRUE(opened) << opened.error().what;
    return opened ? std::move(*opened) : nullptr;
  }
  Texts read_until(LogReader& reader, const std::function<bool()>& enough) {
    std::vector<Message> records;
    eventually([&] {
      if (enough()) return true;
      const auto read = reader.read(records, 100, kStep);
      EXPECT_TRUE(read) << read.error().what;
      return !read || enough();
    });
    Texts keys;
    for (const Message& record : records) keys.emplace_back(record.key.value_or("<null>"));
    return keys;
  }
  Texts read_all(Broker& broker) {
    const auto all = reader(broker);
    return read_until(*all, [&] { return all->complete(); });
  }

  void new_world(std::int32_t partitions) { world_ = test::new_world(partitions); }
  std::unique_ptr<World> world_ = test::new_world(2);
};

// --- what readers see ---

TEST_F(PortsTest, CommittedIsSeenAbortedIsNotAndThePositionPassesOverBoth) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto log = world_->writer(world_->id("txn"));
  const TransactionResult first = commit(*log, {"a", "b"}, *source);
  ASSERT_EQ(first.outcome, Outcome::kCommitted) << first.what;
  ASSERT_EQ(first.written.size(), 1U);
  EXPECT_EQ(first.written[0].topic, OutputTopic::kChangelog);
  EXPECT_EQ(first.written[0].last_offset, 1);
  ASSERT_TRUE(begins(*log));
  put_until_there(*log, *broker, {"x", "y"});
  EXPECT_EQ(log->abort().outcome, Outcome::kAborted);
  ASSERT_EQ(commit(*log, {"c"}, *source).outcome, Outcome::kCommitted);
  ASSERT_TRUE(begins(*log));
  ASSERT_TRUE(settled(*broker));
  put_until_there(*log, *broker, {"z"});
  EXPECT_EQ(log->abort().outcome, Outcome::kAborted);  // the log ends with one that is not seen
  ASSERT_TRUE(settled(*broker));
  const auto all = reader(*broker);
  EXPECT_EQ(read_until(*all, [&] { return all->complete(); }), (Texts{"a", "b", "c"}));
  EXPECT_EQ(all->progress(0).position, 10);  // six records, four markers
  EXPECT_EQ(all->progress(0).end, 10);
  EXPECT_EQ(marks(*broker).stable_end, 10);
}

TEST_F(PortsTest, AnOpenTransactionHidesTheEndAndWhatLiesBehind) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto first = world_->writer(world_->id("first"));
  const auto second = world_->writer(world_->id("second"));
  ASSERT_EQ(commit(*first, {"a"}, *source).outcome, Outcome::kCommitted);
  ASSERT_TRUE(begins(*first));
  put_until_there(*first, *broker, {"open"});
  ASSERT_EQ(commit(*second, {"behind"}, *source).outcome, Outcome::kCommitted);
  const Watermarks hidden = marks(*broker);
  EXPECT_EQ(hidden.stable_end, 2);
  EXPECT_GE(hidden.end, 4);
  const auto all = reader(*broker);
  EXPECT_EQ(read_until(*all, [&] { return all->progress(0).at_stable_end; }), Texts{"a"});
  EXPECT_FALSE(all->complete());
  EXPECT_EQ(all->progress(0).position, 2);
  EXPECT_EQ(first->abort().outcome, Outcome::kAborted);
  EXPECT_EQ(read_until(*all, [&] { return all->complete(); }), Texts{"behind"});
}

TEST_F(PortsTest, NoTransactionBeginsBeforeTheEndOfTheLastIsShown) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto first = world_->writer(world_->id("first"));
  const auto second = world_->writer(world_->id("second"));
  ASSERT_TRUE(begins(*first));
  put_until_there(*first, *broker, {"open"});
  ASSERT_EQ(commit(*second, {"hidden"}, *source).outcome, Outcome::kCommitted);
  const auto early = second->begin();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Errc::kRetry);
  EXPECT_EQ(first->abort().outcome, Outcome::kAborted);
  EXPECT_TRUE(begins(*second));
  EXPECT_EQ(second->abort().outcome, Outcome::kAborted);
}

TEST_F(PortsTest, AnEndThatStaysHiddenIsLeftToTheNextTransaction) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto first = world_->writer(world_->id("first"));
  const auto second = world_->writer(world_->id("second"));
  ASSERT_TRUE(begins(*first));
  put_until_there(*first, *broker, {"open"});
  ASSERT_EQ(commit(*second, {"hidden"}, *source).outcome, Outcome::kCommitted);
  EXPECT_TRUE(begins(*second));
  EXPECT_LT(marks(*broker).stable_end, marks(*broker).end);
}

TEST_F(PortsTest, AReaderThatStartsBehindAnOpenTransactionKnowsTheEnd) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto log = world_->writer(world_->id("first"));
  ASSERT_TRUE(begins(*log));
  put_until_there(*log, *broker, {"open"});
  const std::int64_t end = marks(*broker).end;
  const auto behind = reader(*broker, end);
  EXPECT_TRUE(read_until(*behind, [&] { return behind->progress(0).end == end; }).empty());
  EXPECT_EQ(behind->progress(0).end, end);
  std::vector<Message> none;
  for (int n = 0; n < 10; ++n) EXPECT_TRUE(behind->read(none, 100, kStep));
  EXPECT_TRUE(none.empty());
  EXPECT_FALSE(behind->complete());  // it is not told that this is the end
  EXPECT_EQ(log->abort().outcome, Outcome::kAborted);
}

TEST_F(PortsTest, FencingAbortsWhatAWriterHadOpenAndLocksItOut) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const std::string id = world_->id("txn");
  const auto log = world_->writer(id);
  ASSERT_EQ(commit(*log, {"a"}, *source).outcome, Outcome::kCommitted);
  ASSERT_TRUE(begins(*log));
  put_until_there(*log, *broker, {"never"});
  const auto fenced = broker->fence(id, kPatience);
  ASSERT_TRUE(fenced) << fenced.error().what;
  // At once, not after a time-out.
  const Watermarks now = marks(*broker);
  EXPECT_EQ(now.stable_end, now.end);
  const auto late = log->commit(at(2, "2"), source->group());
  EXPECT_TRUE(late.outcome == Outcome::kFenced || late.outcome == Outcome::kUnknown) << late.what;
  EXPECT_FALSE(log->begin());
  EXPECT_EQ(committed(*source).metadata, "1");
  ASSERT_TRUE(log->reopen());
  ASSERT_EQ(commit(*log, {"b"}, *source, "2").outcome, Outcome::kCommitted);
  EXPECT_EQ(read_all(*broker), (Texts{"a", "b"}));
}

TEST_F(PortsTest, FencingSomebodyWhoHasNothingOpenIsFine) {
  const auto broker = world_->broker();
  EXPECT_TRUE(broker->fence(world_->id("nobody"), kPatience));
}

TEST_F(PortsTest, ReopeningDecidesWhatWasOpen) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto log = world_->writer(world_->id("txn"));
  ASSERT_TRUE(begins(*log));
  put_until_there(*log, *broker, {"never"});
  ASSERT_TRUE(log->reopen());
  const Watermarks now = marks(*broker);
  EXPECT_EQ(now.stable_end, now.end);
  EXPECT_EQ(committed(*source).next_offset, std::nullopt);
  ASSERT_EQ(commit(*log, {"a"}, *source).outcome, Outcome::kCommitted);
  EXPECT_EQ(read_all(*broker), Texts{"a"});
}

TEST_F(PortsTest, ASecondWriterOfTheSameIdAbortsAndFencesTheFirst) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const std::string id = world_->id("txn");
  const auto first = world_->writer(id);
  ASSERT_TRUE(begins(*first));
  put_until_there(*first, *broker, {"zombie"});
  const auto second = world_->writer(id);
  ASSERT_EQ(commit(*second, {"alive"}, *source).outcome, Outcome::kCommitted);
  EXPECT_EQ(first->commit(at(2, "2"), source->group()).outcome, Outcome::kFenced);
  EXPECT_EQ(committed(*source).metadata, "1");
  EXPECT_EQ(read_all(*broker), Texts{"alive"});
}

TEST_F(PortsTest, ReadersStartWhereTheyAreToldAndSayWhatIsNotThere) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto log = world_->writer(world_->id("txn"));
  ASSERT_EQ(commit(*log, {"a", "b", "c"}, *source).outcome, Outcome::kCommitted);
  ASSERT_TRUE(settled(*broker));
  const auto tail = reader(*broker, 1);
  EXPECT_EQ(tail->progress(0).position, 1);
  EXPECT_EQ(read_until(*tail, [&] { return tail->complete(); }), (Texts{"b", "c"}));
  const auto beyond = reader(*broker, 1'000);
  std::vector<Message> records;
  std::optional<Error> error;
  eventually([&] {
    if (const auto read = beyond->read(records, 10, kStep); !read) error = read.error();
    return error.has_value();
  });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kCorrupt) << error->what;
  const ReadFrom nowhere[] = {{.partition = 77, .offset = kFromBeginning}};
  const auto missing = broker->open_reader(changelog(), nowhere, kPatience);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kUnavailable);
  EXPECT_FALSE(broker->watermarks(changelog(), 77, kPatience));
}

TEST_F(PortsTest, WhoHidesTheEndIsSaidByTheFirstRecordOfItsTransaction) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto hiding = [&] {
    const auto writer = broker->hiding_writer(changelog(), 0, kPatience);
    EXPECT_TRUE(writer) << writer.error().what;
    return writer ? *writer : std::nullopt;
  };
  const auto done = world_->writer(world_->id("txn"));
  const std::string id = world_->id("gone");
  const auto left_open = world_->writer(id);
  ASSERT_EQ(commit(*done, {"a"}, *source).outcome, Outcome::kCommitted);
  ASSERT_TRUE(settled(*broker));
  EXPECT_EQ(hiding(), std::nullopt);
  const Header said[] = {{kWriterHeader, id}};
  const std::int64_t end = marks(*broker).end;
  ASSERT_TRUE(begins(*left_open));
  ASSERT_TRUE(left_open->produce(OutputTopic::kChangelog, 0, "b", "v", said));
  put(*left_open, {"c"});
  ASSERT_TRUE(eventually([&] {
    world_->wait(kStep);
    return marks(*broker).end >= end + 2;
  }));
  EXPECT_EQ(hiding(), id);
  ASSERT_EQ(left_open->abort().outcome, Outcome::kAborted);
  ASSERT_TRUE(settled(*broker));
  EXPECT_EQ(hiding(), std::nullopt);
}

TEST_F(PortsTest, ATopicTellsItsPartitionsAndAMissingOneThatItIsNotThere) {
  const auto broker = world_->broker();
  const auto count = broker->partition_count(changelog(), kPatience);
  ASSERT_TRUE(count) << count.error().what;
  EXPECT_EQ(*count, 2);
  const auto missing = broker->partition_count(changelog() + "-missing", kPatience);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kUnavailable) << missing.error().what;
}

// --- offsets ---

TEST_F(PortsTest, MetadataComesBackAndMovesWithoutTheOffset) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  EXPECT_EQ(committed(*source).next_offset, std::nullopt);
  const auto log = world_->writer(world_->id("txn"));
  for (const std::string metadata : {"1/w", "2/w"}) {
    ASSERT_EQ(commit(*log, {"k"}, *source, metadata).outcome, Outcome::kCommitted);
    EXPECT_EQ(committed(*source).next_offset, 1);
    EXPECT_EQ(committed(*source).metadata, metadata);
  }
  EXPECT_EQ(committed(*source, 1).next_offset, std::nullopt);
}

TEST_F(PortsTest, AnOpenTransactionWithoutOffsetsHidesNone) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto broker = world_->broker();
  const auto log = world_->writer(world_->id("txn"));
  ASSERT_EQ(commit(*log, {"a"}, *source, "1").outcome, Outcome::kCommitted);
  ASSERT_TRUE(begins(*log));
  put_until_there(*log, *broker, {"open"});
  EXPECT_EQ(committed(*source).metadata, "1");
  EXPECT_EQ(log->abort().outcome, Outcome::kAborted);
}

TEST_F(PortsTest, WithoutOffsetsOrMembershipNothingIsCommitted) {
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const auto log = world_->writer(world_->id("txn"));
  ASSERT_TRUE(begins(*log));
  put(*log, {"unfenced"});
  EXPECT_EQ(log->commit(at(9, "9"), GroupStamp{}).outcome, Outcome::kAborted);
  ASSERT_TRUE(begins(*log));
  put(*log, {"unfenced"});
  EXPECT_EQ(log->commit({}, source->group()).outcome, Outcome::kAborted);
  ASSERT_EQ(commit(*log, {"a"}, *source).outcome, Outcome::kCommitted);
  EXPECT_EQ(read_all(*world_->broker()), Texts{"a"});
}

TEST_F(PortsTest, AStaleGenerationIsAbortedForCertainAndTheWriterGoesOn) {
  RecordingListener heard;
  RecordingListener other_heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  const GroupStamp stale = source->group();
  const auto other = world_->member("two", other_heard);
  ASSERT_TRUE(eventually([&] {
    (void)source->poll(kStep);
    (void)other->poll(kStep);
    return heard.owned.size() == 1 && other_heard.owned.size() == 1;
  }));
  const GroupStamp fresh = source->group();
  EXPECT_TRUE(fresh.valid());
  EXPECT_FALSE(stale.same_member(fresh));
  const auto log = world_->writer(world_->id("txn"));
  ASSERT_TRUE(begins(*log));
  put(*log, {"stale"});
  EXPECT_EQ(log->commit(at(9, "9"), stale).outcome, Outcome::kAborted);
  EXPECT_EQ(committed(*source).next_offset, std::nullopt);
  // The group knows who belongs to it, not who owns what: of any partition this is taken.
  const std::int32_t others = *other_heard.owned.begin();
  ASSERT_TRUE(begins(*log));
  put(*log, {"fresh"});
  EXPECT_EQ(log->commit(at(9, "9", others), fresh).outcome, Outcome::kCommitted);
  EXPECT_EQ(committed(*source, others).metadata, "9");
  EXPECT_EQ(read_all(*world_->broker()), Texts{"fresh"});
}

// --- the input ---

TEST_F(PortsTest, NothingComesBeforeActivationAndThenFromExactlyThere) {
  world_->fill_input(0, 0, 5);
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  EXPECT_FALSE(source->activate(0, 0));  // not ours yet
  ASSERT_TRUE(owns(*source, heard, 2));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(std::holds_alternative<Idle>(source->poll(milliseconds(20))));
  }
  EXPECT_FALSE(source->activate(0, -1));
  ASSERT_TRUE(source->activate(0, 3));
  EXPECT_FALSE(source->activate(0, 3));
  EXPECT_EQ(values(*source, 2), (Texts{"0-3", "0-4"}));
  std::optional<std::int64_t> end;
  eventually([&] {
    const Polled polled = source->poll(kStep);
    if (const auto* told = std::get_if<PartitionEnd>(&polled)) end = told->next_offset;
    return end.has_value();
  });
  EXPECT_EQ(end, 5);
  EXPECT_EQ(source->last_known_end(0), 5);
  world_->fill_input(0, 5, 6);
  EXPECT_EQ(values(*source, 1), Texts{"0-5"});
}

TEST_F(PortsTest, AnOffsetThatIsNotInTheInputIsSaidAndTheOthersGoOn) {
  world_->fill_input(0, 0, 3);
  world_->fill_input(1, 0, 3);
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  ASSERT_TRUE(source->activate(0, 1'000));
  const auto told = trouble(*source, SourceTrouble::Kind::kOffsetOutOfRange);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->partition, 0);
  ASSERT_TRUE(source->activate(1, 1));
  EXPECT_EQ(values(*source, 2), (Texts{"1-1", "1-2"}));
}

TEST_F(PortsTest, WhatIsIgnoredIsSilentAndComesBackByRejoining) {
  world_->fill_input(0, 0, 2);
  RecordingListener heard;
  const auto source = world_->member("one", heard);
  ASSERT_TRUE(owns(*source, heard, 2));
  ASSERT_TRUE(source->activate(0, 0));
  ASSERT_TRUE(source->activate(1, 0));
  EXPECT_EQ(values(*source, 2), (Texts{"0-0", "0-1"}));
  source->ignore(0);
  world_->fill_input(0, 2, 3);
  world_->fill_input(1, 0, 1);
  EXPECT_EQ(values(*source, 1), Texts{"1-0"});
  ASSERT_TRUE(source->rejoin(kPatience));
  EXPECT_EQ(heard.heard, (Heard{"assigned 0 1", "revoked 0 1"}));
  ASSERT_TRUE(owns(*source, heard, 2));
  ASSERT_TRUE(source->activate(0, 1));
  EXPECT_EQ(values(*source, 2), (Texts{"0-1", "0-2"}));
}

// --- members ---

TEST_F(PortsTest, APartitionIsGivenOnlyAfterItWasTaken) {
  new_world(4);
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = world_->member("one", first_heard);
  EXPECT_FALSE(first->group().valid());
  ASSERT_TRUE(owns(*first, first_heard, 4));
  for (std::int32_t p = 0; p < 3; ++p) ASSERT_TRUE(first->activate(p, 0));
  const auto log = world_->writer(world_->id("txn"));
  std::size_t others_at_revoke = 99;
  TransactionResult last;
  first_heard.before_revoked = [&](std::span<const std::int32_t> partitions) {
    others_at_revoke = second_heard.owned.size();
    // The generation is a new one already, and these are ours until this returns.
    EXPECT_TRUE(begins(*log));
    put(*log, {"last"});
    last = log->commit(at(5, "5", partitions.front()), first->group());
  };
  const auto second = world_->member("two", second_heard);
  ASSERT_TRUE(eventually([&] {
    (void)first->poll(kStep);
    (void)second->poll(kStep);
    return first_heard.owned.size() == 2 && second_heard.owned.size() == 2;
  }));
  EXPECT_EQ(others_at_revoke, 0U);
  EXPECT_EQ(last.outcome, Outcome::kCommitted) << last.what;
  std::set<std::int32_t> all = first_heard.owned;
  all.insert(second_heard.owned.begin(), second_heard.owned.end());
  EXPECT_EQ(all.size(), 4U);
  EXPECT_EQ(std::count(first_heard.heard.begin(), first_heard.heard.end(), "lost"), 0);
}

TEST_F(PortsTest, AnotherProcessOfTheSameInstanceFencesTheOlder) {
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = world_->member("one", first_heard);
  ASSERT_TRUE(owns(*first, first_heard, 2));
  const GroupStamp stamp = first->group();
  const auto second = world_->member("one", second_heard);
  ASSERT_TRUE(owns(*second, second_heard, 2));
  const auto log = world_->writer(world_->id("txn"));
  ASSERT_TRUE(begins(*log));
  put(*log, {"older"});
  EXPECT_EQ(log->commit(at(1, "1"), stamp).outcome, Outcome::kAborted);
  EXPECT_TRUE(trouble(*first, SourceTrouble::Kind::kFenced));
}

TEST_F(PortsTest, LeavingHandsOverAtOnceWithALastCommit) {
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = world_->member("one", first_heard);
  ASSERT_TRUE(owns(*first, first_heard, 2));
  const auto second = world_->member("two", second_heard);
  ASSERT_TRUE(eventually([&] {
    (void)first->poll(kStep);
    (void)second->poll(kStep);
    return first_heard.owned.size() == 1 && second_heard.owned.size() == 1;
  }));
  const auto log = world_->writer(world_->id("txn"));
  TransactionResult last;
  first_heard.before_revoked = [&](std::span<const std::int32_t> partitions) {
    EXPECT_TRUE(begins(*log));
    put(*log, {"last"});
    last = log->commit(at(1, "1", partitions.front()), first->group());
  };
  const milliseconds begun = world_->now();
  first->leave(kPatience);
  EXPECT_TRUE(first_heard.owned.empty());
  EXPECT_EQ(last.outcome, Outcome::kCommitted) << last.what;
  ASSERT_TRUE(owns(*second, second_heard, 2));
  EXPECT_LT(world_->now() - begun, milliseconds(5'000));  // a session is 6 s
}

TEST_F(PortsTest, AMemberThatStaysFindsItsPartitionsAndNobodyElseHearsOfIt) {
  RecordingListener first_heard;
  RecordingListener second_heard;
  auto first = world_->member("one", first_heard);
  ASSERT_TRUE(owns(*first, first_heard, 2));
  const auto second = world_->member("two", second_heard);
  ASSERT_TRUE(eventually([&] {
    (void)first->poll(kStep);
    (void)second->poll(kStep);
    return first_heard.owned.size() == 1 && second_heard.owned.size() == 1;
  }));
  for (int i = 0; i < 40; ++i) {  // the rebalance is over for both
    (void)first->poll(kStep);
    (void)second->poll(kStep);
  }
  const auto before = first_heard.owned;
  const auto first_before = first_heard.heard;
  const auto second_before = second_heard.heard;
  first->stay(milliseconds(2'000));
  EXPECT_EQ(first_heard.heard, first_before);  // it hears nothing
  RecordingListener again_heard;
  const auto again = world_->member("one", again_heard);
  ASSERT_TRUE(owns(*again, again_heard, 1));
  EXPECT_EQ(again_heard.owned, before);
  for (int i = 0; i < 40; ++i) (void)second->poll(kStep);
  EXPECT_EQ(second_heard.heard, second_before);
}

// Of static members and cooperative assignment: W8 of worker.hpp.
TEST_F(PortsTest, APartitionWhoseMemberDiesBeforeItGivesItUpIsNobodysUntilSomebodyJoinsAgain) {
  RecordingListener first_heard;
  RecordingListener second_heard;
  auto first = world_->member("one", first_heard);
  ASSERT_TRUE(owns(*first, first_heard, 2));
  const auto second = world_->member("two", second_heard);
  const auto assigned = [&] {
    const auto group = second->assignment(kPatience);
    return group && group->stable ? group->assigned.size() : 0;
  };
  EXPECT_TRUE(
      eventually([&] {  // one partition is to be taken from the first, which does not hear it
        (void)second->poll(kStep);
        return assigned() == 1;
      }));
  EXPECT_EQ(first_heard.heard, Heard{"assigned 0 1"});
  first->stay(milliseconds(2'000));
  RecordingListener again_heard;
  const auto again = world_->member("one", again_heard);
  ASSERT_TRUE(owns(*again, again_heard, 1));
  for (int i = 0; i < 40; ++i) {
    (void)again->poll(kStep);
    (void)second->poll(kStep);
  }
  EXPECT_EQ(assigned(), 1U);
  EXPECT_TRUE(second_heard.owned.empty());
  ASSERT_TRUE(again->rejoin(kPatience));
  EXPECT_TRUE(eventually([&] {
    (void)again->poll(kStep);
    (void)second->poll(kStep);
    return again_heard.owned.size() == 1 && second_heard.owned.size() == 1;
  }));
  EXPECT_EQ(assigned(), 2U);
}

TEST_F(PortsTest, AMemberThatIsGoneLosesItsPartitionsAfterItsSession) {
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = world_->member("one", first_heard);
  ASSERT_TRUE(owns(*first, first_heard, 2));
  first->stay(kPatience);
  const milliseconds begun = world_->now();
  const auto second = world_->member("two", second_heard);
  ASSERT_TRUE(owns(*second, second_heard, 2));
  EXPECT_GT(world_->now() - begun, milliseconds(3'000));
  EXPECT_LT(world_->now() - begun, milliseconds(12'000));
}

TEST_F(PortsTest, AMemberThatSleptHearsOfItsLossAndItsCommitIsRefused) {
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = world_->member("one", first_heard);
  ASSERT_TRUE(owns(*first, first_heard, 2));
  ASSERT_TRUE(first->activate(0, 0));
  const GroupStamp stamp = first->group();
  const auto second = world_->member("two", second_heard);
  ASSERT_TRUE(owns(*second, second_heard, 2));  // the first one does not poll
  EXPECT_EQ(first_heard.heard, Heard{"assigned 0 1"});
  // Its stamp of then is refused by the broker, the one of now is of no use.
  EXPECT_FALSE(first->group().valid());
  const auto log = world_->writer(world_->id("txn"));
  ASSERT_TRUE(begins(*log));
  put(*log, {"asleep"});
  EXPECT_EQ(log->commit(at(1, "1"), stamp).outcome, Outcome::kAborted);
  // It may be told "revoked" of what another has already; but never with a stamp that counts.
  bool told_with_a_valid_stamp = false;
  first_heard.before_revoked = [&](std::span<const std::int32_t>) {
    told_with_a_valid_stamp = told_with_a_valid_stamp || first->group().valid();
  };
  ASSERT_TRUE(eventually([&] {
    (void)first->poll(kStep);
    return first_heard.owned.empty();
  }));
  EXPECT_FALSE(told_with_a_valid_stamp);
  // And it joins again by itself.
  ASSERT_TRUE(eventually([&] {
    (void)first->poll(kStep);
    (void)second->poll(kStep);
    return first_heard.owned.size() == 1 && second_heard.owned.size() == 1;
  }));
}

}  // namespace
}  // namespace segmentd::test
