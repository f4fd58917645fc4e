// One schedule of the simulation, from its seed: a small group of daemons over the cluster in
// memory, with faults and crashes, then calm; and what has to be true then.
#pragma once

#include <array>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/process.hpp"
#include "tests/sim/truth.hpp"
#include "tests/sim/workload.hpp"
#include "tests/support/sim_cluster.hpp"

namespace segmentd::test {

/// How a schedule goes, beside its seed.
struct SchedulePlan {
  std::uint64_t seed = 1;
  std::int32_t workload = 0;
  int daemons = 1;
  bool own_epochs = false;
  /// Faults, crashes, others' rounds in the middle of a call, rebalances, by chance. Without it
  /// nothing happens but the strikes.
  bool rough = false;
  /// What happens at the n-th call (from 1) of all calls: it fails in this way (from 1), or:
  static constexpr int kDies = -1;            // the caller dies there
  static constexpr int kSleeps = -2;          // for longer than its session, while the others go on
  static constexpr int kSleepsAndJoins = -4;  // and its library joins anew before it goes on itself
  static constexpr int kForgets = -5;         // markers that are not yet written never will be
  static constexpr int kStray = -3;           // requests that went out twice or late arrive
  static constexpr int kCompacts = -6;        // the brokers clean all they may
  struct Strike {
    std::uint64_t call = 0;
    int way = kDies;
  };
  std::vector<Strike> strikes;
  /// What belongs to the run itself, whatever else is struck: at the n-th call (from 1) through a
  /// door.
  struct Happens {
    Door door = Door::kSleep;
    std::uint64_t nth = 0;
    int way = kDies;
  };
  std::vector<Happens> happens;
  /// The first daemon is to die in the middle of a commit, and the other takes its place.
  bool dead_writer = false;
  bool keep_producer_with_stray = false;
  bool stores_keep = false;
  bool reopen_slow = false;
  std::ostream* tell = nullptr;  // every call, if not null
};

struct ScheduleResult {
  std::vector<std::string> breaches;  // of the invariants; empty = all is well
  std::uint64_t calls = 0;            // through the doors while trouble was allowed
  struct Call {
    Door door;
    std::uint8_t ways;
  };
  std::vector<Call> called;                    // each of these, where nothing was to happen
  std::array<std::uint64_t, kDoors> struck{};  // faults and crashes by door
  std::uint64_t faults = 0;
  std::uint64_t crashes = 0;
  std::uint64_t interludes = 0;  // others acted in the middle of a call
  std::uint64_t rebalances = 0;
  std::uint64_t commits = 0;
  std::uint64_t changes = 0;
  std::uint64_t fences = 0;  // of writers that died with an open transaction, mostly in the calm
  std::uint64_t compactions = 0;  // mostly in the middle of a call
  std::uint64_t left_open = 0;    // transactions in the input, for a while
  std::uint64_t expired = 0;      // offsets of the group
  std::uint64_t ended = 0;        // workers, by the broker's word, while trouble was allowed
};

class Simulation final : public Fates {
 public:
  explicit Simulation(const SchedulePlan& plan);
  ~Simulation() override;

  ScheduleResult run();
  unsigned at(Door door, int process, unsigned ways) override;

 private:
  void add_daemon(const std::string& instance);
  void begin();
  void trouble();
  void act();
  void feed(std::uint64_t count);
  void put_noise(std::int32_t partition);
  std::int64_t put_in_transaction(std::int32_t partition, SimRecord record, bool commit);
  void end_input(std::size_t which);
  void end_inputs();
  void compact();
  void expire_offsets();
  void session_ends();
  void take_over();
  void step(SimDaemon& daemon);
  void start_somebody();
  void everybody_works(int rounds);
  void interlude(SimDaemon& daemon, bool joins);
  void others_act(std::uint64_t rounds, std::int64_t ms);
  void housekeeping();
  void tell_of(std::string_view meta) const;
  unsigned struck(Door door, SimDaemon& daemon, std::uint64_t call, unsigned ways);
  unsigned fault(Door door, unsigned way);
  [[noreturn]] void crash(Door door, int process);
  unsigned fate(Door door, unsigned ways);
  void become_calm();
  bool done() const;
  void check();
  void check_partition(std::int32_t partition);
  void check_transactions(std::int32_t partition);
  SeenPartition seen(std::int32_t partition);
  SeenPartition expected(std::int32_t partition);
  std::vector<ForcedEpoch> forced_epochs(std::int32_t partition);
  void breach(const std::string& what);
  std::int64_t last_record(std::int32_t partition) const;

  const SchedulePlan plan_;
  const Workload& work_;
  Chance chance_;
  SimCluster cluster_;
  ChangelogTruth truth_;
  SimSurroundings around_;
  std::vector<std::unique_ptr<SimDaemon>> daemons_;
  std::vector<std::vector<PlacedRecord>> placed_;  // by partition
  std::size_t fed_ = 0;
  std::size_t depth_ = 0;
  struct OpenInput {
    std::int32_t partition;
    int producer;
    bool commit;
  };
  std::vector<OpenInput> open_inputs_;
  int input_producers_ = 1'000;
  std::array<std::uint64_t, kDoors> through_{};  // calls by door
  bool inputs_stay_open_ = false;
  bool dies_in_commit_ = false;  // whoever is next to decide one
  bool died_in_commit_ = false;
  bool calm_ = false;
  bool warranted_end_ = false;  // a fault after which a partition may stay parked
  std::uint64_t fault_one_in_ = 0;
  std::uint64_t crash_one_in_ = 0;
  std::uint64_t interlude_one_in_ = 0;
  ScheduleResult result_;
};

}  // namespace segmentd::test
