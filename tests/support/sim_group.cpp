#include "tests/support/sim_group.hpp"

#include <algorithm>

namespace segmentd::test {

SimGroup::Member* SimGroup::find(const std::string& member) {
  const auto it = std::find_if(members_.begin(), members_.end(),
                               [&](const Member& m) { return m.id == member; });
  return it == members_.end() ? nullptr : &*it;
}

const SimGroup::Member* SimGroup::find(const std::string& member) const {
  const auto it = std::find_if(members_.begin(), members_.end(),
                               [&](const Member& m) { return m.id == member; });
  return it == members_.end() ? nullptr : &*it;
}

// --- membership ---

SimGroup::Answer SimGroup::join(const std::string& instance, std::string& member,
                                const Partitions& owned, std::int64_t now_ms) {
  auto it = std::find_if(members_.begin(), members_.end(),
                         [&](const Member& m) { return m.instance == instance; });
  const bool there = it != members_.end();
  if (!member.empty() && !there) return Answer::kUnknownMember;
  if (!member.empty() && it->id != member) return Answer::kFencedInstance;
  const bool back = there && member.empty() && state_ == State::kStable;
  if (!there) it = members_.insert(members_.end(), Member{});
  it->instance = instance;
  if (member.empty()) member = it->id = instance + "-" + std::to_string(++named_);
  it->owned = owned;
  it->seen_ms = now_ms;
  // A static member is back within its session: nobody else hears of it. What was to be taken from
  // the one before belongs to nobody from now on.
  if (back) {
    it->joining = false;
    it->answered = true;
    it->generation = generation_;
    return Answer::kOk;
  }
  if (state_ != State::kPreparing) prepare(now_ms);
  it->joining = true;
  complete_if_all_joined(now_ms);
  return Answer::kOk;
}

std::optional<SimGroup::Joined> SimGroup::joined(const std::string& member) {
  Member* m = find(member);
  if (m == nullptr) return Joined{};
  if (!m->answered) return std::nullopt;
  m->answered = false;
  return Joined{m->generation, m->assigned};
}

SimGroup::Answer SimGroup::heartbeat(const std::string& instance, const std::string& member,
                                     std::int32_t generation, std::int64_t now_ms) {
  Member* m = find(member);
  if (m == nullptr) {
    const bool taken = std::any_of(members_.begin(), members_.end(),
                                   [&](const Member& o) { return o.instance == instance; });
    return taken ? Answer::kFencedInstance : Answer::kUnknownMember;
  }
  m->seen_ms = now_ms;
  if (generation != generation_) return Answer::kIllegalGeneration;
  return state_ == State::kPreparing ? Answer::kRebalancing : Answer::kOk;
}

void SimGroup::leave(const std::string& member, std::int64_t now_ms) {
  if (find(member) == nullptr) return;
  std::erase_if(members_, [&](const Member& m) { return m.id == member; });
  prepare(now_ms);
  complete_if_all_joined(now_ms);
}

SimGroup::Answer SimGroup::check_commit(std::int32_t generation, const std::string& member) const {
  if (generation < 0 && member.empty()) return Answer::kOk;
  if (find(member) == nullptr) return Answer::kUnknownMember;
  return generation == generation_ ? Answer::kOk : Answer::kIllegalGeneration;
}

void SimGroup::pass(std::int64_t now_ms) {
  const std::size_t before = members_.size();
  std::erase_if(members_,
                [&](const Member& m) { return !m.joining && now_ms - m.seen_ms > kSessionMs; });
  if (members_.size() != before && state_ == State::kStable) prepare(now_ms);
  if (state_ != State::kPreparing) return;
  complete_if_all_joined(now_ms);
  if (state_ == State::kPreparing && now_ms - preparing_since_ms_ > kRebalanceMs) complete(now_ms);
}

void SimGroup::rebalance(std::int64_t now_ms) {
  if (members_.empty() || state_ == State::kPreparing) return;
  move_much_ = true;
  prepare(now_ms);
}

void SimGroup::prepare(std::int64_t now_ms) {
  if (state_ != State::kPreparing) preparing_since_ms_ = now_ms;
  state_ = State::kPreparing;
}

void SimGroup::complete_if_all_joined(std::int64_t now_ms) {
  if (state_ != State::kPreparing) return;
  const bool all =
      std::all_of(members_.begin(), members_.end(), [](const Member& m) { return m.joining; });
  if (all) complete(now_ms);
}

/// Static members that have not joined keep their place until their session ends.
void SimGroup::complete(std::int64_t now_ms) {
  ++generation_;
  state_ = members_.empty() ? State::kEmpty : State::kStable;
  if (members_.empty()) return;
  assign();
  for (Member& m : members_) {
    if (!m.joining) continue;
    m.joining = false;
    m.answered = true;
    m.generation = generation_;
    m.seen_ms = now_ms;
  }
}

/// Who should have each partition: everybody an equal share, and nobody loses one without need.
std::vector<std::size_t> SimGroup::wanted_owners() {
  const std::size_t count = members_.size();
  const auto partitions = static_cast<std::size_t>(partitions_);
  std::vector<std::size_t> shares(count, partitions / count);
  const std::size_t first = chance_.below(count);
  for (std::size_t i = 0; i < partitions % count; ++i) ++shares[(first + i) % count];
  std::vector<std::size_t> owner(partitions, count);
  for (std::size_t m = 0; m < count && !move_much_; ++m) {
    for (const std::int32_t p : members_[m].owned) {
      std::size_t& o = owner[static_cast<std::size_t>(p)];
      if (o != count || shares[m] == 0) continue;
      o = m;
      --shares[m];
    }
  }
  for (std::size_t& o : owner) {
    if (o != count) continue;
    std::size_t m = chance_.below(count);
    while (shares[m] == 0) m = (m + 1) % count;
    o = m;
    --shares[m];
  }
  move_much_ = false;
  return owner;
}

SimGroup::Partitions SimGroup::assigned() const {
  Partitions all;
  for (const Member& m : members_) all.insert(m.assigned.begin(), m.assigned.end());
  return all;
}

void SimGroup::assign() {
  const std::vector<std::size_t> owner = wanted_owners();
  for (Member& m : members_) m.assigned.clear();
  for (std::int32_t p = 0; p < partitions_; ++p) {
    const std::size_t wanted = owner[static_cast<std::size_t>(p)];
    const bool held_elsewhere = [&] {
      for (std::size_t m = 0; m < members_.size(); ++m) {
        if (m != wanted && members_[m].owned.contains(p)) return true;
      }
      return false;
    }();
    if (!held_elsewhere) members_[wanted].assigned.insert(p);
  }
}

// --- offsets ---

void SimGroup::add_pending(int producer, const InputOffset& offset) {
  pending_.emplace_back(producer, offset);
}

void SimGroup::settle(int producer, bool commit) {
  for (const auto& [by, offset] : pending_) {
    if (by != producer || !commit) continue;
    offsets_[offset.partition] = {offset.partition, offset.next_offset, offset.metadata};
  }
  std::erase_if(pending_, [&](const auto& p) { return p.first == producer; });
}

bool SimGroup::pending(std::int32_t partition) const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [&](const auto& p) { return p.second.partition == partition; });
}

CommittedOffset SimGroup::committed(std::int32_t partition) const {
  const auto it = offsets_.find(partition);
  return it == offsets_.end() ? CommittedOffset{partition, {}, {}} : it->second;
}

}  // namespace segmentd::test
