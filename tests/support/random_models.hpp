// Epochs and customers' places, drawn by a seeded generator, for tests of the model.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "state/core/epoch.hpp"
#include "state/core/features.hpp"
#include "state/core/naming.hpp"

namespace segmentd::test {

using Random = std::mt19937_64;

inline constexpr Recency kRecencies[] = {Recency::kSaturating, Recency::kLinear, Recency::kLog};

/// The day most tests take for today.
inline constexpr Instant kToday{15'000 * kMsPerDay};

inline double between(Random& random, double low, double high) {
  return low + (high - low) * (static_cast<double>(random() >> 11U) * 0x1.0p-53);
}

inline std::int64_t whole_between(Random& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
}

inline FeatureRules feature_rules(Recency recency) {
  FeatureRules rules;
  rules.recency = recency;
  rules.decimals = 2;
  rules.floor_minor = 350;
  return rules;
}

/// A customer whose last order lies up to 400 days before `now`.
inline Point random_point(Random& random, Instant now = kToday) {
  return {now - whole_between(random, 0, 400 * kMsPerDay), whole_between(random, 1, 40),
          whole_between(random, -5'000, 900'000)};
}

inline std::vector<Point> random_points(Random& random, std::size_t n, Instant now = kToday) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < n; ++i) points.push_back(random_point(random, now));
  return points;
}

/// A fitted epoch whose centroids lie anywhere where customers lie.
inline Epoch random_epoch(Random& random, Recency recency, int k) {
  Epoch epoch;
  epoch.number = 1;
  epoch.kind = EpochKind::kFirstFit;
  epoch.instant = kToday;
  epoch.features = feature_rules(recency);
  epoch.currency = "GBP";
  const double recency_mean = recency == Recency::kSaturating ? 0.5
                              : recency == Recency::kLinear   ? 150
                                                              : 4.5;
  epoch.mean = {recency_mean, 1.2, 6.0};
  epoch.scale = {recency_mean / 2, 0.9, 1.3};
  for (const Segment segment : segments_of(k)) {
    Centroid c;
    c.segment = segment;
    for (std::size_t f = 0; f < c.at.size(); ++f) {
      c.at[f] = epoch.mean[f] + epoch.scale[f] * between(random, -1.8, 1.8);
    }
    epoch.centroids.push_back(c);
  }
  return epoch;
}

}  // namespace segmentd::test
