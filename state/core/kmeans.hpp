// Batch k-means for fits: greedy k-means++ (Arthur and Vassilvitskii, 2007) and Lloyd's iterations,
// best of several starts. A function of points, k and seed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "state/core/epoch.hpp"

namespace segmentd {

struct Fit {
  std::vector<Features> centroids;  // k, standardised like the points
  double inertia = 0;
};

inline constexpr int kLloydIterationsMax = 300;

/// Points are standardised. nullopt = fewer distinct points than k. `starts` >= 1.
std::optional<Fit> fit_kmeans(const std::vector<Features>& points, int k, int starts,
                              std::uint64_t seed);

/// A small generator whose sequence is fixed by its seed on every platform (S. Vigna, splitmix64).
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform in [0, 1), 53 bits.
  double uniform();

 private:
  std::uint64_t state_;
};

}  // namespace segmentd
