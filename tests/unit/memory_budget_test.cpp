// What a process may take, by its settings and by its machine.
#include "daemon/commands/memory_budget.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

TEST(MemoryBudget, FollowsEverySettingThatBoundsMemory) {
  const MemoryBudget defaults = memory_budget(config::Settings());
  struct Setting {
    const char* name;
    std::int64_t MemoryBudget::*part;
    std::int64_t more;  // of the part, when the setting grows by 64 MiB
  };
  for (const Setting& each :
       {Setting{"limits.queue_bytes", &MemoryBudget::input_queues, 64 * kMiB},
        Setting{"limits.held_bytes", &MemoryBudget::held, 64 * kMiB},
        Setting{"limits.transaction_bytes", &MemoryBudget::overlay, 128 * kMiB},
        Setting{"limits.output_queue_bytes", &MemoryBudget::output_queues, 64 * kMiB},
        Setting{"limits.cache_bytes", &MemoryBudget::rows_cached, 64 * kMiB},
        Setting{"limits.restore_queue_bytes", &MemoryBudget::restore_queues, 2 * 64 * kMiB},
        Setting{"rocksdb.block_cache_bytes", &MemoryBudget::rocksdb, 64 * kMiB},
        Setting{"rocksdb.write_buffers_bytes", &MemoryBudget::rocksdb, 64 * kMiB}}) {
    config::Settings settings;
    config::OptionBase* const option = settings.find(each.name);
    ASSERT_NE(option, nullptr) << each.name;
    const auto before = dynamic_cast<config::BytesOption&>(*option)();
    ASSERT_EQ(settings.set(each.name, std::to_string(before + 64 * kMiB)), "");
    const MemoryBudget budget = memory_budget(settings);
    EXPECT_EQ(budget.*each.part, defaults.*each.part + each.more) << each.name;
    EXPECT_EQ(budget.total(), defaults.total() + each.more) << each.name;
  }
}

TEST(MemoryBudget, OfSeveralWorkers) {
  config::Settings settings;
  const MemoryBudget one = memory_budget(settings);
  ASSERT_EQ(settings.set("workers", "3"), "");
  const MemoryBudget three = memory_budget(settings);
  for (const auto part : {&MemoryBudget::input_queues, &MemoryBudget::held, &MemoryBudget::overlay,
                          &MemoryBudget::output_queues, &MemoryBudget::restore_queues}) {
    EXPECT_EQ(three.*part, 3 * one.*part);
  }
  for (const auto part :
       {&MemoryBudget::rows_cached, &MemoryBudget::rocksdb, &MemoryBudget::program}) {
    EXPECT_EQ(three.*part, one.*part) << "of the process";
  }
  ASSERT_EQ(settings.set("limits.restores", "5"), "");
  EXPECT_EQ(memory_budget(settings).restore_queues, 15 * settings.limits.restore_queue_bytes());
}

TEST(MemoryBudget, EveryPartIsInTheTotal) {
  MemoryBudget budget;
  std::int64_t next = 1;
  for (std::int64_t* part :
       {&budget.input_queues, &budget.held, &budget.overlay, &budget.output_queues,
        &budget.rows_cached, &budget.restore_queues, &budget.rocksdb, &budget.program}) {
    *part = next;
    next *= 2;
  }
  EXPECT_EQ(budget.total(), next - 1);
  EXPECT_EQ(sizeof(MemoryBudget), 8 * sizeof(std::int64_t)) << "a part that no test knows";
}

class MemoryLimit : public testing::Test {
 protected:
  /// A file below the root that is asked.
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_.path(path)).parent_path());
    root_.file(path, text);
  }
  std::optional<std::int64_t> limit() const { return memory_limit(root_.path("")); }

  test::TempDirectory root_;
};

TEST_F(MemoryLimit, OfAMachine) {
  put("proc/meminfo", "MemFree:  1 kB\nMemTotal:       24684556 kB\nSwapTotal: 0 kB\n");
  put("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(limit(), 24'684'556LL * 1024);
}

TEST_F(MemoryLimit, OfAGroupAndOfTheGroupsItIsIn) {
  put("proc/meminfo", "MemTotal: 24684556 kB\n");
  put("proc/self/cgroup", "0::/system.slice/segmentd.service\n");
  put("sys/fs/cgroup/system.slice/segmentd.service/memory.max", "max\n");
  EXPECT_EQ(limit(), 24'684'556LL * 1024);
  put("sys/fs/cgroup/system.slice/memory.max", "2147483648\n");
  EXPECT_EQ(limit(), 2147483648);
  put("sys/fs/cgroup/system.slice/segmentd.service/memory.max", "1073741824\n");
  EXPECT_EQ(limit(), 1073741824);
}

TEST_F(MemoryLimit, OfAContainerThatSeesItsGroupAtTheTop) {
  put("proc/meminfo", "MemTotal: 24684556 kB\n");
  put("proc/self/cgroup", "0::/docker/4711\n");
  put("sys/fs/cgroup/memory.max", "536870912\n");
  EXPECT_EQ(limit(), 536870912);
}

TEST_F(MemoryLimit, OfTheFirstVersionOfGroups) {
  put("proc/meminfo", "MemTotal: 24684556 kB\n");
  put("proc/self/cgroup", "8:pids:/x\n4:cpu,memory:/a/b\n0::/\n");
  put("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit(), 24'684'556LL * 1024) << "no limit, as that version writes it";
  put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "268435456\n");
  EXPECT_EQ(limit(), 268435456);
}

TEST_F(MemoryLimit, OfWhereNobodySaysAnything) {
  EXPECT_EQ(limit(), std::nullopt);
}

TEST(MemoryLimitHere, IsSaid) {
  const auto here = memory_limit();
  ASSERT_TRUE(here);
  EXPECT_GT(*here, 16 * kMiB);
}

}  // namespace
}  // namespace segmentd
