#include "daemon/commands/memory_budget.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "daemon/observe/log.hpp"

namespace segmentd {
namespace {

using observe::LogLevel;

/// The program, librdkafka's clients with their threads and buffers, the HTTP server.
constexpr std::int64_t kProgramBytes = 96LL << 20;
/// What a worker decided, and the same encoded to be stored after the commit.
constexpr std::int64_t kOverlayCopies = 2;

std::string mebibytes(std::int64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

std::optional<std::int64_t> number_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::int64_t number = 0;
  if (!(in >> number)) return std::nullopt;  // no such file, or `max`
  return number;
}

void lower(std::optional<std::int64_t>& limit, std::optional<std::int64_t> other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

std::optional<std::int64_t> machine_memory(const std::filesystem::path& root) {
  std::ifstream in(root / "proc/meminfo");
  std::string name;
  std::int64_t kibibytes = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    if (words >> name >> kibibytes && name == "MemTotal:") return kibibytes << 10;
  }
  return std::nullopt;
}

/// A group is bounded by its parents too. In a container the path may be that of the host, and the
/// group itself is then at the top.
std::optional<std::int64_t> group_limit(const std::filesystem::path& top, std::string_view group,
                                        const char* file) {
  std::optional<std::int64_t> limit;
  std::filesystem::path path(group.substr(std::min<std::size_t>(group.size(), 1)));
  for (;; path = path.parent_path()) {
    lower(limit, number_in(top / path / file));
    if (path.empty()) return limit;
  }
}

}  // namespace

MemoryBudget memory_budget(const config::Settings& settings) {
  const auto& limits = settings.limits;
  const std::int64_t workers = settings.workers();
  MemoryBudget budget;
  budget.input_queues = workers * limits.queue_bytes();
  budget.held = workers * limits.held_bytes();
  budget.overlay = workers * kOverlayCopies * limits.transaction_bytes();
  budget.output_queues = workers * limits.output_queue_bytes();
  budget.rows_cached = limits.cache_bytes();
  budget.restore_queues = workers * limits.restores() * limits.restore_queue_bytes();
  budget.rocksdb = settings.rocksdb.block_cache_bytes() + settings.rocksdb.write_buffers_bytes();
  budget.program = kProgramBytes;
  return budget;
}

std::optional<std::int64_t> memory_limit(const std::filesystem::path& root) {
  std::optional<std::int64_t> limit = machine_memory(root);
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // `4:memory:/group`, or `0::/group`
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view group = std::string_view(line).substr(second + 1);
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers == ",,") {
      lower(limit, group_limit(root / "sys/fs/cgroup", group, "memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      lower(limit, group_limit(root / "sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
  }
  return limit;
}

void say_memory_budget(const config::Settings& settings) {
  const MemoryBudget budget = memory_budget(settings);
  observe::log_line(LogLevel::kInfo, "memory budget",
                    {{"total", mebibytes(budget.total())},
                     {"input_queues", mebibytes(budget.input_queues)},
                     {"held", mebibytes(budget.held)},
                     {"overlay", mebibytes(budget.overlay)},
                     {"output_queues", mebibytes(budget.output_queues)},
                     {"rows_cached", mebibytes(budget.rows_cached)},
                     {"restore_queues", mebibytes(budget.restore_queues)},
                     {"rocksdb", mebibytes(budget.rocksdb)},
                     {"program", mebibytes(budget.program)},
                     {"each_customer_beside", std::to_string(kRosterBytesPerCustomer) + " B"}});
  const std::optional<std::int64_t> limit = memory_limit();
  if (!limit || budget.total() <= *limit) return;
  observe::log_line(LogLevel::kWarning,
                    "the memory budget is more than this process may take: lower limits.* and "
                    "rocksdb.*, or give it more",
                    {{"total", mebibytes(budget.total())}, {"limit", mebibytes(*limit)}});
}

}  // namespace segmentd
