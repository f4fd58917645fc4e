#include "daemon/worker/worker.hpp"

#include <algorithm>
#include <utility>

namespace segmentd {
namespace {

using observe::LogLevel;

constexpr milliseconds kLeaveTimeout{10'000};
constexpr milliseconds kTroubledTimeout{2'000};  // where the brokers are not likely to answer
constexpr milliseconds kFencedTimeout{2'000};
constexpr milliseconds kStalledPause{200};
constexpr milliseconds kDoubtPoll{1'000};  // nothing leaves memory then
constexpr milliseconds kStayTimeout{1'000};

}  // namespace

std::string Worker::list_of(std::span<const std::int32_t> partitions) {
  std::string list;
  for (const std::int32_t p : partitions) list += (list.empty() ? "" : ",") + std::to_string(p);
  return list.empty() ? "none" : list;
}

Worker::Worker(WorkerRules rules, WorkerParts parts) : rules_(rules), parts_(std::move(parts)) {}

WorkerEnd Worker::run(const std::atomic<bool>& stop) {
  stop_ = &stop;
  if (auto joined = join(); !joined) return {WorkerEnd::Kind::kBroker, joined.error().what};
  while (!stop && !end_) round();
  shut_down();
  return end_.value_or(WorkerEnd{});
}

Result<void> Worker::join() {
  auto source = parts_.open_source(*this);
  if (!source) return source.error();
  source_ = std::move(*source);
  return {};
}

void Worker::round() {
  if (in_doubt()) resolve();
  retry_parked();
  look_for_unassigned();
  rejoin_if_needed();
  check_partition_count();
  take_restored();
  note_rebalance_end();
  poll();
  if (!in_doubt() && !end_) decide_and_commit();
  flush_stores();
  end_if_all_parked();
  report(false);
}

/// Nothing can be decided or committed, or enough is waiting to be.
bool Worker::stalled() const {
  return in_doubt() || parts_.pipeline.held_bytes() > rules_.held_bytes_max;
}

/// Reads until a transaction's worth is here, nothing comes, or the transaction should be
/// committed.
void Worker::poll() {
  if (stalled()) return poll_stalled();
  const Pace::Time begin = parts_.pace.now();
  drained_ = false;
  milliseconds wait = filling_ && !commit_failed_ ? milliseconds(0) : rules_.idle_poll;
  for (std::int64_t n = 0; n < rules_.poll_records_max && !end_; ++n) {
    if (!handle(source_->poll(wait))) {
      drained_ = true;
      return;
    }
    wait = milliseconds(0);
    if ((n & 63) != 0) continue;
    if (parts_.pace.now() - begin >= rules_.commit_interval || stalled()) return;
  }
}

/// P3: reading stops. Polling must not, or the group takes us for dead; and since a record cannot
/// be left in the queue, it is done just often enough to hear of rebalances.
void Worker::poll_stalled() {
  parts_.pace.sleep(kStalledPause);
  drained_ = true;
  if (in_doubt() && parts_.pace.now() - polled_at_ < kDoubtPoll) return;
  polled_at_ = parts_.pace.now();
  handle(source_->poll(milliseconds(0)));
}

/// False = nothing was there.
bool Worker::handle(Polled polled) {
  if (std::holds_alternative<Idle>(polled)) return false;
  if (auto* message = std::get_if<Message>(&polled); message != nullptr) {
    parts_.pipeline.hold(std::move(*message));
    return true;
  }
  if (const auto* end = std::get_if<PartitionEnd>(&polled); end != nullptr) {
    parts_.pipeline.reached_end(end->partition, true);
    ends_[end->partition] = end->next_offset;
    return true;
  }
  const auto& trouble = std::get<SourceTrouble>(polled);
  switch (trouble.kind) {
    case SourceTrouble::Kind::kTransient:
      observe::log_limited(limit_, "source", parts_.wall(), LogLevel::kWarning,
                           "reading the input is troubled; going on", {{"what", trouble.what}});
      return false;
    case SourceTrouble::Kind::kOffsetOutOfRange:
      park(trouble.partition, observe::ParkReason::kInputRecreated,
           "the input no longer has the next record (" + trouble.what +
               "). It was deleted, or the topic was created anew: start a new application id, or "
               "put "
               "the records back");
      return true;
    case SourceTrouble::Kind::kUnknownTopic:
      count_unchecked_ = true;
      return false;
    case SourceTrouble::Kind::kFenced:
      join_after_fencing(trouble.what);
      return false;
    case SourceTrouble::Kind::kFatal:
      end(WorkerEnd::Kind::kBroker, trouble.what);
      return false;
  }
  return false;
}

/// Not always by another process: after an outage of the brokers a heartbeat of our membership
/// before is sent again behind our new one, and refused in the same words. So the group is joined
/// once more. If there is another process it does likewise, and we, being the older, are fenced
/// again at once.
void Worker::join_after_fencing(const std::string& what) {
  const Pace::Time now = parts_.pace.now();
  if (fenced_at_ && now - *fenced_at_ < rules_.fenced_again) {
    end(WorkerEnd::Kind::kFenced, what);
    return;
  }
  fenced_at_ = now;
  observe::log_line(LogLevel::kWarning,
                    "fenced: by another process of this instance, or by our own membership before; "
                    "joining the group once more to find out",
                    {{"what", what}, {"worker", rules_.worker}});
  const std::vector<std::int32_t> all(owned_.begin(), owned_.end());
  release(all);
  noted_ = {};
  source_->stay(kFencedTimeout);
  if (auto joined = join(); !joined) end(WorkerEnd::Kind::kBroker, joined.error().what);
}

/// An end that was reached is none any more once the broker has told of records behind it, though
/// they have not been read yet: evaluations must not pass over a partition that is only slower.
void Worker::forget_old_ends() {
  for (auto it = ends_.begin(); it != ends_.end();) {
    const auto known = source_->last_known_end(it->first);
    if (!known || *known <= it->second) {
      ++it;
      continue;
    }
    parts_.pipeline.reached_end(it->first, false);
    it = ends_.erase(it);
  }
}

void Worker::decide_and_commit() {
  forget_old_ends();
  parts_.pipeline.tick(parts_.wall());
  while (!end_) {
    auto next = parts_.pipeline.advance(parts_.wall());
    if (!next) {
      give_up(parts_.pipeline.failed_partition(), next.error());
      return;
    }
    if (!parts_.pipeline.touched()) return;
    if (!filling_) transaction_since_ = parts_.pace.now();
    filling_ = true;
    const bool due = drained_ || parts_.pace.now() - transaction_since_ >= rules_.commit_interval;
    if (*next != Pipeline::Next::kCommit && !due) return;
    commit_failed_ = commit() != Commit::kDone;
    if (commit_failed_) return;
    if (*next != Pipeline::Next::kCommit || (stop_ != nullptr && *stop_)) return;
    // A long sweep, or a backlog, must keep neither the group waiting nor those who watch.
    handle(source_->poll(milliseconds(0)));
    report(false);
    if (in_doubt()) return;
  }
}

void Worker::shut_down() {
  if (source_ == nullptr) return;
  stopping_ = true;
  const bool troubled = in_doubt() || commit_failed_;
  const bool fenced = end_ && end_->kind == WorkerEnd::Kind::kFenced;
  if (rules_.leave_on_stop && !fenced) {
    observe::log_line(LogLevel::kInfo,
                      "leaving: last commit, then the partitions go to the others");
    source_->leave(troubled ? kTroubledTimeout : kLeaveTimeout);
  } else {
    observe::log_line(LogLevel::kInfo,
                      fenced ? "stopping: another process has this member's partitions"
                             : "stopping: the partitions wait for this member to come back");
    if (!fenced) commit_before_leaving();
    source_->stay(kStayTimeout);
  }
  const std::vector<std::int32_t> rest(owned_.begin(), owned_.end());
  release(rest);
  report(true);
  source_.reset();
}

// --- the group ---

void Worker::note_stamp() {
  noted_ = source_ == nullptr ? GroupStamp{} : source_->group();
}

void Worker::on_assigned(std::span<const std::int32_t> partitions) {
  const std::string before = noted_.member_id;
  note_stamp();
  owners_unchecked_ = owners_unchecked_ || noted_.member_id != before;
  note_rebalance_begin();
  count_unchecked_ = true;
  ++commit_tally_.rebalances[observe::RebalanceKind::kAssigned];
  for (const std::int32_t p : partitions) {
    owned_.insert(p);
    restore_attempts_[p] = 0;
    parts_.restorer.request(p);
  }
  tell_expected();
  observe::log_line(
      LogLevel::kInfo, "assigned",
      {{"partitions", list_of(partitions)}, {"owned", owned_.size()}, {"worker", rules_.worker}});
}

void Worker::on_revoked(std::span<const std::int32_t> partitions) {
  note_stamp();  // the generation is a new one already, and these are ours until this returns
  note_rebalance_begin();
  ++commit_tally_.rebalances[observe::RebalanceKind::kRevoked];
  commit_before_leaving();
  release(partitions);
  count_unchecked_ = count_unchecked_ || owned_.empty();  // is the input there at all?
  observe::log_line(
      LogLevel::kInfo, "revoked",
      {{"partitions", list_of(partitions)}, {"owned", owned_.size()}, {"worker", rules_.worker}});
}

void Worker::on_lost(std::span<const std::int32_t> partitions) {
  note_rebalance_begin();
  ++commit_tally_.rebalances[observe::RebalanceKind::kLost];
  release(partitions);
  note_stamp();
  observe::log_line(
      LogLevel::kWarning, "lost: the group gave these partitions to others",
      {{"partitions", list_of(partitions)}, {"owned", owned_.size()}, {"worker", rules_.worker}});
}

/// W5. What is not committed here is decided anew by the next owner.
void Worker::commit_before_leaving() {
  if (in_doubt() || !parts_.pipeline.touched()) return;
  if (stopping_ && commit_failed_) return;  // it has just been tried, and whoever stops us waits
  commit();
}

void Worker::release(std::span<const std::int32_t> partitions) {
  parts_.restorer.cancel(partitions);
  for (const std::int32_t p : partitions) {
    parts_.pipeline.remove(p);  // closes its store
    parts_.left(p);
    owned_.erase(p);
    parked_.erase(p);
    doubts_.erase(p);
    restore_attempts_.erase(p);
    restore_not_before_.erase(p);
    restore_delays_.erase(p);
    flushed_at_.erase(p);
    ends_.erase(p);
    caught_up_.erase(p);
    dropped_.erase(p);
  }
  tell_expected();
  filling_ = parts_.pipeline.touched();
}

void Worker::end(WorkerEnd::Kind kind, const std::string& what) {
  if (!end_) end_ = WorkerEnd{kind, what};
}

}  // namespace segmentd
