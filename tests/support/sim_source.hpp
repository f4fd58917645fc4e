// A member of the group in memory. As with the real library, a thread of its own heartbeats and
// joins while the caller is elsewhere: what it learns waits for the next poll, but is in group() at
// once.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ports.hpp"
#include "tests/support/sim_cluster.hpp"

namespace segmentd::test {

class SimSource final : public Source {
 public:
  SimSource(SimCluster& cluster, const SimProcess& process, std::string instance,
            RebalanceListener& listener);
  ~SimSource() override;

  Polled poll(milliseconds timeout) override;
  Result<void> activate(std::int32_t partition, std::int64_t next_offset) override;
  void ignore(std::int32_t partition) override;
  Result<void> rejoin(milliseconds timeout) override;
  GroupStamp group() const override;
  Result<std::vector<CommittedOffset>> committed(std::span<const std::int32_t> partitions,
                                                 milliseconds timeout) const override;
  Result<std::vector<CommittedOffset>> committed_before(std::span<const std::int32_t> partitions,
                                                        milliseconds timeout) const override;
  Result<GroupAssignment> assignment(milliseconds timeout) const override;
  std::optional<std::int64_t> last_known_end(std::int32_t partition) const override;
  void leave(milliseconds timeout) override;
  void stay(milliseconds timeout) override;

  /// What the library's own thread does whenever it runs.
  void background();

  /// Called when a revoke or loss was answered: others may have these partitions from now on.
  std::function<void(std::span<const std::int32_t>)> on_answered;

 private:
  enum class Membership { kOut, kJoining, kIn };
  struct Part {
    bool active = false;
    bool ignored = false;
    std::int64_t told_end = -1;  // and nothing has come since, nor was anything passed over
    bool told_range = false;
    std::int64_t next = 0;
    std::optional<std::int64_t> known_end;
  };
  struct Call {
    bool assign = false;
    std::vector<std::int32_t> partitions;
  };

  unsigned at(Door door, unsigned ways) const;
  std::vector<CommittedOffset> decided(std::span<const std::int32_t> partitions) const;
  bool gone() const { return closed_ || !process_.alive; }
  void take_answer();
  void beat();
  void handle_assignment(const SimGroup::Partitions& assigned);
  void lose();
  void notice_loss();
  void fence();
  void serve();
  void give_back();
  std::optional<Polled> next_of(std::int32_t partition, Part& part);
  std::optional<Polled> next_record();

  SimCluster& cluster_;
  const SimProcess& process_;
  const std::string instance_;
  RebalanceListener& listener_;
  Membership membership_ = Membership::kOut;
  std::string member_;
  std::int32_t generation_ = -1;
  bool lost_ = false;
  bool unnoticed_ = false;  // it is, and nobody was told; we may have joined anew
  bool fenced_ = false;
  bool told_fenced_ = false;
  bool subscribed_ = true;
  bool serving_ = false;
  bool closed_ = false;
  bool goodbye_heard_ = true;  // by the broker; else our session has to end
  std::int64_t polled_ms_ = 0;
  std::deque<Call> calls_;              // for the listener, at the next poll
  std::map<std::int32_t, Part> parts_;  // that the listener knows to be ours
};

}  // namespace segmentd::test
