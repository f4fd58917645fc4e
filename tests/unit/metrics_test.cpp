// Tallies add up, move the metrics only when published, and every declared metric is on the page.
#include "daemon/observe/metrics.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "daemon/observe/metric_table.hpp"
#include "tests/support/metrics_page.hpp"

namespace segmentd::observe {
namespace {

using test::value_of;

MetricsSettings pounds() {
  return {"GBP", 3, "1.2.3"};
}

Tally some_tally() {
  Tally tally;
  tally.records[RecordType::kOrder][Outcome::kApplied] = 5;
  tally.records[RecordType::kUnknown][Outcome::kRejected] = 1;
  tally.rejected[RejectReason::kMalformedJson] = 1;
  tally.segment_changes[SegmentWord::kNone][SegmentWord::kInsiders][ChangeCause::kOrder] = 2;
  tally.input_bytes = 1000;
  tally.output_bytes = 2000;
  tally.cache_hits = 4;
  tally.cache_misses = 1;
  tally.anonymous_orders = 3;
  tally.anonymous_minor = -1500;
  return tally;
}

Gauges full_gauges() {
  Gauges gauges;
  gauges.partitions.push_back({.partition = 0,
                               .state = PartitionState::kActive,
                               .lag_records = 7,
                               .clock_lag_seconds = 1.5,
                               .held_records = 2});
  gauges.partitions.push_back(
      {.partition = 3, .state = PartitionState::kParked, .park_reason = ParkReason::kFingerprint});
  gauges.partitions.push_back({.partition = 11,
                               .state = PartitionState::kRestoring,
                               .restore_rows_remaining = 99,
                               .restore_seconds_remaining = 2.5});
  gauges.segments[SegmentWord::kInsiders] = {12, 21'400'120};
  gauges.segments[SegmentWord::kNone] = {1, -10'411'240};
  gauges.uncommitted_seconds = 0.5;
  gauges.overdue_deadlines = 8;
  gauges.rows_cached = 100;
  gauges.overlay_rows = 10;
  gauges.overlay_bytes = 4096;
  gauges.last_commit = Instant{1'300'104'180'250};
  gauges.store = {1, 2, 3, 4, 5};
  gauges.model = {4, 0.75, 0.0005, Instant{1'300'104'000'000}};
  return gauges;
}

TEST(Tally, AddsEveryField) {
  Tally sum = some_tally();
  sum += some_tally();
  EXPECT_EQ(sum.records[RecordType::kOrder][Outcome::kApplied], 10U);
  EXPECT_EQ(sum.records[RecordType::kUnknown][Outcome::kRejected], 2U);
  EXPECT_EQ(sum.records[RecordType::kOrder][Outcome::kRejected], 0U);
  EXPECT_EQ(sum.rejected[RejectReason::kMalformedJson], 2U);
  EXPECT_EQ(sum.segment_changes[SegmentWord::kNone][SegmentWord::kInsiders][ChangeCause::kOrder],
            4U);
  EXPECT_EQ(sum.input_bytes, 2000U);
  EXPECT_EQ(sum.output_bytes, 4000U);
  EXPECT_EQ(sum.cache_hits, 8U);
  EXPECT_EQ(sum.cache_misses, 2U);
  EXPECT_EQ(sum.anonymous_orders, 6U);
  EXPECT_EQ(sum.anonymous_minor, -3000);
}

TEST(Tally, AddsEveryFieldOfCommits) {
  CommitTally one;
  one.transactions[TransactionOutcome::kAborted] = 1;
  one.resolutions[Resolution::kNotOurs] = 2;
  one.rebalances[RebalanceKind::kLost] = 3;
  one.producer_reopens = 4;
  one.writers_fenced = 5;
  one.rebalance_duration.observe(0.7);
  one.commit_duration.observe(0.02);
  one.order_to_commit.observe(0.2, 5);
  CommitTally sum = one;
  sum += one;
  EXPECT_EQ(sum.transactions[TransactionOutcome::kAborted], 2U);
  EXPECT_EQ(sum.resolutions[Resolution::kNotOurs], 4U);
  EXPECT_EQ(sum.rebalances[RebalanceKind::kLost], 6U);
  EXPECT_EQ(sum.producer_reopens, 8U);
  EXPECT_EQ(sum.writers_fenced, 10U);
  EXPECT_EQ(sum.rebalance_duration.counts[4], 2U);
  EXPECT_EQ(sum.commit_duration.counts[4], 2U);
  EXPECT_DOUBLE_EQ(sum.commit_duration.sum_seconds, 0.04);
  EXPECT_EQ(sum.order_to_commit.counts[5], 10U);
  EXPECT_DOUBLE_EQ(sum.order_to_commit.sum_seconds, 2.0);
}

TEST(BucketCounts, AValueOnABoundBelongsToIt) {
  BucketCounts<kCommitBounds> buckets;
  buckets.observe(0.001);
  buckets.observe(0.0011);
  EXPECT_EQ(buckets.counts[0], 1U);
  EXPECT_EQ(buckets.counts[1], 1U);
}

TEST(BucketCounts, ValuesAboveAllBoundsAndImpossibleOnesAreCounted) {
  BucketCounts<kCommitBounds> buckets;
  buckets.observe(1e9);
  buckets.observe(-3.0);
  buckets.observe(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(buckets.counts.back(), 1U);
  EXPECT_EQ(buckets.counts.front(), 2U);
  EXPECT_DOUBLE_EQ(buckets.sum_seconds, 1e9);
}

TEST(Words, AreThoseOfTheContract) {
  EXPECT_EQ(word(RejectReason::kMalformedJson), "malformed_json");
  EXPECT_EQ(word(RejectReason::kTooManyDecimals), "too_many_decimals");
  EXPECT_EQ(word(RejectReason::kUnknownCurrency), "unknown_currency");
  EXPECT_EQ(word(RejectReason::kNullValue), "null_value");
  EXPECT_EQ(word(RejectReason::kClockJump), "clock_jump");
  EXPECT_EQ(word(RejectReason::kSkipped), "skipped");
  EXPECT_EQ(word(SegmentWord::kAtRisk), "at_risk");
  EXPECT_EQ(word(ChangeCause::kSilence), "silence");
  EXPECT_EQ(word(ParkReason::kDiskFull), "disk_full");
}

TEST(MetricTable, NamesAreUniqueAndFollowTheConventions) {
  std::set<std::string_view> names;
  for (const MetricDeclaration& metric : metric_table()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_TRUE(metric.name.starts_with("segmentd_")) << metric.name;
    for (const char c : metric.name) {
      EXPECT_TRUE(std::islower(static_cast<unsigned char>(c)) != 0 || c == '_') << metric.name;
    }
    EXPECT_EQ(metric.name.ends_with("_total"), metric.kind == MetricKind::kCounter) << metric.name;
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
  }
}

TEST(MetricTable, HasTheNamesOthersRelyOn) {
  const std::string page = metrics_reference();
  for (const char* row :
       {"| `segmentd_records_total` | counter | `type`, `outcome` |",
        "| `segmentd_rejected_total` | counter | `reason` |",
        "| `segmentd_segment_changes_total` | counter | `from`, `to`, `cause` |",
        "| `segmentd_customers` | gauge | `segment` |",
        "| `segmentd_revenue` | gauge | `segment`, `currency` |",
        "| `segmentd_consumer_lag_records` | gauge | `partition` |",
        "| `segmentd_commit_duration_seconds` | histogram | - |",
        "| `segmentd_order_to_commit_seconds` | histogram | - |",
        "| `segmentd_model_epoch` | gauge | - |", "| `segmentd_model_inertia` | gauge | - |",
        "| `segmentd_overdue_deadlines` | gauge | - |",
        "| `segmentd_restore_rows_remaining` | gauge | `partition` |",
        "| `segmentd_build_info` | gauge | `version` |"}) {
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

// UPDATE_GENERATED=1 writes the page anew instead.
TEST(MetricTable, TheReferencePageIsCurrent) {
  const std::string path = std::string(SEGMENTD_SOURCE_DIR) + "/deploy/METRICS.md";
  if (std::getenv("UPDATE_GENERATED") != nullptr) std::ofstream(path) << metrics_reference();
  std::ifstream file(path);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(found, metrics_reference()) << "run metrics_test with UPDATE_GENERATED=1";
}

std::set<std::string> type_lines(const std::string& page) {
  std::set<std::string> found;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    EXPECT_TRUE(found.insert(line).second) << line;
  }
  return found;
}

TEST(Metrics, EveryDeclaredMetricIsOnThePageAndNoOther) {
  Metrics metrics(pounds());
  metrics.publish(some_tally());
  metrics.publish(0, full_gauges());
  std::set<std::string> declared;
  for (const MetricDeclaration& metric : metric_table()) {
    declared.insert("# TYPE " + std::string(metric.name) + " " +
                    std::string(kind_word(metric.kind)));
  }
  EXPECT_EQ(type_lines(metrics.exposition()), declared);
}

TEST(Metrics, LabelsOnThePageAreTheDeclaredOnes) {
  Metrics metrics(pounds());
  metrics.publish(some_tally());
  metrics.publish(0, full_gauges());
  const std::string page = metrics.exposition();
  for (const MetricDeclaration& metric : metric_table()) {
    if (metric.labels.empty()) continue;
    const std::size_t at = page.find("\n" + std::string(metric.name) + "{");
    ASSERT_NE(at, std::string::npos) << metric.name;
    const std::string line = page.substr(at + 1, page.find('\n', at + 1) - at - 1);
    std::istringstream labels{std::string(metric.labels)};
    std::size_t count = 0;
    for (std::string label; std::getline(labels, label, ','); ++count) {
      EXPECT_TRUE(line.find("{" + label + "=") != std::string::npos ||
                  line.find("," + label + "=") != std::string::npos)
          << line << " lacks " << label;
    }
    EXPECT_EQ(static_cast<std::size_t>(std::count(line.begin(), line.end(), '=')), count) << line;
  }
}

TEST(Metrics, ZeroIsVisibleFromTheStart) {
  const std::string page = Metrics(pounds()).exposition();
  for (const char* series :
       {R"(segmentd_records_total{outcome="applied",type="order"})",
        R"(segmentd_records_total{outcome="stale",type="cancellation"})",
        R"(segmentd_records_total{outcome="rejected",type="unknown"})",
        R"(segmentd_rejected_total{reason="clock_jump"})", "segmentd_input_bytes_total",
        "segmentd_row_cache_hits_total", "segmentd_row_cache_misses_total",
        R"(segmentd_transactions_total{outcome="unknown"})",
        R"(segmentd_resolutions_total{result="not_ours"})", "segmentd_producer_reopens_total",
        R"(segmentd_rebalances_total{kind="lost"})", R"(segmentd_customers{segment="dormant"})",
        "segmentd_commit_duration_seconds_count",
        R"(segmentd_order_to_commit_seconds_bucket{le="+Inf"})", "segmentd_overdue_deadlines",
        "segmentd_model_epoch", "segmentd_rocksdb_background_errors"}) {
    EXPECT_EQ(value_of(page, series), "0") << series;
  }
  EXPECT_EQ(value_of(page, R"(segmentd_build_info{version="1.2.3"})"), "1");
}

TEST(Metrics, ATallyMovesNothingUntilItIsPublishedAndThenAddsUp) {
  Metrics metrics(pounds());
  const Tally tally = some_tally();
  const std::string applied = R"(segmentd_records_total{outcome="applied",type="order"})";
  const std::string entered =
      R"(segmentd_segment_changes_total{cause="order",from="none",to="insiders"})";
  EXPECT_EQ(value_of(metrics.exposition(), applied), "0");
  EXPECT_EQ(value_of(metrics.exposition(), entered), "");
  metrics.publish(tally);
  metrics.publish(tally);
  const std::string page = metrics.exposition();
  EXPECT_EQ(value_of(page, applied), "10");
  EXPECT_EQ(value_of(page, entered), "4");
  EXPECT_EQ(value_of(page, R"(segmentd_rejected_total{reason="malformed_json"})"), "2");
  EXPECT_EQ(value_of(page, "segmentd_input_bytes_total"), "2000");
  EXPECT_EQ(value_of(page, "segmentd_output_bytes_total"), "4000");
  EXPECT_EQ(value_of(page, "segmentd_row_cache_hits_total"), "8");
  EXPECT_EQ(value_of(page, "segmentd_row_cache_misses_total"), "2");
  EXPECT_EQ(value_of(page, "segmentd_anonymous_orders_total"), "6");
  EXPECT_EQ(value_of(page, R"(segmentd_anonymous_revenue{currency="GBP"})"), "-3");
}

TEST(Metrics, OnlyTheChangesThatHappenedHaveASeries) {
  Metrics metrics(pounds());
  metrics.publish(some_tally());
  const std::string page = metrics.exposition();
  std::size_t series = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("segmentd_segment_changes_total{")) ++series;
  }
  EXPECT_EQ(series, 1U);
}

TEST(Metrics, CommitsGoToCountersAndCumulativeBuckets) {
  Metrics metrics(pounds());
  CommitTally tally;
  tally.transactions[TransactionOutcome::kCommitted] = 3;
  tally.resolutions[Resolution::kNotCommitted] = 1;
  tally.rebalances[RebalanceKind::kAssigned] = 2;
  tally.producer_reopens = 1;
  tally.writers_fenced = 6;
  tally.rebalance_duration.observe(3.0);
  tally.commit_duration.observe(0.002);
  tally.commit_duration.observe(0.02, 2);
  tally.commit_duration.observe(100.0);
  metrics.publish(tally);
  const std::string page = metrics.exposition();
  const std::string bucket = "segmentd_commit_duration_seconds_bucket";
  EXPECT_EQ(value_of(page, R"(segmentd_transactions_total{outcome="committed"})"), "3");
  EXPECT_EQ(value_of(page, R"(segmentd_resolutions_total{result="not_committed"})"), "1");
  EXPECT_EQ(value_of(page, R"(segmentd_rebalances_total{kind="assigned"})"), "2");
  EXPECT_EQ(value_of(page, "segmentd_producer_reopens_total"), "1");
  EXPECT_EQ(value_of(page, "segmentd_writers_fenced_total"), "6");
  EXPECT_EQ(value_of(page, R"(segmentd_rebalance_duration_seconds_bucket{le="2.5"})"), "0");
  EXPECT_EQ(value_of(page, R"(segmentd_rebalance_duration_seconds_bucket{le="5"})"), "1");
  EXPECT_EQ(value_of(page, bucket + R"({le="0.001"})"), "0");
  EXPECT_EQ(value_of(page, bucket + R"({le="0.0025"})"), "1");
  EXPECT_EQ(value_of(page, bucket + R"({le="0.025"})"), "3");
  EXPECT_EQ(value_of(page, bucket + R"({le="30"})"), "3");
  EXPECT_EQ(value_of(page, bucket + R"({le="+Inf"})"), "4");
  EXPECT_EQ(value_of(page, "segmentd_commit_duration_seconds_count"), "4");
  EXPECT_DOUBLE_EQ(std::stod(value_of(page, "segmentd_commit_duration_seconds_sum")), 100.042);
}

TEST(Metrics, GaugesShowTheSnapshotInBaseAndMajorUnits) {
  Metrics metrics(pounds());
  metrics.publish(0, full_gauges());
  const std::string page = metrics.exposition();
  const auto number = [&](const std::string& series) { return std::stod(value_of(page, series)); };
  EXPECT_EQ(number(R"(segmentd_customers{segment="insiders"})"), 12);
  EXPECT_DOUBLE_EQ(number(R"(segmentd_revenue{currency="GBP",segment="insiders"})"), 21400.120);
  EXPECT_DOUBLE_EQ(number(R"(segmentd_revenue{currency="GBP",segment="none"})"), -10411.240);
  EXPECT_EQ(number(R"(segmentd_consumer_lag_records{partition="0"})"), 7);
  EXPECT_EQ(value_of(page, R"(segmentd_consumer_lag_records{partition="3"})"), "");  // not known
  EXPECT_EQ(number(R"(segmentd_clock_lag_seconds{partition="0"})"), 1.5);
  EXPECT_EQ(number(R"(segmentd_held_records{partition="0"})"), 2);
  EXPECT_EQ(number(R"(segmentd_restore_rows_remaining{partition="11"})"), 99);
  EXPECT_EQ(number(R"(segmentd_restore_rows_remaining{partition="0"})"), 0);
  EXPECT_EQ(number(R"(segmentd_restore_seconds_remaining{partition="11"})"), 2.5);
  EXPECT_EQ(value_of(page, R"(segmentd_restore_seconds_remaining{partition="0"})"), "");
  EXPECT_EQ(number(R"(segmentd_partition_parked{partition="3",reason="fingerprint"})"), 1);
  EXPECT_EQ(number(R"(segmentd_partition_worker{partition="3"})"), 0);
  EXPECT_EQ(number(R"(segmentd_uncommitted_seconds{worker="0"})"), 0.5);
  EXPECT_EQ(number(R"(segmentd_partitions{state="active",worker="0"})"), 1);
  EXPECT_EQ(number(R"(segmentd_partitions{state="parked",worker="0"})"), 1);
  EXPECT_EQ(number(R"(segmentd_partitions{state="restoring",worker="0"})"), 1);
  EXPECT_DOUBLE_EQ(number(R"(segmentd_last_commit_timestamp_seconds{worker="0"})"), 1300104180.25);
  EXPECT_EQ(number("segmentd_overdue_deadlines"), 8);
  EXPECT_EQ(number("segmentd_rows_cached"), 100);
  EXPECT_EQ(number("segmentd_overlay_rows"), 10);
  EXPECT_EQ(number("segmentd_overlay_bytes"), 4096);
  EXPECT_EQ(number("segmentd_model_epoch"), 4);
  EXPECT_EQ(number("segmentd_model_inertia"), 0.75);
  EXPECT_EQ(number("segmentd_model_excess_ratio"), 0.0005);
  EXPECT_EQ(number("segmentd_model_published_timestamp_seconds"), 1300104000);
  EXPECT_EQ(number("segmentd_rocksdb_live_data_bytes"), 1);
  EXPECT_EQ(number("segmentd_rocksdb_memtable_bytes"), 2);
  EXPECT_EQ(number("segmentd_rocksdb_block_cache_bytes"), 3);
  EXPECT_EQ(number("segmentd_rocksdb_pending_compaction_bytes"), 4);
  EXPECT_EQ(number("segmentd_rocksdb_background_errors"), 5);
}

TEST(Metrics, ARevokedPartitionLeavesThePage) {
  Metrics metrics(pounds());
  metrics.publish(0, full_gauges());
  Gauges fewer = full_gauges();
  fewer.partitions.resize(1);
  metrics.publish(0, fewer);
  const std::string page = metrics.exposition();
  EXPECT_EQ(page.find(R"(partition="3")"), std::string::npos);
  EXPECT_EQ(page.find(R"(partition="11")"), std::string::npos);
  EXPECT_EQ(value_of(page, R"(segmentd_consumer_lag_records{partition="0"})"), "7");
  EXPECT_EQ(value_of(page, R"(segmentd_partitions{state="parked",worker="0"})"), "0");
  metrics.publish(0, full_gauges());
  EXPECT_EQ(value_of(metrics.exposition(), R"(segmentd_restore_rows_remaining{partition="11"})"),
            "99");
}

TEST(Metrics, WorkersAddUpAndTheNewestModelShows) {
  Metrics metrics(pounds());
  Gauges other;
  other.partitions.push_back({.partition = 1, .state = PartitionState::kActive, .lag_records = 4});
  other.segments[SegmentWord::kInsiders] = {8, 1'000};
  other.rows_cached = 11;
  other.model = {5, 0.5, 0.0, {}};
  metrics.publish(1, other);
  metrics.publish(0, full_gauges());
  metrics.publish(0, full_gauges());  // replaces, does not add
  metrics.publish(2, Gauges{});       // knows of no model yet
  const std::string page = metrics.exposition();
  EXPECT_EQ(value_of(page, R"(segmentd_customers{segment="insiders"})"), "20");
  EXPECT_EQ(value_of(page, "segmentd_rows_cached"), "111");
  EXPECT_EQ(value_of(page, "segmentd_model_epoch"), "5");
  EXPECT_EQ(value_of(page, R"(segmentd_consumer_lag_records{partition="0"})"), "7");
  EXPECT_EQ(value_of(page, R"(segmentd_consumer_lag_records{partition="1"})"), "4");
  EXPECT_EQ(value_of(page, R"(segmentd_partitions{state="active",worker="1"})"), "1");
}

TEST(Metrics, AScrapeSeesWholePublicationsOnly) {
  Metrics metrics(pounds());
  const auto publish_many = [&metrics] {
    Tally tally;  // the first and the last counter a publication moves
    tally.records[RecordType::kOrder][Outcome::kApplied] = 1;
    tally.cache_misses = 1;
    for (int i = 0; i < 2000; ++i) metrics.publish(tally);
  };
  std::thread one(publish_many);
  std::thread two(publish_many);
  for (int i = 0; i < 50; ++i) {
    const std::string page = metrics.exposition();
    EXPECT_EQ(value_of(page, R"(segmentd_records_total{outcome="applied",type="order"})"),
              value_of(page, "segmentd_row_cache_misses_total"));
  }
  one.join();
  two.join();
  EXPECT_EQ(value_of(metrics.exposition(), "segmentd_row_cache_misses_total"), "4000");
}

}  // namespace
}  // namespace segmentd::observe
