// One process of the daemon in the simulation: the real worker, pipeline and restore over the
// cluster in memory, on one thread; with a state directory that outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/worker/worker.hpp"
#include "tests/sim/sim_store.hpp"
#include "tests/support/sim_cluster.hpp"

namespace segmentd::test {

/// The limits that the simulation works with, and holds the worker to (P3).
struct SimLimits {
  std::int64_t records = 6;
  std::int64_t rows = 5;
  std::int64_t moves = 2;
  std::int64_t bytes = 16 << 20;  // of output; smaller in some schedules
  std::int64_t poll_records = 5;
  std::size_t held_bytes = 2'500;
  std::int64_t prefetched = 4;  // rows, for records that come next
};

/// All outlive a process.
struct SimSurroundings {
  SimCluster& cluster;
  ChangelogTruth& truth;
  Breach breach;
  SimLimits limits;
  bool own_epochs = false;
  int processes = 0;  // that ever began
};

class SimDaemon {
 public:
  SimDaemon(SimSurroundings& around, int number, std::string instance);
  ~SimDaemon();

  /// For people: the instance, and which of those that bear it.
  std::string name() const { return instance_ + "#" + std::to_string(process_.number); }
  int number() const { return process_.number; }
  bool alive() const { return life_ != nullptr; }
  /// Rounds of it are on the stack.
  bool busy() const { return busy_; }
  bool fenced() const { return fenced_; }
  void set_frozen(bool frozen) { process_.frozen = frozen; }

  // Each of these may end with the process dead: by a crash that fate had in store, or by its own
  // decision.
  void start();
  void round();
  void stop(bool leave);
  /// kill -9.
  void kill();

  /// Holds nothing back, is in no doubt, and has parked nothing.
  bool at_rest() const;
  /// What the worker said when it ended by itself, since the last clear.
  std::vector<WorkerEnd> ends;
  /// P3, looked at whenever a commit begins.
  void check_limits() const;

 private:
  struct Life;

  void check_held();
  void check_cache();
  void guarded(const std::function<void()>& act);
  Result<std::unique_ptr<Source>> join(RebalanceListener& listener);
  Result<std::unique_ptr<Store>> open_store(std::int32_t partition);
  Result<void> remove_store(std::int32_t partition);

  SimSurroundings& around_;
  SimProcess process_;
  const std::string instance_;
  std::map<std::int32_t, SimDisk> disks_;
  bool busy_ = false;
  bool fenced_ = false;
  std::size_t rounds_over_ = 0;  // in a row, with more than the limit held
  std::unique_ptr<Life> life_;
};

/// Thrown by fate through a process: it is dead.
struct Crash {
  int process;
};

}  // namespace segmentd::test
