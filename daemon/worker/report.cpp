// What a worker says of itself: gauges, health.
#include <algorithm>
#include <utility>

#include "daemon/worker/worker.hpp"
#include "state/core/money.hpp"

namespace segmentd {

using observe::LogLevel;

namespace {

/// Counting overdue customers goes over the whole roster.
constexpr std::chrono::seconds kLookAtEverybody{10};

observe::PartitionGauges active_gauges(const Partition& partition, const Source* source,
                                       Instant wall) {
  observe::PartitionGauges g;
  g.partition = partition.number();
  g.state = observe::PartitionState::kActive;
  g.held_records = partition.held();
  const auto end = source == nullptr ? std::nullopt : source->last_known_end(partition.number());
  const Meta& meta = partition.meta();
  if (end) g.lag_records = std::max<std::int64_t>(0, *end - meta.first_offset);
  // What lies behind the last record there is, is no record (markers of transactions).
  if (partition.at_end() && meta.first_offset == meta.next_offset) g.lag_records = 0;
  if (partition.meta().clock) {
    g.clock_lag_seconds =
        static_cast<double>(wall - *partition.meta().clock) / static_cast<double>(kMsPerSecond);
  }
  return g;
}

void add_segments(observe::Gauges& gauges, const Segmenter& segmenter) {
  const auto tallies = segmenter.by_segment();
  for (std::size_t s = 0; s < tallies.size(); ++s) {
    observe::SegmentGauges& g = gauges.segments[segment_word(static_cast<Segment>(s))];
    g.customers += static_cast<std::uint64_t>(tallies[s].customers);
    g.revenue_minor = add_saturated(g.revenue_minor, tallies[s].revenue_minor);
  }
}

void add_store(observe::StoreGauges& gauges, const StoreStatistics& s) {
  gauges.live_data_bytes += s.disk_bytes;
  gauges.memtable_bytes += s.memtable_bytes;
  gauges.pending_compaction_bytes += s.pending_compaction_bytes;
  gauges.background_errors += s.background_errors;
  gauges.block_cache_bytes = s.shared_cache_bytes;
}

}  // namespace

void Worker::report(bool force) {
  const Pace::Time now = parts_.pace.now();
  if (!force && now - reported_at_ < rules_.report_every) return;
  reported_at_ = now;
  commit_tally_.producer_reopens +=
      parts_.log.replaced() - std::exchange(replaced_, parts_.log.replaced());
  parts_.metrics.publish(commit_tally_);
  commit_tally_ = {};
  report_gauges();
  say_progress();
  say_parked();
  report_health();
  parts_.holdings.note_membership(rules_.worker, noted_.valid());
}

/// Once for each partition and each epoch: for who starts it and wants to know whether it works.
void Worker::say_progress() {
  for (const auto& [number, partition] : parts_.pipeline.partitions()) {
    const bool all_read = partition->at_end() && !partition->touched();
    if (all_read && caught_up_.insert(number).second) say_caught_up(*partition);
  }
  const auto model = parts_.pipeline.newest_model();
  if (model == nullptr || rules_.worker != 0 || model->epoch().number <= epoch_said_) return;
  const Epoch& epoch = model->epoch();
  epoch_said_ = epoch.number;
  observe::log_line(LogLevel::kInfo, "epoch in force",
                    {{"epoch", epoch.number},
                     {"kind", word(epoch.kind)},
                     {"decided_at", format_rfc3339(epoch.instant)}});
}

void Worker::say_caught_up(const Partition& partition) {
  const Meta& meta = partition.meta();
  observe::log_line(LogLevel::kInfo, "caught up",
                    {{"partition", partition.number()},
                     {"next_offset", meta.next_offset},
                     {"customers", partition.segmenter().customers()},
                     {"epoch", meta.epoch}});
  if (meta.epoch > 0 || !meta.clock) return;
  const PartitionRules& rules = parts_.pipeline.partition_rules();
  const Instant next = next_evaluation(*meta.clock, rules.evaluate_every_ms);
  observe::log_limited(
      limit_, "no-epoch", parts_.wall(), LogLevel::kInfo,
      "nobody is in a segment yet: they are drawn at the first evaluation at which "
      "enough customers differ",
      {{"next_evaluation", format_rfc3339(next)}, {"clock", rules.event_clock ? "event" : "wall"}});
}

/// By hand, so somebody wants to know that it was done.
void Worker::say_skipped(std::int32_t partition, const observe::Tally& tally) const {
  const auto records = tally.rejected[observe::RejectReason::kSkipped];
  if (records == 0) return;
  observe::log_line(LogLevel::kWarning, "rejected by hand, as input.skip says",
                    {{"partition", partition}, {"records", records}});
}

/// Rejected then, or applied: a mistyped offset would do nothing, in silence.
void Worker::say_skips_behind(std::int32_t partition, std::int64_t next_offset) const {
  for (const auto& [number, offset] : parts_.pipeline.skipped()) {
    if (number != partition || offset >= next_offset) continue;
    observe::log_line(LogLevel::kInfo,
                      "input.skip names an offset that lies behind: it was rejected by hand, or "
                      "applied, before",
                      {{"partition", partition}, {"offset", offset}, {"next_offset", next_offset}});
  }
}

/// Ready: something is at work, nothing is parked, commits go through. A member for which the group
/// has no partition stands by: it is ready too.
void Worker::report_health() {
  const Pace::Time now = parts_.pace.now();
  http::WorkerHealth health;
  health.progress = now;
  if (end_) health.failed = end_->what;
  if (!noted_.valid()) health.not_ready.push_back("not yet a member of the group");
  if (in_doubt()) health.not_ready.push_back("a transaction's outcome is being resolved");
  if (filling_ && now - transaction_since_ > rules_.commit_overdue) {
    health.not_ready.push_back("a commit is overdue");
  }
  const bool any_active = !parts_.pipeline.partitions().empty();
  for (const std::int32_t p : owned_) {
    if (parked_.contains(p)) {
      health.not_ready.push_back("partition " + std::to_string(p) +
                                 " is parked: " + parked_.at(p).what);
    } else if (const auto delay = restore_delays_.find(p);
               delay != restore_delays_.end() &&
               now - delay->second.since > rules_.restore_overdue) {
      health.not_ready.push_back("partition " + std::to_string(p) +
                                 " cannot be restored: " + delay->second.why);
    } else if (!any_active) {
      health.not_ready.push_back("partition " + std::to_string(p) + " is being restored");
    }
  }
  if (input_gone_since_) health.not_ready.push_back("the input does not exist");
  parts_.health.publish(rules_.worker, std::move(health));
}

void Worker::note_rebalance_begin() {
  if (!rebalance_since_) rebalance_since_ = parts_.pace.now();
}

/// Over once everything that is ours is at work, or parked.
void Worker::note_rebalance_end() {
  if (!rebalance_since_ || count_unchecked_) return;
  const bool settled = std::all_of(owned_.begin(), owned_.end(), [this](std::int32_t p) {
    return parked_.contains(p) || parts_.pipeline.find(p) != nullptr;
  });
  if (!settled) return;
  const std::chrono::duration<double> took = parts_.pace.now() - *rebalance_since_;
  commit_tally_.rebalance_duration.observe(took.count());
  rebalance_since_.reset();
}

/// Of a partition that is ours and not at work.
observe::PartitionGauges Worker::idle_gauges(std::int32_t partition) const {
  observe::PartitionGauges g;
  g.partition = partition;
  if (const auto it = parked_.find(partition); it != parked_.end()) {
    g.state = observe::PartitionState::kParked;
    g.park_reason = it->second.reason;
    return g;
  }
  g.restore_rows_remaining.reset();
  if (const auto progress = parts_.restorer.progress(partition)) {
    if (progress->rows_remaining >= 0) {
      g.restore_rows_remaining = static_cast<std::uint64_t>(progress->rows_remaining);
    }
    const double seconds = progress->seconds_remaining();
    if (seconds >= 0) g.restore_seconds_remaining = seconds;
  }
  return g;
}

void Worker::report_gauges() {
  observe::Gauges gauges;
  const Pace::Time now = parts_.pace.now();
  const bool look_at_everybody = now - overdue_looked_at_ >= kLookAtEverybody;
  if (look_at_everybody) {
    overdue_looked_at_ = now;
    overdue_ = 0;
  }
  const Instant wall = parts_.wall();
  for (const std::int32_t p : owned_) {
    const Partition* partition = parts_.pipeline.find(p);
    if (partition == nullptr) {
      gauges.partitions.push_back(idle_gauges(p));
      continue;
    }
    gauges.partitions.push_back(active_gauges(*partition, source_.get(), wall));
    add_segments(gauges, partition->segmenter());
    add_store(gauges.store, partition->store().statistics());
    if (look_at_everybody && partition->meta().clock) {
      overdue_ += partition->segmenter().overdue(*partition->meta().clock);
    }
    gauges.rows_cached += partition->rows().size();
    gauges.overlay_rows += partition->rows().dirty().size();
    gauges.overlay_bytes += partition->overlay_bytes();
  }
  gauges.overdue_deadlines = static_cast<std::uint64_t>(overdue_);
  gauges.last_commit = last_commit_;
  if (filling_) {
    gauges.uncommitted_seconds = std::chrono::duration<double>(now - transaction_since_).count();
  }
  if (const auto model = parts_.pipeline.newest_model(); model != nullptr) {
    gauges.model.epoch = static_cast<std::uint64_t>(model->epoch().number);
    const Quality quality = parts_.pipeline.quality();
    gauges.model.inertia = quality.inertia;
    gauges.model.excess_ratio = quality.excess;
    gauges.model.published = model->epoch().instant;
  }
  parts_.metrics.publish(rules_.worker, gauges);
}

}  // namespace segmentd
