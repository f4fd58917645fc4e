#include "daemon/observe/tally.hpp"

#include "state/core/money.hpp"

namespace segmentd::observe {
namespace {

void add(std::uint64_t& sum, std::uint64_t count) {
  sum += count;
}

template <class E, class T>
void add(PerWord<E, T>& sum, const PerWord<E, T>& counts) {
  for (std::size_t i = 0; i < sum.values.size(); ++i) add(sum.values[i], counts.values[i]);
}

template <const auto& kBounds>
void add(BucketCounts<kBounds>& sum, const BucketCounts<kBounds>& counts) {
  for (std::size_t i = 0; i < sum.counts.size(); ++i) sum.counts[i] += counts.counts[i];
  sum.sum_seconds += counts.sum_seconds;
}

}  // namespace

Tally& Tally::operator+=(const Tally& other) {
  add(records, other.records);
  add(rejected, other.rejected);
  add(segment_changes, other.segment_changes);
  input_bytes += other.input_bytes;
  output_bytes += other.output_bytes;
  cache_hits += other.cache_hits;
  cache_misses += other.cache_misses;
  anonymous_orders += other.anonymous_orders;
  anonymous_minor = add_saturated(anonymous_minor, other.anonymous_minor);
  return *this;
}

CommitTally& CommitTally::operator+=(const CommitTally& other) {
  add(transactions, other.transactions);
  add(resolutions, other.resolutions);
  add(rebalances, other.rebalances);
  producer_reopens += other.producer_reopens;
  writers_fenced += other.writers_fenced;
  add(rebalance_duration, other.rebalance_duration);
  add(commit_duration, other.commit_duration);
  add(order_to_commit, other.order_to_commit);
  return *this;
}

}  // namespace segmentd::observe
