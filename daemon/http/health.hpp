// What the workers say of their own health, and the two answers made of it:
//  * ready: work is being done. Not ready while restoring, parked, waiting for the broker ...
//  * healthy: a restart would not help. Unhealthy only when a worker has failed for good or has not
//    gone round its loop for the stall limit.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace segmentd::http {

using SteadyTime = std::chrono::steady_clock::time_point;

/// One worker's word. `progress` is when it last went round its loop, with or without records.
struct WorkerHealth {
  std::vector<std::string> not_ready;  // sentences for a person; empty = ready
  std::string failed;                  // why only a restart would help; empty = it works
  SteadyTime progress;
};

struct HealthReport {
  bool ready = false;
  bool healthy = true;
  std::vector<std::string> not_ready;  // of all workers, each told from which one
  std::vector<std::string> unhealthy;
  double since_progress_seconds = 0.0;  // of the worker that is furthest behind
};

/// Thread-safe: workers publish, HTTP threads ask.
class HealthBoard {
 public:
  /// Until `workers` workers (>= 1) have spoken, nobody is ready. `stall` is how long a worker may
  /// be away from its loop, longer than any call that blocks it; it counts from `started` for a
  /// worker that has not spoken yet.
  HealthBoard(int workers, std::chrono::milliseconds stall, SteadyTime started);

  /// Replaces what this worker (0 <= worker < workers) said last.
  void publish(int worker, WorkerHealth health);

  HealthReport report(SteadyTime now) const;

 private:
  const int workers_;
  const std::chrono::milliseconds stall_;
  const SteadyTime started_;

  mutable std::mutex mutex_;
  std::map<int, WorkerHealth> said_;  // guarded by mutex_
};

}  // namespace segmentd::http
