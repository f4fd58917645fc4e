#include "daemon/worker/worker.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace segmentd {
namespace {

using SteadyClock = std::chrono::steady_clock;
using observe::LogLevel;

constexpr milliseconds kCommittedTimeout{10'000};
constexpr milliseconds kWatermarksTimeout{10'000};
constexpr milliseconds kLeaveTimeout{10'000};
constexpr milliseconds kStalledPoll{200};
constexpr milliseconds kRestorePause{200};
constexpr milliseconds kDroppedPatience{10'000};  // a rebalance takes less
constexpr int kRestoreAttemptsMax = 25;

}  // namespace

Worker::Worker(WorkerRules rules, WorkerParts parts)
    : rules_(std::move(rules)), parts_(std::move(parts)) {}

WorkerEnd Worker::run(const std::atomic<bool>& stop) {
  auto source = parts_.open_source(*this);
  if (!source) return {WorkerEnd::Kind::kBroker, source.error().what};
  source_ = std::move(*source);
  while (!stop && !end_) round();
  shut_down();
  return end_.value_or(WorkerEnd{});
}

void Worker::round() {
  if (!doubts_.empty()) resolve();
  rejoin_if_forgotten();
  take_restored();
  poll();
  if (doubts_.empty() && !end_) decide_and_commit();
  flush_stores();
  report(false);
}

/// Nothing can be decided or committed, or enough is waiting to be.
bool Worker::stalled() const {
  return !doubts_.empty() || parts_.pipeline.held_bytes() > rules_.held_bytes_max;
}

/// Reads until a transaction's worth is here, nothing comes, or the transaction should be
/// committed.
void Worker::poll() {
  if (stalled()) return poll_stalled();
  const SteadyTime begin = SteadyClock::now();
  drained_ = false;
  milliseconds wait = filling_ && !commit_failed_ ? milliseconds(0) : rules_.idle_poll;
  for (std::int64_t n = 0; n < rules_.poll_records_max && !end_; ++n) {
    if (!handle(source_->poll(wait))) {
      drained_ = true;
      return;
    }
    wait = milliseconds(0);
    if ((n & 63) != 0) continue;
    if (SteadyClock::now() - begin >= rules_.commit_interval || stalled()) return;
  }
}

/// P3: reading stops. Polling must not, or the group takes us for dead; and since a record cannot
/// be left in the queue, it is done just often enough to hear of rebalances.
void Worker::poll_stalled() {
  std::this_thread::sleep_until(polled_at_ + kStalledPoll);
  polled_at_ = SteadyClock::now();
  handle(source_->poll(milliseconds(0)));
  drained_ = true;
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
    case SourceTrouble::Kind::kFenced:
      end(WorkerEnd::Kind::kFenced, trouble.what);
      return false;
    case SourceTrouble::Kind::kFatal:
      end(WorkerEnd::Kind::kBroker, trouble.what);
      return false;
  }
  return false;
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
      park_for(parts_.pipeline.failed_partition(), next.error());
      return;
    }
    if (!parts_.pipeline.touched()) return;
    if (!filling_) transaction_since_ = SteadyClock::now();
    filling_ = true;
    const bool due = drained_ || SteadyClock::now() - transaction_since_ >= rules_.commit_interval;
    if (*next != Pipeline::Next::kCommit && !due) return;
    commit_failed_ = commit() != Commit::kDone;
    if (commit_failed_) return;
    if (*next != Pipeline::Next::kCommit) return;
    handle(source_->poll(milliseconds(0)));  // a long sweep must not keep the group waiting
    if (!doubts_.empty()) return;
  }
}

void Worker::shut_down() {
  if (source_ == nullptr) return;
  const bool fenced = end_ && end_->kind == WorkerEnd::Kind::kFenced;
  if (rules_.leave_on_stop && !fenced) {
    observe::log_line(LogLevel::kInfo,
                      "leaving: last commit, then the partitions go to the others");
    source_->leave(kLeaveTimeout);
  } else {
    observe::log_line(LogLevel::kInfo,
                      "stopping: the partitions wait for this member to come back");
    if (!fenced && doubts_.empty() && parts_.pipeline.touched()) commit();
    source_->stay(kLeaveTimeout);
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
  note_stamp();
  ++commit_tally_.rebalances[observe::RebalanceKind::kAssigned];
  std::string list;
  for (const std::int32_t p : partitions) {
    owned_.insert(p);
    restore_attempts_[p] = 0;
    parts_.restorer.request(p);
    list += (list.empty() ? "" : ",") + std::to_string(p);
  }
  if (owned(0)) parts_.pipeline.expect_modeller(true);
  observe::log_line(LogLevel::kInfo, "assigned",
                    {{"partitions", list.empty() ? "none" : list}, {"owned", owned_.size()}});
}

void Worker::on_revoked(std::span<const std::int32_t> partitions) {
  ++commit_tally_.rebalances[observe::RebalanceKind::kRevoked];
  if (doubts_.empty() && parts_.pipeline.touched()) commit();  // W5
  release(partitions);
  note_stamp();
  observe::log_line(LogLevel::kInfo, "revoked",
                    {{"partitions", partitions.size()}, {"owned", owned_.size()}});
}

void Worker::on_lost(std::span<const std::int32_t> partitions) {
  ++commit_tally_.rebalances[observe::RebalanceKind::kLost];
  release(partitions);
  note_stamp();
  observe::log_line(LogLevel::kWarning, "lost: the group gave these partitions to others",
                    {{"partitions", partitions.size()}, {"owned", owned_.size()}});
}

void Worker::release(std::span<const std::int32_t> partitions) {
  const std::vector<std::int32_t> gone(partitions.begin(), partitions.end());
  for (const std::int32_t p : gone) {
    parts_.restorer.cancel(p);
    parts_.pipeline.remove(p);  // closes its store
    owned_.erase(p);
    parked_.erase(p);
    doubts_.erase(p);
    restore_attempts_.erase(p);
    restore_not_before_.erase(p);
    flushed_at_.erase(p);
    ends_.erase(p);
    dropped_.erase(p);
  }
  if (!owned(0)) parts_.pipeline.expect_modeller(false);
  filling_ = parts_.pipeline.touched();
}

// --- partitions ---

void Worker::take_restored() {
  const SteadyTime now = SteadyClock::now();
  for (auto it = restore_not_before_.begin(); it != restore_not_before_.end();) {
    if (it->second > now) {
      ++it;
      continue;
    }
    parts_.restorer.request(it->first);
    it = restore_not_before_.erase(it);
  }
  if (!doubts_.empty()) return;
  // One a round: activating asks the broker, and the group is polled in between.
  if (auto restored = parts_.restorer.take(); restored && owned(restored->partition)) {
    activate(std::move(*restored));
  }
}

/// A partition on which another member seems to have gone on is lost to us, and the group says so
/// soon. If it does not, somebody set the offset by hand: an active partition can only be taken up
/// anew by joining the group again, and restoring it then tells what is wrong.
void Worker::rejoin_if_forgotten() {
  const SteadyTime now = SteadyClock::now();
  rejoining_ = rejoining_ || std::any_of(dropped_.begin(), dropped_.end(), [&](const auto& drop) {
                 return now - drop.second > kDroppedPatience;
               });
  if (!rejoining_ || !doubts_.empty()) return;
  observe::log_line(LogLevel::kWarning,
                    "the group still says that a dropped partition is ours: joining it again");
  if (auto joined = source_->rejoin(kLeaveTimeout); !joined) {
    observe::log_limited(limit_, "rejoin", parts_.wall(), LogLevel::kWarning,
                         "the group cannot be joined again yet; trying again",
                         {{"what", joined.error().what}});
    return;
  }
  rejoining_ = false;
}

void Worker::restore_again(std::int32_t partition, const std::string& why) {
  if (++restore_attempts_[partition] > kRestoreAttemptsMax) {
    park(partition, observe::ParkReason::kStateBehindLog, why);
    return;
  }
  restore_not_before_[partition] = SteadyClock::now() + kRestorePause;
}

void Worker::activate(Restored restored) {
  const std::int32_t p = restored.partition;
  if (!restored.opened) {
    const Error& error = restored.opened.error();
    if (error.code == Errc::kRetry || error.code == Errc::kUnavailable) {
      restore_again(p, error.what);
    } else {
      park_for(p, error);
    }
    return;
  }
  const std::int32_t asked[] = {p};
  auto committed = source_->committed(asked, kCommittedTimeout);
  if (!committed) {
    restored = {p, committed.error()};  // closes the store
    restore_again(p, committed.error().what);
    return;
  }
  std::unique_ptr<Partition> partition = std::move(*restored.opened);
  const auto from = starting_offset(partition->meta(), committed->front());
  if (!from) return;
  partition->start_at(*from);
  if (auto active = source_->activate(p, *from); !active) {
    partition.reset();
    restore_again(p, active.error().what);
    return;
  }
  const Meta& meta = partition->meta();
  observe::log_line(LogLevel::kInfo, "active",
                    {{"partition", p},
                     {"next_offset", *from},
                     {"customers", partition->segmenter().customers()},
                     {"epoch", meta.epoch},
                     {"txn_seq", meta.txn_seq}});
  restore_attempts_.erase(p);
  flushed_at_[p] = SteadyClock::now();
  parts_.pipeline.add(std::move(partition));
}

/// Where to read from: META and the group's offset have to agree; without an offset META is the
/// truth. nullopt = not now, or parked.
std::optional<std::int64_t> Worker::starting_offset(const Meta& meta,
                                                    const CommittedOffset& committed) {
  const std::int32_t p = committed.partition;
  const std::string own = std::to_string(meta.txn_seq);
  if (meta.txn_seq > 0) {
    if (!committed.next_offset) return meta.next_offset;
    if (committed.metadata == own && *committed.next_offset == meta.next_offset) {
      return meta.next_offset;
    }
    // The offset may show before the changelog's end does; but not for long.
    restore_again(p,
                  "the state ends at transaction " + own + ", the group's offset " +
                      std::to_string(*committed.next_offset) + " belongs to transaction '" +
                      committed.metadata +
                      "'. The changelog lost records, or somebody set the offset by hand: put the "
                      "offset back, or start a new application id");
    return std::nullopt;
  }
  if (committed.next_offset) {
    restore_again(p,
                  "there is a committed offset but no state: the changelog was deleted, or the "
                  "group was used by another program. Start a new application id");
    return std::nullopt;
  }
  auto marks = parts_.broker.watermarks(parts_.input_topic, p, kWatermarksTimeout);
  if (!marks) {
    restore_again(p, marks.error().what);
    return std::nullopt;
  }
  return rules_.start_at_earliest ? marks->first : marks->stable_end;
}

void Worker::park(std::int32_t partition, observe::ParkReason reason, const std::string& what) {
  if (partition < 0 || parked_.contains(partition)) return;
  parts_.pipeline.remove(partition);
  source_->ignore(partition);
  parked_[partition] = {reason, what};
  if (partition == 0) parts_.pipeline.expect_modeller(false);
  observe::log_line(LogLevel::kError, "parked",
                    {{"partition", partition}, {"reason", observe::word(reason)}, {"what", what}});
  if (parked_.size() == owned_.size()) {
    end(WorkerEnd::Kind::kState, "every partition is parked; the first: " + what);
  }
}

void Worker::park_for(std::int32_t partition, const Error& error) {
  switch (error.code) {
    case Errc::kMisconfigured:
      park(partition, observe::ParkReason::kFingerprint, error.what);
      return;
    case Errc::kUnavailable:
      park(partition, observe::ParkReason::kDiskFull, error.what);
      return;
    case Errc::kCorrupt:
      park(partition, observe::ParkReason::kStoreError,
           error.what +
               ". Remove this partition's directory under state_dir and start again: it is "
               "restored from the changelog");
      return;
    case Errc::kBadInput:
    case Errc::kRetry:
      park(partition, observe::ParkReason::kRepeatedFailure, error.what);
      return;
  }
}

void Worker::say_parked() {
  for (const auto& [partition, parked] : parked_) {
    observe::log_limited(limit_, "parked-" + std::to_string(partition), parts_.wall(),
                         LogLevel::kError, "still parked",
                         {{"partition", partition},
                          {"reason", observe::word(parked.reason)},
                          {"what", parked.what}});
  }
}

void Worker::end(WorkerEnd::Kind kind, const std::string& what) {
  if (!end_) end_ = WorkerEnd{kind, what};
}

}  // namespace segmentd
