// What is read of a store and of a changelog, sound or damaged.
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "daemon/inspect/look.hpp"
#include "daemon/inspect/row_text.hpp"
#include "daemon/pipeline/partition.hpp"
#include "state/codec.hpp"
#include "tests/support/fake_kafka.hpp"
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

using test::FakeCluster;
using test::FakeRecord;
using test::kFakeChangelog;
using test::kFakeInput;

/// A row with one order.
std::string row(const std::string& id, int number) {
  Record record = test::order("o" + std::to_string(number), test::day(number), 150);
  record.customer_id = id;
  Customer customer;
  customer.id = id;
  EXPECT_EQ(apply(customer, record, Rules{}), Applied::kChanged);
  return encode_row(customer);
}

std::string damaged(std::string bytes) {
  bytes[bytes.size() / 2] ^= 1;
  return bytes;
}

Meta meta(std::int64_t txn_seq) {
  Meta meta;
  meta.txn_seq = txn_seq;
  meta.input_topic = kFakeInput;
  meta.store_uuid = "u";
  meta.writer = "w";
  return meta;
}

class LookTest : public testing::Test {
 protected:
  LookTest() : directory_(*StateDir::open(temp_.path("state"), "shop", "a")), cluster_(1) {}

  void write_store(const std::map<std::string, std::string>& rows, std::int64_t next_offset) {
    const auto store = RocksStore::open(environment_, directory_.partition(0));
    ASSERT_TRUE(store) << store.error().what;
    std::vector<RowWrite> writes;
    for (const auto& [key, value] : rows) writes.push_back({key, value});
    ASSERT_TRUE((*store)->write(writes, Position{next_offset, Instant{5}}));
  }
  void append(const std::string& key, std::optional<std::string> value) {
    cluster_.changelog[0].push_back(FakeRecord{key, std::move(value), 0});
  }
  StoreFound store() { return look_at_store(environment_, directory_, 0, Rules{}); }
  ChangelogFound changelog(std::optional<Position> position = std::nullopt) {
    auto found = look_at_changelog(cluster_, kFakeChangelog, 0, position, Rules{});
    EXPECT_TRUE(found) << found.error().what;
    return found ? *found : ChangelogFound{};
  }

  test::TempDirectory temp_;
  StateDir directory_;
  RocksEnvironment environment_{RocksOptions{.cache_bytes = 8U << 20U}};
  FakeCluster cluster_;
};

TEST_F(LookTest, WhereNoStoreLiesThereIsNone) {
  EXPECT_FALSE(store().exists);
  EXPECT_TRUE(store().unreadable.empty());
}

TEST_F(LookTest, ACompactedChangelogHasTheRowsOfItsStore) {
  write_store({{row_key("a"), row("a", 3)},
               {row_key("b"), row("b", 1)},
               {std::string(kMetaKey), encode_meta(meta(3))}},
              8);
  append(row_key("a"), row("a", 1));
  append(row_key("gone"), row("gone", 1));
  append(std::string(kMetaKey), encode_meta(meta(1)));
  append(row_key("b"), row("b", 1));
  append(row_key("gone"), std::nullopt);
  append(std::string(kMetaKey), encode_meta(meta(2)));
  append(row_key("a"), row("a", 3));
  append(std::string(kMetaKey), encode_meta(meta(3)));
  const StoreFound here = store();
  const ChangelogFound log = changelog(here.position);
  EXPECT_TRUE(here.exists);
  EXPECT_EQ(here.meta, meta(3));
  EXPECT_EQ(log.meta, meta(3));
  EXPECT_EQ(log.meta_offset, 7);
  EXPECT_EQ(log.records, 8);
  EXPECT_EQ(log.records_ahead, 0);
  EXPECT_EQ(changelog(Position{6, std::nullopt}).records_ahead, 2);
  EXPECT_EQ(here.rows.customers, 2);
  EXPECT_EQ(log.rows.customers, 2);
  EXPECT_EQ(here.rows.digest, log.rows.digest);
  EXPECT_EQ(here.rows.damaged + log.rows.damaged, 0);
  EXPECT_GT(here.disk_bytes, 1000);
  append(row_key("a"), row("a", 2));
  EXPECT_NE(changelog().rows.digest, here.rows.digest);
}

TEST_F(LookTest, ADamagedRowIsFoundUnlessANewerOneReplacedIt) {
  write_store({{row_key("a"), damaged(row("a", 1))}, {row_key("b"), row("b", 1)}}, 2);
  EXPECT_EQ(store().rows.damaged, 1);
  EXPECT_EQ(store().rows.damage, "a customer's row: the checksum does not fit the bytes");
  // A row under another customer's key is damage as well.
  append(row_key("a"), row("b", 1));
  append(row_key("c"), row("c", 1));
  EXPECT_EQ(changelog().rows.damaged, 1);
  append(row_key("a"), row("a", 1));
  EXPECT_EQ(changelog().rows.damaged, 0);
}

TEST_F(LookTest, AMetaThatCannotBeReadIsSaid) {
  const std::string bytes = damaged(encode_meta(meta(1)));
  write_store({{std::string(kMetaKey), bytes}}, 1);
  append(std::string(kMetaKey), bytes);
  EXPECT_NE(store().unreadable.find("META: the checksum"), std::string::npos);
  EXPECT_NE(changelog().unreadable.find("offset 0: META: the checksum"), std::string::npos);
}

TEST_F(LookTest, TheRecordAppliedLastIsReadBack) {
  cluster_.input[0] = {FakeRecord{"k", "one", 11}, FakeRecord{"k", "two", 12}};
  const auto fate = [&](std::int64_t offset, const char* value) {
    const Message message = Message::copy_of(0, offset, 12, "k", value);
    Meta applied = meta(1);
    applied.last_applied = {offset, 12, record_hash(message)};
    const auto found = look_at_input(cluster_, kFakeInput, 0, applied);
    EXPECT_TRUE(found);
    return found ? found->last_applied : LastAppliedFate::kNotThere;
  };
  EXPECT_EQ(fate(1, "two"), LastAppliedFate::kSame);
  EXPECT_EQ(fate(1, "other"), LastAppliedFate::kDiffers);
  EXPECT_EQ(fate(0, "one"), LastAppliedFate::kDiffers) << "its timestamp was another";
  EXPECT_EQ(fate(2, "two"), LastAppliedFate::kDiffers) << "beyond the end";
  EXPECT_EQ(fate(-1, ""), LastAppliedFate::kNotThere);
  EXPECT_EQ(look_at_input(cluster_, kFakeInput, 0, std::nullopt)->last_applied,
            LastAppliedFate::kNotThere);
}

TEST_F(LookTest, ARowIsExplained) {
  EncodeContext context;
  context.currency = "EUR";
  const std::string bytes = row("a", 1);
  const std::string text = row_text("a", bytes, Rules{}, context);
  EXPECT_NE(text.find("customer          a\n"), std::string::npos) << text;
  EXPECT_NE(text.find(std::to_string(bytes.size()) + " bytes, format 2, the checksum is right"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("1 counting order on 1 day\n"), std::string::npos) << text;
  EXPECT_NE(text.find("order             o1, "), std::string::npos) << text;
  EXPECT_NE(
      row_text("b", bytes, Rules{}, context).find("cannot be read: a customer's row: the checksum"),
      std::string::npos);
}

}  // namespace
}  // namespace segmentd
