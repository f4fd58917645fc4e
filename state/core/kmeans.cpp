#include "state/core/kmeans.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace segmentd {
namespace {

double squared_distance(const Features& a, const Features& b) {
  double sum = 0;
  for (std::size_t f = 0; f < a.size(); ++f) sum += (a[f] - b[f]) * (a[f] - b[f]);
  return sum;
}

bool has_distinct(const std::vector<Features>& points, int k) {
  std::set<Features> distinct;
  for (const Features& p : points) {
    distinct.insert(p);
    if (distinct.size() >= static_cast<std::size_t>(k)) return true;
  }
  return false;
}

/// An index drawn with probability proportional to `weights`, whose sum is `total` > 0.
std::size_t draw(const std::vector<double>& weights, double total, SplitMix64& random) {
  double rest = random.uniform() * total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    rest -= weights[i];
    if (rest < 0) return i;
  }
  // Rounding used everything up: the last one that can be drawn.
  std::size_t i = weights.size() - 1;
  while (i > 0 && weights[i] <= 0) --i;
  return i;
}

/// Greedy k-means++: of a few candidates drawn by squared distance, the one that lowers inertia
/// most.
std::vector<Features> seed_centroids(const std::vector<Features>& points, int k,
                                     SplitMix64& random) {
  const int candidates = 2 + static_cast<int>(std::log(static_cast<double>(k)));
  const auto n = static_cast<double>(points.size());
  const auto first = static_cast<std::size_t>(random.uniform() * n);
  std::vector<Features> centroids{points[std::min(first, points.size() - 1)]};
  std::vector<double> closest(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    closest[i] = squared_distance(points[i], centroids.front());
  }
  std::vector<double> trial(points.size());
  std::vector<double> best(points.size());
  while (centroids.size() < static_cast<std::size_t>(k)) {
    double total = 0;
    for (const double d : closest) total += d;
    double best_total = std::numeric_limits<double>::infinity();
    std::size_t best_index = 0;
    for (int c = 0; c < candidates; ++c) {
      const std::size_t index = draw(closest, total, random);
      double trial_total = 0;
      for (std::size_t i = 0; i < points.size(); ++i) {
        trial[i] = std::min(closest[i], squared_distance(points[i], points[index]));
        trial_total += trial[i];
      }
      if (trial_total < best_total) {
        best_total = trial_total;
        best_index = index;
        best.swap(trial);
      }
    }
    centroids.push_back(points[best_index]);
    closest.swap(best);
  }
  return centroids;
}

std::size_t nearest(const Features& point, const std::vector<Features>& centroids,
                    double& distance) {
  std::size_t index = 0;
  distance = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < centroids.size(); ++j) {
    const double d = squared_distance(point, centroids[j]);
    if (d < distance) {
      distance = d;
      index = j;
    }
  }
  return index;
}

/// Assign, average, until no point changes its cluster. An emptied cluster keeps its centroid.
Fit lloyd(const std::vector<Features>& points, std::vector<Features> centroids) {
  std::vector<std::size_t> label(points.size(), centroids.size());
  Fit fit;
  for (int iteration = 0; iteration < kLloydIterationsMax; ++iteration) {
    std::vector<Features> sum(centroids.size(), Features{});
    std::vector<double> members(centroids.size(), 0);
    bool moved = false;
    fit.inertia = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      double distance = 0;
      const std::size_t j = nearest(points[i], centroids, distance);
      moved = moved || j != label[i];
      label[i] = j;
      fit.inertia += distance;
      members[j] += 1;
      for (std::size_t f = 0; f < sum[j].size(); ++f) sum[j][f] += points[i][f];
    }
    if (!moved) break;
    for (std::size_t j = 0; j < centroids.size(); ++j) {
      if (members[j] == 0) continue;
      for (std::size_t f = 0; f < sum[j].size(); ++f) centroids[j][f] = sum[j][f] / members[j];
    }
  }
  fit.centroids = std::move(centroids);
  return fit;
}

}  // namespace

std::uint64_t SplitMix64::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

double SplitMix64::uniform() {
  return static_cast<double>(next() >> 11U) * 0x1.0p-53;
}

std::optional<Fit> fit_kmeans(const std::vector<Features>& points, int k, int starts,
                              std::uint64_t seed) {
  if (!has_distinct(points, k)) return std::nullopt;
  SplitMix64 random(seed);
  std::optional<Fit> best;
  for (int start = 0; start < starts; ++start) {
    Fit fit = lloyd(points, seed_centroids(points, k, random));
    if (!best || fit.inertia < best->inertia) best = std::move(fit);
  }
  return best;
}

}  // namespace segmentd
