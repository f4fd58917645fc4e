#include "daemon/observe/metric_table.hpp"

#include "daemon/observe/words.hpp"

namespace segmentd::observe {
namespace {

using Id = MetricId;
using enum MetricKind;

constexpr std::array<MetricDeclaration, kMetricCount> kTable{{
    {Id::kRecords, kCounter, "segmentd_records_total",
     "Input records whose effect is committed, by what they said and what became of them.",
     "type,outcome"},
    {Id::kRejected, kCounter, "segmentd_rejected_total",
     "Input records sent to the rejected topic, by reason.", "reason"},
    {Id::kSegmentChanges, kCounter, "segmentd_segment_changes_total",
     "Segment changes published, by segment left, segment entered and cause.", "from,to,cause"},
    {Id::kAnonymousOrders, kCounter, "segmentd_anonymous_orders_total",
     "Counting orders without a customer: never made into customers.", ""},
    {Id::kInputBytes, kCounter, "segmentd_input_bytes_total",
     "Bytes of the keys and values read from the input topic.", ""},
    {Id::kOutputBytes, kCounter, "segmentd_output_bytes_total",
     "Bytes of the keys and values produced to all topics.", ""},
    {Id::kRowCacheHits, kCounter, "segmentd_row_cache_hits_total", "Customer rows found in memory.",
     ""},
    {Id::kRowCacheMisses, kCounter, "segmentd_row_cache_misses_total",
     "Customer rows looked up in the store.", ""},
    {Id::kTransactions, kCounter, "segmentd_transactions_total",
     "Kafka transactions ended, by what the commit or abort call could tell.", "outcome"},
    {Id::kResolutions, kCounter, "segmentd_resolutions_total",
     "Transactions of unknown outcome looked up in the committed offset, by what was found.",
     "result"},
    {Id::kProducerReopens, kCounter, "segmentd_producer_reopens_total",
     "Times the transactional producer was closed and made anew.", ""},
    {Id::kWritersFenced, kCounter, "segmentd_writers_fenced_total",
     "Writers locked out because they left a transaction open on a partition taken over.", ""},
    {Id::kRebalances, kCounter, "segmentd_rebalances_total",
     "Rebalance callbacks of the consumer group, by kind.", "kind"},
    {Id::kRebalanceDuration, kHistogram, "segmentd_rebalance_duration_seconds",
     "Time from a rebalance's first callback until every partition of the worker was at work or "
     "parked.",
     ""},
    {Id::kCommitDuration, kHistogram, "segmentd_commit_duration_seconds",
     "Time a committed transaction took from its begin to its known end.", ""},
    {Id::kOrderToCommit, kHistogram, "segmentd_order_to_commit_seconds",
     "Time from an input record's timestamp to the commit that carries its effect.", ""},
    {Id::kCustomers, kGauge, "segmentd_customers",
     "Customers by the segment they are in; none = without a counting order, or no model yet.",
     "segment"},
    {Id::kRevenue, kGauge, "segmentd_revenue",
     "Net money of the customers of each segment, in major units of the currency.",
     "segment,currency"},
    {Id::kAnonymousRevenue, kGauge, "segmentd_anonymous_revenue",
     "Net money of records without a customer since the start, in major units.", "currency"},
    {Id::kOverdueDeadlines, kGauge, "segmentd_overdue_deadlines",
     "Moves by silence that are due and not yet made.", ""},
    {Id::kConsumerLag, kGauge, "segmentd_consumer_lag_records",
     "Input records not yet committed, by partition.", "partition"},
    {Id::kClockLag, kGauge, "segmentd_clock_lag_seconds",
     "How far the partition's clock is behind the wall clock.", "partition"},
    {Id::kHeldRecords, kGauge, "segmentd_held_records",
     "Records read and held until slower partitions reach their time.", "partition"},
    {Id::kRestoreRowsRemaining, kGauge, "segmentd_restore_rows_remaining",
     "Changelog records still to be read before the partition is active; absent while not known.",
     "partition"},
    {Id::kRestoreSecondsRemaining, kGauge, "segmentd_restore_seconds_remaining",
     "Estimate, at the speed so far; absent while there is none.", "partition"},
    {Id::kPartitionParked, kGauge, "segmentd_partition_parked",
     "1 while the partition is owned but stopped until somebody acts, or the disk has room; absent "
     "otherwise.",
     "partition,reason"},
    {Id::kPartitionWorker, kGauge, "segmentd_partition_worker",
     "Number of the worker that holds the partition.", "partition"},
    {Id::kPartitions, kGauge, "segmentd_partitions",
     "Partitions assigned to each worker, by how they stand.", "worker,state"},
    {Id::kLastCommit, kGauge, "segmentd_last_commit_timestamp_seconds",
     "Unix time of each worker's last committed transaction; 0 before the first.", "worker"},
    {Id::kUncommitted, kGauge, "segmentd_uncommitted_seconds",
     "Age of the oldest decision of each worker that is not committed; 0 = there is none.",
     "worker"},
    {Id::kRowsCached, kGauge, "segmentd_rows_cached", "Customer rows held in memory.", ""},
    {Id::kOverlayRows, kGauge, "segmentd_overlay_rows", "Changed customer rows not yet committed.",
     ""},
    {Id::kOverlayBytes, kGauge, "segmentd_overlay_bytes",
     "Bytes of the changed rows and output not yet committed.", ""},
    {Id::kModelEpoch, kGauge, "segmentd_model_epoch",
     "Number of the model epoch in force; 0 before the first.", ""},
    {Id::kModelInertia, kGauge, "segmentd_model_inertia",
     "Sum over the worker's customers of the squared standardised distance to their published "
     "centroid, now.",
     ""},
    {Id::kModelExcess, kGauge, "segmentd_model_excess_ratio",
     "Inertia of the published centroids above that of the exact means, relative to it, now.", ""},
    {Id::kModelPublished, kGauge, "segmentd_model_published_timestamp_seconds",
     "Unix time of the instant of the epoch in force, 0 before the first; its age is time() minus "
     "it with clock = wall.",
     ""},
    {Id::kRocksdbLiveData, kGauge, "segmentd_rocksdb_live_data_bytes",
     "Estimated live data in the stores of the assigned partitions.", ""},
    {Id::kRocksdbMemtable, kGauge, "segmentd_rocksdb_memtable_bytes",
     "Memory used by the stores' memtables.", ""},
    {Id::kRocksdbBlockCache, kGauge, "segmentd_rocksdb_block_cache_bytes",
     "Memory used by the stores' block cache.", ""},
    {Id::kRocksdbPendingCompaction, kGauge, "segmentd_rocksdb_pending_compaction_bytes",
     "Estimated bytes that compaction has still to rewrite.", ""},
    {Id::kRocksdbBackgroundErrors, kGauge, "segmentd_rocksdb_background_errors",
     "Errors of background flushes and compactions in the open stores.", ""},
    {Id::kTopicProblems, kGauge, "segmentd_topic_problems",
     "What is wrong with each topic of the application, as of the last look at them.", "role"},
    {Id::kBuildInfo, kGauge, "segmentd_build_info", "Always 1; its label tells the version.",
     "version"},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].id) != i) return false;
  }
  return true;
}
static_assert(in_order(), "kTable must follow the order of MetricId");

template <class E>
std::string one_of() {
  std::string line;
  for (const std::string_view each : Words<E>::kList) {
    if (!line.empty()) line += ", ";
    line += '`';
    line += each;
    line += '`';
  }
  return line;
}

std::string label_sets() {
  std::string page;
  const auto row = [&page](std::string_view label, const std::string& values) {
    page += "| ";
    page += label;
    page += " | " + values + " |\n";
  };
  row("`type`", one_of<RecordType>());
  row("`outcome` of records", one_of<Outcome>());
  row("`reason` of rejected records", one_of<RejectReason>());
  row("`segment`, `from`, `to`", one_of<SegmentWord>());
  row("`cause`", one_of<ChangeCause>());
  row("`outcome` of transactions", one_of<TransactionOutcome>());
  row("`result`", one_of<Resolution>());
  row("`kind`", one_of<RebalanceKind>());
  row("`state`", one_of<PartitionState>());
  row("`reason` of parked partitions", one_of<ParkReason>());
  row("`role`", one_of<TopicRole>());
  row("`partition`", "number of an assigned partition");
  row("`worker`", "number of the worker thread, from 0");
  row("`currency`", "the configured currency");
  return page;
}

std::string code_list(std::string_view labels) {
  std::string list;
  for (const char c : labels) {
    if (c == ',') {
      list += "`, `";
    } else {
      list += c;
    }
  }
  return list.empty() ? "-" : "`" + list + "`";
}

}  // namespace

std::span<const MetricDeclaration> metric_table() {
  return kTable;
}

const MetricDeclaration& declaration(MetricId id) {
  return kTable[static_cast<std::size_t>(id)];
}

std::string_view kind_word(MetricKind kind) {
  switch (kind) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kHistogram:
      return "histogram";
  }
  return "untyped";
}

std::string metrics_reference() {
  std::string page =
      "# Metrics\n\n"
      "Generated from the table in `daemon/observe/metric_table.cpp`; do not edit.\n\n"
      "Served as Prometheus text at `GET /metrics`. Counters move only after the transaction they\n"
      "belong to is committed. No label holds a customer id or anything else taken from a "
      "record.\n\n"
      "| name | type | labels | meaning |\n|---|---|---|---|\n";
  for (const MetricDeclaration& metric : kTable) {
    page += "| `";
    page += metric.name;
    page += "` | ";
    page += kind_word(metric.kind);
    page += " | " + code_list(metric.labels) + " | ";
    page += metric.help;
    page += " |\n";
  }
  page += "\n## Labels\n\n| label | values |\n|---|---|\n" + label_sets();
  page +=
      "\nThe share of rows found in memory is\n"
      "`rate(segmentd_row_cache_hits_total[5m]) / (rate(segmentd_row_cache_hits_total[5m]) + "
      "rate(segmentd_row_cache_misses_total[5m]))`;\n"
      "the time since a worker's last commit is `time() - "
      "segmentd_last_commit_timestamp_seconds`.\n";
  return page;
}

}  // namespace segmentd::observe
