// The partitions of a worker: made ready, activated, set aside, parked, taken up again.
#include <algorithm>
#include <numeric>
#include <utility>

#include "daemon/worker/worker.hpp"

namespace segmentd {
namespace {

using observe::LogLevel;

constexpr milliseconds kRoomLookMax{600'000};
constexpr milliseconds kRejoinTimeout{10'000};
constexpr milliseconds kRestoreLater{1'000};
constexpr milliseconds kRestoreLaterMax{16'000};
constexpr milliseconds kCountLater{1'000};
constexpr int kRejoinsForUnassignedMax = 3;  // then it is not what joining again could mend

/// Twice the last one; that is 0 before the first.
milliseconds next_wait(milliseconds last, milliseconds first, milliseconds most) {
  return last.count() == 0 ? first : std::min(2 * last, most);
}

}  // namespace

/// W6. Asked at every assignment, before anything of it is activated: it takes one to notice. Of
/// the state too: a partition that was added while nobody ran has none, and would begin as a new
/// one.
void Worker::check_partition_count() {
  if (!count_unchecked_ || in_doubt() || parts_.pace.now() < count_not_before_) return;
  const auto count = parts_.broker.partition_count(parts_.input_topic, kCountTimeout);
  const auto before = count ? partition_count_of_state() : Result<std::int32_t>(count.error());
  note_input(count);
  if (!before) {
    count_not_before_ = parts_.pace.now() + kCountLater;
    observe::log_limited(limit_, "count", parts_.wall(), LogLevel::kWarning,
                         "the input's partition count is not known yet; trying again",
                         {{"what", before.error().what}});
    return;
  }
  count_unchecked_ = false;
  if (*count != rules_.partitions) return park_all(*count, rules_.partitions);
  if (*before > 0 && *before != *count) park_all(*count, *before);
}

/// A topic that was deleted is not waited for; one whose metadata is on its way is.
void Worker::note_input(const Result<std::int32_t>& count) {
  if (count || count.error().code != Errc::kUnavailable) {
    input_gone_since_.reset();
    return;
  }
  const Pace::Time now = parts_.pace.now();
  if (!input_gone_since_) input_gone_since_ = now;
  if (now - *input_gone_since_ < rules_.input_patience) return;
  end(WorkerEnd::Kind::kBroker,
      count.error().what +
          ": the input was deleted while segmentd worked on it. Put it back with "
          "its records, or start a new application id");
}

/// The first one that the group's offsets tell which is not ours; 0 = they tell no other.
Result<std::int32_t> Worker::partition_count_of_state() {
  if (owned_.empty()) return 0;
  std::vector<std::int32_t> all(static_cast<std::size_t>(rules_.partitions));
  std::iota(all.begin(), all.end(), 0);
  auto committed = source_->committed(all, kCommittedTimeout);
  // Where transactions stay undecided, what was before them tells it as well.
  if (!committed) committed = source_->committed_before(all, kCommittedTimeout);
  if (!committed) return committed.error();
  for (const CommittedOffset& offset : *committed) {
    const std::optional<OffsetMark> mark = offset_mark(offset.metadata);
    if (mark && mark->partitions > 0 && mark->partitions != rules_.partitions) {
      return mark->partitions;
    }
  }
  return 0;
}

void Worker::park_all(std::int32_t now, std::int32_t before) {
  const std::set<std::int32_t> owned = owned_;
  for (const std::int32_t p : owned) {
    park(p, observe::ParkReason::kPartitionCount,
         "the input has " + std::to_string(now) + " partitions now, it had " +
             std::to_string(before) +
             ": a customer's new records may come in another partition than the old ones. Start a "
             "new application id (setting `application`), which reads the input from its "
             "beginning");
  }
}

void Worker::take_restored() {
  if (count_unchecked_) return;
  const Pace::Time now = parts_.pace.now();
  for (auto it = restore_not_before_.begin(); it != restore_not_before_.end();) {
    if (it->second > now) {
      ++it;
      continue;
    }
    parts_.restorer.request(it->first);
    it = restore_not_before_.erase(it);
  }
  if (in_doubt()) return;
  // One a round: activating asks the broker, and the group is polled in between.
  if (auto restored = parts_.restorer.take(); restored && owned(restored->partition)) {
    activate(std::move(*restored));
  }
}

/// W8. Who is new in the group looks whether everything has an owner, until it is so.
void Worker::look_for_unassigned() {
  const Pace::Time now = parts_.pace.now();
  if (!owners_unchecked_ || rejoining_ || in_doubt() || now < owners_not_before_) return;
  owners_not_before_ = now + rules_.unassigned_look;
  const auto group = source_->assignment(kAssignmentTimeout);
  if (!group || !group->stable) {
    unassigned_since_.reset();
    return;
  }
  std::vector<std::int32_t> missing;
  for (std::int32_t p = 0; p < rules_.partitions; ++p) {
    if (!group->assigned.contains(p)) missing.push_back(p);
  }
  if (missing.empty()) {
    owners_unchecked_ = false;
    unassigned_since_.reset();
    rejoins_for_unassigned_ = 0;
    return;
  }
  // They may only be on their way from one member to another.
  if (!unassigned_since_) unassigned_since_ = now;
  if (now - *unassigned_since_ < rules_.unassigned_patience) return;
  unassigned_since_.reset();
  const bool once_more = ++rejoins_for_unassigned_ <= kRejoinsForUnassignedMax;
  observe::log_limited(limit_, "unassigned", parts_.wall(),
                       once_more ? LogLevel::kWarning : LogLevel::kError,
                       "the group has given these partitions to nobody",
                       {{"partitions", list_of(missing)}, {"joining_again", once_more}});
  rejoining_ = once_more;
}

/// An active partition can only be taken up anew by joining the group again. One on which another
/// member seems to have gone on is lost to us, and the group says so soon; if it does not, somebody
/// set the offset by hand, and restoring it tells so.
void Worker::rejoin_if_needed() {
  const Pace::Time now = parts_.pace.now();
  rejoining_ = rejoining_ || std::any_of(dropped_.begin(), dropped_.end(), [&](const auto& drop) {
                 return now - drop.second > rules_.dropped_patience;
               });
  if (!rejoining_ || in_doubt()) return;
  observe::log_line(LogLevel::kWarning, "joining the group again to take partitions up anew");
  if (auto joined = source_->rejoin(kRejoinTimeout); !joined) {
    observe::log_limited(limit_, "rejoin", parts_.wall(), LogLevel::kWarning,
                         "the group cannot be joined again yet; trying again",
                         {{"what", joined.error().what}});
    return;
  }
  rejoining_ = false;
}

void Worker::restore_again(std::int32_t partition, observe::ParkReason reason,
                           const std::string& why) {
  if (++restore_attempts_[partition] > rules_.restore_attempts_max) {
    park(partition, reason, why);
    return;
  }
  restore_not_before_[partition] = parts_.pace.now() + rules_.restore_pause;
}

/// The broker does not answer, or not as it should: for as long as it takes.
void Worker::restore_later(std::int32_t partition, const std::string& why) {
  observe::log_limited(limit_, "restore-" + std::to_string(partition), parts_.wall(),
                       LogLevel::kWarning, "not restored yet; trying again",
                       {{"partition", partition}, {"what", why}});
  const Pace::Time now = parts_.pace.now();
  RestoreDelay& delay =
      restore_delays_.try_emplace(partition, RestoreDelay{now, {}, {}}).first->second;
  delay.wait = next_wait(delay.wait, kRestoreLater, kRestoreLaterMax);
  delay.why = why;
  restore_not_before_[partition] = now + delay.wait;
}

void Worker::activate(Restored restored) {
  const std::int32_t p = restored.partition;
  commit_tally_.writers_fenced += static_cast<std::uint64_t>(restored.writers_fenced);
  if (parked_.contains(p)) return;
  if (!restored.opened) {
    not_restored(p, restored.reason, restored.opened.error());
    return;
  }
  std::unique_ptr<Partition> partition = std::move(*restored.opened);
  const std::int32_t asked[] = {p};
  auto committed = source_->committed(asked, kActivationTimeout);
  // R2: a lost end may hide the group's offset too. META is committed, and ours.
  const bool ours = partition->restored_mark().writer == parts_.pipeline.partition_rules().writer;
  const bool unstable = !committed && ours;
  if (unstable) committed = source_->committed_before(asked, kCommittedTimeout);
  if (!committed) {
    partition.reset();  // closes the store
    restore_later(p, committed.error().what);
    return;
  }
  const auto from = starting_offset(*partition, committed->front(), restored.input, unstable);
  if (!from) return;
  partition->start_at(*from);
  partition->touch();  // W7. Also, where `latest` was is known to nobody before the first commit.
  if (auto active = source_->activate(p, *from); !active) {
    partition.reset();
    restore_later(p, active.error().what);
    return;
  }
  const Meta& meta = partition->meta();
  observe::log_line(LogLevel::kInfo, "active",
                    {{"partition", p},
                     {"next_offset", *from},
                     {"customers", partition->segmenter().customers()},
                     {"epoch", meta.epoch},
                     {"txn_seq", meta.txn_seq},
                     {"worker", rules_.worker}});
  say_skips_behind(p, *from);
  restore_attempts_.erase(p);
  restore_delays_.erase(p);
  flushed_at_[p] = parts_.pace.now();
  parts_.pipeline.add(std::move(partition));
}

void Worker::not_restored(std::int32_t partition, observe::ParkReason reason, const Error& error) {
  const bool of_broker = reason == observe::ParkReason::kStateBehindLog ||
                         reason == observe::ParkReason::kInputRecreated;
  if (error.code == Errc::kMisconfigured && of_broker) {  // a right was taken away
    end(WorkerEnd::Kind::kBroker, error.what);
  } else if (error.code == Errc::kRetry) {
    restore_later(partition, error.what);
  } else if (error.code == Errc::kUnavailable && reason != observe::ParkReason::kDiskFull) {
    restore_again(partition, reason, error.what);
  } else if (error.code == Errc::kCorrupt) {
    set_aside(partition, error.what);
  } else {
    park(partition, reason, error.what);
  }
}

/// Where to read from: META and the group's offset have to agree; without an offset META is the
/// truth. `unstable`: `committed` may be what was before META's transaction. nullopt = not now, or
/// parked.
std::optional<std::int64_t> Worker::starting_offset(const Partition& partition,
                                                    const CommittedOffset& committed,
                                                    const Watermarks& input, bool unstable) {
  const Meta& meta = partition.meta();
  const std::int32_t p = committed.partition;
  const std::string own = std::to_string(meta.txn_seq);
  if (meta.txn_seq > 0) {
    if (!committed.next_offset) return meta.next_offset;
    const std::optional<OffsetMark> found = offset_mark(committed.metadata);
    const OffsetMark& mark = partition.restored_mark();
    const bool same = found && found->txn_seq == mark.txn_seq &&
                      (found->writer == mark.writer || found->writer.empty());
    if (same && *committed.next_offset == meta.next_offset) {
      return meta.next_offset;
    }
    const bool one_before = found && found->txn_seq == mark.txn_seq - 1;
    if (unstable && one_before) return meta.next_offset;  // R2
    // The offset may show before the changelog's end does; but not for long.
    const bool ours = found && found->txn_seq > meta.txn_seq;
    restore_again(p,
                  ours ? observe::ParkReason::kStateBehindLog : observe::ParkReason::kOffsetChanged,
                  "the state ends at transaction " + own + " and goes on at offset " +
                      std::to_string(meta.next_offset) + ", the group's offset " +
                      std::to_string(*committed.next_offset) + " belongs to transaction '" +
                      committed.metadata +
                      (ours ? "'. The changelog lost records: start a new application id"
                            : "'. Somebody set the offset by hand: put the offset back, metadata "
                              "too, or start "
                              "a new application id"));
    return std::nullopt;
  }
  if (committed.next_offset) {
    restore_again(p, observe::ParkReason::kStateBehindLog,
                  "there is a committed offset but no state: the changelog was deleted, or the "
                  "group was used by another program. Start a new application id");
    return std::nullopt;
  }
  return rules_.start_at_earliest ? input.first : input.stable_end;
}

// --- what cannot go on ---

/// A store that cannot be trusted is set aside and made anew from the changelog, which holds all of
/// it; once in a while, lest a broken disk or a bad row does it over and over.
void Worker::set_aside(std::int32_t partition, const std::string& what) {
  const bool was_active = parts_.pipeline.remove(partition) != nullptr;  // closes it
  if (auto aside = parts_.set_aside(partition); !aside) {
    park(partition, observe::ParkReason::kStoreError, what + ". " + aside.error().what);
    return;
  }
  observe::log_line(LogLevel::kError,
                    "a store cannot be trusted: set aside, it is restored from the changelog",
                    {{"partition", partition}, {"what", what}});
  if (was_active) {
    source_->ignore(partition);
    rejoining_ = true;
  } else {
    parts_.restorer.request(partition);
  }
}

void Worker::park(std::int32_t partition, observe::ParkReason reason, const std::string& what) {
  if (partition < 0 || parked_.contains(partition)) return;
  const bool was_active = parts_.pipeline.remove(partition) != nullptr;
  if (was_active) source_->ignore(partition);
  milliseconds& wait = room_waits_[partition];
  wait = next_wait(wait, rules_.room_look, kRoomLookMax);
  parked_[partition] = {reason, what, was_active, parts_.pace.now() + wait};
  doubts_.erase(partition);
  tell_expected();
  observe::log_line(LogLevel::kError, "parked",
                    {{"partition", partition},
                     {"reason", observe::word(reason)},
                     {"what", what},
                     {"worker", rules_.worker}});
}

/// Not at once: a partition may be on its way from one worker of the process to another.
void Worker::end_if_all_parked() {
  const Pace::Time now = parts_.pace.now();
  if (parked_.empty() || rebalance_since_ || !parts_.holdings.all_stuck()) {
    stuck_since_.reset();
    return;
  }
  if (!stuck_since_) stuck_since_ = now;
  if (now - *stuck_since_ < rules_.stuck_patience) return;
  end(WorkerEnd::Kind::kState,
      "every partition is parked; the first: " + parked_.begin()->second.what);
}

/// What became of a partition that was at work.
void Worker::give_up(std::int32_t partition, const Error& error) {
  switch (error.code) {
    case Errc::kCorrupt:
      set_aside(partition, error.what);
      return;
    case Errc::kUnavailable:
      park(partition, observe::ParkReason::kDiskFull, error.what);
      return;
    case Errc::kMisconfigured:  // its disk may not be written
      park(partition, observe::ParkReason::kStoreError, error.what);
      return;
    case Errc::kBadInput:
    case Errc::kRetry:
      park(partition, observe::ParkReason::kRepeatedFailure, error.what);
      return;
  }
}

/// Partitions parked for a full disk are taken up again once there is room.
void Worker::retry_parked() {
  const Pace::Time now = parts_.pace.now();
  for (auto it = parked_.begin(); it != parked_.end();) {
    auto& [partition, parked] = *it;
    const bool due = parked.reason == observe::ParkReason::kDiskFull && now >= parked.retry_at;
    if (due) parked.retry_at = now + rules_.room_look;
    if (!due || !parts_.has_room()) {
      ++it;
      continue;
    }
    observe::log_line(LogLevel::kInfo, "there is room on the disk again",
                      {{"partition", partition}});
    if (parked.was_active) {
      rejoining_ = true;  // brings it back with all others
      return;
    }
    parts_.restorer.request(partition);
    it = parked_.erase(it);
    tell_expected();
  }
}

/// Evaluations wait for those that are ours and on their way; the end of the process for those that
/// are not stuck.
void Worker::tell_expected() {
  std::set<std::int32_t> expected;
  for (const std::int32_t p : owned_) {
    if (!parked_.contains(p)) expected.insert(p);
  }
  parts_.pipeline.expect(std::move(expected));
  // One parked for a full disk comes back by itself: it is not the end.
  const auto stuck = std::count_if(parked_.begin(), parked_.end(), [](const auto& p) {
    return p.second.reason != observe::ParkReason::kDiskFull;
  });
  parts_.holdings.publish(rules_.worker, owned_.size(), static_cast<std::size_t>(stuck));
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

}  // namespace segmentd
