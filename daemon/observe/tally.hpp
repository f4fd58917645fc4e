// What a worker counts between two commits, in plain integers: no atomics, no locks, no library.
// Counting is an array increment; a struct is owned by one thread until it is handed to
// Metrics::publish.
//
// Counters move only after the commit they belong to. So there are two structs:
//  * Tally: what was decided about records. One per partition, beside that partition's overlay. It
//    is published and cleared once the transaction that carries the overlay is known to be
//    committed, kept over an abort (the overlay goes out again), and dropped with the overlay when
//    the partition is revoked before that.
//  * CommitTally: what happened to the transactions and to the group membership. One per worker,
//    published when it happened, whatever the outcome.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "daemon/observe/words.hpp"

namespace segmentd::observe {

/// Counts of a Prometheus histogram: bucket i holds the values in (bounds[i-1], bounds[i]], the
/// last one those above all bounds. `kBounds` are seconds, ascending.
template <const auto& kBounds>
struct BucketCounts {
  static constexpr std::size_t kBuckets = kBounds.size() + 1;

  std::array<std::uint64_t, kBuckets> counts{};
  double sum_seconds = 0.0;

  /// Adds `times` equal values. A negative value (clocks that differ) or NaN counts as 0.
  void observe(double seconds, std::uint64_t times = 1) {
    const double value = seconds > 0.0 ? seconds : 0.0;
    const auto at = std::lower_bound(kBounds.begin(), kBounds.end(), value);
    counts[static_cast<std::size_t>(at - kBounds.begin())] += times;
    sum_seconds += value * static_cast<double>(times);
  }
};

inline constexpr std::array<double, 14> kCommitBounds{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0};
inline constexpr std::array<double, 15> kOrderToCommitBounds{
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0};

inline constexpr std::array<double, 13> kRebalanceBounds{
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0};

/// What was decided about one partition's records since its last commit. Zero when made.
struct Tally {
  PerWord<RecordType, PerWord<Outcome>> records;
  PerWord<RejectReason> rejected;
  /// Published events by from, to, cause. Moves made in silence are not events.
  PerWord<SegmentWord, PerWord<SegmentWord, PerWord<ChangeCause>>> segment_changes;
  std::uint64_t input_bytes = 0;   // keys and values of the records read
  std::uint64_t output_bytes = 0;  // keys and values of the records produced
  std::uint64_t cache_hits = 0;    // customer rows found in memory
  std::uint64_t cache_misses = 0;  // customer rows looked up in the store
  std::uint64_t anonymous_orders = 0;
  std::int64_t anonymous_minor = 0;  // net money of records without customer, minor units

  Tally& operator+=(const Tally& other);
};

/// What happened to transactions and membership. Zero when made.
struct CommitTally {
  PerWord<TransactionOutcome> transactions;
  PerWord<Resolution> resolutions;
  PerWord<RebalanceKind> rebalances;
  std::uint64_t producer_reopens = 0;
  std::uint64_t writers_fenced = 0;  // that left a transaction open on a partition of ours
  /// From the first callback until everything owned was at work or parked.
  BucketCounts<kRebalanceBounds> rebalance_duration;
  /// From the begin of a transaction's last phase to its known end; committed ones only.
  BucketCounts<kCommitBounds> commit_duration;
  /// From the input record's timestamp to the commit that carries its effect.
  BucketCounts<kOrderToCommitBounds> order_to_commit;

  CommitTally& operator+=(const CommitTally& other);
};

}  // namespace segmentd::observe
