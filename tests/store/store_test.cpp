// The sentences S1-S7 of state/store.hpp, held against every store. What only a store on disk can
// be held to is in rocks_store_test.cpp.
#include "state/store.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "state/codec.hpp"
#include "state/memory_store.hpp"
#include "state/rocks_store.hpp"
#include "tests/support/stores.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

namespace fs = std::filesystem;
using test::opened;
using test::puts;
using test::Rows;
using test::scanned;
using test::value_of;

struct Implementation {
  const char* name;
  std::unique_ptr<Store> (*open)(const fs::path& directory);
};

class StoreContract : public ::testing::TestWithParam<Implementation> {
 protected:
  test::TempDirectory directory_;
  std::unique_ptr<Store> store_ = GetParam().open(directory_.path("partition-0"));
};

TEST_P(StoreContract, AnEmptyStoreHasNothing) {
  EXPECT_EQ(value_of(*store_, "c/1"), std::nullopt);
  EXPECT_EQ(store_->position(), std::nullopt);
  EXPECT_TRUE(scanned(*store_, "").empty());
}

TEST_P(StoreContract, AWriteIsSeenWholeWithItsPosition) {
  const Position position{42, Instant{1000}};
  ASSERT_TRUE(store_->write(puts({{"c/1", "one"}, {"c/2", ""}, {"META", "m"}}), position));
  EXPECT_EQ(value_of(*store_, "c/1"), "one");
  EXPECT_EQ(value_of(*store_, "c/2"), "");
  EXPECT_EQ(value_of(*store_, "META"), "m");
  EXPECT_EQ(store_->position(), position);
}

TEST_P(StoreContract, AnEmptyWriteMovesThePosition) {
  ASSERT_TRUE(store_->write({}, Position{7, {}}));
  EXPECT_EQ(store_->position(), (Position{7, {}}));
}

TEST_P(StoreContract, TheLastEntryOfAKeyHolds) {
  const std::vector<RowWrite> rows{{"c/1", "old"}, {"c/1", "new"}, {"c/2", "x"}, {"c/2", {}}};
  ASSERT_TRUE(store_->write(rows, {}));
  EXPECT_EQ(value_of(*store_, "c/1"), "new");
  EXPECT_EQ(value_of(*store_, "c/2"), std::nullopt);
}

TEST_P(StoreContract, ADeletedKeyIsGone) {
  ASSERT_TRUE(store_->write(puts({{"c/1", "one"}}), {}));
  ASSERT_TRUE(store_->flush());
  ASSERT_TRUE(store_->write(std::vector<RowWrite>{{"c/1", {}}, {"c/none", {}}}, {}));
  EXPECT_EQ(value_of(*store_, "c/1"), std::nullopt);
  EXPECT_TRUE(scanned(*store_, "").empty());
}

TEST_P(StoreContract, ScanGoesByBytesAndKeepsToThePrefix) {
  const std::string high = "c/\xff";
  ASSERT_TRUE(store_->write(
      puts({{"c/b", "2"}, {high, "3"}, {"c/a", "1"}, {"META", "m"}, {"d/", "4"}, {"POSITIO", "5"}}),
      {}));
  EXPECT_EQ(scanned(*store_, kRowPrefix), (Rows{{"c/a", "1"}, {"c/b", "2"}, {high, "3"}}));
  EXPECT_EQ(scanned(*store_, "").size(), 6U) << "the position is never seen";
  EXPECT_EQ(scanned(*store_, "P").size(), 1U);
  EXPECT_TRUE(scanned(*store_, "c/b0").empty());
}

TEST_P(StoreContract, AnErrorOfTheVisitorEndsTheScan) {
  ASSERT_TRUE(store_->write(puts({{"c/a", "1"}, {"c/b", "2"}}), {}));
  int visits = 0;
  const Result<void> scan = store_->scan("c/", [&](std::string_view, std::string_view) {
    ++visits;
    return Result<void>(Error{Errc::kCorrupt, "enough"});
  });
  ASSERT_FALSE(scan);
  EXPECT_EQ(scan.error().what, "enough");
  EXPECT_EQ(visits, 1);
}

TEST_P(StoreContract, MultiGetGivesEachKeysValueInItsPlace) {
  Rows rows;
  for (int i = 0; i < 1000; ++i) rows.emplace_back("c/" + std::to_string(i), std::to_string(i * i));
  ASSERT_TRUE(store_->write(puts(rows), {}));
  ASSERT_TRUE(store_->flush());
  ASSERT_TRUE(store_->write(std::vector<RowWrite>{{"c/7", {}}, {"c/8", "eight"}}, {}));
  std::vector<std::string> wanted{"absent", "z"};
  for (int i = 0; i < 1000; i += 1) wanted.push_back("c/" + std::to_string(i));
  std::sort(wanted.begin(), wanted.end());
  const std::vector<std::string_view> keys(wanted.begin(), wanted.end());
  std::vector<std::optional<std::string>> values{"left over"};
  ASSERT_TRUE(store_->multi_get(keys, values));
  ASSERT_EQ(values.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    EXPECT_EQ(values[i], value_of(*store_, keys[i])) << keys[i];
  ASSERT_TRUE(store_->multi_get({}, values));
  EXPECT_TRUE(values.empty());
}

TEST_P(StoreContract, KeysAndValuesAreAnyBytes) {
  const std::string key("c/\0\n\xff", 5);
  const std::string value(100'000, '\0');
  ASSERT_TRUE(store_->write(puts({{key, value}}), {}));
  EXPECT_EQ(value_of(*store_, key), value);
}

TEST_P(StoreContract, UnflushedRowsAreCounted) {
  ASSERT_TRUE(store_->write(puts({{"c/a", "1"}, {"c/b", "2"}}), {}));
  EXPECT_GE(store_->statistics().unflushed_rows, 2U);
  EXPECT_GE(store_->statistics().rows, 2U);
}

const auto kImplementations = ::testing::Values(
    Implementation{
        "Memory",
        [](const fs::path&) -> std::unique_ptr<Store> { return std::make_unique<MemoryStore>(); }},
    Implementation{"Rocks", [](const fs::path& directory) -> std::unique_ptr<Store> {
                     return opened(directory);
                   }});
std::string name_of(const ::testing::TestParamInfo<Implementation>& implementation) {
  return implementation.param.name;
}
INSTANTIATE_TEST_SUITE_P(Store, StoreContract, kImplementations, name_of);

// Without a directory: a process that dies in a test leaves it behind.
TEST(StoreDeathTest, AnUnsortedMultiGetIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  MemoryStore store;
  std::vector<std::optional<std::string>> values;
  EXPECT_DEATH((void)store.multi_get(std::vector<std::string_view>{"b", "a"}, values), "ascending");
  EXPECT_DEATH((void)store.multi_get(std::vector<std::string_view>{"a", "a"}, values), "ascending");
}

TEST(StoreDeathTest, WritingThePositionByHandIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  MemoryStore store;
  EXPECT_DEATH((void)store.write(puts({{"POSITION", "1"}}), {}), "store's own");
}

}  // namespace
}  // namespace segmentd
