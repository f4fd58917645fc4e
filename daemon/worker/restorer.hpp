// Makes assigned partitions ready in the background: opens the local store, reads the rest of the
// changelog into it, decodes the roster. The worker keeps polling meanwhile.
//
//   request -> open store -> read changelog to its end -> know all epochs -> open Partition
//   -> compare with the input -> take
//
// If the changelog's end stays hidden behind an open transaction of a writer that is gone, that
// writer (META names it) is fenced, which aborts the transaction at once instead of after its
// time-out.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "daemon/observe/words.hpp"
#include "daemon/pipeline/epochs.hpp"
#include "daemon/pipeline/partition.hpp"
#include "daemon/ports.hpp"
#include "state/core/result.hpp"
#include "state/store.hpp"

namespace segmentd {

/// What the restorer works with; all outlive it.
struct RestorerParts {
  Broker& broker;
  std::string input_topic;
  std::string changelog_topic;
  std::string model_topic;
  const PartitionRules& rules;
  const Epochs& epochs;
  std::string own_writer;  // our transactional.id: never fenced
  std::function<Result<std::unique_ptr<Store>>(std::int32_t)> open_store;
  std::function<std::string()> new_uuid;
  std::function<Instant()> wall;
  /// Below which offset of the model topic every epoch is among `epochs`.
  std::function<std::int64_t()> model_position;
};

/// A partition that is ready, or why it is not.
struct Restored {
  std::int32_t partition = -1;
  Result<std::unique_ptr<Partition>> opened;
  /// Where it failed: what the partition is to be parked for, should it stay so.
  observe::ParkReason reason = observe::ParkReason::kStoreError;
  Watermarks input{};  // asked where there was no state
};

/// request, cancel and take are for one thread; the work is done in a thread of its own.
class Restorer {
 public:
  explicit Restorer(RestorerParts parts);
  ~Restorer();
  Restorer(const Restorer&) = delete;
  Restorer& operator=(const Restorer&) = delete;

  void request(std::int32_t partition);
  /// Returns when nothing of these partitions is open here any more.
  void cancel(std::span<const std::int32_t> partitions);
  /// The next one that is done; nullopt = none yet.
  std::optional<Restored> take();
  /// Changelog records still to be read; 0 when not restoring.
  std::int64_t remaining(std::int32_t partition) const;

 private:
  void work();
  Restored restore(std::int32_t partition);
  Result<void> read_changelog(std::int32_t partition, Store& store, observe::ParkReason& reason);
  Result<bool> read_batch(LogReader& reader, std::int32_t partition, Store& store,
                          observe::ParkReason& reason);
  Result<void> wait_for_epochs(std::int32_t partition);
  Result<void> compare_with_input(const Partition& partition, const Watermarks& marks);
  Result<void> fence_writer(Store& store);
  bool cancelled(std::int32_t partition) const;

  RestorerParts parts_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::int32_t> wanted_;                 // guarded by mutex_
  std::int32_t current_ = -1;                       // guarded by mutex_
  bool current_cancelled_ = false;                  // guarded by mutex_
  std::deque<Restored> done_;                       // guarded by mutex_
  std::map<std::int32_t, std::int64_t> remaining_;  // guarded by mutex_
  bool stop_ = false;                               // guarded by mutex_
  std::thread thread_;                              // last: uses all of the above
};

}  // namespace segmentd
