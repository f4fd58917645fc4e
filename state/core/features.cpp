#include "state/core/features.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace segmentd {
namespace {

constexpr auto kMsPerDayReal = static_cast<double>(kMsPerDay);

double major_units(std::int64_t minor, int decimals) {
  double divisor = 1;
  for (int i = 0; i < decimals; ++i) divisor *= 10;
  return static_cast<double>(minor) / divisor;
}

}  // namespace

std::optional<Point> point_of(const Figures& figures) {
  if (!figures.last_order_at) return std::nullopt;
  return Point{*figures.last_order_at, figures.frequency, figures.monetary_minor};
}

double recency_feature(const FeatureRules& rules, std::int64_t age_ms) {
  const auto age = static_cast<double>(age_ms);
  switch (rules.recency) {
    case Recency::kSaturating:
      return -std::expm1(-age / static_cast<double>(rules.tau_ms));
    case Recency::kLinear:
      return age / kMsPerDayReal;
    case Recency::kLog:
      return std::log1p(std::max(age, 0.0) / kMsPerDayReal);
  }
  return 0;
}

double recency_age_ms(const FeatureRules& rules, double feature) {
  switch (rules.recency) {
    case Recency::kSaturating:
      if (feature >= 1) return std::numeric_limits<double>::infinity();
      return -std::log1p(-feature) * static_cast<double>(rules.tau_ms);
    case Recency::kLinear:
      return feature * kMsPerDayReal;
    case Recency::kLog:
      return std::expm1(feature) * kMsPerDayReal;
  }
  return 0;
}

double frequency_feature(std::int64_t orders) {
  return std::log(static_cast<double>(orders));
}

double monetary_feature(const FeatureRules& rules, std::int64_t monetary_minor) {
  return std::log1p(major_units(std::max(monetary_minor, rules.floor_minor), rules.decimals));
}

Features features_of(const FeatureRules& rules, const Point& point, Instant now) {
  return {recency_feature(rules, now - point.last_order_at), frequency_feature(point.frequency),
          monetary_feature(rules, point.monetary_minor)};
}

}  // namespace segmentd
