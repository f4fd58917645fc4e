// The stores of a process: one opening at a time, and directories that are kept for a while.
#include "state/partition_stores.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/stores.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

using namespace std::chrono_literals;

constexpr bool kInGroup = true;

class PartitionStoresTest : public testing::Test {
 protected:
  bool lies(std::int32_t p) const { return std::filesystem::exists(directory_.partition(p)); }

  test::TempDirectory temporary_;
  StateDir directory_ = *StateDir::open(temporary_.path("state"), "app", "one");
  RocksEnvironment rocks_{RocksOptions{}};
  PartitionStores::Time now_{1'000s};
};

TEST_F(PartitionStoresTest, AStoreThatIsOpenIsToBeWaitedFor) {
  PartitionStores all(directory_, rocks_, 60s, [this] { return now_; });
  auto one = all.open(3);
  ASSERT_TRUE(one);
  const auto again = all.open(3);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kRetry);
  EXPECT_EQ(all.remove(3).error().code, Errc::kRetry);
  EXPECT_EQ(all.set_aside(3, 1s).error().code, Errc::kRetry);
  EXPECT_TRUE(all.open(4));
  one->reset();
  EXPECT_TRUE(all.open(3));
}

TEST_F(PartitionStoresTest, ADirectoryGoesSomeTimeAfterItsPartitionLeft) {
  PartitionStores all(directory_, rocks_, 60s, [this] { return now_; });
  {
    auto left = all.open(1);
    ASSERT_TRUE(left);
    const std::vector<RowWrite> rows = test::puts({{"key", "value"}});
    ASSERT_TRUE((*left)->write(rows, {}));
  }
  auto stays = all.open(2);
  ASSERT_TRUE(stays);
  now_ += 61s;
  EXPECT_TRUE(all.remove_left(kInGroup).empty()) << "closed, but ours still: it may be parked";
  all.left(1);
  all.left(2);  // another worker has it already
  now_ += 59s;
  EXPECT_TRUE(all.remove_left(kInGroup).empty());
  {
    auto back = all.open(1);  // its time begins anew
    ASSERT_TRUE(back);
    EXPECT_EQ(test::value_of(**back, "key"), "value");
  }
  now_ += 61s;
  EXPECT_TRUE(all.remove_left(kInGroup).empty());
  all.left(1);
  now_ += 59s;
  EXPECT_TRUE(all.remove_left(kInGroup).empty());
  now_ += 1s;
  EXPECT_EQ(all.remove_left(kInGroup), std::vector<std::int32_t>{1});
  EXPECT_FALSE(lies(1));
  EXPECT_TRUE(lies(2));
  EXPECT_TRUE(all.remove_left(kInGroup).empty());
}

TEST_F(PartitionStoresTest, WhatLiesThereFromTheStartCountsFromThen) {
  std::filesystem::create_directories(directory_.partition(7));
  std::filesystem::create_directories(directory_.directory() / "partition-x");
  std::filesystem::create_directories(directory_.directory() / "partition-8.aside");
  std::filesystem::create_directories(directory_.directory() / "partition-9.retired");
  PartitionStores all(directory_, rocks_, 60s, [this] { return now_; });
  EXPECT_TRUE(all.remove_left(kInGroup).empty());
  EXPECT_FALSE(std::filesystem::exists(directory_.directory() / "partition-9.retired"));
  now_ += 60s;
  EXPECT_EQ(all.remove_left(kInGroup), std::vector<std::int32_t>{7});
  EXPECT_TRUE(std::filesystem::exists(directory_.directory() / "partition-x"));
  EXPECT_TRUE(std::filesystem::exists(directory_.directory() / "partition-8.aside"));
}

TEST_F(PartitionStoresTest, WhileTheGroupDoesNotKnowUsNoStoreIsGivenUp) {
  PartitionStores all(directory_, rocks_, 60s, [this] { return now_; });
  { ASSERT_TRUE(all.open(1)); }
  all.left(1);  // by a session that ended because the brokers are away
  for (int minutes = 0; minutes < 120; ++minutes) {
    now_ += 60s;
    EXPECT_TRUE(all.remove_left(!kInGroup).empty());
  }
  EXPECT_TRUE(lies(1));
  now_ += 59s;  // they are back, and somebody else has the partition
  EXPECT_TRUE(all.remove_left(kInGroup).empty());
  now_ += 1s;
  EXPECT_EQ(all.remove_left(kInGroup), std::vector<std::int32_t>{1});
}

TEST_F(PartitionStoresTest, AStoreThatCannotBeOpenedIsNotTakenForOpen) {
  std::ofstream(directory_.partition(5)) << "a file where a directory should be";
  PartitionStores all(directory_, rocks_, 60s, [this] { return now_; });
  const auto failed = all.open(5);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().code, Errc::kRetry);
  std::filesystem::remove(directory_.partition(5));
  EXPECT_TRUE(all.open(5));
}

}  // namespace
}  // namespace segmentd
