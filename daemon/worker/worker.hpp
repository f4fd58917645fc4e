// One worker: one member of the group, one transactional producer, the partitions assigned to it.
//
//   round:  take what is restored -> poll -> decide (pipeline) -> commit -> store -> report
//
// Several workers of a process share nothing but the epochs and what they only publish to (metrics,
// health, holdings).
//
// Rules it keeps, beside P1-P4 of pipeline.hpp:
//   W1  Poll, rebalance callbacks and commit happen on this one thread.
//   W2  A commit goes out only with the group metadata of the last callback and an assignment that
//       is not lost; else the group is polled first.
//   W3  A transaction whose outcome is unknown is resolved before anything else is decided: the
//       producer is replaced, then the committed offset's metadata tells (our transaction: it
//       happened; the one before: it did not; anything else: the partition is another's now).
//   W4  An aborted transaction rewinds nothing: what was decided goes out again.
//   W5  In a revoke: one commit, stores closed, then the answer. Never a resolution.
//   W6  A partition that cannot go on is parked: owned, not active, said once a minute; the others
//       go on. Where the input's partition count is not the one the state was made with, all are,
//       for a customer's records may come anywhere.
//   W7  A partition that was taken up is claimed: its next transaction goes out at once, so that
//       META names the writer that has to be fenced, should it die.
//   W8  No partition stays without an owner. With static members and cooperative assignment it can:
//       one is to be taken from a member that dies before it hears so and is back within its
//       session. The coordinator gives it what was noted for it then, and nobody else hears of it
//       (KIP-345, KIP-429). Hence every member that is new looks, and joins again if need be.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "daemon/http/health.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/pipeline.hpp"
#include "daemon/ports.hpp"
#include "daemon/worker/holdings.hpp"
#include "daemon/worker/pace.hpp"
#include "daemon/worker/restorer.hpp"

namespace segmentd {

struct WorkerRules {
  milliseconds commit_interval{25};
  milliseconds idle_poll{20};
  milliseconds report_every{500};
  milliseconds flush_interval{30'000};
  std::uint64_t flush_rows = 500'000;
  std::int64_t poll_records_max = 10'000;  // read before deciding
  std::size_t held_bytes_max = 64U << 20U;
  bool start_at_earliest = true;  // where neither state nor a committed offset exists
  bool leave_on_stop = true;
  int worker = 0;
  std::int32_t partitions = 1;      // of the input, when the process started
  milliseconds restore_pause{200};  // before the state is compared with the group's offset again
  int restore_attempts_max = 25;    // then the partition is parked
  milliseconds unassigned_look{1'000};      // whether partitions have no owner
  milliseconds unassigned_patience{5'000};  // with that, before the group is joined again
  milliseconds dropped_patience{10'000};    // for the group to take away what is not ours
  milliseconds input_patience{15'000};      // with an input that does not exist any more
  milliseconds room_look{10'000};           // between looks at a disk that was full
  milliseconds stuck_patience{5'000};       // before the process ends because all is parked
  milliseconds fenced_again{20'000};        // so soon after the last time it is another process
  milliseconds commit_overdue{10'000};      // then it is no longer ready
  milliseconds restore_overdue{30'000};     // the same, of a partition that cannot be restored
};

/// Why run() returned.
struct WorkerEnd {
  enum class Kind { kStopped, kBroker, kState, kFenced };
  Kind kind = Kind::kStopped;
  std::string what;
};

/// What a worker works with; all outlive it.
struct WorkerParts {
  std::function<Result<std::unique_ptr<Source>>(RebalanceListener&)> open_source;
  TransactionLog& log;
  Broker& broker;
  Pace& pace;
  Pipeline& pipeline;
  Restorer& restorer;
  Holdings& holdings;
  observe::Metrics& metrics;
  http::HealthBoard& health;
  std::function<Instant()> wall;
  std::string input_topic;
  /// Moves a partition's closed store out of the way; an error if that was done not long ago.
  std::function<Result<void>(std::int32_t)> set_aside;
  /// A partition went to another member; its store is closed.
  std::function<void(std::int32_t)> left;
  /// Whether the disk of the state directory has room to go on.
  std::function<bool()> has_room;
};

class Worker final : public RebalanceListener {
 public:
  Worker(WorkerRules rules, WorkerParts parts);

  /// Joins the group and works until `stop` is set or it cannot go on.
  /// Once that is set it returns within 35 s whatever the brokers do: what is under way has its
  /// time-out, and nothing is begun with a broker that did not answer.
  WorkerEnd run(const std::atomic<bool>& stop);

  // What run() consists of, for who wants to look in between.
  Result<void> join();
  void round();
  void shut_down();
  /// Set once it cannot go on.
  const std::optional<WorkerEnd>& ended() const { return end_; }

  void on_assigned(std::span<const std::int32_t> partitions) override;
  void on_revoked(std::span<const std::int32_t> partitions) override;
  void on_lost(std::span<const std::int32_t> partitions) override;

 private:
  /// For the group's committed offsets, and for the input's partition count; then it asks again.
  static constexpr milliseconds kCommittedTimeout{2'000};
  static constexpr milliseconds kCountTimeout{2'000};
  static constexpr milliseconds kAssignmentTimeout{2'000};
  /// The same for what an activation asks first: the others wait meanwhile, and it is asked again.
  static constexpr milliseconds kActivationTimeout{700};

  struct Parked {
    observe::ParkReason reason = observe::ParkReason::kRepeatedFailure;
    std::string what;
    bool was_active = false;
    Pace::Time retry_at{};  // of one parked for a full disk
  };
  /// Of a partition that could not be made ready so far.
  struct RestoreDelay {
    Pace::Time since{};
    milliseconds wait{0};
    std::string why;
  };
  // --- the round ---
  void poll();
  void poll_stalled();
  bool stalled() const;
  bool handle(Polled polled);
  void join_after_fencing(const std::string& what);
  void forget_old_ends();
  void decide_and_commit();
  void commit_before_leaving();

  // --- partitions ---
  void check_partition_count();
  void note_input(const Result<std::int32_t>& count);
  Result<std::int32_t> partition_count_of_state();
  void park_all(std::int32_t now, std::int32_t before);
  void take_restored();
  void retry_parked();
  void end_if_all_parked();
  void look_for_unassigned();
  void rejoin_if_needed();
  void activate(Restored restored);
  std::optional<std::int64_t> starting_offset(const Partition& partition,
                                              const CommittedOffset& committed,
                                              const Watermarks& input, bool unstable);
  void not_restored(std::int32_t partition, observe::ParkReason reason, const Error& error);
  void restore_again(std::int32_t partition, observe::ParkReason reason, const std::string& why);
  void restore_later(std::int32_t partition, const std::string& why);
  void set_aside(std::int32_t partition, const std::string& what);
  void park(std::int32_t partition, observe::ParkReason reason, const std::string& what);
  void give_up(std::int32_t partition, const Error& error);
  void release(std::span<const std::int32_t> partitions);
  void tell_expected();
  bool in_doubt() const { return producer_broken_ || !doubts_.empty(); }
  bool owned(std::int32_t partition) const { return owned_.contains(partition); }

  // --- committing ---
  enum class Commit { kDone, kNotNow, kAborted, kInDoubt };
  Commit commit();
  Commit conclude(const TransactionResult& result, const std::vector<InputOffset>& offsets);
  void store_committed(const std::vector<InputOffset>& offsets,
                       const std::vector<Written>& written);
  void store_one(std::int32_t partition, std::int64_t changelog_offset);
  bool replace_producer();
  void resolve();
  void note_refusal(const TransactionResult& result);
  void park_refused();
  void flush_stores();

  // --- saying ---
  void report(bool force);
  void report_gauges();
  void say_progress();
  void say_caught_up(const Partition& partition);
  void say_skipped(std::int32_t partition, const observe::Tally& tally) const;
  void say_skips_behind(std::int32_t partition, std::int64_t next_offset) const;
  void report_health();
  observe::PartitionGauges idle_gauges(std::int32_t partition) const;
  void note_rebalance_begin();
  void note_rebalance_end();
  void note_stamp();
  void end(WorkerEnd::Kind kind, const std::string& what);
  /// `0,2,3`.
  static std::string list_of(std::span<const std::int32_t> partitions);
  void say_parked();

  const WorkerRules rules_;
  WorkerParts parts_;
  std::unique_ptr<Source> source_;
  GroupStamp noted_;
  std::set<std::int32_t> owned_;
  std::map<std::int32_t, Parked> parked_;
  std::map<std::int32_t, milliseconds> room_waits_;  // grows until a write succeeds
  std::map<std::int32_t, int> restore_attempts_;
  std::map<std::int32_t, Pace::Time> restore_not_before_;
  std::map<std::int32_t, RestoreDelay> restore_delays_;
  std::optional<Pace::Time> input_gone_since_;
  /// W3: what was to be committed in a transaction whose outcome is not known. While there is any,
  /// or the producer has not been replaced since, nothing is decided.
  std::map<std::int32_t, OffsetMark> doubts_;
  bool producer_broken_ = false;
  std::map<std::int32_t, std::vector<std::string>> refused_;  // by the broker since the last commit
  std::map<std::int32_t, Pace::Time> dropped_;  // not ours by the offset's metadata, since when
  bool rejoining_ = false;
  bool owners_unchecked_ = false;  // since this membership began
  Pace::Time owners_not_before_{};
  std::optional<Pace::Time> unassigned_since_;
  int rejoins_for_unassigned_ = 0;  // in a row
  std::optional<Pace::Time> fenced_at_;
  bool count_unchecked_ = false;  // since the last assignment
  Pace::Time count_not_before_{};
  std::optional<Pace::Time> rebalance_since_;
  std::optional<Pace::Time> stuck_since_;
  std::uint64_t replaced_ = 0;  // producers, as told by the log and published
  std::map<std::int32_t, Pace::Time> flushed_at_;
  std::map<std::int32_t, std::int64_t> ends_;  // where each partition was last read to its end
  std::set<std::int32_t>
      caught_up_;  // have read all there was since they were taken up; it was said
  std::int64_t epoch_said_ = 0;
  std::optional<WorkerEnd> end_;
  Pace::Time transaction_since_{};
  bool filling_ = false;  // something was decided since the last commit
  bool drained_ = false;  // the last poll found nothing more
  const std::atomic<bool>* stop_ = nullptr;
  bool stopping_ = false;       // in shut_down(): nothing is tried twice
  bool commit_failed_ = false;  // the last one was not possible, or aborted: no hurry to try again
  int aborts_in_a_row_ = 0;
  Pace::Time polled_at_{};  // while stalled
  Pace::Time reported_at_{};
  Pace::Time flush_looked_at_{};
  Pace::Time overdue_looked_at_{};
  std::int64_t overdue_ = 0;
  std::optional<Instant> last_commit_;
  observe::CommitTally commit_tally_;
  observe::RateLimit limit_;
};

}  // namespace segmentd
