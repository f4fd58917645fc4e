#include "daemon/inspect/verdict.hpp"

#include <algorithm>

#include "daemon/pipeline/offset_mark.hpp"

namespace segmentd {
namespace {

using Grade = Remark::Grade;

constexpr const char* kRebuild = "`segmentd state rebuild` makes it anew from the changelog";
constexpr const char* kNewApplication = "start a new application id (setting `application`)";

std::string text(std::int64_t number) {
  return std::to_string(number);
}

/// Of the input; control records count among the offsets, hence an upper bound.
std::string to_be_read(std::int64_t offsets) {
  return offsets <= 0 ? "nothing to be read"
                      : "up to " + count_text(offsets, "record") + " to be read";
}

std::string transaction(std::int64_t txn_seq, const std::string& writer) {
  return "transaction " + text(txn_seq) + (writer.empty() ? "" : " of " + writer);
}

class Judge {
 public:
  Judge(const PartitionFound& found, const DirectoryOwner& owner) : found_(found), owner_(owner) {}

  std::vector<Remark> all() {
    store_alone();
    if (found_.changelog) changelog();
    if (found_.group) group();
    if (found_.input) input();
    for (const std::string& what : found_.unanswered) note("not looked at: " + what);
    return std::move(remarks_);
  }

 private:
  void fine(std::string what) { remarks_.push_back({Grade::kFine, std::move(what)}); }
  void note(std::string what) { remarks_.push_back({Grade::kNote, std::move(what)}); }
  void unsafe(std::string what) { remarks_.push_back({Grade::kUnsafe, std::move(what)}); }

  void store_alone();
  void changelog();
  void store_and_changelog(const Meta& store, const ChangelogFound& log);
  void position_in(const Position& position, const ChangelogFound& log);
  void group();
  void group_without_state(const CommittedOffset& committed);
  void group_and_meta(const Meta& meta);
  void input();

  /// Where the partition stands: what the changelog says, for the daemon reads it before it works.
  const std::optional<Meta>& meta() const {
    return found_.changelog ? found_.changelog->meta : found_.store.meta;
  }

  /// Why a store may be behind the changelog without harm.
  std::string why_behind() const;

  const PartitionFound& found_;
  const DirectoryOwner& owner_;
  std::vector<Remark> remarks_;
};

void Judge::store_alone() {
  const StoreFound& store = found_.store;
  if (!store.unreadable.empty() && owner_.at_work) {
    note("the store could not be read while it is worked on: " + store.unreadable);
  } else if (!store.unreadable.empty()) {
    unsafe("the store is damaged: " + store.unreadable + ". " + kRebuild);
  }
  if (store.rows.damaged > 0) {
    unsafe("the store is damaged: " + count_text(store.rows.damaged, "row") + " of " +
           text(store.rows.customers) + " cannot be read (" + store.rows.damage + "). " + kRebuild);
  }
  for (const std::string& misfit : store.misfits) unsafe("the store does not fit: " + misfit);
  if (store.exists && store.unreadable.empty() && store.rows.damaged == 0) {
    fine(store.meta ? "the store reads well: " + count_text(store.rows.customers, "row") +
                          ", each with a right checksum"
                    : std::string("the store is empty: nothing was applied yet"));
  }
}

void Judge::changelog() {
  const ChangelogFound& log = *found_.changelog;
  const std::optional<Meta>& store = found_.store.meta;
  if (!log.unreadable.empty()) {
    unsafe("the changelog is damaged: " + log.unreadable + ". Its state cannot be restored; " +
           kNewApplication);
    return;
  }
  if (log.rows.damaged > 0) {
    unsafe("the changelog is damaged: " + count_text(log.rows.damaged, "row") + " of " +
           text(log.rows.customers) + " cannot be read (" + log.rows.damage +
           "). A store made from it would be refused");
  }
  if (!log.meta && store) {
    unsafe(std::string("the store has state, the changelog ") +
           (log.exists ? "has none" : "does not exist") +
           ": it was deleted or made anew, and this store is the only copy. Keep it; " +
           kNewApplication);
  } else if (log.meta && store) {
    store_and_changelog(*store, log);
  } else if (log.meta && !found_.store.exists) {
    fine("no store here: the changelog gives it back, " +
         count_text(log.rows.customers, "customer"));
  } else if (log.meta && found_.store.unreadable.empty()) {
    position_in(found_.store.position.value_or(Position{}), log);
  } else if (!log.meta) {
    fine("no state yet, neither here nor in the changelog");
  }
}

void Judge::store_and_changelog(const Meta& store, const ChangelogFound& log) {
  const Meta& newest = *log.meta;
  if (store.store_uuid != newest.store_uuid) {
    unsafe("the store is of another changelog: store " + store.store_uuid +
           ", the changelog holds " + newest.store_uuid +
           ". Is it the directory of another cluster, or was the changelog made anew? If the "
           "changelog is the right one, " +
           kRebuild);
    return;
  }
  if (store.txn_seq > newest.txn_seq) {
    unsafe("the store is ahead of the changelog: it knows " +
           transaction(store.txn_seq, store.writer) + ", the changelog ends with " +
           transaction(newest.txn_seq, newest.writer) + ". The changelog lost records; keep this " +
           "store, and " + kNewApplication);
    return;
  }
  if (store.txn_seq == newest.txn_seq && store.writer != newest.writer) {
    unsafe("store and changelog part: transaction " + text(store.txn_seq) + " is of " +
           store.writer + " in the store and of " + newest.writer + " in the changelog. " +
           kRebuild);
    return;
  }
  position_in(found_.store.position.value_or(Position{}), log);
}

void Judge::position_in(const Position& position, const ChangelogFound& log) {
  if (position.next_offset > log.marks.end) {
    unsafe("the store goes on at changelog offset " + text(position.next_offset) +
           ", but the changelog ends at " + text(log.marks.end) + ": it was made anew. " +
           kRebuild);
  } else if (found_.store.position && position.next_offset < log.marks.first) {
    unsafe("the store goes on at changelog offset " + text(position.next_offset) +
           ", but the changelog begins at " + text(log.marks.first) +
           ": records in between are gone that the store has not read. A changelog has to be "
           "compacted, never deleted from: look at its cleanup.policy; " +
           kNewApplication);
  } else if (log.records_ahead > 0) {
    fine((found_.store.meta ? "the store is behind the changelog by "
                            : "the store holds nothing yet and is behind the changelog by ") +
         count_text(log.records_ahead, "record") + why_behind());
  } else if (found_.store.meta && found_.store.meta != log.meta) {
    unsafe("the store is at the changelog's end, but it knows " +
           transaction(found_.store.meta->txn_seq, found_.store.meta->writer) +
           " and the changelog " + transaction(log.meta->txn_seq, log.meta->writer) + ". " +
           kRebuild);
  } else if (found_.store.meta && log.rows.digest != found_.store.rows.digest) {
    unsafe("the store is at the changelog's end, but its rows are not the changelog's (" +
           text(found_.store.rows.customers) + " and " + text(log.rows.customers) +
           " customers). " + kRebuild);
  } else {
    fine("the store is equal to the changelog");
  }
}

std::string Judge::why_behind() const {
  const std::string& writer = found_.changelog->meta->writer;
  if (!writer.starts_with(owner_.writers)) {
    return ": " + writer + " has worked on the partition since; the next time it comes here it " +
           "reads them first";
  }
  return owner_.at_work ? ", as of its last flush: it is worked on"
                        : ": normal after a kill; the next start reads them";
}

void Judge::group() {
  if (found_.changelog && !found_.changelog->unreadable.empty()) return;
  if (!found_.changelog && (owner_.at_work || !found_.store.unreadable.empty())) return;
  if (meta()) {
    group_and_meta(*meta());
  } else {
    group_without_state(found_.group->after);
  }
}

void Judge::group_without_state(const CommittedOffset& committed) {
  if (!committed.next_offset) return;
  unsafe("the group has a committed offset (" + text(*committed.next_offset) +
         ") but there is no state: the changelog was deleted, or the group was used by another "
         "program. " +
         "Start a new application id (setting `application`)");
}

void Judge::group_and_meta(const Meta& meta) {
  const CommittedOffset& before = found_.group->before;
  const CommittedOffset& after = found_.group->after;
  if (!after.next_offset) {
    note("the group has no committed offset (it expired, or was deleted): the daemon goes on at " +
         text(meta.next_offset) + ", as the state says");
    return;
  }
  const auto mark = offset_mark(after.metadata);
  const std::string offset = "the group's offset " + text(*after.next_offset);
  if (!mark) {
    unsafe(offset + " does not say which transaction it belongs to ('" + after.metadata +
           "'): somebody set it by hand. Put " + text(meta.next_offset) +
           " back, with the metadata '" + offset_metadata({meta.txn_seq, meta.writer, {}, 0}) +
           "', or " + kNewApplication);
    return;
  }
  const auto earlier = offset_mark(before.metadata);
  const bool moves = earlier && earlier->txn_seq < mark->txn_seq;
  const bool same_writer = mark->writer == meta.writer || mark->writer.empty();
  if (mark->txn_seq == meta.txn_seq && same_writer && *after.next_offset == meta.next_offset) {
    fine(offset + " and the state's end are of the same " + transaction(meta.txn_seq, meta.writer));
  } else if (moves && earlier->txn_seq <= meta.txn_seq && meta.txn_seq <= mark->txn_seq) {
    fine(offset + " moves on while this is read: transactions " + text(earlier->txn_seq) + " to " +
         text(mark->txn_seq) + ", the state read is of " + text(meta.txn_seq));
  } else if (mark->txn_seq > meta.txn_seq) {
    unsafe(offset + " belongs to " + transaction(mark->txn_seq, mark->writer) +
           ", the state ends with " + transaction(meta.txn_seq, meta.writer) +
           ". The changelog lost records: " + kNewApplication);
  } else {
    unsafe(offset + " belongs to " + transaction(mark->txn_seq, mark->writer) +
           ", the state ends with " + transaction(meta.txn_seq, meta.writer) + " at offset " +
           text(meta.next_offset) +
           ". Somebody set the offset by hand: put it back, with the metadata '" +
           offset_metadata({meta.txn_seq, meta.writer, {}, 0}) + "', or " + kNewApplication);
  }
}

void Judge::input() {
  if (!meta()) return;
  const InputFound& input = *found_.input;
  const std::int64_t next = meta()->next_offset;
  if (input.last_applied == LastAppliedFate::kDiffers) {
    unsafe("input: " + input_made_anew(meta()->last_applied, input.marks).what);
  } else if (next > input.marks.end) {
    unsafe("input: it ends at " + text(input.marks.end) + ", but the state goes on at " +
           text(next) + ": the topic was made anew. " +
           "Start a new application id (setting `application`)");
  } else if (next < input.marks.first) {
    unsafe("input: it begins at " + text(input.marks.first) + ", but the state goes on at " +
           text(next) + ": " + count_text(input.marks.first - next, "offset") +
           " were deleted before they were read. Keep the input longer; " + kNewApplication);
  } else if (input.last_applied == LastAppliedFate::kSame) {
    fine("input: the record applied last lies at offset " + text(meta()->last_applied.offset) +
         " still; " + to_be_read(input.marks.stable_end - next));
  } else {
    fine("input: goes on at offset " + text(next) + "; " +
         to_be_read(input.marks.stable_end - next));
  }
}

}  // namespace

std::vector<Remark> judge_partition(const PartitionFound& found, const DirectoryOwner& owner) {
  return Judge(found, owner).all();
}

std::string count_text(std::int64_t number, const char* what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

bool is_safe(const std::vector<Remark>& remarks) {
  return std::none_of(remarks.begin(), remarks.end(),
                      [](const Remark& r) { return r.grade == Grade::kUnsafe; });
}

std::optional<std::string> loss_of_rebuilding(const PartitionFound& found) {
  const ChangelogFound& log = *found.changelog;
  if (!log.exists) return "the changelog does not exist";
  if (!log.unreadable.empty()) return "the changelog is damaged: " + log.unreadable;
  if (!log.meta) return "the changelog holds no state of this partition";
  if (log.rows.damaged > 0) {
    return "the changelog is damaged: " + count_text(log.rows.damaged, "row") +
           " cannot be read (" + log.rows.damage + ")";
  }
  const std::optional<Meta>& store = found.store.meta;
  if (store && store->store_uuid == log.meta->store_uuid && store->txn_seq > log.meta->txn_seq) {
    return "the changelog is behind the store: it ends with transaction " +
           text(log.meta->txn_seq) + ", the store with " + text(store->txn_seq);
  }
  const CommittedOffset& committed = found.group->after;
  if (!committed.next_offset) return std::nullopt;
  const auto mark = offset_mark(committed.metadata);
  if (mark && mark->txn_seq > log.meta->txn_seq) {
    return "the changelog is behind the group's offset: it ends with transaction " +
           text(log.meta->txn_seq) + ", the offset belongs to " + text(mark->txn_seq);
  }
  return std::nullopt;
}

}  // namespace segmentd
