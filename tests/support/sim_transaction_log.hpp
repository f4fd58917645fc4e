// One transactional producer in memory. What goes wrong in a commit goes wrong at one of its
// stages: nothing sent, some records, the offsets, the decision, the answer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ports.hpp"
#include "tests/support/sim_cluster.hpp"

namespace segmentd::test {

class SimTransactionLog final : public TransactionLog {
 public:
  SimTransactionLog(SimCluster& cluster, const SimProcess& process, std::string id)
      : cluster_(cluster), process_(process), id_(std::move(id)) {
    cluster_.writers_.push_back(this);
  }
  ~SimTransactionLog() override { std::erase(cluster_.writers_, this); }

  Result<void> begin() override;
  Result<void> produce(OutputTopic topic, std::int32_t partition,
                       std::optional<std::string_view> key, std::optional<std::string_view> value,
                       std::span<const Header> headers) override;
  TransactionResult commit(std::span<const InputOffset> offsets, const GroupStamp& group) override;
  TransactionResult abort() override;
  Result<void> reopen() override;
  std::uint64_t replaced() const override { return replaced_; }

  /// What the library's own thread does whenever it runs: sends what is queued.
  void background();

 private:
  enum class State { kReady, kReplaceFirst, kBroken };
  struct Queued {
    OutputTopic topic;
    std::int32_t partition;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::string writer;
  };

  unsigned at(Door door, unsigned ways) { return cluster_.fates().at(door, process_.number, ways); }
  bool last_end_hidden() const;
  bool wait_until_shown();
  bool was_committed() const;
  void undo_hidden();
  SimTransactions::Answer send_first();
  SimTransactions::Answer send_offsets(std::span<const InputOffset> offsets);
  TransactionResult end();
  TransactionResult refused(const char* why);
  TransactionResult undecided(
      const char* what, TransactionResult::Outcome outcome = TransactionResult::Outcome::kUnknown);
  TransactionResult answer_to(SimTransactions::Answer answer);

  SimCluster& cluster_;
  const SimProcess& process_;
  const std::string id_;
  int producer_ = kNoProducer;
  int epoch_ = -1;
  State state_ = State::kBroken;
  std::uint64_t replaced_ = 0;
  std::vector<Queued> queue_;
  std::vector<Written> written_;
  std::vector<InputOffset> offsets_;  // with them
  TransactionResult::Outcome last_outcome_ = TransactionResult::Outcome::kCommitted;
  std::int64_t hidden_since_ms_ = -1;
};

}  // namespace segmentd::test
