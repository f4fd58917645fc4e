// The stores of a process's partitions: which are open, and which directories nobody needs any
// more. A partition that goes to another member leaves its directory behind for a while, in case it
// comes back; then the directory is removed, for the changelog has it all.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "state/rocks_store.hpp"
#include "state/state_dir.hpp"
#include "state/store.hpp"

namespace segmentd {

/// Thread-safe. Outlives the stores it opened; what it is made of outlives it.
class PartitionStores {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `kept`: how long a directory stays after its partition has left; one that lies there from the
  /// start and is not opened counts from then. `now` is the monotonic clock.
  PartitionStores(const StateDir& directory, const RocksEnvironment& rocks,
                  std::chrono::milliseconds kept, std::function<Time()> now);

  /// Opens or creates the partition's store. kRetry: it is open in this process still, on its way
  /// from one worker to another. Other errors as RocksStore::open.
  Result<std::unique_ptr<Store>> open(std::int32_t partition);

  /// The partition went to another member of the group.
  void left(std::int32_t partition);

  /// Moves a damaged or foreign store out of the way; as StateDir::set_partition_aside. kRetry: it
  /// is open.
  Result<void> set_aside(std::int32_t partition, std::chrono::seconds interval);
  /// Deletes the store. kRetry: it is open.
  Result<void> remove(std::int32_t partition);

  /// Removes the directories whose time is over; which ones. `in_group`: the group knows this
  /// process; while it does not nobody may have the partitions (brokers that are away), the store
  /// may be the last copy, and every directory's time begins anew. May take long: not on a
  /// worker's thread.
  std::vector<std::int32_t> remove_left(bool in_group);

 private:
  class OpenStore;
  Result<void> claim(std::int32_t partition);
  void closed(std::int32_t partition);

  const StateDir& directory_;
  const RocksEnvironment& rocks_;
  const std::chrono::milliseconds kept_;
  const std::function<Time()> now_;
  std::mutex mutex_;
  std::set<std::int32_t> open_;           // guarded by mutex_
  std::map<std::int32_t, Time> left_at_;  // guarded by mutex_
};

}  // namespace segmentd
