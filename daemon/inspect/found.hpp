// What was found of a state directory and of what belongs to it on Kafka. Plain values: the verdict
// over them is a pure function (verdict.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/pipeline/last_applied.hpp"
#include "daemon/ports.hpp"
#include "state/meta.hpp"
#include "state/position.hpp"

namespace segmentd {

/// Customer rows, each customer's newest, counted and decoded.
struct RowsFound {
  std::int64_t customers = 0;
  /// The same rows give the same number, in whatever order they lie: the sum of the checksums over
  /// key and value.
  std::uint64_t digest = 0;
  std::int64_t damaged = 0;  // do not decode: a wrong checksum, or no sound row
  std::string damage;        // of the first of them; empty = none
};

/// A directory beside the store.
struct SetAside {
  std::string name;
  std::int64_t bytes = 0;
  std::optional<Instant> at;  // when it was set aside
};

/// The local store of one partition.
struct StoreFound {
  bool exists = false;
  std::string unreadable;  // why it, its META or its position cannot be read; empty = it can
  std::optional<Meta> meta;
  std::optional<Position> position;
  RowsFound rows;
  std::int64_t disk_bytes = 0;
  std::vector<SetAside> set_aside;
  /// Between META and the settings given, a sentence each.
  std::vector<std::string> misfits;
};

/// The changelog of one partition, read to its end.
struct ChangelogFound {
  bool exists = true;
  Watermarks marks;
  std::int64_t records = 0;
  std::int64_t records_ahead = 0;  // that a store which is there has not read; 0 = there is none
  std::optional<Meta> meta;        // the newest
  std::int64_t meta_offset = -1;
  std::string unreadable;  // why the newest META cannot be read; empty = it can
  RowsFound rows;
};

/// The group's offset, asked before the changelog was read and after: somebody may be at work.
struct GroupFound {
  CommittedOffset before;
  CommittedOffset after;
};

struct InputFound {
  Watermarks marks;
  LastAppliedFate last_applied = LastAppliedFate::kNotThere;
};

/// One partition. What is on Kafka is unset where it was not asked, or there was no answer
/// (`unanswered` says so).
struct PartitionFound {
  std::int32_t number = 0;
  StoreFound store;
  std::optional<ChangelogFound> changelog;
  std::optional<GroupFound> group;
  std::optional<InputFound> input;
  std::vector<std::string> unanswered;
};

/// A state directory and the application on Kafka.
struct Inspection {
  std::filesystem::path directory;
  std::string application;
  std::string instance;               // empty = there is no state in the directory yet
  std::string writers;                // what the names of its writers begin with; empty as well
  std::optional<std::string> held;    // pid of who holds the directory
  std::int32_t input_partitions = 0;  // 0 = not known
  std::vector<PartitionFound> partitions;
};

}  // namespace segmentd
