// The group coordinator in memory: static members, generations, cooperative assignment (a partition
// that moves is first taken away, and given to its next owner a generation later), sessions, and
// the group's offsets with those of undecided transactions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ports.hpp"
#include "tests/support/sim_fates.hpp"

namespace segmentd::test {

class SimGroup {
 public:
  static constexpr std::int64_t kSessionMs = 6'000;
  static constexpr std::int64_t kRebalanceMs = 60'000;

  enum class Answer { kOk, kRebalancing, kUnknownMember, kIllegalGeneration, kFencedInstance };
  using Partitions = std::set<std::int32_t>;

  struct Joined {
    std::int32_t generation = -1;
    Partitions assigned;
  };

  SimGroup(std::int32_t partitions, Chance& chance) : partitions_(partitions), chance_(chance) {}

  // --- membership ---
  /// A member asks to join, with what it holds. An empty `member` is a process that has just begun:
  /// it takes the place of the instance's member before it, if there is one, and learns its id.
  /// kUnknownMember: its session is over; kFencedInstance: the instance has another member by now.
  Answer join(const std::string& instance, std::string& member, const Partitions& owned,
              std::int64_t now_ms);
  /// After join(): nullopt = the others have not all joined yet.
  std::optional<Joined> joined(const std::string& member);
  Answer heartbeat(const std::string& instance, const std::string& member, std::int32_t generation,
                   std::int64_t now_ms);
  void leave(const std::string& member, std::int64_t now_ms);
  /// Of an offset commit inside a transaction. Generation and member are looked at, not who owns
  /// what; without either nothing is.
  Answer check_commit(std::int32_t generation, const std::string& member) const;
  /// Members that were silent for too long are gone; nobody is waited for without end.
  void pass(std::int64_t now_ms);
  /// Everybody joins again, and much of it moves.
  void rebalance(std::int64_t now_ms);
  bool stable() const { return state_ != State::kPreparing; }
  /// Of all members, the answered and those that have not heard of it yet.
  Partitions assigned() const;
  std::size_t members() const { return members_.size(); }

  // --- offsets ---
  void add_pending(int producer, const InputOffset& offset);
  void settle(int producer, bool commit);
  bool pending(std::int32_t partition) const;
  CommittedOffset committed(std::int32_t partition) const;
  /// As a person does with a tool.
  void set_offset(const CommittedOffset& offset) { offsets_[offset.partition] = offset; }
  /// As after offsets.retention.minutes without a member (KIP-211). False = there was none.
  bool expire_offset(std::int32_t partition) { return offsets_.erase(partition) > 0; }

 private:
  enum class State { kEmpty, kPreparing, kStable };
  struct Member {
    std::string id;
    std::string instance;
    Partitions owned;  // as it said when it joined last
    Partitions assigned;
    std::int32_t generation = -1;  // it was given
    bool joining = false;          // waits for the answer
    bool answered = false;         // and it is here
    std::int64_t seen_ms = 0;
  };

  Member* find(const std::string& member);
  const Member* find(const std::string& member) const;
  void prepare(std::int64_t now_ms);
  void complete_if_all_joined(std::int64_t now_ms);
  void complete(std::int64_t now_ms);
  std::vector<std::size_t> wanted_owners();
  void assign();

  std::int32_t partitions_;
  Chance& chance_;
  State state_ = State::kEmpty;
  std::int32_t generation_ = 0;
  std::int64_t preparing_since_ms_ = 0;
  int named_ = 0;
  bool move_much_ = false;
  std::vector<Member> members_;
  std::map<std::int32_t, CommittedOffset> offsets_;
  std::vector<std::pair<int, InputOffset>> pending_;  // by producer
};

}  // namespace segmentd::test
