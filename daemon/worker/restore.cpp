#include "daemon/worker/restore.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "daemon/observe/log.hpp"
#include "daemon/pipeline/last_applied.hpp"
#include "state/codec.hpp"

namespace segmentd {
namespace {

using observe::LogLevel;
using observe::ParkReason;

constexpr std::size_t kBatchRecords = 20'000;
constexpr milliseconds kReadWait{100};
/// A cancellation waits for the answer to either.
constexpr milliseconds kFenceTimeout{2'000};
constexpr milliseconds kQuestion{2'000};
/// How long the changelog's end may stay behind an open transaction before its writer is fenced.
constexpr milliseconds kHiddenEndPatience{500};
constexpr milliseconds kRetryPause{250};
constexpr milliseconds kBrokerPatience{10'000};
constexpr milliseconds kEpochPause{5};
constexpr milliseconds kTellEvery{5'000};
constexpr milliseconds kSilentReaderPatience{10'000};
/// A writer that was fenced has no open transaction, unless the brokers lost its end.
constexpr int kFencedInVain = 3;
/// Nor have we one for as long as that, looking every kHiddenEndPatience.
constexpr int kOwnInVain = 120;

ParkReason store_reason(const Error& error) {
  return error.code == Errc::kUnavailable ? ParkReason::kDiskFull : ParkReason::kStoreError;
}

ParkReason opening_reason(const Error& error) {
  if (error.code == Errc::kMisconfigured) return ParkReason::kFingerprint;
  return error.code == Errc::kUnavailable ? ParkReason::kStateBehindLog  // an epoch is missing
                                          : ParkReason::kStoreError;
}

Error cancelled_error() {
  return {Errc::kRetry, "taken away while it was restored"};
}

/// One restore under way.
class Restore {
 public:
  Restore(const RestoreParts& parts, std::int32_t partition, const std::function<bool()>& cancelled,
          const std::function<void(const RestoreProgress&)>& tell)
      : parts_(parts),
        partition_(partition),
        cancelled_(cancelled),
        tell_(tell),
        begun_(parts.pace.now()),
        told_at_(begun_) {}

  Restored run();

 private:
  enum class Read {
    kComplete,   // the store holds all of the changelog
    kOtherStore  // R1: this store and this changelog do not belong together
  };
  struct Failure {
    Error error;
    ParkReason reason = ParkReason::kStoreError;
  };
  using Step = std::optional<Failure>;  // nullopt = done

  Step bring_up_to_date();
  Step refuse_empty_changelog();
  Step open_store();
  Step begin_store();
  Step give_up(GivenUp how, const std::string& why);
  bool was_away_too_long() const;
  Step read_changelog(Read& read);
  Step read_batch(LogReader& reader, Read& read, bool& any);
  Step take(const std::vector<Message>& records, Read& read);
  Step write(std::span<const RowWrite> rows, const Position& position);
  bool reaches(const ReadProgress& progress) const;
  Result<bool> knows_hidden_end(const ReadProgress& progress);
  Step fence_writer();
  Step end_is_lost(const std::string& writer) const;
  void free_outputs();
  bool hides_outputs() const;
  Result<std::optional<Meta>> stored_meta();
  Result<void> wait_for_epochs();
  Result<void> compare_with_input(const Partition& partition, const Watermarks& marks);
  void note_progress(const ReadProgress& progress);
  void say_restored(milliseconds read) const;
  milliseconds elapsed() const {
    return std::chrono::duration_cast<milliseconds>(parts_.pace.now() - begun_);
  }
  Restored failed(Error error, ParkReason reason) const {
    return {partition_, std::move(error), reason, {}, writers_fenced_};
  }

  const RestoreParts& parts_;
  const std::int32_t partition_;
  const std::function<bool()>& cancelled_;
  const std::function<void(const RestoreProgress&)>& tell_;
  const Pace::Time begun_;
  Pace::Time told_at_;
  RestoreProgress progress_;
  std::unique_ptr<Store> store_;
  std::string store_uuid_;             // of its META; empty = it has none yet
  std::int64_t given_up_txn_seq_ = 0;  // of a store that was moved aside
  int hidden_by_us_ = 0;               // times seen
  int writers_fenced_ = 0;
};

Restored Restore::run() {
  if (Step failed_at = bring_up_to_date()) {
    return failed(std::move(failed_at->error), failed_at->reason);
  }
  const milliseconds read = elapsed();
  free_outputs();
  if (auto known = wait_for_epochs(); !known) {
    return failed(known.error(), ParkReason::kStateBehindLog);
  }
  auto opened = Partition::open(parts_.rules, partition_, std::move(store_), parts_.epochs,
                                parts_.new_uuid(), cancelled_);
  if (!opened) return failed(opened.error(), opening_reason(opened.error()));
  auto marks = parts_.broker.watermarks(parts_.input_topic, partition_, kQuestion);
  if (!marks) return failed(marks.error(), ParkReason::kInputRecreated);
  if (auto same = compare_with_input(**opened, *marks); !same) {
    return failed(same.error(), ParkReason::kInputRecreated);
  }
  say_restored(read);
  return {partition_, std::move(opened), ParkReason::kStoreError, *marks, writers_fenced_};
}

// --- the store ---

/// Opens the store and reads the rest of the changelog into it; if that shows that it has to be
/// given up, once more with a fresh one.
Restore::Step Restore::bring_up_to_date() {
  if (Step failed = open_store()) return failed;
  if (was_away_too_long()) {
    if (Step failed = give_up(GivenUp::kDeleted,
                              "it was away for longer than the changelog keeps deletions")) {
      return failed;
    }
  }
  for (bool fresh = false;; fresh = true) {
    auto read = Read::kComplete;
    if (Step failed = read_changelog(read)) return failed;
    if (read == Read::kComplete) break;
    if (fresh) {
      return Failure{{Errc::kBadInput,
                      "the changelog holds the records of two states. Start a new application id, "
                      "which reads the input from its beginning"},
                     ParkReason::kStateBehindLog};
    }
    if (Step failed = refuse_empty_changelog()) return failed;
    if (Step failed = give_up(GivenUp::kMovedAside, "it is not of this changelog")) return failed;
  }
  if (given_up_txn_seq_ > 0 && store_uuid_.empty()) {
    return Failure{{Errc::kBadInput,
                    "the changelog has no state, but a store of this directory knew " +
                        std::to_string(given_up_txn_seq_) +
                        " transactions: the changelog was deleted. The store was moved aside. "
                        "Start a new application id, which reads the input from its beginning"},
                   ParkReason::kStateBehindLog};
  }
  return std::nullopt;
}

/// R1. The store is what is left then; it stays, and so does the refusal.
Restore::Step Restore::refuse_empty_changelog() {
  auto marks =
      parts_.broker.watermarks(parts_.output(OutputTopic::kChangelog), partition_, kQuestion);
  if (!marks) return Failure{marks.error(), ParkReason::kStateBehindLog};
  auto meta = stored_meta();
  if (!meta) return Failure{meta.error(), store_reason(meta.error())};
  if (marks->first < marks->end || !*meta) return std::nullopt;
  return Failure{
      {Errc::kBadInput,
       "the changelog is empty, but the store here knows " + std::to_string((*meta)->txn_seq) +
           " transactions: the changelog was deleted. Start a new application id, which "
           "reads the input from its beginning"},
      ParkReason::kStateBehindLog};
}

Restore::Step Restore::open_store() {
  auto opened = parts_.open_store(partition_);
  if (!opened) return Failure{opened.error(), store_reason(opened.error())};
  store_ = std::move(*opened);
  store_uuid_.clear();
  auto meta = stored_meta();
  if (!meta) return Failure{meta.error(), store_reason(meta.error())};
  if (*meta) store_uuid_ = (*meta)->store_uuid;
  return store_->position() ? std::nullopt : begin_store();
}

/// What was deleted before now, a store that begins now does not miss.
Restore::Step Restore::begin_store() {
  return write({}, Position{0, parts_.wall()});
}

Result<std::optional<Meta>> Restore::stored_meta() {
  auto bytes = store_->get(kMetaKey);
  if (!bytes) return bytes.error();
  if (!bytes->has_value()) return std::optional<Meta>();
  auto meta = decode_meta(**bytes);
  if (!meta) return meta.error();
  return std::optional<Meta>(std::move(*meta));
}

/// Half of the time is for what a compaction under way may be ahead of its schedule.
bool Restore::was_away_too_long() const {
  const std::optional<Position> position = store_->position();
  if (!position || !position->complete_at) return false;
  return parts_.wall() - *position->complete_at > parts_.deletions_kept.count() / 2;
}

/// R1
Restore::Step Restore::give_up(GivenUp how, const std::string& why) {
  if (how == GivenUp::kMovedAside) {
    auto meta = stored_meta();
    if (meta && *meta) given_up_txn_seq_ = (*meta)->txn_seq;
  }
  store_.reset();
  observe::log_line(LogLevel::kWarning,
                    how == GivenUp::kDeleted
                        ? "a store is made anew from the changelog"
                        : "a store is moved aside and made anew from the changelog",
                    {{"partition", partition_}, {"what", why}});
  if (auto gone = parts_.give_up_store(partition_, how); !gone) {
    return Failure{gone.error(), store_reason(gone.error())};
  }
  return open_store();
}

Restore::Step Restore::write(std::span<const RowWrite> rows, const Position& position) {
  if (auto written = store_->write(rows, position); !written) {
    return Failure{written.error(), store_reason(written.error())};
  }
  return std::nullopt;
}

// --- the changelog ---

/// Reads until position = LSO = HW: everything decided is in the store, nothing is open behind it.
Restore::Step Restore::read_changelog(Read& read) {
  const std::int64_t from = store_->position()->next_offset;
  const ReadFrom froms[] = {{partition_, from > 0 ? from : kFromBeginning}};
  auto reader = parts_.broker.open_reader(parts_.output(OutputTopic::kChangelog), froms, kQuestion);
  if (!reader) return Failure{reader.error(), ParkReason::kStateBehindLog};
  Pace::Time seen_moving = parts_.pace.now();
  Pace::Time answered = seen_moving;
  Pace::Time told = seen_moving;  // of a record, or of the end
  while (true) {
    if (cancelled_()) return Failure{cancelled_error()};
    bool any = false;
    Step failed = read_batch(**reader, read, any);
    if (failed && failed->error.code == Errc::kRetry &&
        parts_.pace.now() - answered < kBrokerPatience) {
      parts_.pace.sleep(kRetryPause);
      continue;
    }
    if (failed) return failed;  // the others are not kept waiting for this one
    if (read == Read::kOtherStore) return std::nullopt;
    answered = parts_.pace.now();
    const ReadProgress progress = (*reader)->progress(partition_);
    note_progress(progress);
    if (progress.complete()) break;
    const bool at_end = progress.at_stable_end || reaches(progress);
    if (at_end || any) told = answered;
    if (answered - told > kSilentReaderPatience) {
      return Failure{
          {Errc::kRetry, "the changelog tells neither records nor its end: reading anew"},
          ParkReason::kStateBehindLog};
    }
    if (!at_end || any) seen_moving = answered;
    if (answered - seen_moving < kHiddenEndPatience) continue;
    auto known = knows_hidden_end(progress);
    if (!known) return Failure{known.error(), store_reason(known.error())};
    if (*known) break;
    if (Step not_fenced = fence_writer()) return not_fenced;
    seen_moving = parts_.pace.now();
  }
  Position end = *store_->position();
  end.complete_at = parts_.wall();
  return write({}, end);
}

/// A reader that begins behind an open transaction is not told that this is the end.
bool Restore::reaches(const ReadProgress& progress) const {
  return progress.end > 0 && store_->position()->next_offset == progress.end;
}

/// R2
Result<bool> Restore::knows_hidden_end(const ReadProgress& progress) {
  if (!reaches(progress)) return false;
  auto meta = stored_meta();
  if (!meta) return meta.error();
  if (!*meta || (*meta)->writer != parts_.own_writer) return false;
  observe::log_line(LogLevel::kWarning,
                    "the brokers do not show the end of a transaction that they committed; going "
                    "on, for the store has it: the next transaction will show it",
                    {{"partition", partition_}, {"transaction", (*meta)->txn_seq}});
  return true;
}

Restore::Step Restore::read_batch(LogReader& reader, Read& read, bool& any) {
  std::vector<Message> records;
  if (auto ok = reader.read(records, kBatchRecords, kReadWait); !ok) {
    if (ok.error().code == Errc::kCorrupt) {  // the position is not in the log
      read = Read::kOtherStore;
      return std::nullopt;
    }
    return Failure{ok.error(), ParkReason::kStateBehindLog};
  }
  any = !records.empty();
  return any ? take(records, read) : std::nullopt;
}

Restore::Step Restore::take(const std::vector<Message>& records, Read& read) {
  std::vector<RowWrite> rows;
  rows.reserve(records.size());
  for (const Message& record : records) {
    if (!record.key) continue;
    if (*record.key == kMetaKey && record.value) {
      auto meta = decode_meta(*record.value);
      if (!meta) {
        return Failure{{Errc::kBadInput, "META in the changelog: " + meta.error().what},
                       ParkReason::kStateBehindLog};
      }
      if (!store_uuid_.empty() && meta->store_uuid != store_uuid_) {
        read = Read::kOtherStore;
        return std::nullopt;
      }
      store_uuid_ = meta->store_uuid;
    }
    rows.push_back({std::string(*record.key), std::nullopt});
    if (record.value) rows.back().value = std::string(*record.value);
  }
  progress_.rows_read += static_cast<std::int64_t>(records.size());
  Position position = *store_->position();
  position.next_offset = records.back().offset + 1;
  return write(rows, position);
}

void Restore::note_progress(const ReadProgress& progress) {
  const Pace::Time now = parts_.pace.now();
  progress_.rows_remaining = progress.remaining();
  progress_.elapsed = elapsed();
  tell_(progress_);
  if (now - told_at_ < kTellEvery) return;
  told_at_ = now;
  observe::log_line(
      LogLevel::kInfo, "restoring",
      {{"partition", partition_},
       {"rows_read", progress_.rows_read},
       {"rows_remaining", progress_.rows_remaining},
       {"rows_per_second", static_cast<std::int64_t>(progress_.rows_per_second())},
       {"seconds_remaining", static_cast<std::int64_t>(progress_.seconds_remaining())}});
}

/// The rest of the time goes into opening the partition, which looks at every customer.
void Restore::say_restored(milliseconds read) const {
  if (progress_.rows_read == 0) return;
  observe::log_line(LogLevel::kInfo, "restored",
                    {{"partition", partition_},
                     {"rows_read", progress_.rows_read},
                     {"read_ms", read.count()},
                     {"all_ms", elapsed().count()}});
}

Restore::Step Restore::fence_writer() {
  const auto writer =
      parts_.broker.hiding_writer(parts_.output(OutputTopic::kChangelog), partition_, kQuestion);
  if (!writer) return Failure{writer.error(), ParkReason::kStateBehindLog};
  if (!*writer || (*writer)->empty()) return std::nullopt;
  if (**writer == parts_.own_writer) {
    return ++hidden_by_us_ < kOwnInVain ? std::nullopt : end_is_lost(**writer);
  }
  observe::log_line(LogLevel::kWarning,
                    "an open transaction hides the changelog's end: fencing its writer",
                    {{"partition", partition_}, {"writer", **writer}});
  if (auto fenced = parts_.broker.fence(**writer, kFenceTimeout); !fenced) {
    return Failure{fenced.error(), ParkReason::kStateBehindLog};
  }
  return ++writers_fenced_ < kFencedInVain ? std::nullopt : end_is_lost(**writer);
}

/// Ends this attempt: the next one comes later and later, and others are restored meanwhile.
Restore::Step Restore::end_is_lost(const std::string& writer) const {
  const std::string what =
      "the changelog's end stays hidden although its writer has nothing open: the brokers lost the "
      "end of a transaction (KAFKA-20734). See \"The end of a transaction was lost\" in "
      "OPERATIONS.md";
  observe::log_line(LogLevel::kError, what, {{"partition", partition_}, {"writer", writer}});
  return Failure{{Errc::kRetry, what + "; the writer is " + writer}, ParkReason::kStateBehindLog};
}

bool Restore::hides_outputs() const {
  for (std::size_t t = 0; t < kOutputTopics; ++t) {
    const auto topic = static_cast<OutputTopic>(t);
    if (topic == OutputTopic::kChangelog || (topic == OutputTopic::kModel && partition_ != 0)) {
      continue;
    }
    if (cancelled_()) return false;
    const auto marks = parts_.broker.watermarks(parts_.output(topic), partition_, kQuestion);
    if (!marks) return false;
    if (marks->stable_end < marks->end) return true;
  }
  return false;
}

/// A question that fails costs readers time, nothing else. There may be no right to read these
/// topics, only to write them: so they are not asked whose transaction it is.
void Restore::free_outputs() {
  auto meta = stored_meta();
  if (!meta || !*meta || (*meta)->writer.empty() || (*meta)->writer == parts_.own_writer) return;
  if (!hides_outputs()) return;
  parts_.pace.sleep(kHiddenEndPatience);  // its markers may be on their way
  if (cancelled_() || !hides_outputs()) return;
  observe::log_line(LogLevel::kWarning,
                    "an open transaction hides an output topic's end: fencing the last writer",
                    {{"partition", partition_}, {"writer", (*meta)->writer}});
  if (parts_.broker.fence((*meta)->writer, kFenceTimeout)) ++writers_fenced_;
}

// --- what it has to fit ---

/// Everything that was published before we had this partition is known before it decides: an epoch
/// that its last owner published and did not live to adopt, too.
Result<void> Restore::wait_for_epochs() {
  auto marks = parts_.broker.watermarks(parts_.output(OutputTopic::kModel), 0, kQuestion);
  if (!marks) return marks.error();
  const Pace::Time until = parts_.pace.now() + kBrokerPatience;
  while (parts_.model_position() < marks->stable_end) {
    if (cancelled_()) return cancelled_error();
    if (parts_.pace.now() > until) {
      return Error{Errc::kRetry, "the model topic is not read to its end yet"};
    }
    parts_.pace.sleep(kEpochPause);
  }
  return {};
}

/// What was applied last has to lie in the input still, as it was: else the topic was made anew,
/// and the next offset names another record. What retention has deleted cannot be compared.
Result<void> Restore::compare_with_input(const Partition& partition, const Watermarks& marks) {
  const LastApplied& last = partition.meta().last_applied;
  const Pace::Time until = parts_.pace.now() + kBrokerPatience;
  const auto may_wait = [&]() -> Result<void> {
    if (cancelled_()) return cancelled_error();
    if (parts_.pace.now() > until) return Error{Errc::kRetry, "the input does not answer"};
    return {};
  };
  const auto fate =
      read_last_applied(parts_.broker, parts_.input_topic, partition_, last, marks, may_wait);
  if (!fate) return fate.error();
  if (*fate == LastAppliedFate::kDiffers) return input_made_anew(last, marks);
  return {};
}

}  // namespace

Restored restore_partition(const RestoreParts& parts, std::int32_t partition,
                           const std::function<bool()>& cancelled,
                           const std::function<void(const RestoreProgress&)>& tell) {
  return Restore(parts, partition, cancelled, tell).run();
}

}  // namespace segmentd
