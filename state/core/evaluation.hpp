// Whether a new epoch is due, and which: judged at fixed instants of the clock, never because a
// commit happened.
//
//   no epoch, or a provisional one   first fit, once there is enough history; until then the
//                                    cold-start epoch is made anew at every instant
//   a fitted one                     the live centroids are published anew when they have become
//                                    better than the published ones by more than excess_max of the
//                                    inertia, or a scale has drifted by more than drift_max; a
//                                    moved mean alone is no reason
//
// Everything here is a function of its arguments: the same customers at the same places give the
// same epoch, bit for bit, over any partitioning.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/core/epoch.hpp"
#include "state/core/features.hpp"
#include "state/core/model.hpp"
#include "state/core/sums.hpp"

namespace segmentd {

/// Settings of the model. `features.floor_minor` is ignored here: every fit sets its own.
struct ModelRules {
  int k = 4;
  FeatureRules features;
  std::int64_t min_customers = 100;  // per segment, for the first fit
  std::int64_t min_days = 60;        // since the first counting order, for the first fit
  std::uint64_t seed = 1;
  std::string currency;
  double excess_max = 0.0005;
  double drift_max = 0.05;  // of |ln(scale / scale0)|
  int fit_starts = 20;
  std::size_t sample_max = 16'384;
};

/// One customer of the sample: the customers with the smallest hashes are a uniform sample that
/// does not depend on arrival order or partitioning, always with present values (bottom-k sampling,
/// Cohen and Kaplan, 2007). The hash stands for the id.
struct Sampled {
  std::uint64_t hash = 0;
  Point point;
};
std::uint64_t sample_hash(std::uint64_t salt, std::string_view customer_id);
/// Keeps the `max` smallest hashes, in their order.
void trim_sample(std::vector<Sampled>& sample, std::size_t max);

/// All customers with a counting order, merged over partitions, as of one instant.
struct Population {
  std::vector<ClusterSums> clusters;  // by cluster of the incumbent; empty without one
  Instant origin;                     // of the recency sums
  std::int64_t customers = 0;
  std::optional<Instant> first_order_at;
  std::function<std::vector<Sampled>()> sample;  // asked only for a fit or a cold start
};

/// How far the incumbent is from what the customers say now.
struct Quality {
  double inertia = 0;  // about the published centroids, the epoch's scale
  double excess = 0;   // share of the exact means' inertia that the published centroids add
  double drift = 0;    // largest |ln(scale / scale0)|
};
Quality quality_of(const Model& model, const Population& population, Instant at);

/// Exact means of the members, natural units; an emptied cluster keeps its published centroid.
std::vector<Features> live_centroids(const Model& model, const std::vector<ClusterSums>& clusters,
                                     Instant origin, Instant at);

/// The epoch due at `at`, or nullopt. `incumbent` may be null.
std::optional<Epoch> judge(const ModelRules& rules, const Model* incumbent,
                           const Population& population, Instant at);

/// The first evaluation instant after `clock`, on the grid of `every_ms` since 1970 (UTC midnights
/// for a day).
Instant next_evaluation(Instant clock, std::int64_t every_ms);
/// The newest one <= `clock`.
Instant last_evaluation(Instant clock, std::int64_t every_ms);

}  // namespace segmentd
