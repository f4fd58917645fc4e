// Restores several partitions at once, each in a thread of its own, so that a large or a stuck one
// keeps no other waiting.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "daemon/worker/restorer.hpp"

namespace segmentd {

class RestoreThreads final : public Restorer {
 public:
  /// `threads` >= 1 partitions at once; the others wait in the order of their requests.
  RestoreThreads(RestoreParts parts, int threads);
  ~RestoreThreads() override;

  void request(std::int32_t partition) override;
  void cancel(std::span<const std::int32_t> partitions) override;
  std::optional<Restored> take() override;
  std::optional<RestoreProgress> progress(std::int32_t partition) const override;

 private:
  struct Work {
    bool cancelled = false;
    RestoreProgress progress;
  };
  void work();
  void restore(std::int32_t partition);
  bool cancelled(std::int32_t partition) const;

  const RestoreParts parts_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::int32_t> wanted_;         // guarded by mutex_
  std::map<std::int32_t, Work> under_way_;  // guarded by mutex_
  std::deque<Restored> done_;               // guarded by mutex_
  bool stop_ = false;                       // guarded by mutex_
  std::vector<std::thread> threads_;        // last: use all of the above
};

}  // namespace segmentd
