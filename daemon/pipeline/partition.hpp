// One input partition at work: its customers, its clock, what was decided since the last commit.
//
//   hold -> advance (decide) -> put_all (one transaction) -> committed (store) ...
//
// Invariants (P1, P2 and P4 as in pipeline.hpp):
//   A1  Between two commits the store is not written. Everything decided lives here (the overlay);
//       an aborted transaction loses nothing of it, and the same goes out again.
//   A2  The clock never goes back. All evaluation instants <= the clock are decided before the next
//       record is applied.
//   A3  Decisions depend on state, records and the clock, never on where a transaction ends.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/observe/tally.hpp"
#include "daemon/pipeline/epochs.hpp"
#include "daemon/pipeline/offset_mark.hpp"
#include "daemon/pipeline/output.hpp"
#include "daemon/pipeline/row_cache.hpp"
#include "daemon/ports.hpp"
#include "daemon/wire/encode.hpp"
#include "state/core/record.hpp"
#include "state/core/reject.hpp"
#include "state/core/segmenter.hpp"
#include "state/meta.hpp"
#include "state/store.hpp"

namespace segmentd {

/// The settings a partition works by; the same for all partitions of a process.
struct PartitionRules {
  SegmenterRules segmenter;
  bool event_clock = false;
  std::int64_t evaluate_every_ms = kMsPerDay;
  std::int64_t clock_step_max_ms = 400 * kMsPerDay;
  std::int64_t future_tolerance_ms = kMsPerHour;
  bool table_on_every_order = true;
  std::size_t rejected_bytes_max = 900'000;
  std::size_t prefetch_records = 4096;  // looked ahead for rows to read together
  std::string input_topic;
  std::string fingerprint;
  std::string writer;   // transactional.id
  std::string process;  // tells this process from others of that id, before and after: offset_mark
  std::int32_t partitions = 1;  // of the input
  EncodeContext encode;         // store_uuid is filled in by the partition
};

/// A record read and decoded, waiting for its turn.
struct Held {
  Message message;
  std::variant<Record, Reject> decoded;
  observe::RecordType type = observe::RecordType::kUnknown;

  /// Memory, about: the message's own buffers and the library's bookkeeping included.
  std::size_t bytes() const { return sizeof(Held) + kOverheadBytes + message.bytes(); }
  static constexpr std::size_t kOverheadBytes = 300;
};

/// As META keeps it: XXH3 of the value, seeded with XXH3 of the key.
std::uint64_t record_hash(const Message& message);

/// The metric's word for a segment.
observe::SegmentWord segment_word(Segment segment);

/// How much may go, or goes, into the transaction being filled. Shared by the partitions of a
/// worker.
struct Budget {
  std::int64_t records = 0;
  std::int64_t moves = 0;  // of sweeps
  std::int64_t bytes = 0;  // of output, rows about
  std::int64_t rows = 0;   // changed
  bool spent() const { return records <= 0 || moves <= 0 || bytes <= 0 || rows <= 0; }
  Budget& operator-=(const Budget& used) {
    records -= used.records;
    moves -= used.moves;
    bytes -= used.bytes;
    rows -= used.rows;
    return *this;
  }
};

class Partition {
 public:
  /// Reads META and all rows of `store` and takes up where they end. `new_uuid` names the store if
  /// it is empty. kCorrupt: a row or META cannot be read. kMisconfigured: the fingerprint differs;
  /// the text names the settings. kUnavailable: META's epoch is not among `epochs`. `cancelled` is
  /// asked now and then; true ends it with kRetry.
  static Result<std::unique_ptr<Partition>> open(const PartitionRules& rules, std::int32_t number,
                                                 std::unique_ptr<Store> store, const Epochs& epochs,
                                                 const std::string& new_uuid,
                                                 const std::function<bool()>& cancelled = {});

  std::int32_t number() const { return number_; }
  const Meta& meta() const { return meta_; }
  const Segmenter& segmenter() const { return segmenter_; }
  /// Of the last transaction in the store when it was opened; the group's offset has to carry it.
  const OffsetMark& restored_mark() const { return restored_mark_; }
  Store& store() { return *store_; }
  const Store& store() const { return *store_; }
  const Rules& customer_rules() const { return rules_.segmenter.customers; }
  const RowCache& rows() const { return rows_; }
  /// How many rows may stay in memory without need, and in how many bytes. Until told, hardly any.
  void set_cache_bounds(std::size_t rows_max, std::size_t bytes_max) {
    rows_.set_bounds(rows_max, bytes_max);
  }

  // --- input ---
  /// Where reading begins; only before the first record. Differs from META's offset only where
  /// there is no state yet.
  void start_at(std::int64_t next_offset);
  /// Takes a record in, in offset order.
  void hold(Held held);
  /// The input has been read to its end, or (false) it is known that there is more.
  void set_at_end(bool at_end) { at_end_ = at_end; }
  bool at_end() const { return at_end_ && held_.empty(); }
  std::size_t held() const { return held_.size(); }
  std::size_t held_bytes() const { return held_bytes_; }
  std::int64_t next_expected_offset() const { return next_to_hold_; }
  /// Without a record: the clock should go to this instant, as soon as no record is held.
  void wish_clock(Instant to);

  // --- deciding ---
  enum class State {
    kIdle,      // nothing held, nothing under way
    kSpent,     // the budget is used up
    kAwaiting,  // everything is decided as of awaiting(); the epoch rule has to be judged first
  };
  Result<State> advance(Budget& budget, Instant wall);
  bool sweeping() const { return sweep_.has_value(); }
  std::optional<Instant> awaiting() const { return sweep_ ? std::nullopt : aged_at_; }
  /// The epoch rule was judged as of awaiting(), or nobody here judges: go on.
  void pass_evaluation();
  /// Puts a newer epoch in force from here on. No sweep is under way. Rows follow in advance().
  void adopt(std::shared_ptr<const Model> model);
  void rebase_sums(Instant at) { segmenter_.rebase(at); }

  // --- committing ---
  /// What was decided since the last commit; it is bounded also while no commit succeeds (P3).
  Budget pending() const {
    return {pending_records_, pending_moves_, static_cast<std::int64_t>(overlay_bytes()),
            static_cast<std::int64_t>(rows_.dirty().size())};
  }
  /// Something is to be committed.
  bool touched() const { return touched_; }
  /// Makes the next transaction carry this partition even though nothing changed.
  void touch() { touched_ = true; }
  /// Gives everything decided since the last commit, META last. May be called again after an abort.
  Result<void> put_all(OutputSink& sink, Instant wall);
  /// What goes with the transaction: the next input offset, with META's txn_seq and writer.
  InputOffset offset() const;
  /// The transaction put_all() filled is known to be committed; `changelog_offset` is META's place
  /// in the changelog, -1 = unknown.
  Result<void> committed(std::int64_t changelog_offset, Instant wall);
  /// Nothing was committed for long: the store holds the changelog to its end all the same, and
  /// says so, lest it be taken for one that was away. REQUIRES: no outcome is unknown.
  Result<void> note_complete(Instant wall);

  /// Counts since the last commit, and the input timestamps of what was applied (for latency).
  observe::Tally& tally() { return tally_; }
  std::vector<std::int64_t>& applied_timestamps_ms() { return applied_timestamps_ms_; }
  /// Of output decided and of rows changed, these about.
  std::size_t overlay_bytes() const { return output_bytes_ + dirty_bytes_; }

 private:
  Partition(const PartitionRules& rules, std::int32_t number, std::unique_ptr<Store> store,
            const Epochs& epochs);

  Result<void> restore(const std::string& new_uuid, const std::function<bool()>& cancelled);
  Result<void> scan_rows(const std::function<bool()>& cancelled);
  Result<void> prefetch();
  Result<CachedRow*> row_of(const std::string& customer_id);
  Result<void> load_rows(std::vector<std::string> ids);

  bool begin_evaluation_before(Instant clock);
  Result<void> continue_sweep(Budget& budget);
  void spend(Budget& budget, const Budget& before) const;
  Result<bool> take_first(Budget& budget, Instant wall);  // false = an evaluation comes first
  Result<void> apply(Held& held, const Record& record, Instant now);
  std::optional<Reject> refuse(const Record& record, Instant wall) const;
  Instant clock_with(const Record& record, Instant wall) const;
  void count_anonymous(const Record& record);
  void reject(const Held& held, const Reject& reject);
  void change(CachedRow& row, Segment segment_before, bool shows_anyway);  // marks it
  void publish(const SegmentChange& change);
  void emit(OutputRecord record);
  void note_applied(const Held& held);

  const PartitionRules& rules_;
  std::int32_t number_;
  std::unique_ptr<Store> store_;
  const Epochs& epochs_;
  EncodeContext encode_;
  Segmenter segmenter_;
  RowCache rows_;
  OffsetMark restored_mark_;
  Meta meta_;  // as decided; what the store has may be older

  std::deque<Held> held_;
  std::size_t held_bytes_ = 0;
  std::size_t prefetched_ = 0;  // this many of held_ have their rows in memory
  std::int64_t next_to_hold_ = 0;
  bool at_end_ = false;
  std::optional<Instant> wished_clock_;

  std::optional<Sweep> sweep_;
  std::deque<std::string> movers_;  // of sweep_, still to be moved
  std::optional<Instant>
      aged_at_;  // raw clusters are as of this evaluation instant, not yet judged

  bool touched_ = false;
  std::int64_t pending_records_ = 0;
  std::int64_t pending_moves_ = 0;
  std::vector<OutputRecord> outputs_;
  std::size_t output_bytes_ = 0;
  std::size_t dirty_bytes_ = 0;
  std::vector<RowWrite> row_writes_;  // of the transaction under way
  std::uint64_t put_bytes_ = 0;       // by the last put_all()
  observe::Tally tally_;
  std::vector<std::int64_t> applied_timestamps_ms_;
};

}  // namespace segmentd
