// The group and the records, on a real broker.
#include <algorithm>
#include <chrono>

#include <gtest/gtest.h>

#include "tests/kafka/test_broker.hpp"

namespace segmentd::test {
namespace {

using Heard = std::vector<std::string>;
using Values = std::vector<std::string>;

TEST(Source, OwnsEverythingAloneAndGetsNothingBeforeActivation) {
  const Scene scene(2);
  scene.fill_input(0, 0, 3);
  RecordingListener listener;
  const auto source = scene.member("one", listener);
  ASSERT_TRUE(poll_until_owned(*source, listener, 2));
  EXPECT_EQ(listener.heard, Heard{"assigned 0 1"});
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(std::holds_alternative<Idle>(source->poll(milliseconds(20))));
  }
}

TEST(Source, ReadsFromExactlyTheOffsetGiven) {
  const Scene scene(2);
  scene.fill_input(0, 0, 5);
  scene.fill_input(1, 0, 2);
  RecordingListener listener;
  const auto source = scene.member("one", listener);
  ASSERT_TRUE(poll_until_owned(*source, listener, 2));
  ASSERT_TRUE(source->activate(0, 3));
  EXPECT_EQ(poll_values(*source, 2), (Values{"0-3", "0-4"}));
  ASSERT_TRUE(source->activate(1, 0));
  EXPECT_EQ(poll_values(*source, 2), (Values{"1-0", "1-1"}));
}

TEST(Source, TellsTheRecordWholeAndTheEndOfThePartition) {
  const Scene scene(1);
  const auto player = kafka::Player::open(scene.settings, scene.input);
  ASSERT_TRUE(player);
  const auto before = std::chrono::system_clock::now();
  ASSERT_TRUE((*player)->play("k", ""));
  ASSERT_TRUE((*player)->play(std::nullopt, std::nullopt));
  ASSERT_TRUE((*player)->flush(kPatience));
  RecordingListener listener;
  const auto source = scene.member("one", listener);
  ASSERT_TRUE(poll_until_owned(*source, listener, 1));
  ASSERT_TRUE(source->activate(0, 0));
  int ends = 0;
  auto came = poll_until(*source, [&] { return ++ends > 3 && source->last_known_end(0) == 2; });
  for (int i = 0; came.size() < 3 && i < 100; ++i) {
    Polled polled = source->poll(milliseconds(100));
    if (!std::holds_alternative<Idle>(polled)) came.push_back(std::move(polled));
  }
  ASSERT_EQ(came.size(), 3U);
  const auto& first = std::get<Message>(came[0]);
  EXPECT_EQ(first.key, "k");
  EXPECT_EQ(first.value, "");
  EXPECT_EQ(first.offset, 0);
  const auto ms = std::chrono::duration_cast<milliseconds>(before.time_since_epoch()).count();
  EXPECT_GE(first.timestamp_ms, ms);
  EXPECT_LT(first.timestamp_ms, ms + 60'000);
  const auto& second = std::get<Message>(came[1]);
  EXPECT_EQ(second.key, std::nullopt);
  EXPECT_EQ(second.value, std::nullopt);
  EXPECT_EQ(std::get<PartitionEnd>(came[2]).next_offset, 2);
  EXPECT_EQ(source->last_known_end(0), 2);
}

TEST(Source, TellsTheEndAgainAfterMoreCame) {
  const Scene scene(1);
  RecordingListener listener;
  const auto source = scene.member("one", listener);
  ASSERT_TRUE(poll_until_owned(*source, listener, 1));
  ASSERT_TRUE(source->activate(0, 0));
  std::vector<std::int64_t> ends;
  const auto note_end = [&] {
    const Polled polled = source->poll(milliseconds(100));
    if (const auto* end = std::get_if<PartitionEnd>(&polled)) ends.push_back(end->next_offset);
  };
  for (int i = 0; ends.empty() && i < 100; ++i) note_end();
  scene.fill_input(0, 0, 2);
  for (int i = 0; ends.size() < 2 && i < 100; ++i) note_end();
  EXPECT_EQ(ends.front(), 0);
  EXPECT_EQ(ends.back(), 2);
}

TEST(Source, RefusesToActivateWhatIsNotOursOrActive) {
  const Scene scene(1);
  RecordingListener listener;
  const auto source = scene.member("one", listener);
  EXPECT_FALSE(source->activate(0, 0));
  ASSERT_TRUE(poll_until_owned(*source, listener, 1));
  EXPECT_FALSE(source->activate(5, 0));
  EXPECT_FALSE(source->activate(0, -1));
  EXPECT_TRUE(source->activate(0, 0));
  EXPECT_FALSE(source->activate(0, 0));
}

TEST(Source, SaysThatAnOffsetIsNotInTheLog) {
  const Scene scene(2);
  scene.fill_input(0, 0, 3);
  scene.fill_input(1, 0, 3);
  RecordingListener listener;
  const auto source = scene.member("one", listener);
  ASSERT_TRUE(poll_until_owned(*source, listener, 2));
  ASSERT_TRUE(source->activate(0, 1000));
  std::optional<SourceTrouble> trouble;
  for (int i = 0; !trouble && i < 100; ++i) {
    Polled polled = source->poll(milliseconds(100));
    if (auto* told = std::get_if<SourceTrouble>(&polled)) trouble = *told;
  }
  ASSERT_TRUE(trouble);
  EXPECT_EQ(trouble->kind, SourceTrouble::Kind::kOffsetOutOfRange) << trouble->what;
  EXPECT_EQ(trouble->partition, 0);
  ASSERT_TRUE(source->activate(1, 1));  // the others go on
  EXPECT_EQ(poll_values(*source, 2), (Values{"1-1", "1-2"}));
}

TEST(Source, ASecondMemberTakesItsShareAfterTheFirstWasToldToLetGo) {
  const Scene scene(4);
  for (std::int32_t p = 0; p < 4; ++p) scene.fill_input(p, 0, 2);
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = scene.member("one", first_heard);
  ASSERT_TRUE(poll_until_owned(*first, first_heard, 4));
  for (std::int32_t p = 0; p < 3; ++p) ASSERT_TRUE(first->activate(p, 0));  // 3 stays inactive
  poll_values(*first, 6);
  std::optional<GroupStamp> at_revoke;
  std::size_t others_at_revoke = 99;
  first_heard.before_revoked = [&](auto) {
    at_revoke = first->group();
    others_at_revoke = second_heard.owned.size();
  };
  const auto second = scene.member("two", second_heard);
  poll_until(*first, [&] {
    (void)second->poll(milliseconds(10));
    return first_heard.owned.size() == 2 && second_heard.owned.size() == 2;
  });
  ASSERT_EQ(second_heard.owned.size(), 2U);
  EXPECT_EQ(others_at_revoke, 0U);
  ASSERT_TRUE(at_revoke);
  EXPECT_TRUE(at_revoke->valid());
  std::set<std::int32_t> all = first_heard.owned;
  all.insert(second_heard.owned.begin(), second_heard.owned.end());
  EXPECT_EQ(all.size(), 4U);
  // What stayed goes on where it was, what moved begins where it is told.
  const std::int32_t moved = *second_heard.owned.begin();
  ASSERT_TRUE(second->activate(moved, 1));
  EXPECT_EQ(poll_values(*second, 1), Values{std::to_string(moved) + "-1"});
  const std::int32_t stayed = *first_heard.owned.begin();
  scene.fill_input(stayed, 2, 3);
  EXPECT_EQ(poll_values(*first, 1), Values{std::to_string(stayed) + "-2"});
}

TEST(Source, LeavingHandsOverAtOnce) {
  const Scene scene(4);
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = scene.member("one", first_heard);
  ASSERT_TRUE(poll_until_owned(*first, first_heard, 4));
  ASSERT_TRUE(first->activate(0, 0));
  const auto second = scene.member("two", second_heard);
  poll_until(*first, [&] {
    (void)second->poll(milliseconds(10));
    return second_heard.owned.size() == 2;
  });
  const auto begun = std::chrono::steady_clock::now();
  first->leave(kPatience);
  EXPECT_TRUE(first_heard.owned.empty());
  EXPECT_EQ(first_heard.heard.back().substr(0, 7), "revoked");
  ASSERT_TRUE(poll_until_owned(*second, second_heard, 4));
  // Well within the session of 6 s, which it would take to notice a member that only went silent.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST(Source, AMemberThatStaysFindsItsPartitionsAgain) {
  const Scene scene(2);
  RecordingListener heard;
  auto source = scene.member("one", heard);
  ASSERT_TRUE(poll_until_owned(*source, heard, 2));
  source->stay(kPatience);
  EXPECT_EQ(heard.heard, Heard{"assigned 0 1"});
  RecordingListener again;
  source = scene.member("one", again);
  EXPECT_TRUE(poll_until_owned(*source, again, 2));
}

TEST(Source, ASecondProcessOfTheSameInstanceFencesTheFirst) {
  const Scene scene(1);
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = scene.member("one", first_heard);
  ASSERT_TRUE(poll_until_owned(*first, first_heard, 1));
  const auto second = scene.member("one", second_heard);
  ASSERT_TRUE(poll_until_owned(*second, second_heard, 1));
  std::optional<SourceTrouble> trouble;
  for (int i = 0; !trouble && i < 300; ++i) {
    Polled polled = first->poll(milliseconds(100));
    if (auto* told = std::get_if<SourceTrouble>(&polled)) trouble = *told;
  }
  ASSERT_TRUE(trouble);
  EXPECT_EQ(trouble->kind, SourceTrouble::Kind::kFenced) << trouble->what;
}

TEST(Source, IgnoredPartitionsAreSilentAndComeBackByRejoining) {
  const Scene scene(2);
  scene.fill_input(0, 0, 2);
  RecordingListener heard;
  const auto source = scene.member("one", heard);
  ASSERT_TRUE(poll_until_owned(*source, heard, 2));
  ASSERT_TRUE(source->activate(0, 0));
  ASSERT_TRUE(source->activate(1, 0));
  EXPECT_EQ(poll_values(*source, 2), (Values{"0-0", "0-1"}));
  source->ignore(0);
  scene.fill_input(0, 2, 4);
  scene.fill_input(1, 0, 1);
  EXPECT_EQ(poll_values(*source, 1), Values{"1-0"});
  ASSERT_TRUE(source->rejoin(kPatience));
  EXPECT_EQ(heard.heard, (Heard{"assigned 0 1", "revoked 0 1"}));
  ASSERT_TRUE(poll_until_owned(*source, heard, 2));
  ASSERT_TRUE(source->activate(0, 1));
  EXPECT_EQ(poll_values(*source, 3), (Values{"0-1", "0-2", "0-3"}));
}

TEST(Source, StampNamesMemberAndGeneration) {
  const Scene scene(1);
  RecordingListener heard;
  const auto source = scene.member("one", heard);
  EXPECT_FALSE(source->group().valid());
  ASSERT_TRUE(poll_until_owned(*source, heard, 1));
  const GroupStamp stamp = source->group();
  EXPECT_TRUE(stamp.valid());
  EXPECT_GE(stamp.generation, 1);
  EXPECT_EQ(stamp.member_id.rfind("one-", 0), 0U) << stamp.member_id;
  EXPECT_TRUE(stamp.same_member(source->group()));
}

TEST(Source, KnowsThatNothingWasCommitted) {
  const Scene scene(2);
  RecordingListener heard;
  const auto source = scene.member("one", heard);
  ASSERT_TRUE(poll_until_owned(*source, heard, 2));
  const std::vector<std::int32_t> both{1, 0};
  const auto offsets = source->committed(both, kPatience);
  ASSERT_TRUE(offsets) << offsets.error().what;
  ASSERT_EQ(offsets->size(), 2U);
  EXPECT_EQ((*offsets)[0].partition, 1);
  EXPECT_EQ((*offsets)[0].next_offset, std::nullopt);
  EXPECT_EQ((*offsets)[1].partition, 0);
}

TEST(Source, NamesTheWrongProperty) {
  Scene scene(1);
  scene.settings.properties = {{"fetch.wait.max.ms", "soon"}};
  RecordingListener heard;
  const auto source =
      kafka::open_source(scene.settings, {.topic = scene.input, .instance = "one"}, heard);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Errc::kMisconfigured);
  EXPECT_NE(source.error().what.find("kafka.fetch.wait.max.ms"), std::string::npos)
      << source.error().what;
}

}  // namespace
}  // namespace segmentd::test
