// The feature formulas, recomputed in wider arithmetic.
#include "state/core/features.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/support/random_models.hpp"

namespace segmentd {
namespace {

using test::feature_rules;
using test::kRecencies;
using test::kToday;
using test::Random;

long double expected_recency(const FeatureRules& rules, std::int64_t age_ms) {
  const long double age = static_cast<long double>(age_ms);
  switch (rules.recency) {
    case Recency::kSaturating:
      return 1 - std::exp(-age / rules.tau_ms);
    case Recency::kLinear:
      return age / 86'400'000.0L;
    case Recency::kLog:
      return std::log(1 + (age > 0 ? age : 0) / 86'400'000.0L);
  }
  return 0;
}

TEST(Features, AreTheFormulasOfTheModel) {
  Random random(7);
  for (const Recency recency : kRecencies) {
    const FeatureRules rules = feature_rules(recency);
    for (int i = 0; i < 500; ++i) {
      const Point point = test::random_point(random);
      const Features f = features_of(rules, point, kToday);
      const long double recency_feature_expected =
          expected_recency(rules, kToday - point.last_order_at);
      const long double money = point.monetary_minor < 350 ? 3.50L : point.monetary_minor / 100.0L;
      EXPECT_NEAR(f[kRecencyFeature], static_cast<double>(recency_feature_expected), 1e-12);
      EXPECT_NEAR(f[kFrequencyFeature],
                  static_cast<double>(std::log(static_cast<long double>(point.frequency))), 1e-14);
      EXPECT_NEAR(f[kMonetaryFeature], static_cast<double>(std::log(1 + money)), 1e-13);
    }
  }
}

TEST(Features, RecencyKeepsItsPrecisionJustAfterAnOrder) {
  FeatureRules rules = feature_rules(Recency::kSaturating);
  const double per_ms = 1.0 / static_cast<double>(rules.tau_ms);
  EXPECT_NEAR(recency_feature(rules, 1) / per_ms, 1,
              1e-9);  // 1 - exp(-x) alone would give 0 digits
  rules.recency = Recency::kLog;
  EXPECT_NEAR(recency_feature(rules, 1) * static_cast<double>(kMsPerDay), 1, 1e-8);
}

TEST(Features, AnOrderAheadOfTheClockIsClampedForLogOnly) {
  EXPECT_LT(recency_feature(feature_rules(Recency::kSaturating), -kMsPerDay), 0);
  EXPECT_DOUBLE_EQ(recency_feature(feature_rules(Recency::kLinear), -kMsPerDay), -1);
  EXPECT_EQ(recency_feature(feature_rules(Recency::kLog), -kMsPerDay), 0);
}

TEST(Features, TheAgeOfAFeatureIsTheInverse) {
  Random random(8);
  for (const Recency recency : kRecencies) {
    const FeatureRules rules = feature_rules(recency);
    for (int i = 0; i < 300; ++i) {
      const std::int64_t age = test::whole_between(random, 1, 700 * kMsPerDay);
      EXPECT_NEAR(recency_age_ms(rules, recency_feature(rules, age)), static_cast<double>(age),
                  0.5);
    }
  }
}

TEST(Features, SaturatingRecencyNeverReachesOne) {
  const FeatureRules rules = feature_rules(Recency::kSaturating);
  EXPECT_EQ(recency_age_ms(rules, 1), std::numeric_limits<double>::infinity());
  EXPECT_EQ(recency_age_ms(rules, 1.5), std::numeric_limits<double>::infinity());
}

TEST(Features, SpendBelowTheFloorLiesOnTheFloor) {
  const FeatureRules rules = feature_rules(Recency::kLinear);
  EXPECT_EQ(monetary_feature(rules, -1'000'000), monetary_feature(rules, 350));
  EXPECT_EQ(monetary_feature(rules, 0), monetary_feature(rules, 350));
  EXPECT_LT(monetary_feature(rules, 350), monetary_feature(rules, 351));
}

TEST(Features, DecimalsSayWhatAMajorUnitIs) {
  FeatureRules rules = feature_rules(Recency::kLinear);
  rules.floor_minor = 0;
  for (const int decimals : {0, 2, 3, 8}) {
    rules.decimals = decimals;
    std::int64_t minor = 12;
    for (int i = 0; i < decimals; ++i) minor *= 10;
    EXPECT_DOUBLE_EQ(monetary_feature(rules, minor), std::log1p(12.0)) << decimals;
  }
}

TEST(Features, OnlyACustomerWithACountingOrderHasAPlace) {
  Figures figures;
  figures.monetary_minor = -500;
  EXPECT_EQ(point_of(figures), std::nullopt);
  figures.frequency = 3;
  figures.last_order_at = kToday;
  EXPECT_EQ(point_of(figures), (Point{kToday, 3, -500}));
}

}  // namespace
}  // namespace segmentd
