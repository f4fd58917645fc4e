// The transaction coordinator in memory: producers by transactional.id with their epochs, what is
// open, what is decided, and which markers are still to be written.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ports.hpp"
#include "tests/support/sim_fates.hpp"
#include "tests/support/sim_group.hpp"
#include "tests/support/sim_log.hpp"

namespace segmentd::test {

class SimTransactions {
 public:
  static constexpr std::int64_t kTimeoutMs = 10'000;     // transaction.timeout.ms
  static constexpr std::int64_t kScanMs = 1'000;         // how often the broker looks for such
  static constexpr std::int64_t kMarkersLateMs = 2'000;  // no marker takes longer

  enum class Answer { kOk, kFenced, kInvalidState };

  SimTransactions(SimGroup& group, Chance& chance) : group_(group), chance_(chance) {}

  /// Bumps the producer's epoch, so that older ones are fenced, and aborts what it had open. True =
  /// every marker is written, and the new epoch may be used; else ask again.
  bool init(const std::string& id, std::int64_t now_ms, bool wait, int& producer, int& epoch);
  /// The log takes part from now on. A transaction before, whose markers are missing, is finished
  /// first.
  Answer add(int producer, int epoch, SimLog& log, std::int64_t now_ms);
  /// Offsets, checked by the group before.
  Answer add_offsets(int producer, int epoch, std::span<const InputOffset> offsets,
                     std::int64_t now_ms);
  /// Decides. Asked again with the same answer it is fine; in a later transaction of the same epoch
  /// it ends that one, which is what makes a stray request dangerous.
  Answer end(int producer, int epoch, bool commit, std::int64_t now_ms);
  bool current(int producer, int epoch) const { return at(producer).epoch == epoch; }

  /// Time passes: some markers are written, transactions open for too long are aborted.
  void pass(std::int64_t now_ms);
  /// Writes one missing marker of any transaction; false = none is missing.
  bool write_a_marker(std::int64_t now_ms);
  void write_markers(int producer, std::int64_t now_ms);
  /// The coordinator takes decided transactions for finished, though markers are missing
  /// (KAFKA-20734): they stay open where they are, until their producer's next one ends there.
  void forget_markers();
  /// No transaction is open or unfinished.
  bool quiet() const;

  /// Called with every record as its transaction is decided to be committed.
  std::function<void(const SimLog&, const SimRecord&)> on_committed;

 private:
  enum class State { kEmpty, kOpen, kCommitting, kAborting };
  struct Producer {
    int epoch = 0;
    State state = State::kEmpty;
    bool committed_last = false;
    std::int64_t began_ms = 0;
    std::int64_t decided_ms = 0;
    std::vector<SimLog*> logs;  // taking part; once decided: marker missing
    bool offsets = false;       // the group takes part, or its marker is missing
  };

  const Producer& at(int producer) const { return producers_[static_cast<std::size_t>(producer)]; }
  Producer& at(int producer) { return producers_[static_cast<std::size_t>(producer)]; }
  Answer begin_if_new(int producer, int epoch, std::int64_t now_ms);
  void decide(int producer, bool commit, std::int64_t now_ms);
  void write_one(int producer, std::int64_t now_ms);

  SimGroup& group_;
  Chance& chance_;
  std::map<std::string, int> ids_;
  std::vector<Producer> producers_;
};

}  // namespace segmentd::test
