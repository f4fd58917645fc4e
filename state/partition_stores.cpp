#include "state/partition_stores.hpp"

#include <string>
#include <utility>

#include "state/forwarding_store.hpp"

namespace segmentd {

/// Says when it is closed.
class PartitionStores::OpenStore final : public ForwardingStore {
 public:
  OpenStore(std::unique_ptr<Store> store, PartitionStores& all, std::int32_t partition)
      : ForwardingStore(std::move(store)), all_(all), partition_(partition) {}
  OpenStore(const OpenStore&) = delete;
  OpenStore& operator=(const OpenStore&) = delete;
  ~OpenStore() override {
    close();
    all_.closed(partition_);
  }

 private:
  PartitionStores& all_;
  const std::int32_t partition_;
};

PartitionStores::PartitionStores(const StateDir& directory, const RocksEnvironment& rocks,
                                 std::chrono::milliseconds kept, std::function<Time()> now)
    : directory_(directory), rocks_(rocks), kept_(kept), now_(std::move(now)) {
  for (const std::int32_t p : directory_.partitions()) left_at_[p] = now_();
}

Result<void> PartitionStores::claim(std::int32_t partition) {
  const std::lock_guard lock(mutex_);
  if (open_.insert(partition).second) {
    left_at_.erase(partition);
    return {};
  }
  return Error{Errc::kRetry,
               "the store of partition " + std::to_string(partition) + " is still open"};
}

void PartitionStores::closed(std::int32_t partition) {
  const std::lock_guard lock(mutex_);
  open_.erase(partition);
}

Result<std::unique_ptr<Store>> PartitionStores::open(std::int32_t partition) {
  if (auto claimed = claim(partition); !claimed) return claimed.error();
  auto store = RocksStore::open(rocks_, directory_.partition(partition));
  if (!store) {
    closed(partition);
    return store.error();
  }
  return std::unique_ptr<Store>(std::make_unique<OpenStore>(std::move(*store), *this, partition));
}

void PartitionStores::left(std::int32_t partition) {
  const std::lock_guard lock(mutex_);
  // Another worker of this process may have it already.
  if (!open_.contains(partition)) left_at_[partition] = now_();
}

Result<void> PartitionStores::set_aside(std::int32_t partition, std::chrono::seconds interval) {
  if (auto claimed = claim(partition); !claimed) return claimed;
  auto done = directory_.set_partition_aside(partition, interval);
  closed(partition);
  return done;
}

Result<void> PartitionStores::remove(std::int32_t partition) {
  if (auto claimed = claim(partition); !claimed) return claimed;
  auto done = directory_.remove_partition(partition);
  closed(partition);
  return done;
}

std::vector<std::int32_t> PartitionStores::remove_left(bool in_group) {
  std::vector<std::int32_t> removed;
  directory_.remove_retired();
  {
    // Out of sight at once, under the lock: a store that is opened afterwards is a new one.
    const std::lock_guard lock(mutex_);
    for (auto it = left_at_.begin(); it != left_at_.end();) {
      if (!in_group) it->second = now_();
      if (now_() - it->second < kept_) {
        ++it;
        continue;
      }
      if (directory_.retire_partition(it->first)) removed.push_back(it->first);
      it = left_at_.erase(it);
    }
  }
  if (!removed.empty()) directory_.remove_retired();
  return removed;
}

}  // namespace segmentd
