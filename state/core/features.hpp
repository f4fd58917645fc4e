// From a customer's figures and an instant to the point the model sees, and the only place that
// knows the feature formulas (epoch.hpp lists them).
#pragma once

#include <cstdint>
#include <optional>

#include "state/core/customer.hpp"
#include "state/core/epoch.hpp"
#include "state/core/instant.hpp"

namespace segmentd {

/// What places a customer: only customers with a counting order have one.
struct Point {
  Instant last_order_at;
  std::int64_t frequency = 1;  // >= 1
  std::int64_t monetary_minor = 0;
  bool operator==(const Point&) const = default;
};
/// nullopt = no counting order: known, but in no segment.
std::optional<Point> point_of(const Figures& figures);

/// g(age); strictly increasing in age (kLog: constant for age <= 0). An age < 0 (an order ahead of
/// the clock) is not clamped but for kLog.
double recency_feature(const FeatureRules& rules, std::int64_t age_ms);
/// The age at which g has this value, in ms; +infinity where g never reaches it.
double recency_age_ms(const FeatureRules& rules, double feature);
double frequency_feature(std::int64_t orders);
double monetary_feature(const FeatureRules& rules, std::int64_t monetary_minor);

/// All three, natural units.
Features features_of(const FeatureRules& rules, const Point& point, Instant now);

}  // namespace segmentd
