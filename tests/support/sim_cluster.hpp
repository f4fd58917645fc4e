// A Kafka cluster in memory, for one thread and in virtual time: deterministic from its seed, and
// no kinder than a real one (tests/ports/contract_test.cpp is held against both).
//
// What is open, pending or late is decided by chance whenever time passes; what goes wrong in a
// call is decided by the Fates, which are asked at the beginning of each.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ports.hpp"
#include "tests/support/sim_fates.hpp"
#include "tests/support/sim_group.hpp"
#include "tests/support/sim_log.hpp"
#include "tests/support/sim_transactions.hpp"

namespace segmentd::test {

class SimSource;
class SimTransactionLog;

/// A running process: what it calls reaches the cluster until it dies, and its library's threads
/// run unless it is frozen (SIGSTOP, or a machine that stands still).
struct SimProcess {
  int number = 0;
  bool alive = true;
  bool frozen = false;
};

class SimCluster {
 public:
  static constexpr const char* kInput = "orders";

  SimCluster(std::int32_t partitions, std::uint64_t seed, Fates& fates);
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  // --- the ports ---
  /// The processes, and this, outlive what is opened.
  std::unique_ptr<SimSource> open_source(const SimProcess& process, const std::string& instance,
                                         RebalanceListener& listener);
  std::unique_ptr<TransactionLog> open_transactions(const SimProcess& process,
                                                    const std::string& transactional_id);
  std::unique_ptr<Broker> open_broker(const SimProcess& process);
  static OutputTopicNames output_names();

  // --- time ---
  std::int64_t now_ms() const { return now_ms_; }
  /// Time passes: markers are written, sessions end, the libraries' threads do their work.
  void pass(std::int64_t ms);

  // --- looking, and what only a test does ---
  SimLog* find(const std::string& topic, std::int32_t partition);
  SimLog& input(std::int32_t partition) { return inputs_[static_cast<std::size_t>(partition)]; }
  SimLog& output(OutputTopic topic, std::int32_t partition) {
    return outputs_[static_cast<std::size_t>(topic)][static_cast<std::size_t>(partition)];
  }
  std::int32_t partitions() const { return static_cast<std::int32_t>(inputs_.size()); }
  SimGroup& group() { return group_; }
  SimTransactions& transactions() { return transactions_; }
  Chance& chance() { return chance_; }
  Fates& fates() { return fates_; }
  /// An EndTxn that was sent twice, or late: reaches the coordinator some time.
  struct Stray {
    int producer;
    int epoch;
    bool commit;
  };
  void add_stray(const Stray& stray) { strays_.push_back(stray); }
  void deliver_a_stray();

  /// Breaks a promise of the port, to see that what relies on it fails: begin() keeps a producer
  /// that may have left a request behind.
  bool keep_producer_with_stray = false;
  /// Whether a member may join anew before its caller hears that it lost what it had.
  bool unnoticed_losses = false;
  /// Whether a store that is closed in order always keeps what was not flushed, as RocksDB does.
  bool stores_keep = false;
  /// A producer that is opened anew hears each time once that what it left behind is being ended.
  bool reopen_slow = false;
  std::int64_t max_poll_ms = 60'000;  // of every member
  /// Whether little comes at a time, polls come empty although there is something, and strays
  /// arrive by themselves.
  bool rough = false;

 private:
  friend class SimSource;
  friend class SimTransactionLog;

  Chance chance_;
  Fates& fates_;
  std::vector<SimLog> inputs_;
  std::array<std::vector<SimLog>, kOutputTopics> outputs_;
  SimGroup group_;
  SimTransactions transactions_;
  std::int64_t now_ms_ = 0;
  std::vector<SimSource*> sources_;
  std::vector<SimTransactionLog*> writers_;
  std::vector<Stray> strays_;
};

}  // namespace segmentd::test
