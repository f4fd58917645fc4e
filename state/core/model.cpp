#include "state/core/model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace segmentd {
namespace {

bool finite(const Features& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

std::string check(const Epoch& epoch) {
  const std::size_t k = epoch.centroids.size();
  if (k < kSegmentsMin || k > kSegmentsMax)
    return "k is " + std::to_string(k) + ", not 2 to 8 (K1)";
  std::array<int, kSegmentWords> seen{};
  for (const Centroid& centroid : epoch.centroids) {
    if (!finite(centroid.at)) return "a centroid is not finite (K2)";
    if (centroid.segment == Segment::kNone) return "a centroid bears no segment (K1)";
    if (++seen[static_cast<std::size_t>(centroid.segment)] > 1)
      return "a segment appears twice (K1)";
  }
  if (!finite(epoch.mean) || !finite(epoch.scale)) return "a mean or scale is not finite (K2)";
  for (const double scale : epoch.scale) {
    if (!(scale > 0)) return "a scale is not positive (K2)";
  }
  if (epoch.features.tau_ms <= 0 || epoch.features.floor_minor < 0) return "feature rules (K2)";
  if (epoch.number < 1 || epoch.predecessor < 0 || epoch.predecessor >= epoch.number) {
    return "numbers do not grow (K3)";
  }
  return {};
}

Model::Model(Epoch epoch) : epoch_(std::move(epoch)) {
  for (std::size_t j = 0; j < epoch_.centroids.size(); ++j) {
    centroids_[j] = standardised(epoch_.centroids[j].at);
  }
}

int Model::cluster_of(Segment segment) const {
  for (int j = 0; j < k(); ++j) {
    if (this->segment(j) == segment) return j;
  }
  return -1;
}

Features Model::standardised(const Features& natural) const {
  Features z{};
  for (std::size_t f = 0; f < z.size(); ++f) z[f] = (natural[f] - epoch_.mean[f]) / epoch_.scale[f];
  return z;
}

double Model::squared_distance(const Features& z, int cluster) const {
  const Features& c = centroid(cluster);
  double sum = 0;
  for (std::size_t f = 0; f < z.size(); ++f) sum += (z[f] - c[f]) * (z[f] - c[f]);
  return sum;
}

Place Model::place(const Features& z) const {
  Place place{0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  for (int j = 0; j < k(); ++j) {
    const double d = squared_distance(z, j);
    if (d < place.nearest) {
      place = {j, d, place.nearest};
    } else if (d < place.second) {
      place.second = d;
    }
  }
  return place;
}

bool Model::nearer(const Point& point, Instant now, int other, int cluster) const {
  const Features z = standardised(features_of(epoch_.features, point, now));
  return squared_distance(z, other) < squared_distance(z, cluster);
}

std::optional<Instant> Model::first_instant(const Point& point, Instant guess, Instant not_before,
                                            int other, int cluster) const {
  const auto holds = [&](Instant at) { return nearer(point, at, other, cluster); };
  // Bracket the border: `no` does not hold, `yes` does; then halve.
  std::int64_t step = 1;
  Instant yes = std::max(guess, not_before);
  const Instant limit = point.last_order_at + kNeverMs;
  while (!holds(yes) && yes < limit) {
    yes = yes + step;
    step *= 2;
  }
  if (!holds(yes)) return std::nullopt;
  step = 1;
  Instant no = yes - 1;
  while (no > not_before && holds(no)) {
    no = std::max(not_before, no - step);
    step *= 2;
  }
  if (no <= not_before && holds(not_before)) return not_before;
  while (yes - no > 1) {
    const Instant middle = no + (yes - no) / 2;
    (holds(middle) ? yes : no) = middle;
  }
  return yes;
}

std::optional<Crossing> Model::next_crossing(const Point& point, int cluster, Instant now) const {
  const Features z = standardised(features_of(epoch_.features, point, now));
  const auto line = [&](int j) {  // A_j + c_jR^2: the constant of the line d_j^2 - z^2
    const Features& c = centroid(j);
    const double f = z[kFrequencyFeature] - c[kFrequencyFeature];
    const double m = z[kMonetaryFeature] - c[kMonetaryFeature];
    return f * f + m * m + c[kRecencyFeature] * c[kRecencyFeature];
  };
  const double here = centroid(cluster)[kRecencyFeature];
  const double constant_here = line(cluster);
  double first = std::numeric_limits<double>::infinity();
  int next = -1;
  for (int j = 0; j < k(); ++j) {
    const double there = centroid(j)[kRecencyFeature];
    if (!(there > here)) continue;
    const double crossing = (line(j) - constant_here) / (2 * (there - here));
    if (crossing < first) {
      first = crossing;
      next = j;
    }
  }
  if (next < 0) return std::nullopt;
  const double feature = epoch_.mean[kRecencyFeature] + epoch_.scale[kRecencyFeature] * first;
  const double age_ms = recency_age_ms(epoch_.features, feature);
  if (!(age_ms < static_cast<double>(kNeverMs))) return std::nullopt;
  const Instant guess =
      point.last_order_at +
      static_cast<std::int64_t>(std::ceil(std::max(age_ms, -static_cast<double>(kNeverMs))));
  const std::optional<Instant> at = first_instant(point, guess, now, next, cluster);
  if (!at) return std::nullopt;
  return Crossing{next, *at};
}

}  // namespace segmentd
