#include "daemon/inspect/report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "daemon/inspect/verdict.hpp"
#include "daemon/pipeline/offset_mark.hpp"
#include "daemon/wire/json_writer.hpp"

namespace segmentd {
namespace {

/// `812 B`, `12.3 MiB`.
std::string size_text(std::int64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

/// `12 s`, `3 min`, `5 h`, `2 d`: two of a unit or more, but for seconds.
std::string age_text(std::int64_t ms) {
  struct Unit {
    std::int64_t ms;
    const char* name;
  };
  static constexpr std::array<Unit, 3> kUnits{
      {{kMsPerDay, " d"}, {kMsPerHour, " h"}, {kMsPerMinute, " min"}}};
  for (const Unit& unit : kUnits) {
    if (ms >= 2 * unit.ms) return std::to_string(ms / unit.ms) + unit.name;
  }
  return std::to_string(ms / kMsPerSecond) + " s";
}

std::string or_dash(const std::optional<Instant>& at) {
  return at ? format_rfc3339(*at) : "-";
}

class Lines {
 public:
  void block(const std::string& title) { text_ += title + '\n'; }
  void line(std::string_view name, const std::string& value) {
    constexpr std::size_t kNameWidth = 18;
    text_ += "  ";
    text_ += name;
    text_.append(kNameWidth > name.size() ? kNameWidth - name.size() : 1, ' ');
    text_ += value + '\n';
  }
  void end_block() { text_ += '\n'; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string transaction_text(const Meta& meta) {
  return std::to_string(meta.txn_seq) + " of " + meta.writer;
}

/// What it tells beside its transaction. `whose`: in front of each name.
void write_meta(Lines& lines, const Meta& meta, const std::string& whose) {
  const LastApplied& last = meta.last_applied;
  std::string applied = last.offset < 0 ? "nothing" : "offset " + std::to_string(last.offset);
  if (last.offset >= 0 && last.timestamp_ms >= 0) {
    applied += ", sent " + format_rfc3339(Instant{last.timestamp_ms});
  }
  lines.line(whose + "last applied", applied);
  lines.line(whose + "epoch", meta.epoch == 0 ? "none" : std::to_string(meta.epoch));
  lines.line(whose + "clock", or_dash(meta.clock));
  lines.line(whose + "store uuid", meta.store_uuid);
}

void write_store(Lines& lines, const StoreFound& store, Instant now) {
  if (!store.exists) {
    lines.line("store", "none here");
  } else {
    lines.line("store", count_text(store.rows.customers, "customer") + ", " +
                            size_text(store.disk_bytes) + " on disk");
  }
  if (store.meta) {
    lines.line("transaction", transaction_text(*store.meta));
    lines.line("next input offset", std::to_string(store.meta->next_offset));
    write_meta(lines, *store.meta, "");
  }
  if (store.position) {
    lines.line("changelog offset", std::to_string(store.position->next_offset) + " is next");
    const auto& at = store.position->complete_at;
    lines.line("at its end",
               at ? format_rfc3339(*at) + ", " + age_text(now - *at) + " ago" : "never");
  }
  for (const SetAside& aside : store.set_aside) {
    lines.line("set aside", aside.name + ", " + size_text(aside.bytes) +
                                (aside.at ? ", of " + format_rfc3339(*aside.at) : ""));
  }
}

/// `has_store`: that tells the same already, or where it differs.
void write_changelog(Lines& lines, const ChangelogFound& log, bool has_store) {
  if (!log.exists) {
    lines.line("changelog", "does not exist");
    return;
  }
  lines.line("changelog", "offsets " + std::to_string(log.marks.first) + " to " +
                              std::to_string(log.marks.end) + ", " +
                              count_text(log.records, "record") + " of " +
                              count_text(log.rows.customers, "customer"));
  if (log.marks.stable_end < log.marks.end) {
    lines.line("", "a transaction is open from offset " + std::to_string(log.marks.stable_end));
  }
  if (!log.meta) return;
  lines.line("its META", "offset " + std::to_string(log.meta_offset) + ", transaction " +
                             transaction_text(*log.meta) + ", next input offset " +
                             std::to_string(log.meta->next_offset));
  if (!has_store) write_meta(lines, *log.meta, "its ");
}

void write_group(Lines& lines, const CommittedOffset& committed) {
  if (!committed.next_offset) {
    lines.line("group's offset", "none");
    return;
  }
  const auto mark = offset_mark(committed.metadata);
  lines.line("group's offset",
             std::to_string(*committed.next_offset) +
                 (mark ? ", transaction " + std::to_string(mark->txn_seq) + " of " + mark->writer
                       : ", metadata '" + committed.metadata + "'"));
}

const char* sign(Remark::Grade grade) {
  switch (grade) {
    case Remark::Grade::kFine:
      return "ok";
    case Remark::Grade::kNote:
      return "note";
    case Remark::Grade::kUnsafe:
      return "NOT SAFE";
  }
  return "";
}

const char* json_word(Remark::Grade grade) {
  return grade == Remark::Grade::kUnsafe ? "unsafe" : sign(grade);
}

DirectoryOwner owner_of(const Inspection& found) {
  return {found.held.has_value(), found.writers};
}

std::string holder_text(const Inspection& found) {
  return found.held ? "by process " + *found.held : std::string("by nobody");
}

void write_partition(Lines& lines, const PartitionFound& partition, const DirectoryOwner& owner,
                     Instant now) {
  lines.block("partition " + std::to_string(partition.number));
  write_store(lines, partition.store, now);
  if (partition.changelog) {
    write_changelog(lines, *partition.changelog, partition.store.meta.has_value());
  }
  if (partition.group) write_group(lines, partition.group->after);
  if (partition.input) {
    const Watermarks& marks = partition.input->marks;
    lines.line("input",
               "offsets " + std::to_string(marks.first) + " to " + std::to_string(marks.end));
  }
  for (const Remark& remark : judge_partition(partition, owner)) {
    lines.line(sign(remark.grade), remark.what);
  }
  lines.end_block();
}

// --- JSON ---

void write_meta(JsonWriter& json, const std::optional<Meta>& meta) {
  if (!meta) return json.null("meta");
  json.begin_object("meta");
  json.integer("txn_seq", meta->txn_seq);
  json.text("writer", meta->writer);
  json.text("store_uuid", meta->store_uuid);
  json.text("input_topic", meta->input_topic);
  json.integer("next_offset", meta->next_offset);
  json.integer("last_applied_offset", meta->last_applied.offset);
  json.integer("epoch", meta->epoch);
  json.time("clock", meta->clock);
  json.time("now", meta->now);
  json.time("evaluated_upto", meta->evaluated_upto);
  json.end_object();
}

void write_rows(JsonWriter& json, const RowsFound& rows) {
  json.integer("customers", rows.customers);
  json.text("rows_digest", std::to_string(rows.digest));
  json.integer("damaged_rows", rows.damaged);
}

void write_store(JsonWriter& json, const StoreFound& store) {
  json.begin_object("store");
  json.boolean("exists", store.exists);
  json.text_or_null("unreadable", store.unreadable);
  write_rows(json, store.rows);
  json.integer("disk_bytes", store.disk_bytes);
  write_meta(json, store.meta);
  if (store.position) {
    json.integer("changelog_offset", store.position->next_offset);
    json.time("complete_at", store.position->complete_at);
  } else {
    json.null("changelog_offset");
    json.null("complete_at");
  }
  json.begin_array("set_aside");
  for (const SetAside& aside : store.set_aside) {
    json.begin_object();
    json.text("name", aside.name);
    json.integer("bytes", aside.bytes);
    json.time("at", aside.at);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_marks(JsonWriter& json, const Watermarks& marks) {
  json.integer("first", marks.first);
  json.integer("stable_end", marks.stable_end);
  json.integer("end", marks.end);
}

void write_changelog(JsonWriter& json, const std::optional<ChangelogFound>& log) {
  if (!log) return json.null("changelog");
  json.begin_object("changelog");
  json.boolean("exists", log->exists);
  write_marks(json, log->marks);
  json.integer("records", log->records);
  json.integer("records_ahead", log->records_ahead);
  write_rows(json, log->rows);
  json.text_or_null("unreadable", log->unreadable);
  json.integer("meta_offset", log->meta_offset);
  write_meta(json, log->meta);
  json.end_object();
}

void write_group(JsonWriter& json, const std::optional<GroupFound>& group) {
  if (!group) return json.null("group");
  const CommittedOffset& committed = group->after;
  json.begin_object("group");
  committed.next_offset ? json.integer("next_offset", *committed.next_offset)
                        : json.null("next_offset");
  json.text("metadata", committed.metadata);
  json.end_object();
}

void write_input(JsonWriter& json, const std::optional<InputFound>& input) {
  if (!input) return json.null("input");
  static constexpr std::array<const char*, 3> kFates{"same", "not_there", "differs"};
  json.begin_object("input");
  write_marks(json, input->marks);
  json.text("last_applied", kFates[static_cast<std::size_t>(input->last_applied)]);
  json.end_object();
}

void write_partition(JsonWriter& json, const PartitionFound& partition,
                     const DirectoryOwner& owner) {
  const std::vector<Remark> remarks = judge_partition(partition, owner);
  json.begin_object();
  json.integer("partition", partition.number);
  json.boolean("safe", is_safe(remarks));
  write_store(json, partition.store);
  write_changelog(json, partition.changelog);
  write_group(json, partition.group);
  write_input(json, partition.input);
  json.begin_array("remarks");
  for (const Remark& remark : remarks) {
    json.begin_object();
    json.text("grade", json_word(remark.grade));
    json.text("what", remark.what);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace

bool is_safe(const Inspection& found) {
  return std::all_of(
      found.partitions.begin(), found.partitions.end(),
      [&](const PartitionFound& p) { return is_safe(judge_partition(p, owner_of(found))); });
}

std::string inspection_text(const Inspection& found, Instant now) {
  Lines lines;
  lines.block("state directory " + found.directory.string());
  lines.line("application", found.application);
  lines.line("instance", found.instance.empty() ? "none: no state here yet" : found.instance);
  lines.line("held", holder_text(found));
  lines.end_block();
  for (const PartitionFound& partition : found.partitions) {
    write_partition(lines, partition, owner_of(found), now);
  }
  std::string text = lines.take();
  const auto unsafe = std::count_if(
      found.partitions.begin(), found.partitions.end(),
      [&](const PartitionFound& p) { return !is_safe(judge_partition(p, owner_of(found))); });
  text += unsafe == 0
              ? "consistent\n"
              : "NOT SAFE: " + std::to_string(unsafe) + " of " +
                    count_text(static_cast<std::int64_t>(found.partitions.size()), "partition") +
                    "\n";
  return text;
}

std::string inspection_json(const Inspection& found, Instant now) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.text("state_dir", found.directory.string());
  json.text("application", found.application);
  json.text_or_null("instance", found.instance);
  json.text_or_null("held_by", found.held.value_or(""));
  json.time("at", now);
  json.boolean("safe", is_safe(found));
  json.begin_array("partitions");
  for (const PartitionFound& partition : found.partitions) {
    write_partition(json, partition, owner_of(found));
  }
  json.end_array();
  json.end_object();
  return text;
}

}  // namespace segmentd
