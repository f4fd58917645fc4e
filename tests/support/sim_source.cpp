#include "tests/support/sim_source.hpp"

#include <algorithm>
#include <utility>

namespace segmentd::test {

SimSource::SimSource(SimCluster& cluster, const SimProcess& process, std::string instance,
                     RebalanceListener& listener)
    : cluster_(cluster), process_(process), instance_(std::move(instance)), listener_(listener) {
  cluster_.sources_.push_back(this);
  polled_ms_ = cluster_.now_ms();
}

SimSource::~SimSource() {
  std::erase(cluster_.sources_, this);
}

unsigned SimSource::at(Door door, unsigned ways) const {
  return cluster_.fates().at(door, process_.number, ways);
}

// --- the library's thread ---

void SimSource::background() {
  if (gone() || process_.frozen || fenced_) return;
  // A static member does not leave: its session has to end.
  const std::int64_t unpolled_ms = cluster_.now_ms() - polled_ms_;
  if (membership_ == Membership::kIn && unpolled_ms > cluster_.max_poll_ms) return lose();
  if (membership_ == Membership::kIn) beat();
  if (membership_ == Membership::kOut && subscribed_ && calls_.empty() && !serving_) {
    SimGroup::Partitions owned;
    for (const auto& [number, part] : parts_) owned.insert(number);
    switch (cluster_.group().join(instance_, member_, owned, cluster_.now_ms())) {
      case SimGroup::Answer::kOk:
        break;
      case SimGroup::Answer::kFencedInstance:
        return fence();
      default:
        return lose();
    }
    membership_ = Membership::kJoining;
  }
  if (membership_ == Membership::kJoining) take_answer();
}

void SimSource::take_answer() {
  const auto joined = cluster_.group().joined(member_);
  if (!joined) return;
  if (joined->generation < 0) {
    const auto why = cluster_.group().heartbeat(instance_, member_, generation_, cluster_.now_ms());
    return why == SimGroup::Answer::kFencedInstance ? fence() : lose();
  }
  membership_ = Membership::kIn;
  generation_ = joined->generation;
  handle_assignment(joined->assigned);
}

void SimSource::beat() {
  using Answer = SimGroup::Answer;
  switch (cluster_.group().heartbeat(instance_, member_, generation_, cluster_.now_ms())) {
    case Answer::kOk:
      return;
    case Answer::kRebalancing:
      // Cooperative: everything is kept meanwhile. What the listener has to hear comes first.
      if (calls_.empty() && !serving_) membership_ = Membership::kOut;
      return;
    case Answer::kFencedInstance:
      return fence();
    case Answer::kIllegalGeneration:
    case Answer::kUnknownMember:
      return lose();
  }
}

void SimSource::handle_assignment(const SimGroup::Partitions& assigned) {
  Call revoke{false, {}};
  Call assign{true, {}};
  for (const auto& [number, part] : parts_) {
    if (!assigned.contains(number)) revoke.partitions.push_back(number);
  }
  for (const std::int32_t p : assigned) {
    if (!parts_.contains(p)) assign.partitions.push_back(p);
  }
  const bool revokes = !revoke.partitions.empty();
  if (revokes) calls_.push_back(std::move(revoke));
  if (!revokes || !assign.partitions.empty()) calls_.push_back(std::move(assign));
}

/// Everything is gone already; the listener hears of it at the next poll, behind what it has still
/// to hear. Seen of librdkafka 2.0.2: it may not call the assignment lost, and then tells of a
/// revoke; the generation may stay; and it may even join anew before anything is told, so that its
/// stamp is valid again though the listener still takes for its own what others have.
void SimSource::lose() {
  membership_ = Membership::kOut;
  member_.clear();
  if (cluster_.chance().one_in(2)) generation_ = -1;
  std::erase_if(calls_, [](const Call& call) { return call.assign; });
  if (parts_.empty()) return;
  if (cluster_.unnoticed_losses && !fenced_ && cluster_.chance().one_in(3)) {
    unnoticed_ = true;
    return;
  }
  lost_ = cluster_.chance().one_in(2);
  Call call{false, {}};
  for (const auto& [number, part] : parts_) call.partitions.push_back(number);
  calls_.push_back(std::move(call));
}

/// At the first callback after that; then everything is given back, and it joins once more.
void SimSource::notice_loss() {
  unnoticed_ = lost_ = false;
  calls_.clear();
  std::vector<std::int32_t> all;
  for (const auto& [number, part] : parts_) all.push_back(number);
  serving_ = true;
  listener_.on_lost(all);
  serving_ = false;
  parts_.clear();
  if (on_answered) on_answered(all);
  if (!gone() && !member_.empty()) cluster_.group().leave(member_, cluster_.now_ms());
  member_.clear();
  membership_ = Membership::kOut;
}

void SimSource::fence() {
  fenced_ = true;
  lose();
}

// --- the caller's thread ---

void SimSource::serve() {
  if (unnoticed_) return notice_loss();
  const Call call = std::move(calls_.front());
  calls_.pop_front();
  serving_ = true;
  if (call.assign) {
    for (const std::int32_t p : call.partitions) parts_[p] = {};
    listener_.on_assigned(call.partitions);
    serving_ = false;
    return;
  }
  std::vector<std::int32_t> ours;
  for (const std::int32_t p : call.partitions) {
    if (parts_.contains(p)) ours.push_back(p);
  }
  const bool lost = lost_;
  if (!ours.empty()) lost ? listener_.on_lost(ours) : listener_.on_revoked(ours);
  for (const std::int32_t p : ours) parts_.erase(p);
  serving_ = false;
  if (on_answered) on_answered(ours);
  if (parts_.empty()) lost_ = false;
  // Joins again with what is left, so that others can have what went.
  if (membership_ == Membership::kIn) membership_ = Membership::kOut;
}

Polled SimSource::poll(milliseconds timeout) {
  const unsigned way = at(Door::kPoll, 2);
  if (gone()) return Idle{};
  polled_ms_ = cluster_.now_ms();
  if (way == 1) return SourceTrouble{SourceTrouble::Kind::kTransient, -1, "a broker is away"};
  if (way == 2) return SourceTrouble{SourceTrouble::Kind::kFatal, -1, "authorisation failed"};
  if (!cluster_.rough || cluster_.chance().one_in(2)) background();
  if (fenced_ && !std::exchange(told_fenced_, true)) {
    return SourceTrouble{SourceTrouble::Kind::kFenced, -1, "another process of this name"};
  }
  if (!subscribed_ && !parts_.empty()) give_back();  // of a rejoin() that took too long
  while (!calls_.empty()) serve();
  if (auto next = next_record()) return std::move(*next);
  cluster_.pass(std::max<std::int64_t>(timeout.count(), 1));
  if (gone()) return Idle{};
  while (!calls_.empty()) serve();
  if (auto next = next_record()) return std::move(*next);
  return Idle{};
}

std::optional<Polled> SimSource::next_record() {
  if (parts_.empty()) return std::nullopt;
  auto it = parts_.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(cluster_.chance().below(parts_.size())));
  for (std::size_t n = 0; n < parts_.size(); ++n) {
    auto& [number, part] = *it;
    const bool late = cluster_.rough && cluster_.chance().one_in(4);
    if (part.active && !part.ignored && !late) {
      if (auto next = next_of(number, part)) return next;
    }
    if (++it == parts_.end()) it = parts_.begin();
  }
  return std::nullopt;
}

std::optional<Polled> SimSource::next_of(std::int32_t partition, Part& part) {
  const SimLog& log = cluster_.input(partition);
  if (part.next < log.first() || part.next > log.end()) {
    if (std::exchange(part.told_range, true)) return std::nullopt;
    return SourceTrouble{SourceTrouble::Kind::kOffsetOutOfRange, partition,
                         "offset " + std::to_string(part.next) + " is out of range"};
  }
  part.known_end = log.end();
  const std::int64_t offset = log.next_visible(part.next);
  if (offset < log.stable_end()) {
    const SimRecord& record = log.at(offset);
    part.next = offset + 1;
    return Message::copy_of(partition, offset, record.timestamp_ms, record.key, record.value);
  }
  part.next = std::max(part.next, offset);
  if (std::exchange(part.told_end, part.next) == part.next) return std::nullopt;
  return PartitionEnd{partition, part.next};
}

Result<void> SimSource::activate(std::int32_t partition, std::int64_t next_offset) {
  const unsigned way = at(Door::kActivate, 1);
  const auto it = parts_.find(partition);
  const std::string where = "orders/" + std::to_string(partition);
  if (it == parts_.end()) return Error{Errc::kBadInput, where + ": not assigned to this member"};
  if (it->second.active) return Error{Errc::kBadInput, where + ": active already"};
  if (next_offset < 0) return Error{Errc::kBadInput, where + ": offset below 0"};
  if (way == 1) return Error{Errc::kRetry, where + ": not now"};
  it->second = {};
  it->second.active = true;
  it->second.next = next_offset;
  return {};
}

void SimSource::ignore(std::int32_t partition) {
  (void)at(Door::kIgnore, 0);
  if (const auto it = parts_.find(partition); it != parts_.end()) it->second.ignored = true;
}

void SimSource::give_back() {
  subscribed_ = false;
  for (auto& [number, part] : parts_) part.ignored = true;
  std::erase_if(calls_, [](const Call& call) { return call.assign; });
  while (!calls_.empty()) serve();
  if (!parts_.empty()) {
    Call call{false, {}};
    for (const auto& [number, part] : parts_) call.partitions.push_back(number);
    calls_.push_back(std::move(call));
    serve();
  }
  calls_.clear();
  if (gone()) return;
  if (!member_.empty() && goodbye_heard_) cluster_.group().leave(member_, cluster_.now_ms());
  member_.clear();
  generation_ = -1;
  lost_ = false;
  membership_ = Membership::kOut;
}

Result<void> SimSource::rejoin(milliseconds timeout) {
  const unsigned way = at(Door::kRejoin, 1);
  if (gone()) return {};
  if (way == 1) {
    subscribed_ = false;  // the revoke comes in a later poll, or the next time
    for (auto& [number, part] : parts_) part.ignored = true;
    cluster_.pass(timeout.count());
    return Error{Errc::kRetry, "the group did not take our partitions back in time"};
  }
  give_back();
  if (gone()) return {};
  subscribed_ = true;
  return {};
}

GroupStamp SimSource::group() const {
  (void)at(Door::kGroup, 0);
  return {generation_, member_, lost_, {}};
}

Result<std::vector<CommittedOffset>> SimSource::committed(std::span<const std::int32_t> partitions,
                                                          milliseconds timeout) const {
  const unsigned way = at(Door::kCommitted, 1);
  if (way == 1) return Error{Errc::kRetry, "the coordinator is loading"};
  const auto pending = [&] {
    return std::any_of(partitions.begin(), partitions.end(),
                       [&](std::int32_t p) { return cluster_.group().pending(p); });
  };
  const std::int64_t until = cluster_.now_ms() + timeout.count();
  while (pending()) {
    if (cluster_.now_ms() >= until) return Error{Errc::kRetry, "offsets are not stable yet"};
    cluster_.pass(std::min<std::int64_t>(100, timeout.count()));
  }
  return decided(partitions);
}

Result<std::vector<CommittedOffset>> SimSource::committed_before(
    std::span<const std::int32_t> partitions, milliseconds) const {
  if (at(Door::kCommitted, 1) == 1) return Error{Errc::kRetry, "the coordinator is loading"};
  return decided(partitions);
}

std::vector<CommittedOffset> SimSource::decided(std::span<const std::int32_t> partitions) const {
  std::vector<CommittedOffset> answer;
  for (const std::int32_t p : partitions) answer.push_back(cluster_.group().committed(p));
  return answer;
}

Result<GroupAssignment> SimSource::assignment(milliseconds timeout) const {
  if (at(Door::kAssignment, 1) == 1) {
    cluster_.pass(timeout.count());
    return Error{Errc::kRetry, "the coordinator does not answer"};
  }
  return GroupAssignment{cluster_.group().stable(), cluster_.group().assigned()};
}

std::optional<std::int64_t> SimSource::last_known_end(std::int32_t partition) const {
  const auto it = parts_.find(partition);
  if (it == parts_.end() || !it->second.active || it->second.ignored) return std::nullopt;
  if (!it->second.known_end) return std::nullopt;
  return cluster_.input(partition).end();  // fetches go on without polls
}

void SimSource::leave(milliseconds) {
  const unsigned way = at(Door::kLeave, 1);
  if (gone()) return;
  goodbye_heard_ = way == 0;
  give_back();
  closed_ = true;
}

void SimSource::stay(milliseconds) {
  (void)at(Door::kStay, 0);
  closed_ = true;
}

}  // namespace segmentd::test
