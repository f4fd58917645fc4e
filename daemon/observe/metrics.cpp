#include "daemon/observe/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <sstream>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "daemon/observe/metric_table.hpp"
#include "state/core/money.hpp"

namespace segmentd::observe {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Registry;

template <class T>
Family<T>& declare(Registry& registry, MetricId id, prometheus::detail::Builder<T> builder) {
  const MetricDeclaration& metric = declaration(id);
  return builder.Name(std::string(metric.name)).Help(std::string(metric.help)).Register(registry);
}

Family<Counter>& counters(Registry& registry, MetricId id) {
  return declare(registry, id, prometheus::BuildCounter());
}

Family<Gauge>& gauges(Registry& registry, MetricId id) {
  return declare(registry, id, prometheus::BuildGauge());
}

/// One series for each member of E, made at once.
template <class E, class T>
PerWord<E, T*> children(Family<T>& family, const std::string& label, Labels constant = {}) {
  PerWord<E, T*> made;
  for (std::size_t i = 0; i < kWordCount<E>; ++i) {
    constant[label] = std::string(Words<E>::kList[i]);
    made.values[i] = &family.Add(constant);
  }
  return made;
}

PerWord<RecordType, PerWord<Outcome, Counter*>> record_children(Family<Counter>& family) {
  PerWord<RecordType, PerWord<Outcome, Counter*>> made;
  for (std::size_t i = 0; i < kWordCount<RecordType>; ++i) {
    const std::string type(Words<RecordType>::kList[i]);
    made.values[i] = children<Outcome>(family, "outcome", {{"type", type}});
  }
  return made;
}

void add(Counter& counter, std::uint64_t count) {
  counter.Increment(static_cast<double>(count));
}

template <class E>
void add(const PerWord<E, Counter*>& series, const PerWord<E>& counts) {
  for (std::size_t i = 0; i < kWordCount<E>; ++i) add(*series.values[i], counts.values[i]);
}

template <const auto& kBounds>
Histogram& histogram(Registry& registry, MetricId id) {
  const std::vector<double> bounds(kBounds.begin(), kBounds.end());
  return declare(registry, id, prometheus::BuildHistogram()).Add({}, bounds);
}

template <const auto& kBounds>
void add(Histogram& series, const BucketCounts<kBounds>& values) {
  std::vector<double> increments(values.counts.size());
  std::transform(values.counts.begin(), values.counts.end(), increments.begin(),
                 [](std::uint64_t count) { return static_cast<double>(count); });
  series.ObserveMultiple(increments, values.sum_seconds);
}

/// Gauges whose series come and go: each `show` leaves exactly the given ones.
class ChangingGauges {
 public:
  explicit ChangingGauges(Family<Gauge>& family) : family_(family) {}

  void show(const std::map<Labels, double>& values) {
    std::erase_if(shown_, [&](const auto& one) {
      if (values.contains(one.first)) return false;
      family_.Remove(one.second);
      return true;
    });
    for (const auto& [labels, value] : values) {
      const auto found = shown_.find(labels);
      Gauge& gauge = found != shown_.end()
                         ? *found->second
                         : *shown_.emplace(labels, &family_.Add(labels)).first->second;
      gauge.Set(value);
    }
  }

 private:
  Family<Gauge>& family_;
  std::map<Labels, Gauge*> shown_;
};

double seconds_of(const std::optional<Instant>& at) {
  return at ? static_cast<double>(at->ms) / static_cast<double>(kMsPerSecond) : 0.0;
}

/// Adds the figures of one worker that simply add up; the newer model wins.
void merge(Gauges& sum, const Gauges& one) {
  for (std::size_t i = 0; i < kWordCount<SegmentWord>; ++i) {
    sum.segments.values[i].customers += one.segments.values[i].customers;
    sum.segments.values[i].revenue_minor += one.segments.values[i].revenue_minor;
  }
  sum.overdue_deadlines += one.overdue_deadlines;
  sum.rows_cached += one.rows_cached;
  sum.overlay_rows += one.overlay_rows;
  sum.overlay_bytes += one.overlay_bytes;
  sum.store.live_data_bytes += one.store.live_data_bytes;
  sum.store.memtable_bytes += one.store.memtable_bytes;
  sum.store.block_cache_bytes += one.store.block_cache_bytes;
  sum.store.pending_compaction_bytes += one.store.pending_compaction_bytes;
  sum.store.background_errors += one.store.background_errors;
  if (one.model.epoch >= sum.model.epoch) sum.model = one.model;
}

}  // namespace

struct Metrics::Series {
  explicit Series(const MetricsSettings& chosen) : settings(chosen) {
    gauges(registry, MetricId::kBuildInfo).Add({{"version", settings.version}}).Set(1.0);
  }

  void add_changes(const Tally& tally);
  void show_sums();
  void show_partitions();
  void show_workers();

  // --- constant after construction; the first two come first, the others are made from them ---
  const MetricsSettings settings;
  Registry registry;
  const double minor_per_major = std::pow(10.0, settings.decimals);
  const Labels currency{{"currency", settings.currency}};

  Family<Counter>& changes = counters(registry, MetricId::kSegmentChanges);
  PerWord<RecordType, PerWord<Outcome, Counter*>> records =
      record_children(counters(registry, MetricId::kRecords));
  PerWord<RejectReason, Counter*> rejected =
      children<RejectReason>(counters(registry, MetricId::kRejected), "reason");
  Counter& anonymous_orders = counters(registry, MetricId::kAnonymousOrders).Add({});
  Counter& input_bytes = counters(registry, MetricId::kInputBytes).Add({});
  Counter& output_bytes = counters(registry, MetricId::kOutputBytes).Add({});
  Counter& cache_hits = counters(registry, MetricId::kRowCacheHits).Add({});
  Counter& cache_misses = counters(registry, MetricId::kRowCacheMisses).Add({});

  PerWord<TransactionOutcome, Counter*> transactions =
      children<TransactionOutcome>(counters(registry, MetricId::kTransactions), "outcome");
  PerWord<Resolution, Counter*> resolutions =
      children<Resolution>(counters(registry, MetricId::kResolutions), "result");
  PerWord<RebalanceKind, Counter*> rebalances =
      children<RebalanceKind>(counters(registry, MetricId::kRebalances), "kind");
  Counter& producer_reopens = counters(registry, MetricId::kProducerReopens).Add({});
  Counter& writers_fenced = counters(registry, MetricId::kWritersFenced).Add({});
  Histogram& rebalance_duration =
      histogram<kRebalanceBounds>(registry, MetricId::kRebalanceDuration);
  Histogram& commit_duration = histogram<kCommitBounds>(registry, MetricId::kCommitDuration);
  Histogram& order_to_commit = histogram<kOrderToCommitBounds>(registry, MetricId::kOrderToCommit);

  PerWord<SegmentWord, Gauge*> customers =
      children<SegmentWord>(gauges(registry, MetricId::kCustomers), "segment");
  PerWord<SegmentWord, Gauge*> revenue =
      children<SegmentWord>(gauges(registry, MetricId::kRevenue), "segment", currency);
  Gauge& anonymous_revenue = gauges(registry, MetricId::kAnonymousRevenue).Add(currency);
  Gauge& overdue_deadlines = gauges(registry, MetricId::kOverdueDeadlines).Add({});
  Gauge& rows_cached = gauges(registry, MetricId::kRowsCached).Add({});
  Gauge& overlay_rows = gauges(registry, MetricId::kOverlayRows).Add({});
  Gauge& overlay_bytes = gauges(registry, MetricId::kOverlayBytes).Add({});
  Gauge& model_epoch = gauges(registry, MetricId::kModelEpoch).Add({});
  Gauge& model_inertia = gauges(registry, MetricId::kModelInertia).Add({});
  Gauge& model_excess = gauges(registry, MetricId::kModelExcess).Add({});
  Gauge& model_published = gauges(registry, MetricId::kModelPublished).Add({});
  Gauge& live_data = gauges(registry, MetricId::kRocksdbLiveData).Add({});
  Gauge& memtable = gauges(registry, MetricId::kRocksdbMemtable).Add({});
  Gauge& block_cache = gauges(registry, MetricId::kRocksdbBlockCache).Add({});
  Gauge& pending_compaction = gauges(registry, MetricId::kRocksdbPendingCompaction).Add({});
  Gauge& background_errors = gauges(registry, MetricId::kRocksdbBackgroundErrors).Add({});

  PerWord<TopicRole, Gauge*> topic_problems =
      children<TopicRole>(gauges(registry, MetricId::kTopicProblems), "role");

  // --- guarded by mutex ---
  mutable std::mutex mutex;
  PerWord<SegmentWord, PerWord<SegmentWord, PerWord<ChangeCause, Counter*>>> change_children;
  std::int64_t anonymous_minor = 0;
  std::map<int, Gauges> workers;
  ChangingGauges lag{gauges(registry, MetricId::kConsumerLag)};
  ChangingGauges clock_lag{gauges(registry, MetricId::kClockLag)};
  ChangingGauges held{gauges(registry, MetricId::kHeldRecords)};
  ChangingGauges restore_rows{gauges(registry, MetricId::kRestoreRowsRemaining)};
  ChangingGauges restore_seconds{gauges(registry, MetricId::kRestoreSecondsRemaining)};
  ChangingGauges parked{gauges(registry, MetricId::kPartitionParked)};
  ChangingGauges holder{gauges(registry, MetricId::kPartitionWorker)};
  ChangingGauges partitions{gauges(registry, MetricId::kPartitions)};
  ChangingGauges last_commit{gauges(registry, MetricId::kLastCommit)};
  ChangingGauges uncommitted{gauges(registry, MetricId::kUncommitted)};
};

void Metrics::Series::add_changes(const Tally& tally) {
  for (std::size_t from = 0; from < kWordCount<SegmentWord>; ++from) {
    for (std::size_t to = 0; to < kWordCount<SegmentWord>; ++to) {
      for (std::size_t cause = 0; cause < kWordCount<ChangeCause>; ++cause) {
        const std::uint64_t count = tally.segment_changes.values[from].values[to].values[cause];
        if (count == 0) continue;
        Counter*& child = change_children.values[from].values[to].values[cause];
        if (child == nullptr) {
          child = &changes.Add({{"from", std::string(Words<SegmentWord>::kList[from])},
                                {"to", std::string(Words<SegmentWord>::kList[to])},
                                {"cause", std::string(Words<ChangeCause>::kList[cause])}});
        }
        add(*child, count);
      }
    }
  }
}

void Metrics::Series::show_sums() {
  Gauges sum;
  for (const auto& [worker, one] : workers) merge(sum, one);
  for (std::size_t i = 0; i < kWordCount<SegmentWord>; ++i) {
    const SegmentGauges& segment = sum.segments.values[i];
    customers.values[i]->Set(static_cast<double>(segment.customers));
    revenue.values[i]->Set(static_cast<double>(segment.revenue_minor) / minor_per_major);
  }
  overdue_deadlines.Set(static_cast<double>(sum.overdue_deadlines));
  rows_cached.Set(static_cast<double>(sum.rows_cached));
  overlay_rows.Set(static_cast<double>(sum.overlay_rows));
  overlay_bytes.Set(static_cast<double>(sum.overlay_bytes));
  model_epoch.Set(static_cast<double>(sum.model.epoch));
  model_inertia.Set(sum.model.inertia);
  model_excess.Set(sum.model.excess_ratio);
  model_published.Set(seconds_of(sum.model.published));
  live_data.Set(static_cast<double>(sum.store.live_data_bytes));
  memtable.Set(static_cast<double>(sum.store.memtable_bytes));
  block_cache.Set(static_cast<double>(sum.store.block_cache_bytes));
  pending_compaction.Set(static_cast<double>(sum.store.pending_compaction_bytes));
  background_errors.Set(static_cast<double>(sum.store.background_errors));
}

void Metrics::Series::show_partitions() {
  std::map<Labels, double> lags, clock_lags, helds, rows, seconds, parkings, holders;
  for (const auto& [worker, one] : workers) {
    for (const PartitionGauges& each : one.partitions) {
      const Labels labels{{"partition", std::to_string(each.partition)}};
      if (each.lag_records) lags[labels] = static_cast<double>(*each.lag_records);
      if (each.clock_lag_seconds) clock_lags[labels] = *each.clock_lag_seconds;
      helds[labels] = static_cast<double>(each.held_records);
      if (each.restore_rows_remaining)
        rows[labels] = static_cast<double>(*each.restore_rows_remaining);
      if (each.restore_seconds_remaining) seconds[labels] = *each.restore_seconds_remaining;
      holders[labels] = worker;
      if (each.state == PartitionState::kParked) {
        parkings[{{"partition", std::to_string(each.partition)},
                  {"reason", std::string(word(each.park_reason))}}] = 1.0;
      }
    }
  }
  lag.show(lags);
  clock_lag.show(clock_lags);
  held.show(helds);
  restore_rows.show(rows);
  restore_seconds.show(seconds);
  holder.show(holders);
  parked.show(parkings);
}

void Metrics::Series::show_workers() {
  std::map<Labels, double> counts, commits, ages;
  for (const auto& [worker, one] : workers) {
    const std::string number = std::to_string(worker);
    for (const std::string_view state : Words<PartitionState>::kList) {
      counts[{{"worker", number}, {"state", std::string(state)}}] = 0.0;
    }
    for (const PartitionGauges& each : one.partitions) {
      counts[{{"worker", number}, {"state", std::string(word(each.state))}}] += 1.0;
    }
    commits[{{"worker", number}}] = seconds_of(one.last_commit);
    ages[{{"worker", number}}] = one.uncommitted_seconds;
  }
  partitions.show(counts);
  last_commit.show(commits);
  uncommitted.show(ages);
}

Metrics::Metrics(const MetricsSettings& settings) : series_(std::make_unique<Series>(settings)) {}

Metrics::~Metrics() = default;

void Metrics::publish(const Tally& tally) {
  const std::lock_guard lock(series_->mutex);
  for (std::size_t i = 0; i < kWordCount<RecordType>; ++i) {
    add(series_->records.values[i], tally.records.values[i]);
  }
  add(series_->rejected, tally.rejected);
  series_->add_changes(tally);
  add(series_->anonymous_orders, tally.anonymous_orders);
  add(series_->input_bytes, tally.input_bytes);
  add(series_->output_bytes, tally.output_bytes);
  add(series_->cache_hits, tally.cache_hits);
  add(series_->cache_misses, tally.cache_misses);
  series_->anonymous_minor = add_saturated(series_->anonymous_minor, tally.anonymous_minor);
  series_->anonymous_revenue.Set(static_cast<double>(series_->anonymous_minor) /
                                 series_->minor_per_major);
}

void Metrics::publish(const CommitTally& tally) {
  const std::lock_guard lock(series_->mutex);
  add(series_->transactions, tally.transactions);
  add(series_->resolutions, tally.resolutions);
  add(series_->rebalances, tally.rebalances);
  add(series_->producer_reopens, tally.producer_reopens);
  add(series_->writers_fenced, tally.writers_fenced);
  add(series_->rebalance_duration, tally.rebalance_duration);
  add(series_->commit_duration, tally.commit_duration);
  add(series_->order_to_commit, tally.order_to_commit);
}

void Metrics::publish(int worker, const Gauges& gauges) {
  const std::lock_guard lock(series_->mutex);
  series_->workers[worker] = gauges;
  series_->show_sums();
  series_->show_partitions();
  series_->show_workers();
}

void Metrics::publish(const TopicGauges& topics) {
  const std::lock_guard lock(series_->mutex);
  for (std::size_t i = 0; i < kWordCount<TopicRole>; ++i) {
    series_->topic_problems.values[i]->Set(static_cast<double>(topics.problems.values[i]));
  }
}

std::string Metrics::exposition() const {
  std::vector<prometheus::MetricFamily> families;
  {
    const std::lock_guard lock(series_->mutex);
    families = series_->registry.Collect();
  }
  for (prometheus::MetricFamily& family : families) {
    std::sort(family.metric.begin(), family.metric.end(),
              [](const auto& a, const auto& b) { return a.label < b.label; });
  }
  std::ostringstream page;
  prometheus::TextSerializer{}.Serialize(page, families);
  return std::move(page).str();
}

}  // namespace segmentd::observe
