// Additive sums per cluster, in integers: the live centroids are exact means at all times, whatever
// the order, batching, partitioning or restart (cluster features: Zhang, Ramakrishnan, Livny,
// BIRCH, 1996; each customer counts once, its old contribution removed before the new one is added:
// Newling and Fleuret, "Nested mini-batch k-means", NIPS 2016).
//
// Each feature is rounded once to a multiple of 2^-32 and from then on an integer; sums and sums of
// squares have 128 bits. Recency ages with the clock, so it is summed as a function of it:
//   linear      l - origin in ms;                 Sum age   = n (t - origin) - R1
//   saturating  e^((l - origin)/tau), rounded;    Sum g     = n - e^(-(t - origin)/tau) R1
//   log         g itself, as of the last pass over all customers
// The origin is moved by a full pass, at every epoch and at least every tau, so that nothing
// overflows.
//
// Invariant S1: the sums equal, bit for bit, a recount over the customers they are made of.
#pragma once

#include <cstdint>
#include <vector>

#include "state/core/epoch.hpp"
#include "state/core/features.hpp"
#include "state/core/instant.hpp"

namespace segmentd {

__extension__ using Int128 = __int128;

/// What one customer adds to the sums of its cluster.
struct Contribution {
  std::int64_t recency = 0;    // unit: see above
  std::int64_t frequency = 0;  // 2^-32
  std::int64_t monetary = 0;   // 2^-32
  std::int64_t revenue_minor = 0;
  bool operator==(const Contribution&) const = default;
};

/// `pass` is the instant of the last pass over all customers; only kLog uses it.
Contribution contribution_of(const FeatureRules& rules, const Point& point, Instant origin,
                             Instant pass);

struct ClusterSums {
  std::int64_t customers = 0;
  Int128 revenue_minor = 0;
  Int128 recency = 0;
  Int128 recency_squared = 0;
  Int128 frequency = 0;
  Int128 frequency_squared = 0;
  Int128 monetary = 0;
  Int128 monetary_squared = 0;

  void add(const Contribution& c);
  void remove(const Contribution& c);
  void add(const ClusterSums& other);
  bool operator==(const ClusterSums&) const = default;
};

/// Count, sums and sums of squares of the features at an instant, natural units.
struct Moments {
  std::int64_t customers = 0;
  Int128 revenue_minor = 0;
  Features sum{};
  Features squares{};

  Moments& operator+=(const Moments& other);
  /// Requires customers > 0.
  Features mean() const;
  /// Population standard deviation; 1 where it is below 1e-9, or below a millionth of the mean,
  /// which rounding alone can make (a constant feature decides nothing).
  Features scale() const;
};

Moments moments_of(const FeatureRules& rules, const ClusterSums& sums, Instant origin, Instant now);

/// Sum over the members of the squared standardised distance to `centroid` (standardised), by
/// Huygens' theorem from the moments alone.
double inertia_about(const Moments& moments, const Features& mean, const Features& scale,
                     const Features& centroid);

}  // namespace segmentd
