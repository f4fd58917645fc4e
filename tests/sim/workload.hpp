// What a simulated group has to do, and what has to come out of it: the records of each partition
// and, from the same pipeline driven straight over them, all that readers may ever see.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/pipeline/pipeline.hpp"
#include "state/core/epoch.hpp"

namespace segmentd::test {

struct WorkRecord {
  std::int32_t partition = 0;
  std::optional<std::string> key;
  std::string value;
};

/// What read_committed readers see of one partition, in the end.
struct SeenPartition {
  std::vector<std::string> changes;
  std::vector<std::string> rejected;
  std::map<std::string, std::string> table;
  std::map<std::string, std::string> rows;  // the changelog, compacted, without META
  bool operator==(const SeenPartition&) const = default;
};

/// An epoch and where a partition put it in force.
struct ForcedEpoch {
  Epoch epoch;
  std::int64_t input_offset = 0;
  std::optional<Instant> clock;
};

/// A record as it lies in the input.
struct PlacedRecord {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::string value;
};

struct Workload {
  std::int32_t partitions = 1;
  std::vector<WorkRecord> records;  // in the order in which they come
  Epoch epoch;                      // in force from the beginning, where none are made
  std::vector<SeenPartition> seen;  // with that epoch, by partition
};

inline constexpr std::int32_t kWorkloads = 24;
/// Made once; `number` below kWorkloads.
const Workload& workload(std::int32_t number);

/// Rows of a partition that may stay in memory without need.
inline constexpr std::size_t kCachedRows = 1;
PipelineRules simulation_rules(std::int32_t partitions);
Decoder simulation_decoder();

/// What the pipeline says to these records and nothing else; `epochs` in order.
SeenPartition straight(const std::vector<PlacedRecord>& records,
                       const std::vector<ForcedEpoch>& epochs);

}  // namespace segmentd::test
