// Whether a new epoch is due, and which.
#include "state/core/evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/random_models.hpp"

namespace segmentd {
namespace {

using test::kRecencies;
using test::kToday;
using test::Random;

ModelRules rules_for(int k, Recency recency = Recency::kSaturating) {
  ModelRules rules;
  rules.k = k;
  rules.features = test::feature_rules(recency);
  rules.min_customers = 10;
  rules.currency = "GBP";
  rules.seed = 5;
  rules.fit_starts = 3;
  return rules;
}

std::vector<Sampled> sampled(const std::vector<Point>& points) {
  std::vector<Sampled> sample;
  for (const Point& p : points) {
    sample.push_back({sample_hash(9, "customer-" + std::to_string(sample.size())), p});
  }
  return sample;
}

/// Everybody, in `model`'s clusters where there is one, out of `partitions` parts.
Population population_of(const std::vector<Sampled>& everybody, const Model* model, Instant at,
                         std::size_t sample_max = 16'384, std::size_t partitions = 1) {
  Population population;
  population.origin = at;
  population.customers = static_cast<std::int64_t>(everybody.size());
  population.first_order_at = at - 300 * kMsPerDay;
  if (model != nullptr) {
    population.clusters.resize(static_cast<std::size_t>(model->k()));
    for (const Sampled& s : everybody) {
      const int j = model->place(s.point, at).cluster;
      population.clusters[static_cast<std::size_t>(j)].add(
          contribution_of(model->epoch().features, s.point, at, at));
    }
  }
  population.sample = [=] {
    std::vector<Sampled> all;
    for (std::size_t p = 0; p < partitions; ++p) {
      std::vector<Sampled> part;
      for (std::size_t i = p; i < everybody.size(); i += partitions) part.push_back(everybody[i]);
      trim_sample(part, sample_max);
      all.insert(all.end(), part.begin(), part.end());
    }
    trim_sample(all, sample_max);
    return all;
  };
  return population;
}

std::vector<Sampled> some_customers(std::size_t n, std::uint64_t seed = 3) {
  Random random(seed);
  return sampled(test::random_points(random, n));
}

/// A first fit over `everybody` at kToday.
Model fitted(const ModelRules& rules, const std::vector<Sampled>& everybody) {
  const auto epoch = judge(rules, nullptr, population_of(everybody, nullptr, kToday), kToday);
  EXPECT_TRUE(epoch);
  EXPECT_EQ(epoch->kind, EpochKind::kFirstFit);
  return Model(*epoch);
}

TEST(Evaluation, ColdStartCutsEqualGroupsByRank) {
  ModelRules rules = rules_for(4);
  rules.min_customers = 1'000;
  const std::vector<Sampled> everybody = some_customers(40);
  const auto epoch = judge(rules, nullptr, population_of(everybody, nullptr, kToday), kToday);
  ASSERT_TRUE(epoch);
  EXPECT_EQ(check(*epoch), "");
  EXPECT_EQ(epoch->kind, EpochKind::kProvisional);
  EXPECT_EQ(epoch->number, 1);
  EXPECT_EQ(epoch->instant, kToday);
  // The groups again, by hand: rank by zF + zM - zR in the epoch's scale, ten each.
  const Model model(*epoch);
  std::vector<Features> z;
  for (const Sampled& s : everybody) {
    z.push_back(model.standardised(features_of(epoch->features, s.point, kToday)));
  }
  std::sort(z.begin(), z.end(), [](const Features& a, const Features& b) {
    return a[1] + a[2] - a[0] < b[1] + b[2] - b[0];
  });
  std::set<int> met;
  for (std::size_t g = 0; g < 4; ++g) {
    Features mean{};
    for (std::size_t i = 0; i < 10; ++i) {
      for (std::size_t f = 0; f < mean.size(); ++f) mean[f] += z[10 * g + i][f] / 10;
    }
    for (int j = 0; j < 4; ++j) {
      if (model.squared_distance(mean, j) < 1e-12) met.insert(j);
    }
  }
  EXPECT_EQ(met.size(), 4U);
}

TEST(Evaluation, ColdStartNeedsACustomerPerGroup) {
  ModelRules rules = rules_for(4);
  const auto judged = [&](std::size_t n) {
    return judge(rules, nullptr, population_of(some_customers(n), nullptr, kToday), kToday);
  };
  EXPECT_FALSE(judged(0));
  EXPECT_FALSE(judged(3));
  EXPECT_TRUE(judged(4));
}

TEST(Evaluation, AProvisionalEpochIsMadeAnewAtEveryInstant) {
  ModelRules rules = rules_for(3);
  rules.min_customers = 1'000;
  const std::vector<Sampled> everybody = some_customers(50);
  const Model first(*judge(rules, nullptr, population_of(everybody, nullptr, kToday), kToday));
  const Instant next = kToday + kMsPerDay;
  const auto second = judge(rules, &first, population_of(everybody, &first, next), next);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->provisional());
  EXPECT_EQ(second->number, 2);
  EXPECT_EQ(second->predecessor, 1);
  EXPECT_EQ(second->instant, next);
}

TEST(Evaluation, TheFirstFitWaitsForDaysAndCustomers) {
  const ModelRules rules = rules_for(4);  // 60 days, 4 x 10 customers
  const auto kind = [&](std::size_t n, std::int64_t age_ms) {
    Population population = population_of(some_customers(n), nullptr, kToday);
    population.first_order_at = kToday - age_ms;
    return judge(rules, nullptr, population, kToday)->kind;
  };
  EXPECT_EQ(kind(40, 60 * kMsPerDay), EpochKind::kFirstFit);
  EXPECT_EQ(kind(39, 60 * kMsPerDay), EpochKind::kProvisional);
  EXPECT_EQ(kind(40, 60 * kMsPerDay - 1), EpochKind::kProvisional);
}

TEST(Evaluation, TheFirstFitCountsItsMembers) {
  const std::vector<Sampled> everybody = some_customers(200);
  const Model model = fitted(rules_for(4), everybody);
  const Population population = population_of(everybody, &model, kToday);
  double inertia = 0;
  for (const Sampled& s : everybody) inertia += model.place(s.point, kToday).nearest;
  EXPECT_NEAR(model.epoch().inertia, inertia, 1e-9 * inertia);
  EXPECT_NEAR(quality_of(model, population, kToday).inertia, inertia, 1e-6 * inertia);
  for (std::size_t j = 0; j < 4; ++j) {
    EXPECT_EQ(model.epoch().centroids[j].customers, population.clusters[j].customers);
    EXPECT_TRUE(model.epoch().centroids[j].revenue_minor == population.clusters[j].revenue_minor);
  }
  EXPECT_EQ(model.segment(0), Segment::kInsiders);
  EXPECT_EQ(model.epoch().seed, 5U + 1U);
  EXPECT_EQ(model.epoch().currency, "GBP");
}

TEST(Evaluation, FewerDistinctCustomersThanClustersLeaveWhatIsInForce) {
  const ModelRules rules = rules_for(4);
  std::vector<Point> points(60, Point{kToday, 1, 100});
  points[0].frequency = 2;
  points[1].frequency = 3;
  EXPECT_FALSE(judge(rules, nullptr, population_of(sampled(points), nullptr, kToday), kToday));
}

TEST(Evaluation, AConstantFeatureHasScaleOne) {
  Random random(4);
  std::vector<Point> points = test::random_points(random, 80);
  for (Point& p : points) p.frequency = 1;
  const Model model = fitted(rules_for(4), sampled(points));
  EXPECT_EQ(model.epoch().scale[kFrequencyFeature], 1);
  EXPECT_EQ(check(model.epoch()), "");
}

TEST(Evaluation, TheSpendFloorIsTheFirstPercentileByNearestRank) {
  const auto floor_of = [](std::int64_t n) {
    std::vector<Point> points;
    Random random(6);
    for (std::int64_t i = 1; i <= n; ++i) {
      points.push_back({test::random_point(random).last_order_at, 1, 1'000 + i});
    }
    for (int i = 0; i < 7; ++i)
      points.push_back({kToday, 2, -i * 100});  // not positive: no part in it
    std::shuffle(points.begin(), points.end(), random);
    return fitted(rules_for(2), sampled(points)).epoch().features.floor_minor;
  };
  EXPECT_EQ(floor_of(50), 1'001);   // rank ceil(0.5) = 1
  EXPECT_EQ(floor_of(100), 1'001);  // rank 1
  EXPECT_EQ(floor_of(101), 1'002);  // rank ceil(1.01) = 2
  EXPECT_EQ(floor_of(300), 1'003);
}

TEST(Evaluation, NothingIsDueExactlyAtTheBounds) {
  for (const Recency recency : kRecencies) {
    ModelRules rules = rules_for(4, recency);
    const std::vector<Sampled> everybody = some_customers(200);
    const Model model = fitted(rules, everybody);
    const Instant later = kToday + 9 * kMsPerDay;
    const Population population = population_of(everybody, &model, later);
    const Quality quality = quality_of(model, population, later);
    ASSERT_GT(quality.excess, 0);
    ASSERT_GT(quality.drift, 0);
    rules.excess_max = quality.excess;
    rules.drift_max = quality.drift;
    EXPECT_FALSE(judge(rules, &model, population, later));
    rules.excess_max = std::nextafter(quality.excess, 0);
    const auto by_excess = judge(rules, &model, population, later);
    ASSERT_TRUE(by_excess);
    EXPECT_EQ(by_excess->kind, EpochKind::kMeans);
    rules.excess_max = quality.excess;
    rules.drift_max = std::nextafter(quality.drift, 0);
    EXPECT_TRUE(judge(rules, &model, population, later));
  }
}

TEST(Evaluation, ExcessIsWhatTheExactMeansWouldSave) {
  const std::vector<Sampled> everybody = some_customers(300);
  const Model model = fitted(rules_for(4), everybody);
  const Instant later = kToday + 20 * kMsPerDay;
  const Population population = population_of(everybody, &model, later);
  std::vector<std::vector<Features>> members(4);
  for (const Sampled& s : everybody) {
    const Features z = model.standardised(features_of(model.epoch().features, s.point, later));
    members[static_cast<std::size_t>(model.place(z).cluster)].push_back(z);
  }
  double published = 0, exact = 0;
  for (std::size_t j = 0; j < 4; ++j) {
    Features mean{};
    for (const Features& z : members[j]) {
      for (std::size_t f = 0; f < z.size(); ++f) {
        mean[f] += z[f] / static_cast<double>(members[j].size());
      }
    }
    for (const Features& z : members[j]) {
      published += model.squared_distance(z, static_cast<int>(j));
      for (std::size_t f = 0; f < z.size(); ++f) exact += std::pow(z[f] - mean[f], 2);
    }
  }
  EXPECT_NEAR(quality_of(model, population, later).excess, published / exact - 1, 1e-9);
}

TEST(Evaluation, AMovedMeanAloneIsNoReason) {
  // Twice the money for everybody, floor included: all features keep their deviations.
  std::vector<Sampled> everybody = some_customers(200);
  for (Sampled& s : everybody) s.point.monetary_minor = 1'000'000 + s.point.monetary_minor;
  const Model before = fitted(rules_for(4), everybody);
  Epoch moved = before.epoch();
  moved.mean[kMonetaryFeature] += 3;  // as if the mean had been another one; centroids stay
  const Model model(moved);
  const Population population = population_of(everybody, &model, kToday);
  EXPECT_LT(quality_of(model, population, kToday).drift, 1e-6);
  EXPECT_FALSE(judge(rules_for(4), &model, population, kToday));
}

TEST(Evaluation, ANewEpochHasTheExactMeansAndKeepsWhoIsWho) {
  ModelRules rules = rules_for(4);
  rules.excess_max = 0;
  const std::vector<Sampled> everybody = some_customers(200);
  const Model model = fitted(rules, everybody);
  const Instant later = kToday + 30 * kMsPerDay;
  const Population population = population_of(everybody, &model, later);
  const auto epoch = judge(rules, &model, population, later);
  ASSERT_TRUE(epoch);
  EXPECT_EQ(check(*epoch), "");
  EXPECT_EQ(epoch->number, 2);
  EXPECT_EQ(epoch->predecessor, 1);
  EXPECT_EQ(epoch->seed, 5U + 2U);
  EXPECT_EQ(epoch->features, model.epoch().features) << "the floor stays";
  EXPECT_EQ(epoch->excess_before, quality_of(model, population, later).excess);
  const auto live = live_centroids(model, population.clusters, population.origin, later);
  for (std::size_t j = 0; j < 4; ++j) {
    EXPECT_EQ(epoch->centroids[j].at, live[j]);
    EXPECT_EQ(epoch->centroids[j].segment, model.segment(static_cast<int>(j)));
    EXPECT_EQ(epoch->centroids[j].customers, population.clusters[j].customers);
  }
  EXPECT_NEAR(quality_of(Model(*epoch), population, later).excess, 0, 1e-9);
  EXPECT_NEAR(quality_of(Model(*epoch), population, later).drift, 0, 1e-9);
}

TEST(Evaluation, AnEmptiedClusterKeepsItsCentroid) {
  ModelRules rules = rules_for(4);
  rules.excess_max = 0;
  std::vector<Sampled> everybody = some_customers(200);
  const Model model = fitted(rules, everybody);
  std::erase_if(everybody,
                [&](const Sampled& s) { return model.place(s.point, kToday).cluster == 2; });
  const Population population = population_of(everybody, &model, kToday);
  ASSERT_EQ(population.clusters[2].customers, 0);
  const auto epoch = judge(rules, &model, population, kToday);
  ASSERT_TRUE(epoch);
  EXPECT_EQ(epoch->centroids[2].at, model.epoch().centroids[2].at);
  EXPECT_EQ(epoch->centroids[2].customers, 0);
  EXPECT_EQ(check(*epoch), "");
}

TEST(Evaluation, NeitherArrivalOrderNorPartitioningShows) {
  std::vector<Sampled> everybody = some_customers(500);
  for (const std::int64_t min_customers : {10, 10'000}) {  // first fit, cold start
    for (const std::size_t sample_max : {16'384U, 120U}) {
      ModelRules rules = rules_for(4);
      rules.min_customers = min_customers;
      rules.sample_max = sample_max;
      const auto one =
          judge(rules, nullptr, population_of(everybody, nullptr, kToday, sample_max), kToday);
      for (const std::size_t partitions : {1U, 4U, 7U}) {
        Random random(partitions);
        std::vector<Sampled> shuffled = everybody;
        std::shuffle(shuffled.begin(), shuffled.end(), random);
        const auto other =
            judge(rules, nullptr, population_of(shuffled, nullptr, kToday, sample_max, partitions),
                  kToday);
        ASSERT_TRUE(one && other);
        EXPECT_EQ(*one, *other);
      }
    }
  }
}

TEST(Evaluation, TheSampleIsTheSmallestHashes) {
  std::vector<Sampled> sample = some_customers(300);
  std::vector<std::uint64_t> hashes;
  for (const Sampled& s : sample) hashes.push_back(s.hash);
  std::sort(hashes.begin(), hashes.end());
  trim_sample(sample, 40);
  ASSERT_EQ(sample.size(), 40U);
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(sample[i].hash, hashes[i]);
  EXPECT_NE(sample_hash(1, "17850"), sample_hash(2, "17850")) << "the salt matters";
  EXPECT_NE(sample_hash(1, "17850"), sample_hash(1, "17851"));
}

TEST(Evaluation, InstantsLieOnAGridOfTheClock) {
  const std::int64_t day = kMsPerDay;
  EXPECT_EQ(last_evaluation({0}, day).ms, 0);
  EXPECT_EQ(next_evaluation({0}, day).ms, day);
  EXPECT_EQ(last_evaluation({day - 1}, day).ms, 0);
  EXPECT_EQ(next_evaluation({day - 1}, day).ms, day);
  EXPECT_EQ(last_evaluation({day}, day).ms, day);
  EXPECT_EQ(next_evaluation({day}, day).ms, 2 * day);
  EXPECT_EQ(last_evaluation({-1}, day).ms, -day);
  EXPECT_EQ(next_evaluation({-1}, day).ms, 0);
  EXPECT_EQ(last_evaluation({-day}, day).ms, -day);
  EXPECT_EQ(next_evaluation({-day}, day).ms, 0);
  EXPECT_EQ(last_evaluation({-day - 1}, day).ms, -2 * day);
  EXPECT_EQ(format_rfc3339(next_evaluation(kToday + 5, day)), format_rfc3339(kToday + day));
  EXPECT_EQ(next_evaluation({kMsPerHour + 1}, 3 * kMsPerMinute).ms, kMsPerHour + 3 * kMsPerMinute);
}

}  // namespace
}  // namespace segmentd
