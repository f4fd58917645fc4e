// Kafka in memory, behind the doors of daemon/ports.hpp: one topic of each kind, one group with one
// member, transactions that end as the test says. Just enough to drive a Worker through moments
// that a real broker does not bring about on demand.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "daemon/ports.hpp"

namespace segmentd::test {

inline constexpr const char* kFakeInput = "orders";
inline constexpr const char* kFakeChangelog = "changelog";
inline constexpr const char* kFakeModel = "model";
OutputTopicNames fake_outputs();

struct FakeRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t timestamp_ms = 0;
};
using FakePartition = std::vector<FakeRecord>;  // offset = index

/// What is committed, and the group's offsets. The restoring thread reads while the worker's thread
/// commits: both under the mutex. The test looks when neither runs.
class FakeCluster final : public Broker {
 public:
  explicit FakeCluster(std::int32_t partitions);

  Result<std::unique_ptr<LogReader>> open_reader(const std::string& topic,
                                                 std::span<const ReadFrom> from,
                                                 milliseconds timeout) override;
  Result<Watermarks> watermarks(const std::string& topic, std::int32_t number,
                                milliseconds timeout) override;
  Result<std::int32_t> partition_count(const std::string& topic, milliseconds timeout) override;
  Result<std::optional<std::string>> hiding_writer(const std::string& topic, std::int32_t number,
                                                   milliseconds timeout) override;
  Result<void> fence(const std::string& transactional_id, milliseconds timeout) override;

  const FakePartition& partition(const std::string& topic, std::int32_t number) const;

  std::vector<FakePartition> input;
  std::vector<FakePartition> changelog;
  std::vector<FakePartition> changes;
  FakePartition model;
  std::map<std::int32_t, CommittedOffset> offsets;
  std::int32_t generation = 1;
  std::atomic<bool> input_gone = false;      // nobody knows the topic
  std::atomic<bool> fences_in_vain = false;  // what a fenced writer had open stays open
  std::int32_t partitions_told = 0;          // as the input's count; 0 = the true one
  /// Whose open transaction hides the end of each changelog partition, until it is fenced.
  std::map<std::int32_t, std::string> open_writers;
  int members_left = 0;    // the group, when they stopped
  int members_stayed = 0;  // stopped, and their partitions wait for them
  mutable std::mutex mutex;
};

/// How a transaction ends.
enum class Fate {
  kCommitted,
  kAborted,
  kUnknownCommitted,  // an error although it was committed
  kUnknownLost,       // an error, and it was not
  kFenced,            // as kUnknownLost, and somebody took our transactional.id
  kFatal              // as kUnknownLost, and the producer is of no more use
};

class FakeLog final : public TransactionLog {
 public:
  explicit FakeLog(FakeCluster& cluster) : cluster_(cluster) {}

  Result<void> begin() override;
  Result<void> produce(OutputTopic topic, std::int32_t partition,
                       std::optional<std::string_view> key, std::optional<std::string_view> value,
                       std::span<const Header> headers) override;
  TransactionResult commit(std::span<const InputOffset> offsets, const GroupStamp& group) override;
  TransactionResult abort() override;
  Result<void> reopen() override;
  std::uint64_t replaced() const override { return replaced_by_itself; }

  std::deque<Fate> fates;  // of the next commits; then all are committed
  int begin_failures = 0;
  std::uint64_t replaced_by_itself = 0;
  /// Key and value of a record that the producer may send; 0 = any.
  std::size_t record_bytes_max = 0;
  bool abort_is_unknown = false;
  std::set<std::int32_t> aborted_of;  // whose records the last abort() dropped
  /// Records of this partition are refused for what they are: the transaction is lost.
  std::int32_t refuses = -1;
  int reopen_failures = 0;
  int reopened = 0;
  int committed = 0;
  bool broken() const { return broken_; }
  std::function<void(std::span<const InputOffset>)> before_commit;

 private:
  struct Open {
    OutputTopic topic;
    std::int32_t partition;
    FakeRecord record;
  };
  void apply(std::span<const InputOffset> offsets);

  FakeCluster& cluster_;
  std::vector<Open> open_;
  bool broken_ = false;
};

class FakeSource final : public Source {
 public:
  /// `script` is asked first at every poll; it may call assign(), revoke() and lose().
  using Script = std::function<void(FakeSource&)>;
  FakeSource(FakeCluster& cluster, RebalanceListener& listener, Script script)
      : cluster_(cluster), listener_(listener), script_(std::move(script)) {}

  Polled poll(milliseconds timeout) override;
  Result<void> activate(std::int32_t partition, std::int64_t next_offset) override;
  void ignore(std::int32_t partition) override { parts_[partition].ignored = true; }
  Result<void> rejoin(milliseconds timeout) override;
  GroupStamp group() const override;
  Result<std::vector<CommittedOffset>> committed(std::span<const std::int32_t> partitions,
                                                 milliseconds timeout) const override;
  Result<std::vector<CommittedOffset>> committed_before(std::span<const std::int32_t> partitions,
                                                        milliseconds timeout) const override {
    return committed(partitions, timeout);  // none is ever undecided
  }
  Result<GroupAssignment> assignment(milliseconds) const override { return group_assignment; }
  std::optional<std::int64_t> last_known_end(std::int32_t partition) const override;
  void leave(milliseconds timeout) override;
  void stay(milliseconds) override { ++cluster_.members_stayed; }

  void assign(std::vector<std::int32_t> partitions);
  /// The generation is a new one before the callback comes, as in a cooperative rebalance.
  void revoke(std::vector<std::int32_t> partitions);
  void lose(std::vector<std::int32_t> partitions);

  bool active(std::int32_t partition) const;
  /// Everything of this active partition was handed out.
  bool drained(std::int32_t partition) const;
  int polls = 0;
  int rejoins = 0;
  std::optional<SourceTrouble> trouble;  // what the next poll says
  GroupAssignment group_assignment;      // what the coordinator says; not stable unless it is set

 private:
  struct Part {
    bool active = false;
    bool ignored = false;
    bool told_end = false;
    std::int64_t next = 0;
  };
  void forget(const std::vector<std::int32_t>& partitions);

  FakeCluster& cluster_;
  RebalanceListener& listener_;
  Script script_;
  std::map<std::int32_t, Part> parts_;  // owned
};

}  // namespace segmentd::test
