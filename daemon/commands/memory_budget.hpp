// How much memory a process may take, by its settings: said at the start, so that nobody learns it
// from the kernel.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "config/settings.hpp"

namespace segmentd {

/// Bytes, about, when everything is full at once. Each part follows from the settings named.
struct MemoryBudget {
  std::int64_t input_queues = 0;   // limits.queue_bytes, of each worker
  std::int64_t held = 0;           // limits.held_bytes, of each worker
  std::int64_t overlay = 0;        // limits.transaction_bytes, twice, of each worker
  std::int64_t output_queues = 0;  // limits.output_queue_bytes, of each worker
  std::int64_t rows_cached = 0;    // limits.cache_bytes
  std::int64_t restore_queues =
      0;                     // limits.restore_queue_bytes, limits.restores times of each worker
  std::int64_t rocksdb = 0;  // rocksdb.block_cache_bytes and write_buffers_bytes
  std::int64_t program = 0;  // itself, its libraries and threads

  std::int64_t total() const {
    return input_queues + held + overlay + output_queues + rows_cached + restore_queues + rocksdb +
           program;
  }
};

/// The roster: what stays in memory of every customer of the partitions at hand, beside the budget,
/// because it is bounded by how many customers there are.
inline constexpr std::int64_t kRosterBytesPerCustomer = 300;

MemoryBudget memory_budget(const config::Settings& settings);

/// What this process may take: the smaller of the machine's memory and the limits of its control
/// groups (version 1 or 2), as /proc and /sys say below `root`. nullopt = they say nothing.
std::optional<std::int64_t> memory_limit(const std::filesystem::path& root = "/");

/// One line with every part and the total, and a warning where that is more than memory_limit().
void say_memory_budget(const config::Settings& settings);

}  // namespace segmentd
