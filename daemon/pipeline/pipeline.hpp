// The way of a record through the daemon. Read this first.
//
//   poll -> decode -> step -> collect -> commit transaction -> store -> report
//
// The worker (worker.cpp) polls and commits over Kafka, `replay` reads and writes files; both use
// this same pipeline: records in by hold(), decisions by advance(), one transaction's content by
// put_all(), and committed() when it is known to be durable.
//
// Invariants:
//   P1  An event is visible to read_committed readers if and only if the state that implies it is:
//       one transaction holds events, table rows, changelog rows, META and the input offsets of
//       every partition it touches, or nothing of them.
//   P2  The store never knows what the log does not: it is written only after the commit is known.
//   P3  Memory and transactions are bounded by the limits below.
//   P4  A transaction is a function of state, input records and META. Hence with the event clock
//       and one partition, `run` and `replay` give the same events whatever the commit sizes,
//       caches, restarts and restores.
//
// The model: whoever owns partition 0 judges, at fixed instants of the clock, whether a new epoch
// is due. All partitions of the process meet at each instant, those that are still being restored
// too, so that the judgement sees everybody as of it; with the wall clock nobody is waited for
// longer than meet_patience_ms, over history longer than history_patience_ms. The epoch is
// published in a transaction of partition 0 and adopted right after that commit, before the next
// record.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/pipeline/epochs.hpp"
#include "daemon/pipeline/output.hpp"
#include "daemon/pipeline/partition.hpp"
#include "daemon/ports.hpp"
#include "daemon/wire/decode.hpp"
#include "daemon/wire/partitioner.hpp"
#include "state/core/evaluation.hpp"

namespace segmentd {

struct PipelineRules {
  PartitionRules partition;
  ModelRules model;
  bool own_epochs = true;                  // false: epochs are given by adopt(), none is judged
  std::optional<Partitioner> partitioner;  // of the input; nullopt = unchecked
  std::int32_t partition_count = 1;
  /// Partition and offset of records that are rejected by hand, without being decoded.
  std::set<std::pair<std::int32_t, std::int64_t>> skipped;
  // Rows in memory without need, of all partitions here, and their bytes.
  std::size_t cache_rows_max = 500'000;
  std::size_t cache_bytes_max = 1U << 30U;
  // Limits of one transaction.
  std::int64_t transaction_records_max = 10'000;
  std::int64_t transaction_bytes_max = 16 << 20;
  std::int64_t overlay_rows_max = 200'000;
  std::int64_t relabel_per_transaction_max = 5'000;
  /// Records kept waiting at an evaluation instant for slower partitions; beyond it nobody is
  /// waited for.
  std::size_t held_bytes_max = 64U << 20U;
  /// In service (wall clock, history behind): how long partitions wait at an evaluation instant for
  /// one that is slower or being restored.
  std::int64_t meet_patience_ms = 10 * kMsPerSecond;
  /// The same while history is caught up with.
  std::int64_t history_patience_ms = 5 * kMsPerMinute;
};

class Pipeline {
 public:
  Pipeline(PipelineRules rules, Decoder decoder, Epochs& epochs);

  // --- partitions ---
  const PartitionRules& partition_rules() const { return rules_.partition; }
  /// Partition and offset, as in PipelineRules.
  const std::set<std::pair<std::int32_t, std::int64_t>>& skipped() const { return rules_.skipped; }
  /// Takes up a partition opened with partition_rules(). It adopts what it missed of the epochs at
  /// the next advance().
  void add(std::unique_ptr<Partition> partition);
  /// Forgets a partition and everything decided since its last commit. Null if it is not here.
  std::unique_ptr<Partition> remove(std::int32_t partition);
  Partition* find(std::int32_t partition);
  const std::map<std::int32_t, std::unique_ptr<Partition>>& partitions() const {
    return partitions_;
  }
  /// The partitions that are this worker's, here already or still to come: the others wait for them
  /// at evaluations. Not those that are parked.
  void expect(std::set<std::int32_t> partitions) { expected_ = std::move(partitions); }

  // --- records in ---
  /// Decodes and queues a record of an active partition; others and offsets seen are dropped.
  void hold(Message message);
  /// The input has been read to its end; or (false) it turned out that there is more.
  void reached_end(std::int32_t partition, bool at_end);
  /// Of records read and not yet applied.
  std::size_t held_bytes() const;
  /// In service: the clock of partitions that have read everything is the wall clock.
  void tick(Instant wall);

  // --- decisions ---
  enum class Next {
    kIdle,      // nothing to do before the next record or tick
    kContinue,  // waiting for records of some partition; what was decided may be committed any time
    kCommit,    // commit before anything else: a limit is reached, or an epoch is to be published
  };
  /// Decides as much as one transaction may hold. `wall` also bounds how far ahead a record may
  /// lie.
  Result<Next> advance(Instant wall);

  // --- the transaction ---
  bool touched() const;
  /// Everything of every touched partition, the epoch to be published included; offsets to commit
  /// with it are appended to `offsets`. May be called again after an abort.
  Result<void> put_all(OutputSink& sink, Instant wall, std::vector<InputOffset>& offsets);
  /// The transaction is known to be committed, for this partition: store it. `changelog_offset` as
  /// in Partition::committed(). Only for partitions that put_all() gave an offset for.
  Result<void> committed(std::int32_t partition, std::int64_t changelog_offset, Instant wall);
  /// After the last committed() of a transaction: adopts the epoch that it published.
  void settled();
  /// Puts a newer epoch in force in all partitions; for epochs decided elsewhere.
  void adopt(const Epoch& epoch);

  /// After an error of advance(): whose it was; -1 = nobody's.
  std::int32_t failed_partition() const { return failed_partition_; }

  std::shared_ptr<const Model> newest_model() const { return epochs_.newest(); }
  /// How good the newest epoch is now, for the customers of the partitions here that stand in it;
  /// for metrics. Costs nothing: it follows from the sums.
  Quality quality() const;

 private:
  struct Publication {
    Epoch epoch;
    std::string key;
    std::string json;
  };

  void share_cache();
  void decode(Held& held);
  std::optional<Reject> check_partition(const Message& message, const Record& record);
  Budget budget_left() const;
  bool any_behind_newest() const;
  bool all_have_met() const;
  bool patience_is_over(Instant at, Instant wall);
  std::optional<Instant> first_awaiting() const;
  bool evaluate(Instant wall);
  void catch_up();
  void judge_at(Instant at);
  Population population(Instant at);

  PipelineRules rules_;
  Decoder decoder_;
  Epochs& epochs_;
  std::map<std::int32_t, std::unique_ptr<Partition>> partitions_;
  std::set<std::int32_t> expected_;
  struct Wait {
    Instant at;     // the evaluation instant that is waited at
    Instant since;  // wall time
  };
  std::optional<Wait> waiting_;
  bool told_of_stray_ = false;
  std::optional<Publication> publication_;  // in the transaction being filled
  bool published_ = false;                  // its transaction is committed
  Instant judged_upto_ = kFirstInstant;
  std::int32_t failed_partition_ = -1;
};

}  // namespace segmentd
