// Whether store, changelog, group and input fit together, told from what was found of them.
#include <string>

#include <gtest/gtest.h>

#include "daemon/inspect/report.hpp"
#include "daemon/inspect/verdict.hpp"
#include "daemon/pipeline/offset_mark.hpp"

namespace segmentd {
namespace {

constexpr std::int64_t kTransaction = 7;
constexpr std::int64_t kNextOffset = 100;
constexpr std::int64_t kChangelogEnd = 30;
constexpr const char* kWriter = "shop-a-0";
constexpr const char* kWriters = "shop-a-";

Meta meta_at(std::int64_t txn_seq, std::int64_t next_offset) {
  Meta meta;
  meta.txn_seq = txn_seq;
  meta.next_offset = next_offset;
  meta.last_applied.offset = next_offset - 1;
  meta.store_uuid = "uuid-1";
  meta.writer = kWriter;
  return meta;
}

CommittedOffset committed_at(std::int64_t txn_seq, std::int64_t next_offset) {
  return {
      .partition = 0, .next_offset = next_offset, .metadata = offset_metadata({txn_seq, kWriter})};
}

/// Everything in its place: ten customers, all applied.
PartitionFound sound() {
  PartitionFound found;
  found.store.exists = true;
  found.store.meta = meta_at(kTransaction, kNextOffset);
  found.store.position = Position{kChangelogEnd, std::nullopt};
  found.store.rows = {10, 1234, 0, ""};
  ChangelogFound log;
  log.marks = {0, kChangelogEnd, kChangelogEnd};
  log.records = 25;
  log.meta = found.store.meta;
  log.meta_offset = kChangelogEnd - 2;
  log.rows = found.store.rows;
  found.changelog = log;
  found.group =
      GroupFound{committed_at(kTransaction, kNextOffset), committed_at(kTransaction, kNextOffset)};
  found.input = InputFound{{0, kNextOffset, kNextOffset}, LastAppliedFate::kSame};
  return found;
}

PartitionFound without_store() {
  PartitionFound found = sound();
  found.store = {};
  return found;
}

void lose_state(ChangelogFound& log) {
  log.meta.reset();
  log.meta_offset = -1;
  log.rows = {};
}

std::string all_of(const std::vector<Remark>& remarks) {
  std::string text;
  for (const Remark& remark : remarks) text += remark.what + "\n";
  return text;
}

void expect_says(const PartitionFound& found, bool safe, const std::string& words,
                 bool held = false) {
  const auto remarks = judge_partition(found, {held, kWriters});
  EXPECT_EQ(is_safe(remarks), safe) << all_of(remarks);
  EXPECT_NE(all_of(remarks).find(words), std::string::npos) << words << "\n" << all_of(remarks);
}

void expect_safe(const PartitionFound& found, const std::string& words, bool held = false) {
  expect_says(found, true, words, held);
}
void expect_unsafe(const PartitionFound& found, const std::string& words, bool held = false) {
  expect_says(found, false, words, held);
}

TEST(Verdict, WhatFitsIsSafe) {
  const auto remarks = judge_partition(sound(), {false, kWriters});
  EXPECT_TRUE(is_safe(remarks));
  EXPECT_EQ(remarks.size(), 4U) << all_of(remarks);
  expect_safe(sound(), "the store is equal to the changelog");
  expect_safe(sound(), "the group's offset 100 and the state's end are of the same transaction 7");
  expect_safe(sound(), "the record applied last lies at offset 99 still; nothing to be read");
}

TEST(Verdict, NothingAnywhereIsSafe) {
  PartitionFound found = without_store();
  lose_state(*found.changelog);
  found.group = GroupFound{};
  found.input->last_applied = LastAppliedFate::kNotThere;
  expect_safe(found, "no state yet");
  found.changelog->exists = false;
  expect_safe(found, "no state yet");
}

// --- the store alone ---

TEST(Verdict, ADamagedStoreIsUnsafeUnlessItIsWorkedOn) {
  PartitionFound found = sound();
  found.store.meta.reset();
  found.store.unreadable = "Corruption: block checksum mismatch";
  expect_unsafe(found, "the store is damaged: Corruption");
  expect_unsafe(found, "segmentd state rebuild");
  expect_safe(found, "could not be read while it is worked on", true);
}

TEST(Verdict, ARowThatCannotBeReadIsUnsafe) {
  PartitionFound found = sound();
  found.store.rows.damaged = 1;
  found.store.rows.damage = "the checksum does not fit the bytes";
  expect_unsafe(found, "1 row of 10 cannot be read (the checksum does not fit the bytes)");
}

TEST(Verdict, AStoreOfOtherSettingsIsUnsafe) {
  PartitionFound found = sound();
  found.store.misfits = {"decimals is '2', the state was made under '3'"};
  expect_unsafe(found, "does not fit: decimals is '2'");
}

TEST(Verdict, WithoutKafkaTheStoreIsJudgedAlone) {
  PartitionFound found = sound();
  found.changelog.reset();
  found.group.reset();
  found.input.reset();
  const auto remarks = judge_partition(found, {false, kWriters});
  EXPECT_EQ(remarks.size(), 1U) << all_of(remarks);
  expect_safe(found, "the store reads well: 10 rows");
}

// --- store and changelog ---

TEST(Verdict, BehindTheChangelogIsNormal) {
  PartitionFound found = sound();
  found.store.meta = meta_at(kTransaction - 2, kNextOffset - 20);
  found.store.position->next_offset = kChangelogEnd - 9;
  found.store.rows.digest = 99;
  found.changelog->records_ahead = 6;
  expect_safe(found, "behind the changelog by 6 records: normal after a kill");
  expect_safe(found, "as of its last flush", true);
}

TEST(Verdict, AStoreInWhichNothingWasFlushedYetIsBehind) {
  PartitionFound found = sound();
  found.store.meta.reset();
  found.store.position.reset();
  found.store.rows = {};
  found.changelog->marks.first = 3;  // what compaction took is nothing that it lacks
  found.changelog->records_ahead = 25;
  expect_safe(found,
              "the store holds nothing yet and is behind the changelog by 25 records: normal");
  expect_safe(found, "by 25 records, as of its last flush: it is worked on", true);
}

TEST(Verdict, AStoreWhosePartitionWentToAnotherMemberIsToldSo) {
  PartitionFound found = sound();
  found.changelog->records_ahead = 6;
  ++found.changelog->meta->txn_seq;
  found.changelog->meta->writer = "shop-b-1";
  found.group->before.metadata = found.group->after.metadata =
      offset_metadata({kTransaction + 1, "shop-b-1"});
  for (const bool held : {false, true}) {
    expect_safe(found, "by 6 records: shop-b-1 has worked on the partition since", held);
  }
}

TEST(Verdict, ARestoreThatWasInterruptedGoesOn) {
  PartitionFound found = sound();
  found.store.meta.reset();
  found.store.position->next_offset = 5;
  found.store.rows.digest = 99;
  found.changelog->records_ahead = 20;
  expect_safe(found, "the store holds nothing yet and is behind the changelog by 20 records");
}

TEST(Verdict, OtherRowsAtTheSamePlaceAreUnsafe) {
  PartitionFound found = sound();
  ++found.store.rows.digest;
  expect_unsafe(found, "its rows are not the changelog's");
  found = sound();
  found.store.meta = meta_at(kTransaction - 1, kNextOffset - 5);
  expect_unsafe(found, "it knows transaction 6 of shop-a-0 and the changelog transaction 7");
}

TEST(Verdict, AStoreOfAnotherChangelogIsUnsafe) {
  PartitionFound found = sound();
  found.store.meta->store_uuid = "uuid-2";
  expect_unsafe(found,
                "the store is of another changelog: store uuid-2, the changelog holds uuid-1");
}

TEST(Verdict, AStoreAheadOfTheChangelogIsUnsafe) {
  PartitionFound found = sound();
  found.store.meta = meta_at(kTransaction + 1, kNextOffset + 5);
  expect_unsafe(found, "the store is ahead of the changelog: it knows transaction 8");
}

TEST(Verdict, TheSameTransactionOfTwoWritersIsUnsafe) {
  PartitionFound found = sound();
  found.store.meta->writer = "shop-b-0";
  expect_unsafe(found, "transaction 7 is of shop-b-0 in the store and of shop-a-0");
}

TEST(Verdict, APositionOutsideTheChangelogIsUnsafe) {
  PartitionFound found = sound();
  found.store.position->next_offset = kChangelogEnd + 1;
  expect_unsafe(found, "the changelog ends at 30: it was made anew");
  found = sound();
  found.changelog->marks.first = 12;
  found.store.position->next_offset = 11;
  expect_unsafe(found, "the changelog begins at 12");
}

TEST(Verdict, TheOnlyCopyIsNotToBeLost) {
  PartitionFound found = sound();
  lose_state(*found.changelog);
  expect_unsafe(found, "the changelog has none: it was deleted or made anew");
  found.changelog->exists = false;
  expect_unsafe(found, "does not exist: it was deleted or made anew, and this store is the only");
}

TEST(Verdict, ADamagedChangelogIsUnsafe) {
  PartitionFound found = sound();
  found.changelog->meta.reset();
  found.changelog->unreadable = "META at offset 28: the checksum does not fit the bytes";
  expect_unsafe(found, "the changelog is damaged: META at offset 28");
  found = sound();
  found.changelog->rows.damaged = 2;
  expect_unsafe(found, "the changelog is damaged: 2 rows of 10");
}

TEST(Verdict, WithoutAStoreTheChangelogGivesItBack) {
  expect_safe(without_store(), "no store here: the changelog gives it back, 10 customers");
}

// --- the group's offset ---

TEST(Verdict, AnOffsetOfALaterTransactionMeansThatTheChangelogLostRecords) {
  PartitionFound found = sound();
  found.group->before = found.group->after = committed_at(kTransaction + 1, kNextOffset + 5);
  expect_unsafe(found, "The changelog lost records");
}

TEST(Verdict, AnOffsetThatWasSetByHandIsUnsafe) {
  PartitionFound found = sound();
  found.group->after = {.partition = 0, .next_offset = 3, .metadata = ""};
  expect_unsafe(found, "the group's offset 3 does not say which transaction it belongs to");
  expect_unsafe(found, "Put 100 back, with the metadata '7/shop-a-0'");
  found.group->after = committed_at(kTransaction - 1, kNextOffset - 5);
  expect_unsafe(found, "Somebody set the offset by hand");
  found.group->after = committed_at(kTransaction, kNextOffset - 5);
  expect_unsafe(found, "Somebody set the offset by hand");
  found.group->after = committed_at(kTransaction, kNextOffset);
  found.group->after.metadata = offset_metadata({kTransaction, "shop-b-0"});
  expect_unsafe(found, "belongs to transaction 7 of shop-b-0");
}

TEST(Verdict, AnOffsetThatMovesMeanwhileIsSafe) {
  PartitionFound found = sound();
  found.group->before = committed_at(kTransaction - 3, kNextOffset - 30);
  found.group->after = committed_at(kTransaction + 2, kNextOffset + 20);
  expect_safe(found, "moves on while this is read: transactions 4 to 9", true);
  found.group->before = committed_at(kTransaction + 1, kNextOffset + 10);
  expect_unsafe(found, "The changelog lost records", true);
}

TEST(Verdict, WithoutAnOffsetTheStateIsTheTruth) {
  PartitionFound found = sound();
  found.group = GroupFound{};
  expect_safe(found, "the group has no committed offset");
}

TEST(Verdict, AnOffsetWithoutStateIsUnsafe) {
  PartitionFound found = without_store();
  lose_state(*found.changelog);
  expect_unsafe(found, "the group has a committed offset (100) but there is no state");
}

// --- the input ---

TEST(Verdict, AnInputThatIsNotTheOneItWasIsUnsafe) {
  PartitionFound found = sound();
  found.input->last_applied = LastAppliedFate::kDiffers;
  expect_unsafe(found, "the record applied last, at offset 99, is not in the input any more");
  found = sound();
  found.input = InputFound{{0, 50, 50}, LastAppliedFate::kNotThere};
  expect_unsafe(found, "ends at 50, but the state goes on at 100");
}

TEST(Verdict, RecordsThatWereDeletedUnreadAreUnsafe) {
  PartitionFound found = sound();
  found.input = InputFound{{110, 200, 200}, LastAppliedFate::kNotThere};
  expect_unsafe(found, "10 offsets were deleted before they were read");
  found.input->marks.first = kNextOffset;
  expect_safe(found, "goes on at offset 100; up to 100 records to be read");
}

TEST(Verdict, WhatWasNotAnsweredIsToldAndNotJudged) {
  PartitionFound found = sound();
  found.input.reset();
  found.unanswered = {"the input: no answer"};
  expect_safe(found, "not looked at: the input: no answer");
}

// --- rebuilding ---

TEST(Rebuilding, IsFineWhereTheChangelogHasTheState) {
  EXPECT_EQ(loss_of_rebuilding(sound()), std::nullopt);
  PartitionFound found = sound();
  found.store.meta.reset();
  found.store.unreadable = "damaged";
  EXPECT_EQ(loss_of_rebuilding(found), std::nullopt);
  found = sound();
  found.store.meta->store_uuid = "uuid-2";  // what the daemon would do by itself
  EXPECT_EQ(loss_of_rebuilding(found), std::nullopt);
  found = sound();
  found.group = GroupFound{};
  EXPECT_EQ(loss_of_rebuilding(found), std::nullopt);
}

TEST(Rebuilding, IsRefusedWhereSomethingWouldBeLost) {
  const auto expect_loss = [](const PartitionFound& found, const std::string& words) {
    const auto loss = loss_of_rebuilding(found);
    ASSERT_TRUE(loss) << words;
    EXPECT_NE(loss->find(words), std::string::npos) << *loss;
  };
  PartitionFound found = sound();
  found.changelog->exists = false;
  expect_loss(found, "does not exist");
  found = sound();
  lose_state(*found.changelog);
  expect_loss(found, "holds no state of this partition");
  found = sound();
  found.changelog->unreadable = "META: too short";
  expect_loss(found, "damaged: META: too short");
  found = sound();
  found.changelog->rows.damaged = 3;
  expect_loss(found, "3 rows cannot be read");
  found = sound();
  found.store.meta = meta_at(kTransaction + 1, kNextOffset + 5);
  expect_loss(found, "behind the store: it ends with transaction 7, the store with 8");
  found = sound();
  found.group->after = committed_at(kTransaction + 1, kNextOffset + 5);
  expect_loss(found, "behind the group's offset");
}

// --- the report ---

TEST(Inspecting, TheTextEndsWithTheVerdict) {
  Inspection found;
  found.directory = "/var/lib/segmentd";
  found.application = "shop";
  found.instance = "a";
  found.partitions = {sound(), sound()};
  found.partitions[1].number = 1;
  EXPECT_TRUE(is_safe(found));
  std::string text = inspection_text(found, Instant{0});
  EXPECT_NE(text.find("held              by nobody\n"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\nconsistent\n")) << text;
  found.partitions[1].store.rows.damaged = 1;
  found.held = "4711";
  EXPECT_FALSE(is_safe(found));
  text = inspection_text(found, Instant{0});
  EXPECT_NE(text.find("held              by process 4711\n"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\nNOT SAFE: 1 of 2 partitions\n")) << text;
}

TEST(Inspecting, AgesAreTold) {
  Inspection found;
  found.partitions = {sound()};
  const Instant now{1'700'000'000'000};
  const auto told = [&](std::int64_t age_ms) {
    found.partitions[0].store.position->complete_at = now - age_ms;
    return inspection_text(found, now);
  };
  EXPECT_NE(told(12'000).find("2023-11-14T22:13:08.000Z, 12 s ago"), std::string::npos);
  EXPECT_NE(told(119'000).find(", 119 s ago"), std::string::npos);
  EXPECT_NE(told(120'000).find(", 2 min ago"), std::string::npos);
  EXPECT_NE(told(47 * kMsPerHour).find(", 47 h ago"), std::string::npos);
  EXPECT_NE(told(3 * kMsPerDay).find(", 3 d ago"), std::string::npos);
}

}  // namespace
}  // namespace segmentd
