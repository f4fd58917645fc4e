// One process, one state directory: the lock, the identity, the places of partitions.
#include "state/state_dir.hpp"

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

namespace fs = std::filesystem;

class StateDirTest : public ::testing::Test {
 protected:
  fs::path directory() const { return temp_.path("state"); }
  test::TempDirectory temp_;
};

TEST_F(StateDirTest, TheInstanceIsMadeOnce) {
  {
    const auto first = StateDir::open(directory(), "shop", "a1b2c3");
    ASSERT_TRUE(first) << first.error().what;
    EXPECT_EQ(first->instance(), "a1b2c3");
  }
  const auto second = StateDir::open(directory(), "shop", "another");
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(second->instance(), "a1b2c3");
}

TEST_F(StateDirTest, ASecondHolderIsRefusedAndToldWhoHoldsIt) {
  const auto first = StateDir::open(directory(), "shop", "a");
  ASSERT_TRUE(first);
  const auto second = StateDir::open(directory(), "shop", "b");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kMisconfigured);
  EXPECT_NE(second.error().what.find("process " + std::to_string(::getpid())), std::string::npos)
      << second.error().what;
  EXPECT_NE(second.error().what.find(directory().string()), std::string::npos);
}

TEST_F(StateDirTest, TheLockGoesWithItsHolder) {
  auto first = StateDir::open(directory(), "shop", "a");
  ASSERT_TRUE(first);
  {
    const StateDir moved = *std::move(first);
    EXPECT_FALSE(StateDir::open(directory(), "shop", "b"));
  }
  EXPECT_TRUE(StateDir::open(directory(), "shop", "b"));
}

TEST_F(StateDirTest, AnotherApplicationsDirectoryIsRefused) {
  ASSERT_TRUE(StateDir::open(directory(), "shop", "a"));
  const auto other = StateDir::open(directory(), "warehouse", "b");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::kMisconfigured);
  EXPECT_NE(other.error().what.find("'shop'"), std::string::npos) << other.error().what;
  EXPECT_TRUE(StateDir::open(directory(), "shop", "c")) << "the refused one let go of the lock";
}

TEST_F(StateDirTest, LookingNeedsNoLockAndChangesNothing) {
  EXPECT_FALSE(StateDir::look(directory(), "shop"));
  EXPECT_EQ(StateDir::holder(directory()), std::nullopt);
  EXPECT_FALSE(fs::exists(directory())) << "looking makes nothing";
  const auto holder = StateDir::open(directory(), "shop", "a1b2c3");
  ASSERT_TRUE(holder);
  const auto before = test::picture_of(directory());
  {
    const auto seen = StateDir::look(directory(), "shop");
    ASSERT_TRUE(seen) << seen.error().what;
    EXPECT_EQ(seen->instance(), "a1b2c3");
    EXPECT_EQ(seen->partition(7), directory() / "partition-7");
    EXPECT_EQ(StateDir::holder(directory()), std::to_string(::getpid()));
    const auto other = StateDir::look(directory(), "warehouse");
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().what.find("'shop'"), std::string::npos) << other.error().what;
  }
  EXPECT_EQ(test::picture_of(directory()), before);
  EXPECT_FALSE(StateDir::open(directory(), "shop", "b")) << "it let go of a lock it never had";
}

TEST_F(StateDirTest, NobodyIsRefusedBecauseSomebodyAsksForTheHolder) {
  ASSERT_TRUE(StateDir::open(directory(), "shop", "a"));
  std::atomic<bool> done{false};
  const auto ask = [&] {
    while (!done) StateDir::holder(directory());
  };
  std::thread curious(ask);
  std::thread as_curious(ask);
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    if (!StateDir::open(directory(), "shop", "a")) ++refused;
  }
  done = true;
  curious.join();
  as_curious.join();
  EXPECT_EQ(refused, 0);
}

TEST_F(StateDirTest, AnIdentityNobodyWroteIsCorrupt) {
  fs::create_directories(directory());
  for (const char* text : {"", "x", "segmentd state directory, format 1\napplication=shop\n",
                           "segmentd state directory, format 1\napplication=shop\ninstance=\n",
                           "segmentd state directory, format 2\napplication=shop\ninstance=a\n"}) {
    temp_.file("state/identity", text);
    const auto opened = StateDir::open(directory(), "shop", "a");
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code, Errc::kCorrupt);
  }
}

TEST_F(StateDirTest, AFileInTheWayIsToldByName) {
  temp_.file("state", "a file");
  const auto opened = StateDir::open(directory(), "shop", "a");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kMisconfigured);
  EXPECT_NE(opened.error().what.find(directory().string()), std::string::npos);
}

TEST_F(StateDirTest, PartitionsAreRemovedAndSetAside) {
  const auto opened = StateDir::open(directory(), "shop", "a");
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->partition(7), directory() / "partition-7");
  EXPECT_TRUE(opened->remove_partition(7)) << "nothing there is fine";
  for (const char* round : {"first", "second"}) {
    fs::create_directories(opened->partition(7));
    temp_.file("state/partition-7/data", round);
    ASSERT_TRUE(opened->set_partition_aside(7, std::chrono::seconds(0)));
    EXPECT_FALSE(fs::exists(opened->partition(7)));
    EXPECT_EQ(test::content_of(temp_.path("state/partition-7.aside/data")), round);
  }
  fs::create_directories(opened->partition(7));
  temp_.file("state/partition-7/data", "by hand");
  const auto kept = opened->keep_partition(7);
  ASSERT_TRUE(kept);
  EXPECT_EQ(*kept, directory() / "partition-7.kept");
  EXPECT_FALSE(fs::exists(opened->partition(7)));
  EXPECT_EQ(test::content_of(temp_.path("state/partition-7.kept/data")), "by hand");
  EXPECT_FALSE(opened->keep_partition(7)) << "nothing there";
  fs::create_directories(opened->partition(77));
  EXPECT_EQ(opened->set_asides(7), (std::vector<fs::path>{directory() / "partition-7.aside",
                                                          directory() / "partition-7.kept"}));
  fs::create_directories(opened->partition(7));
  ASSERT_TRUE(opened->remove_partition(7));
  EXPECT_FALSE(fs::exists(opened->partition(7)));
}

}  // namespace
}  // namespace segmentd
