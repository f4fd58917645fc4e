// How a worker stands, as a plain snapshot it fills and hands to Metrics::publish after a commit
// (or less often: every figure is absolute, so a skipped snapshot loses nothing).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/observe/words.hpp"
#include "state/core/instant.hpp"

namespace segmentd::observe {

/// One assigned partition. It leaves the page with the first snapshot that does not have it.
struct PartitionGauges {
  std::int32_t partition = 0;
  PartitionState state = PartitionState::kRestoring;
  ParkReason park_reason = ParkReason::kStateBehindLog;  // read only while state is kParked
  std::optional<std::int64_t> lag_records =
      std::nullopt;  // log end minus committed offset; nullopt = not known yet
  std::optional<double> clock_lag_seconds = std::nullopt;  // wall clock minus the partition's clock
  std::uint64_t held_records = 0;                          // read, waiting for slower partitions
  /// Changelog records still to be read; nullopt = not known yet.
  std::optional<std::uint64_t> restore_rows_remaining = 0;
  std::optional<double> restore_seconds_remaining = std::nullopt;  // at the speed so far
};

/// Customers now in one segment, and the net money they have brought, in minor units.
struct SegmentGauges {
  std::uint64_t customers = 0;
  std::int64_t revenue_minor = 0;
};

/// The stores of the worker's partitions, added up. Ask RocksDB every few seconds, not per commit.
struct StoreGauges {
  std::uint64_t live_data_bytes = 0;
  std::uint64_t memtable_bytes = 0;
  std::uint64_t block_cache_bytes = 0;
  std::uint64_t pending_compaction_bytes = 0;
  std::uint64_t background_errors = 0;
};

/// The model in force. Of several workers' the one with the highest epoch is shown.
struct ModelGauges {
  std::uint64_t epoch = 0;           // 0 = none yet
  double inertia = 0.0;              // of the customers here, about the published centroids
  double excess_ratio = 0.0;         // inertia above that of the exact means, relative to it
  std::optional<Instant> published;  // when the epoch took effect
};

struct Gauges {
  std::vector<PartitionGauges> partitions;
  PerWord<SegmentWord, SegmentGauges> segments;
  std::uint64_t overdue_deadlines = 0;  // silent moves due and not yet made
  std::uint64_t rows_cached = 0;
  std::uint64_t overlay_rows = 0;   // changed rows not yet committed
  std::uint64_t overlay_bytes = 0;  // those and their encoded output
  std::optional<Instant> last_commit;
  double uncommitted_seconds = 0.0;  // age of the oldest decision that is not committed
  StoreGauges store;
  ModelGauges model;
};

/// How the topics of the application stand.
struct TopicGauges {
  PerWord<TopicRole> problems;  // of each topic, how many
};

}  // namespace segmentd::observe
