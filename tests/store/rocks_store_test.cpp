// The durable store on a disk that fails it, and in processes that die.
#include "state/rocks_store.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

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

/// Small buffers, so that little data already makes files; what is not flushed dies with the store.
RocksOptions crashing() {
  RocksOptions options;
  options.flush_on_close = false;
  options.write_buffer_bytes = 64U << 10;
  return options;
}

class RocksStoreTest : public ::testing::Test {
 protected:
  fs::path directory() const { return temp_.path("partition-0"); }
  test::TempDirectory temp_;
};

TEST_F(RocksStoreTest, ACloseFlushes) {
  const Position position{9, Instant{5}};
  {
    const auto store = opened(directory());
    ASSERT_TRUE(store->write(puts({{"c/1", "one"}}), position));
  }
  const auto store = opened(directory());
  EXPECT_EQ(value_of(*store, "c/1"), "one");
  EXPECT_EQ(store->position(), position);
}

TEST_F(RocksStoreTest, OnlyWhatWasNotFlushedIsLostInACrash) {
  {
    const auto store = opened(directory(), crashing());
    ASSERT_TRUE(store->write(puts({{"c/1", "kept"}, {"c/2", "kept"}}), Position{1, {}}));
    ASSERT_TRUE(store->flush());
    ASSERT_TRUE(store->write(puts({{"c/1", "lost"}, {"c/3", "lost"}}), Position{2, {}}));
    EXPECT_EQ(value_of(*store, "c/1"), "lost");
  }
  const auto store = opened(directory());
  EXPECT_EQ(scanned(*store, ""), (Rows{{"c/1", "kept"}, {"c/2", "kept"}}));
  EXPECT_EQ(store->position(), (Position{1, {}}));
}

TEST_F(RocksStoreTest, TwoPartitionsShareOneEnvironment) {
  const RocksEnvironment environment{RocksOptions{}};
  auto first = RocksStore::open(environment, temp_.path("partition-0"));
  auto second = RocksStore::open(environment, temp_.path("partition-1"));
  ASSERT_TRUE(first && second);
  ASSERT_TRUE((*first)->write(puts({{"c/1", "first"}}), {}));
  EXPECT_EQ(value_of(**second, "c/1"), std::nullopt);
  EXPECT_GT(environment.cache_used_bytes(), 0U);
}

TEST_F(RocksStoreTest, AStoreThatIsOpenIsNotOpenedTwice) {
  const auto store = opened(directory());
  const auto again = RocksStore::open(RocksEnvironment(RocksOptions{}), directory());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kMisconfigured) << again.error().what;
}

TEST_F(RocksStoreTest, ADirectoryThatCannotBeIsRefusedByName) {
  temp_.file("partition-0", "a file");
  const auto store = RocksStore::open(RocksEnvironment(RocksOptions{}), directory() / "x");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::kMisconfigured);
  EXPECT_NE(store.error().what.find("partition-0"), std::string::npos);
}

TEST_F(RocksStoreTest, LookingReadsAndChangesNoByte) {
  const RocksEnvironment environment{RocksOptions{}};
  const auto none = RocksStore::look(environment, directory());
  ASSERT_TRUE(none) << none.error().what;
  EXPECT_EQ(*none, nullptr);
  EXPECT_FALSE(fs::exists(directory())) << "looking makes nothing";
  {
    const auto store = opened(directory());
    ASSERT_TRUE(store->write(puts({{"c/1", "one"}, {"c/2", "two"}}), Position{9, Instant{5}}));
  }
  const auto before = test::picture_of(directory());
  {
    const auto seen = RocksStore::look(environment, directory());
    ASSERT_TRUE(seen && *seen) << seen.error().what;
    EXPECT_EQ(scanned(**seen, ""), (Rows{{"c/1", "one"}, {"c/2", "two"}}));
    EXPECT_EQ((*seen)->position(), (Position{9, Instant{5}}));
    const Result<void> written = (*seen)->write(puts({{"c/1", "new"}}), Position{10, {}});
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::kMisconfigured);
    const Result<void> flushed = (*seen)->flush();
    ASSERT_FALSE(flushed);
    EXPECT_EQ(flushed.error().what, written.error().what);
    EXPECT_EQ(value_of(**seen, "c/1"), "one");
    EXPECT_EQ((*seen)->position(), (Position{9, Instant{5}}));
  }
  EXPECT_EQ(test::picture_of(directory()), before);
}

TEST_F(RocksStoreTest, AStoreThatIsOpenMayBeLookedAt) {
  const auto store = opened(directory());
  ASSERT_TRUE(store->write(puts({{"c/1", "one"}}), Position{1, {}}));
  ASSERT_TRUE(store->flush());
  const auto seen = RocksStore::look(RocksEnvironment(RocksOptions{}), directory());
  ASSERT_TRUE(seen && *seen) << seen.error().what;
  EXPECT_EQ(value_of(**seen, "c/1"), "one");
  ASSERT_TRUE(store->write(puts({{"c/1", "new"}}), Position{2, {}})) << "its holder goes on";
  ASSERT_TRUE(store->flush());
  EXPECT_EQ(value_of(**seen, "c/1"), "one") << "as of the opening";
}

/// Files of the store whose name ends so.
std::vector<fs::path> files(const fs::path& directory, const std::string& ending) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().string().ends_with(ending)) found.push_back(entry.path());
  }
  return found;
}

void flip_byte(const fs::path& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const auto flipped = static_cast<char>(file.get() ^ 0x40);
  file.seekp(at);
  file.put(flipped);
  ASSERT_TRUE(file.good());
}

/// Text that does not compress, so that rows spread over many blocks.
std::string noise(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, ' ');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

/// Writes 500 rows into one file, damages one of its bytes.
Rows damaged_store(const fs::path& directory, std::streamoff at) {
  std::mt19937_64 random(1);
  Rows rows;
  for (int i = 0; i < 500; ++i) rows.emplace_back("c/" + std::to_string(i), noise(random, 100));
  const auto store = opened(directory);
  EXPECT_TRUE(store->write(puts(rows), {}));
  EXPECT_TRUE(store->flush());
  const std::vector<fs::path> tables = files(directory, ".sst");
  EXPECT_EQ(tables.size(), 1U);
  flip_byte(tables.at(0), at);
  return rows;
}

TEST_F(RocksStoreTest, ADamagedByteIsCorruptNeverWrong) {
  const Rows rows = damaged_store(directory(), 20'000);
  const auto store = opened(directory());
  ASSERT_TRUE(store);
  const Result<void> scan =
      store->scan("", [](std::string_view, std::string_view) { return Result<void>(); });
  ASSERT_FALSE(scan);
  EXPECT_EQ(scan.error().code, Errc::kCorrupt) << scan.error().what;
  int corrupt = 0;
  for (const auto& [key, value] : rows) {
    const Result<std::optional<std::string>> got = store->get(key);
    std::vector<std::optional<std::string>> values;
    const Result<void> many = store->multi_get(std::vector<std::string_view>{key}, values);
    ASSERT_EQ(bool(got), bool(many));
    if (got) {
      ASSERT_EQ(*got, value);
      ASSERT_EQ(values.at(0), value);
      continue;
    }
    ++corrupt;
    EXPECT_EQ(got.error().code, Errc::kCorrupt) << got.error().what;
    EXPECT_EQ(many.error().code, Errc::kCorrupt) << many.error().what;
  }
  EXPECT_GT(corrupt, 0);
}

TEST_F(RocksStoreTest, ADamagedPositionIsCorruptAtOpen) {
  damaged_store(directory(), 10);  // POSITION sorts before the rows
  const auto store = RocksStore::open(RocksEnvironment(RocksOptions{}), directory());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::kCorrupt) << store.error().what;
}

TEST_F(RocksStoreTest, AMissingFileIsCorrupt) {
  {
    const auto store = opened(directory());
    ASSERT_TRUE(store->write(puts({{"c/1", "one"}}), {}));
  }
  for (const fs::path& table : files(directory(), ".sst")) fs::remove(table);
  for (const auto open : {&RocksStore::open, &RocksStore::look}) {
    const auto store = open(RocksEnvironment(RocksOptions{}), directory());
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::kCorrupt) << store.error().what;
  }
}

TEST_F(RocksStoreTest, WithoutTheRoomThatHasToStayFreeNothingIsWritten) {
  RocksOptions greedy;
  greedy.disk_free_bytes = std::uint64_t{1} << 60U;
  const auto refused = RocksStore::open(RocksEnvironment(greedy), directory());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  EXPECT_NE(refused.error().what.find("limits.disk_free_bytes"), std::string::npos)
      << refused.error().what;
  RocksOptions modest;
  modest.disk_free_bytes = 1;
  const auto store = opened(directory(), modest);
  EXPECT_TRUE(store->write(puts({{"c/1", "one"}}), {}));
  EXPECT_TRUE(store->flush());
}

// --- a full disk: a small file system of its own, where that is allowed ---

class SmallDisk {
 public:
  explicit SmallDisk(std::string directory) : directory_(std::move(directory)) {
    fs::create_directories(directory_);
    mounted_ = ::mount("none", directory_.c_str(), "tmpfs", 0, "size=2m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount(directory_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string directory_;
  bool mounted_ = false;
};

TEST_F(RocksStoreTest, AFullDiskIsUnavailableAndThenHoldsAPrefix) {
  const SmallDisk disk(temp_.path("disk"));
  if (!disk.mounted()) GTEST_SKIP() << "no right to mount a small file system";
  const fs::path there = temp_.path("disk") + "/partition-0";
  std::mt19937_64 random(1);
  std::int64_t written = 0;
  {
    const auto store = opened(there, crashing());
    Result<void> outcome;
    for (; outcome && written < 2000; ++written) {
      outcome = store->write(puts({{"c/" + std::to_string(written), noise(random, 8192)}}),
                             Position{written, {}});
      if (outcome && written % 20 == 0) outcome = store->flush();
    }
    ASSERT_FALSE(outcome) << "8 MB do not fit into 2 MB";
    EXPECT_EQ(outcome.error().code, Errc::kUnavailable) << outcome.error().what;
    const Result<void> later = store->write({}, Position{99999, {}});
    ASSERT_FALSE(later) << "S7";
    EXPECT_EQ(later.error().code, Errc::kUnavailable) << later.error().what;
  }
  for (const fs::path& log : files(there, ".log")) fs::remove(log);  // room to open
  const auto store = opened(there, crashing());
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->position());
  EXPECT_EQ(scanned(*store, "").size(),
            static_cast<std::size_t>(store->position()->next_offset + 1));
}

// --- killed at random moments ---

constexpr int kKeys = 20;
constexpr int kBatchesPerMark = 300;

// The child: writes batches without end, each of which sets every key to the batch's number,
// flushing by itself as its small buffer fills up. Run only by the test below, in a process of its
// own.
TEST(RocksStoreChild, DISABLED_WritesUntilKilled) {
  const char* const path = std::getenv("SEGMENTD_TEST_STORE");
  ASSERT_NE(path, nullptr);
  const auto store = opened(path, crashing());
  for (std::int64_t n = store->position().value_or(Position{}).next_offset + 1;; ++n) {
    Rows rows;
    for (int i = 0; i < kKeys; ++i) {
      rows.emplace_back("c/" + std::to_string(i), std::to_string(n) + std::string(40, ' '));
    }
    ASSERT_TRUE(store->write(puts(rows), Position{n, {}}));
    if (n % kBatchesPerMark == 0) {
      ASSERT_EQ(::write(STDOUT_FILENO, ".", 1), 1);
    }
  }
}

/// Starts the child, lets it write so many marks' worth of batches, kills it.
void run_and_kill(const fs::path& directory, int marks) {
  int channel[2];
  ASSERT_EQ(::pipe(channel), 0);
  ::setenv("SEGMENTD_TEST_STORE", directory.c_str(), 1);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, channel[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, channel[0]);
  std::string self = fs::read_symlink("/proc/self/exe").string();
  std::string filter = "--gtest_filter=*DISABLED_WritesUntilKilled";
  std::string disabled = "--gtest_also_run_disabled_tests";
  std::string quiet = "--gtest_brief=1";
  char* arguments[] = {self.data(), filter.data(), disabled.data(), quiet.data(), nullptr};
  pid_t child = -1;
  ASSERT_EQ(::posix_spawn(&child, self.c_str(), &actions, nullptr, arguments, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(channel[1]);
  char mark = 0;
  for (int seen = 0; seen < marks && ::read(channel[0], &mark, 1) == 1;)
    seen += mark == '.' ? 1 : 0;
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
  ::close(channel[0]);
}

TEST_F(RocksStoreTest, AKilledProcessLeavesWholeWrites) {
  std::int64_t last = 0;
  for (int round = 0; round < 6; ++round) {
    ASSERT_NO_FATAL_FAILURE(run_and_kill(directory(), 1 + round));
    const auto store = opened(directory(), crashing());
    ASSERT_TRUE(store);
    ASSERT_TRUE(store->position()) << "the small buffer was flushed many times";
    const std::int64_t at = store->position()->next_offset;
    EXPECT_GT(at, last);
    last = at;
    const Rows rows = scanned(*store, "");
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(kKeys));
    for (const auto& [key, value] : rows) ASSERT_EQ(std::stoll(value), at) << key;
  }
}

}  // namespace
}  // namespace segmentd
