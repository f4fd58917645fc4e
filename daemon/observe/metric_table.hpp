// Every metric segmentd exposes, declared once: the registry, the reference page and the tests are
// made from this table. Names follow the Prometheus conventions: base units, `_total` for counters.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace segmentd::observe {

enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram };

enum class MetricId : std::uint8_t {
  kRecords,
  kRejected,
  kSegmentChanges,
  kAnonymousOrders,
  kInputBytes,
  kOutputBytes,
  kRowCacheHits,
  kRowCacheMisses,
  kTransactions,
  kResolutions,
  kProducerReopens,
  kWritersFenced,
  kRebalances,
  kRebalanceDuration,
  kCommitDuration,
  kOrderToCommit,
  kCustomers,
  kRevenue,
  kAnonymousRevenue,
  kOverdueDeadlines,
  kConsumerLag,
  kClockLag,
  kHeldRecords,
  kRestoreRowsRemaining,
  kRestoreSecondsRemaining,
  kPartitionParked,
  kPartitionWorker,
  kPartitions,
  kLastCommit,
  kUncommitted,
  kRowsCached,
  kOverlayRows,
  kOverlayBytes,
  kModelEpoch,
  kModelInertia,
  kModelExcess,
  kModelPublished,
  kRocksdbLiveData,
  kRocksdbMemtable,
  kRocksdbBlockCache,
  kRocksdbPendingCompaction,
  kRocksdbBackgroundErrors,
  kTopicProblems,
  kBuildInfo
};
inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(MetricId::kBuildInfo) + 1;

struct MetricDeclaration {
  MetricId id;
  MetricKind kind;
  std::string_view name;
  std::string_view help;    // one sentence
  std::string_view labels;  // comma-separated; empty = none
};

/// All of them, in the order of MetricId.
std::span<const MetricDeclaration> metric_table();

const MetricDeclaration& declaration(MetricId id);

/// `counter`, `gauge`, `histogram`.
std::string_view kind_word(MetricKind kind);

/// The reference page (Markdown): every metric with type, labels, help, and the labels' closed
/// sets.
std::string metrics_reference();

}  // namespace segmentd::observe
