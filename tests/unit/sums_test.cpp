// Sums per cluster: equal to a recount bit for bit (S1), and the moments and inertia they give.
#include "state/core/sums.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "state/core/model.hpp"
#include "tests/support/random_models.hpp"

namespace segmentd {
namespace {

using test::feature_rules;
using test::kRecencies;
using test::kToday;
using test::Random;
using test::random_points;

ClusterSums sums_of(const FeatureRules& rules, const std::vector<Point>& points, Instant origin,
                    Instant pass) {
  ClusterSums sums;
  for (const Point& p : points) sums.add(contribution_of(rules, p, origin, pass));
  return sums;
}

TEST(Sums, ASequenceOfMovesEqualsARecount) {
  for (const Recency recency : kRecencies) {
    Random random(11);
    const FeatureRules rules = feature_rules(recency);
    struct Member {
      Point point;
      int cluster = -1;
    };
    std::vector<Member> members(60);
    std::vector<ClusterSums> running(3);
    const auto of = [&](const Point& p) { return contribution_of(rules, p, kToday, kToday); };
    for (int step = 0; step < 3'000; ++step) {
      Member& m = members[random() % members.size()];
      if (m.cluster >= 0) running[static_cast<std::size_t>(m.cluster)].remove(of(m.point));
      m.cluster = static_cast<int>(random() % 4) - 1;  // -1 = leaves
      m.point = test::random_point(random);
      if (m.cluster >= 0) running[static_cast<std::size_t>(m.cluster)].add(of(m.point));
    }
    std::vector<ClusterSums> recount(3);
    for (const Member& m : members) {
      if (m.cluster >= 0) recount[static_cast<std::size_t>(m.cluster)].add(of(m.point));
    }
    EXPECT_TRUE(running == recount) << word(recency);
    for (Member& m : members) {
      if (m.cluster >= 0) running[static_cast<std::size_t>(m.cluster)].remove(of(m.point));
    }
    EXPECT_TRUE(running == std::vector<ClusterSums>(3)) << "removal is exact";
  }
}

TEST(Sums, NeitherOrderNorPartitioningShows) {
  for (const Recency recency : kRecencies) {
    Random random(12);
    const FeatureRules rules = feature_rules(recency);
    std::vector<Point> points = random_points(random, 500);
    const ClusterSums all = sums_of(rules, points, kToday, kToday);
    for (const std::size_t partitions : {1U, 3U, 16U}) {
      std::shuffle(points.begin(), points.end(), random);
      std::vector<ClusterSums> parts(partitions);
      for (const Point& p : points) {
        parts[random() % partitions].add(contribution_of(rules, p, kToday, kToday));
      }
      std::shuffle(parts.begin(), parts.end(), random);
      ClusterSums merged;
      for (const ClusterSums& part : parts) merged.add(part);
      EXPECT_TRUE(merged == all) << word(recency) << ' ' << partitions;
    }
  }
}

/// Mean and population deviation in two passes.
void expect_moments(const Moments& moments, const FeatureRules& rules,
                    const std::vector<Point>& points, Instant now) {
  const auto n = static_cast<double>(points.size());
  ASSERT_EQ(moments.customers, static_cast<std::int64_t>(points.size()));
  for (std::size_t f = 0; f < kFeatures; ++f) {
    double mean = 0, variance = 0;
    for (const Point& p : points) mean += features_of(rules, p, now)[f] / n;
    for (const Point& p : points) variance += std::pow(features_of(rules, p, now)[f] - mean, 2) / n;
    EXPECT_NEAR(moments.mean()[f], mean, 1e-9 * (1 + std::abs(mean))) << word(rules.recency) << f;
    EXPECT_NEAR(moments.scale()[f], std::sqrt(variance), 1e-7 * std::sqrt(variance))
        << word(rules.recency) << f;
  }
}

TEST(Sums, MomentsAreThoseOfTwoPassesAtAnyTime) {
  Random random(13);
  const std::vector<Point> points = random_points(random, 400);
  for (const Recency recency : kRecencies) {
    const FeatureRules rules = feature_rules(recency);
    for (const std::int64_t days : {0, 1, 100, 179}) {
      const Instant now = kToday + days * kMsPerDay;
      // Recency is summed as a function of the clock; log needs a pass at the instant.
      const ClusterSums sums = sums_of(rules, points, kToday, now);
      expect_moments(moments_of(rules, sums, kToday, now), rules, points, now);
    }
  }
}

TEST(Sums, AnotherOriginGivesTheSameMoments) {
  Random random(14);
  const std::vector<Point> points = random_points(random, 300);
  const Instant now = kToday + 400 * kMsPerDay;
  for (const Recency recency : kRecencies) {
    const FeatureRules rules = feature_rules(recency);
    for (const std::int64_t days : {0, 180, 360}) {
      const Instant origin = kToday + days * kMsPerDay;
      expect_moments(moments_of(rules, sums_of(rules, points, origin, now), origin, now), rules,
                     points, now);
    }
  }
}

TEST(Sums, MomentsOfPartsAddUp) {
  Random random(15);
  const FeatureRules rules = feature_rules(Recency::kSaturating);
  const std::vector<Point> a = random_points(random, 100), b = random_points(random, 70);
  std::vector<Point> all = a;
  all.insert(all.end(), b.begin(), b.end());
  Moments sum = moments_of(rules, sums_of(rules, a, kToday, kToday), kToday, kToday);
  sum += moments_of(rules, sums_of(rules, b, kToday, kToday), kToday, kToday);
  expect_moments(sum, rules, all, kToday);
  std::int64_t revenue = 0;
  for (const Point& p : all) revenue += p.monetary_minor;
  EXPECT_TRUE(sum.revenue_minor == revenue);
}

TEST(Sums, AConstantFeatureHasScaleOne) {
  Random random(16);
  for (const Recency recency : kRecencies) {
    const FeatureRules rules = feature_rules(recency);
    std::vector<Point> points = random_points(random, 200);
    for (Point& p : points) {
      p.frequency = 3;
      p.last_order_at = kToday - 17 * kMsPerDay;
    }
    const Features scale =
        moments_of(rules, sums_of(rules, points, kToday, kToday), kToday, kToday).scale();
    EXPECT_EQ(scale[kRecencyFeature], 1) << word(recency);
    EXPECT_EQ(scale[kFrequencyFeature], 1) << word(recency);
    EXPECT_LT(scale[kMonetaryFeature], 2);
    EXPECT_NE(scale[kMonetaryFeature], 1);
  }
}

TEST(Sums, InertiaAboutACentroidIsTheDirectSum) {
  Random random(17);
  for (const Recency recency : kRecencies) {
    const Model model(test::random_epoch(random, recency, 4));
    const Epoch& epoch = model.epoch();
    const std::vector<Point> points = random_points(random, 300);
    const Instant now = kToday + 90 * kMsPerDay;
    const Moments moments =
        moments_of(epoch.features, sums_of(epoch.features, points, kToday, now), kToday, now);
    for (int j = 0; j < 4; ++j) {
      double direct = 0;
      for (const Point& p : points) {
        direct +=
            model.squared_distance(model.standardised(features_of(epoch.features, p, now)), j);
      }
      EXPECT_NEAR(inertia_about(moments, epoch.mean, epoch.scale, model.centroid(j)), direct,
                  1e-8 * direct);
    }
  }
}

TEST(Sums, AnOrderFarAheadOfTheOriginDoesNotOverflow) {
  FeatureRules rules = feature_rules(Recency::kSaturating);
  rules.tau_ms = kMsPerDay;
  for (const std::int64_t days : {11, 25, 400, 36'500}) {
    const Point point{kToday + days * kMsPerDay, 1, 100};
    const Contribution c = contribution_of(rules, point, kToday, kToday);
    EXPECT_GE(c.recency, std::llround(std::exp(11.0) * 0x1.0p32)) << days;
    EXPECT_TRUE(days > 12 || c.recency == std::llround(std::exp(11.0) * 0x1.0p32));
    // A hundred million such customers fit: the square of one, times that, is below 2^127.
    const auto square = static_cast<Int128>(c.recency) * c.recency;
    EXPECT_LT(static_cast<double>(square) * 1e8, 0x1.0p127);
  }
}

TEST(Sums, AConstantFeatureHasScaleOneWhateverItsValue) {
  const FeatureRules rules = feature_rules(Recency::kSaturating);
  for (std::int64_t price = 1'000; price < 1'000'000; price = price * 11 / 10 + 1) {
    ClusterSums sums;
    for (int i = 0; i < 200; ++i) {
      sums.add(contribution_of(rules, {kToday - i * kMsPerHour, 1 + i % 7, price}, kToday, kToday));
    }
    const Features scale = moments_of(rules, sums, kToday, kToday).scale();
    EXPECT_EQ(scale[kMonetaryFeature], 1.0) << price;
    EXPECT_NE(scale[kFrequencyFeature], 1.0);
  }
}

TEST(Sums, HoldTheLargestMoney) {
  const FeatureRules rules = feature_rules(Recency::kLinear);
  ClusterSums sums;
  const Point rich{kToday, 1, kFigureMinorMax};
  for (int i = 0; i < 1'000; ++i) sums.add(contribution_of(rules, rich, kToday, kToday));
  EXPECT_TRUE(sums.revenue_minor == static_cast<Int128>(kFigureMinorMax) * 1'000);
}

}  // namespace
}  // namespace segmentd
