// The doors of the daemon to Kafka, as the worker sees them. daemon/kafka implements them over
// librdkafka; the simulation implements them in memory and fails at every call. Nothing here names
// a library type.
//
// Who calls what: one worker thread owns one Source and one TransactionLog and calls both; a
// LogReader belongs to the thread that opened it; a Broker may be called from any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "state/core/result.hpp"

namespace segmentd {

using std::chrono::milliseconds;

/// One record of a topic as Kafka has it (a decoded one is a Record, state/core/record.hpp).
/// Move-only: `key` and `value` look into memory that `owner` keeps, so the views live as long as
/// the record does, wherever it is moved to.
struct Message {
  using Owner = std::unique_ptr<void, void (*)(void*)>;

  std::int32_t partition = -1;
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;         // the broker's or the producer's, Unix ms; -1 = none
  std::optional<std::string_view> key;    // nullopt = null, which is not the empty key
  std::optional<std::string_view> value;  // nullopt = null: a tombstone in a compacted topic
  Owner owner{nullptr, [](void*) {}};

  /// Of key and value.
  std::size_t bytes() const { return (key ? key->size() : 0) + (value ? value->size() : 0); }

  /// A record that keeps its own copy of key and value (fakes, replay).
  static Message copy_of(std::int32_t partition, std::int64_t offset, std::int64_t timestamp_ms,
                         std::optional<std::string_view> key,
                         std::optional<std::string_view> value);
};

inline Message Message::copy_of(std::int32_t partition, std::int64_t offset,
                                std::int64_t timestamp_ms, std::optional<std::string_view> key,
                                std::optional<std::string_view> value) {
  const std::size_t key_size = key ? key->size() : 0;
  auto bytes = std::make_unique<std::string>();
  if (key) bytes->append(*key);
  if (value) bytes->append(*value);
  const std::string_view all = *bytes;
  Message record;
  record.partition = partition;
  record.offset = offset;
  record.timestamp_ms = timestamp_ms;
  if (key) record.key = all.substr(0, key_size);
  if (value) record.value = all.substr(key_size);
  record.owner = Owner(bytes.release(), [](void* p) { delete static_cast<std::string*>(p); });
  return record;
}

// --- the input -----------------------------------------------------------------------------------

/// Nothing arrived in the time given.
struct Idle {};

/// The partition has been read to its end: to the last stable offset, not into open transactions.
/// Comes again each time the end is reached after something was read.
struct PartitionEnd {
  std::int32_t partition = -1;
  std::int64_t next_offset = -1;  // where the next record will be or come after
};

/// The input could not be read.
struct SourceTrouble {
  enum class Kind {
    kTransient,         // passes by itself; log at most now and then, go on polling
    kOffsetOutOfRange,  // the partition's offset is not in its log: re-created or deleted; park it
    kUnknownTopic,      // the brokers know the topic no more, or not now: ask
    kFenced,            // another process runs with our group.instance.id: end, exit code 5
    kFatal,             // this consumer is of no more use (authorisation, a library failure): end
  };
  Kind kind = Kind::kTransient;
  std::int32_t partition = -1;  // -1 = not about one partition
  std::string what;
};

using Polled = std::variant<Idle, Message, PartitionEnd, SourceTrouble>;

/// What the group says of us at one moment. To be taken at every callback and before every commit:
/// a commit is allowed only if generation and member equal those of the last callback and the
/// assignment is not lost. The TransactionLog commits with these very bytes, so what was compared
/// is what the broker checks.
struct GroupStamp {
  std::int32_t generation = -1;
  std::string member_id;
  bool lost = true;      // the assignment was taken from us and the callback has not told yet
  std::string metadata;  // opaque, for TransactionLog::commit

  /// The broker accepts a commit unchecked when generation and member are empty: never commit then.
  bool valid() const { return generation >= 0 && !member_id.empty() && !lost; }
  bool same_member(const GroupStamp& other) const {
    return generation == other.generation && member_id == other.member_id;
  }
};

/// Where the group stands in one partition of the input.
struct CommittedOffset {
  std::int32_t partition = -1;
  std::optional<std::int64_t>
      next_offset;       // nullopt = the group never committed here, or it expired
  std::string metadata;  // as given to TransactionLog::commit
};

/// First and next offset of a partition's log.
struct Watermarks {
  std::int64_t first = 0;       // of the oldest record still there (or the end, when empty)
  std::int64_t stable_end = 0;  // readers with read_committed see offsets below this
  std::int64_t end = 0;         // high watermark; > stable_end while a transaction is open
};

/// What the group's coordinator has assigned, to whomever.
struct GroupAssignment {
  bool stable = false;  // false = between two generations: `assigned` says nothing
  std::set<std::int32_t> assigned;
};

/// Told of every change of ownership, from inside Source::poll or Source::leave, on the same
/// thread.
class RebalanceListener {
 public:
  RebalanceListener() = default;
  RebalanceListener(const RebalanceListener&) = delete;
  RebalanceListener& operator=(const RebalanceListener&) = delete;
  virtual ~RebalanceListener() = default;

  /// These are ours now, in addition to what was. No record comes before activate().
  virtual void on_assigned(std::span<const std::int32_t> partitions) = 0;
  /// These are about to go; nobody else has them before this returns, so it is the place of the
  /// last commit. No record of them comes afterwards. Bounded by max.poll.interval.ms: be quick.
  virtual void on_revoked(std::span<const std::int32_t> partitions) = 0;
  /// These are gone and may already be another's: drop, never commit.
  virtual void on_lost(std::span<const std::int32_t> partitions) = 0;
};

/// The input topic, read as a member of the group. One thread. Every partition starts inactive.
/// There is no way to pause, rewind or give back a partition, because the library would lose
/// records or answer a revoke that nobody saw.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  /// The next thing that happened, waiting at most `timeout`. Calls the listener. Must be called at
  /// least every max.poll.interval.ms or the group gives our partitions away.
  virtual Polled poll(milliseconds timeout) = 0;

  /// Starts the flow of an assigned, inactive partition at exactly `next_offset` (>= 0). Not from
  /// inside the listener. kBadInput if the partition is not ours or is active already.
  virtual Result<void> activate(std::int32_t partition, std::int64_t next_offset) = 0;

  /// From now on records of this active partition are dropped unseen: it is parked. It stays ours.
  /// To flow again it must come back through rejoin().
  virtual void ignore(std::int32_t partition) = 0;

  /// Gives everything back (the listener hears on_revoked) and joins anew: the only safe way to
  /// make an active partition inactive.
  virtual Result<void> rejoin(milliseconds timeout) = 0;

  /// Who the group takes us for, now.
  virtual GroupStamp group() const = 0;

  /// The group's offsets, waiting for transactions that are being decided (require_stable). One
  /// answer per partition asked, in that order. kRetry when not known in time.
  virtual Result<std::vector<CommittedOffset>> committed(std::span<const std::int32_t> partitions,
                                                         milliseconds timeout) const = 0;
  /// As committed(), but transactions that are not decided, or whose end the brokers have lost, are
  /// passed over: what was committed before them. For callers who know how those ended.
  virtual Result<std::vector<CommittedOffset>> committed_before(
      std::span<const std::int32_t> partitions, milliseconds timeout) const = 0;

  /// Which partitions of the topic have an owner. kRetry when not known in time.
  virtual Result<GroupAssignment> assignment(milliseconds timeout) const = 0;

  /// Next offset after the newest record seen by the last fetch, without asking the broker; nullopt
  /// before the first. For lag.
  virtual std::optional<std::int64_t> last_known_end(std::int32_t partition) const = 0;

  /// Leaves the group at once: the listener hears on_revoked, then others take over. No other call
  /// afterwards. Returns within about `timeout` even if the broker does not answer.
  virtual void leave(milliseconds timeout) = 0;
  /// Closes without leaving: our partitions wait for us until session.timeout.ms. The listener
  /// hears nothing. No other call afterwards.
  virtual void stay(milliseconds timeout) = 0;
};

// --- the output ----------------------------------------------------------------------------------

/// Every topic a transaction may write to.
enum class OutputTopic : std::uint8_t {
  kChanges,
  kTable,
  kRejected,
  kChangelog,
  kModel,
  kStatistics
};
inline constexpr std::size_t kOutputTopics = 6;

/// Names by OutputTopic.
using OutputTopicNames = std::array<std::string, kOutputTopics>;

struct Header {
  std::string_view name;
  std::string_view value;
};

/// On the first record of a transaction in a changelog partition: the transactional.id of who
/// writes it, for read_committed readers see nothing of a transaction that was left open.
inline constexpr const char* kWriterHeader = "writer";

/// The next offset of one input partition, to be committed with the transaction.
struct InputOffset {
  std::int32_t partition = -1;
  std::int64_t next_offset = -1;
  std::string metadata;  // says which transaction it was: pipeline/offset_mark.hpp
};

/// How far one partition of an output topic was written by a committed transaction.
struct Written {
  OutputTopic topic = OutputTopic::kChanges;
  std::int32_t partition = -1;
  /// Offset of our last record; -1 if the broker did not say (keep the position known before:
  /// reading absolute rows again is harmless).
  std::int64_t last_offset = -1;
};

struct TransactionResult {
  enum class Outcome {
    kCommitted,  // decided for good; readers see it once its markers are written, mostly in a few
                 // ms
    kAborted,    // it is not, for certain; the next begin() goes on
    kUnknown,    // it may be either: reopen(), then Source::committed() tells by the metadata
    kFenced,  // as kUnknown, and somebody took our transactional.id: a second process of this name,
              // a member that took over partitions of ours, or the broker after the transaction's
              // time-out. Only the first is a reason to end; the Source then says kFenced.
    kFatal,   // as kUnknown, and reopen() will not help (authorisation, unsupported broker)
  };
  Outcome outcome = Outcome::kUnknown;
  std::string what;              // why not, in words; empty when committed
  std::vector<Written> written;  // when committed: each partition written, in no order
  /// When not: the broker refused a record of this partition as too large, and will again; -1 = not
  /// that.
  std::int32_t refused_partition = -1;
};

/// One transactional producer. One thread. Between begin() and commit() or abort() one transaction
/// is open. Time is bounded by `transaction.timeout.ms`, except where the library itself blocks.
class TransactionLog {
 public:
  TransactionLog() = default;
  TransactionLog(const TransactionLog&) = delete;
  TransactionLog& operator=(const TransactionLog&) = delete;
  virtual ~TransactionLog() = default;

  /// Opens a transaction. Before that replaces the producer if the last one may have left a request
  /// behind, and sees to it that readers see the end of the last one, lest this one ends it too,
  /// its way. If they go on hiding it: what was aborted is aborted once more; behind what was
  /// committed it opens one all the same, for its commit shows it. kRetry: not open, ask again.
  /// Any other: as TransactionResult::kFatal.
  virtual Result<void> begin() = 0;

  /// Queues a copy of the record; a full queue is waited for. kBadInput: larger than the producer
  /// may send, nothing was queued, the transaction is sound. Any other error: abort(). REQUIRES: a
  /// transaction is open, `partition` exists.
  virtual Result<void> produce(OutputTopic topic, std::int32_t partition,
                               std::optional<std::string_view> key,
                               std::optional<std::string_view> value,
                               std::span<const Header> headers = {}) = 0;

  /// Sends the offsets, then commits. REQUIRES: `offsets` names every input partition the
  /// transaction is about, also where nothing was consumed (else it would be unfenced); `group` is
  /// valid and was taken for this commit. A stale group is refused by the broker and comes back as
  /// kAborted. After kCommitted and kAborted begin() is next, otherwise reopen().
  virtual TransactionResult commit(std::span<const InputOffset> offsets,
                                   const GroupStamp& group) = 0;

  /// Never kCommitted.
  virtual TransactionResult abort() = 0;

  /// Destroys the producer and creates it anew under the same transactional.id; returns when the
  /// transaction left behind, if any, is decided, and its end shown as for begin(). kRetry: again;
  /// any other: hopeless.
  virtual Result<void> reopen() = 0;

  /// How often a producer was replaced because a request of a transaction went out twice.
  virtual std::uint64_t replaced() const = 0;
};

// --- logs read from a position -------------------------------------------------------------------

inline constexpr std::int64_t kFromBeginning = -2;
inline constexpr std::int64_t kFromEnd = -1;

struct ReadFrom {
  std::int32_t partition = -1;
  std::int64_t offset = kFromBeginning;  // >= 0, kFromBeginning or kFromEnd
};

/// How far one partition of a LogReader is.
struct ReadProgress {
  std::int64_t position =
      -1;                 // next offset to read, control records passed over; -1 = not yet known
  std::int64_t end = -1;  // high watermark of the last fetch; -1 = not yet known
  bool at_stable_end =
      false;  // everything decided has been read; more may be open or have come since

  /// Read to the end, and no transaction is open: position = LSO = HW.
  bool complete() const { return at_stable_end && position >= end; }
  /// Offsets still to read; an upper bound of the rows, for a log is compacted. -1 = not yet known.
  std::int64_t remaining() const {
    return end < 0 || position < 0 ? -1 : end > position ? end - position : 0;
  }
};

/// Partitions of one topic, read from given offsets with read_committed, outside any group. One
/// thread.
class LogReader {
 public:
  LogReader() = default;
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;
  virtual ~LogReader() = default;

  /// Appends up to `max_records` to `out`, in offset order within each partition; waits at most
  /// `timeout` for the first and not at all for the others. May append nothing, and returns early
  /// when a partition reaches its end: then look at progress(). kCorrupt: the offset asked for is
  /// not in the log. kRetry: passes. kUnavailable: topic or partition is gone or forbidden.
  virtual Result<void> read(std::vector<Message>& out, std::size_t max_records,
                            milliseconds timeout) = 0;

  /// REQUIRES: `partition` is one of those opened.
  virtual ReadProgress progress(std::int32_t partition) const = 0;
  /// All partitions are complete().
  virtual bool complete() const = 0;
};

/// What is asked of the cluster outside the input and the transactions. Any thread.
class Broker {
 public:
  Broker() = default;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  virtual ~Broker() = default;

  /// kUnavailable: no such topic or partition. kRetry: the brokers did not answer.
  virtual Result<std::unique_ptr<LogReader>> open_reader(const std::string& topic,
                                                         std::span<const ReadFrom> from,
                                                         milliseconds timeout) = 0;
  /// kRetry when not known in time.
  virtual Result<Watermarks> watermarks(const std::string& topic, std::int32_t partition,
                                        milliseconds timeout) = 0;
  /// How many partitions the topic has now. kUnavailable: there is no such topic. kRetry: the
  /// brokers did not answer.
  virtual Result<std::int32_t> partition_count(const std::string& topic, milliseconds timeout) = 0;
  /// Whose open transaction hides the partition's end: what the header kWriterHeader of the first
  /// record behind the stable end says, empty if it has none. nullopt: nothing is hidden (any
  /// more). kRetry: the brokers did not answer.
  virtual Result<std::optional<std::string>> hiding_writer(const std::string& topic,
                                                           std::int32_t partition,
                                                           milliseconds timeout) = 0;
  /// Aborts the open transaction of a writer that is gone and locks it out for good.
  virtual Result<void> fence(const std::string& transactional_id, milliseconds timeout) = 0;
};

}  // namespace segmentd
