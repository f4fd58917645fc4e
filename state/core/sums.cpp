#include "state/core/sums.hpp"

#include <algorithm>
#include <cmath>

namespace segmentd {
namespace {

constexpr double kUnit = 4294967296.0;  // 2^32
constexpr double kScaleMin = 1e-9;
/// What rounding leaves of a constant feature's deviation, relative to its mean, and more.
constexpr double kRelativeScaleMin = 1e-6;
/// Squares of e^12 in units of 2^-32 leave room for 10^8 customers in 128 bits. Evaluations move
/// the origin to within one tau of the clock: only an order far ahead of the last one meets this
/// bound, and the next evaluation counts it exactly.
constexpr double kExponentMax = 12;

std::int64_t rounded(double value) {
  return std::llround(value * kUnit);
}
Int128 square(std::int64_t v) {
  return static_cast<Int128>(v) * v;
}
double real(Int128 v) {
  return static_cast<double>(v);
}

void recency_moments(const FeatureRules& rules, const ClusterSums& s, std::int64_t elapsed_ms,
                     Moments& out) {
  const auto n = static_cast<double>(s.customers);
  switch (rules.recency) {
    case Recency::kLinear: {
      constexpr auto kDay = static_cast<double>(kMsPerDay);
      const Int128 t = elapsed_ms;
      out.sum[kRecencyFeature] = real(t * s.customers - s.recency) / kDay;
      out.squares[kRecencyFeature] =
          real(t * t * s.customers - 2 * t * s.recency + s.recency_squared) / kDay / kDay;
      return;
    }
    case Recency::kSaturating: {
      const double decay =
          std::exp(-static_cast<double>(elapsed_ms) / static_cast<double>(rules.tau_ms));
      const double e1 = decay * (real(s.recency) / kUnit);
      const double e2 = decay * decay * (real(s.recency_squared) / kUnit / kUnit);
      out.sum[kRecencyFeature] = n - e1;
      out.squares[kRecencyFeature] = n - 2 * e1 + e2;
      return;
    }
    case Recency::kLog:
      out.sum[kRecencyFeature] = real(s.recency) / kUnit;
      out.squares[kRecencyFeature] = real(s.recency_squared) / kUnit / kUnit;
      return;
  }
}

}  // namespace

Contribution contribution_of(const FeatureRules& rules, const Point& point, Instant origin,
                             Instant pass) {
  Contribution c;
  switch (rules.recency) {
    case Recency::kLinear:
      c.recency = point.last_order_at - origin;
      break;
    case Recency::kSaturating:
      c.recency = rounded(
          std::exp(std::min(kExponentMax, static_cast<double>(point.last_order_at - origin) /
                                              static_cast<double>(rules.tau_ms))));
      break;
    case Recency::kLog:
      c.recency = rounded(recency_feature(rules, pass - point.last_order_at));
      break;
  }
  c.frequency = rounded(frequency_feature(point.frequency));
  c.monetary = rounded(monetary_feature(rules, point.monetary_minor));
  c.revenue_minor = point.monetary_minor;
  return c;
}

void ClusterSums::add(const Contribution& c) {
  ++customers;
  revenue_minor += c.revenue_minor;
  recency += c.recency;
  recency_squared += square(c.recency);
  frequency += c.frequency;
  frequency_squared += square(c.frequency);
  monetary += c.monetary;
  monetary_squared += square(c.monetary);
}

void ClusterSums::remove(const Contribution& c) {
  --customers;
  revenue_minor -= c.revenue_minor;
  recency -= c.recency;
  recency_squared -= square(c.recency);
  frequency -= c.frequency;
  frequency_squared -= square(c.frequency);
  monetary -= c.monetary;
  monetary_squared -= square(c.monetary);
}

void ClusterSums::add(const ClusterSums& other) {
  customers += other.customers;
  revenue_minor += other.revenue_minor;
  recency += other.recency;
  recency_squared += other.recency_squared;
  frequency += other.frequency;
  frequency_squared += other.frequency_squared;
  monetary += other.monetary;
  monetary_squared += other.monetary_squared;
}

Moments& Moments::operator+=(const Moments& other) {
  customers += other.customers;
  revenue_minor += other.revenue_minor;
  for (std::size_t f = 0; f < sum.size(); ++f) {
    sum[f] += other.sum[f];
    squares[f] += other.squares[f];
  }
  return *this;
}

Features Moments::mean() const {
  Features mean{};
  for (std::size_t f = 0; f < mean.size(); ++f) mean[f] = sum[f] / static_cast<double>(customers);
  return mean;
}

Features Moments::scale() const {
  const Features center = mean();
  Features scale{};
  for (std::size_t f = 0; f < scale.size(); ++f) {
    const double variance = squares[f] / static_cast<double>(customers) - center[f] * center[f];
    const double deviation = variance > 0 ? std::sqrt(variance) : 0;
    const double least = std::max(kScaleMin, kRelativeScaleMin * std::abs(center[f]));
    scale[f] = deviation < least ? 1 : deviation;
  }
  return scale;
}

Moments moments_of(const FeatureRules& rules, const ClusterSums& sums, Instant origin,
                   Instant now) {
  Moments out;
  out.customers = sums.customers;
  out.revenue_minor = sums.revenue_minor;
  recency_moments(rules, sums, now - origin, out);
  out.sum[kFrequencyFeature] = real(sums.frequency) / kUnit;
  out.squares[kFrequencyFeature] = real(sums.frequency_squared) / kUnit / kUnit;
  out.sum[kMonetaryFeature] = real(sums.monetary) / kUnit;
  out.squares[kMonetaryFeature] = real(sums.monetary_squared) / kUnit / kUnit;
  return out;
}

double inertia_about(const Moments& moments, const Features& mean, const Features& scale,
                     const Features& centroid) {
  const auto n = static_cast<double>(moments.customers);
  double inertia = 0;
  for (std::size_t f = 0; f < centroid.size(); ++f) {
    const double c = mean[f] + scale[f] * centroid[f];  // natural
    const double squares = moments.squares[f] - 2 * c * moments.sum[f] + n * c * c;
    inertia += squares / (scale[f] * scale[f]);
  }
  return inertia > 0 ? inertia : 0;
}

}  // namespace segmentd
