// What the workers of a process hold and whether the group knows them, so that the process ends
// only when none of them can go on, and gives up no store while a partition may be nobody's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <vector>

namespace segmentd {

/// Thread-safe: each worker tells of itself, each may ask about all.
class Holdings {
 public:
  /// `workers` >= 1.
  explicit Holdings(int workers) : workers_(static_cast<std::size_t>(workers)) {}

  /// Replaces what this worker (numbered from 0) said last. `stuck`: those of the owned partitions
  /// that only a person can help.
  void publish(int worker, std::size_t owned, std::size_t stuck) {
    const std::lock_guard lock(mutex_);
    Holding& holding = workers_.at(static_cast<std::size_t>(worker));
    holding.owned = owned;
    holding.stuck = stuck;
  }
  /// Whether the group knows this worker as of the last rebalance that it heard of.
  void note_membership(int worker, bool member) {
    const std::lock_guard lock(mutex_);
    workers_.at(static_cast<std::size_t>(worker)).member = member;
  }
  bool all_are_members() const {
    const std::lock_guard lock(mutex_);
    return std::all_of(workers_.begin(), workers_.end(), [](const Holding& h) { return h.member; });
  }

  /// Something is owned, and nothing of it can go on.
  bool all_stuck() const {
    const std::lock_guard lock(mutex_);
    const bool any =
        std::any_of(workers_.begin(), workers_.end(), [](const Holding& h) { return h.owned > 0; });
    return any && std::all_of(workers_.begin(), workers_.end(),
                              [](const Holding& h) { return h.stuck == h.owned; });
  }

 private:
  struct Holding {
    std::size_t owned = 0;
    std::size_t stuck = 0;
    bool member = false;
  };
  mutable std::mutex mutex_;
  std::vector<Holding> workers_;  // guarded by mutex_
};

}  // namespace segmentd
