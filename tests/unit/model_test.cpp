// Nearest cluster, crossing times and the soundness of epochs (K1-K3).
#include "state/core/model.hpp"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/random_models.hpp"

namespace segmentd {
namespace {

using test::kRecencies;
using test::kToday;
using test::Random;
using test::random_epoch;
using test::random_point;

constexpr std::int64_t kStep = 6 * kMsPerHour;

double distance(const Model& model, const Point& point, Instant at, int cluster) {
  return model.squared_distance(model.standardised(features_of(model.epoch().features, point, at)),
                                cluster);
}

/// Equal but for rounding: near the border either side may be called the nearer one.
bool tied(double a, double b) {
  return std::abs(a - b) <= 1e-12 * (1 + a + b);
}

TEST(Model, PlaceIsTheNearestAndTheSecondNearest) {
  Random random(1);
  for (int k = kSegmentsMin; k <= kSegmentsMax; ++k) {
    const Model model(random_epoch(random, Recency::kLinear, k));
    for (int i = 0; i < 100; ++i) {
      const Point point = random_point(random);
      const Place place = model.place(point, kToday);
      double nearest = std::numeric_limits<double>::infinity(), second = nearest;
      int cluster = -1;
      for (int j = 0; j < k; ++j) {
        const double d = distance(model, point, kToday, j);
        if (d < nearest) {
          second = nearest;
          nearest = d;
          cluster = j;
        } else {
          second = std::min(second, d);
        }
      }
      EXPECT_EQ(place.cluster, cluster);
      EXPECT_EQ(place.nearest, nearest);
      EXPECT_EQ(place.second, second);
      EXPECT_DOUBLE_EQ(place.confidence(), 1 - nearest / second);
    }
  }
}

TEST(Model, StandardisedDistancesAreThoseOfTheFormula) {
  Random random(2);
  const Epoch epoch = random_epoch(random, Recency::kLog, 5);
  const Model model(epoch);
  for (int i = 0; i < 50; ++i) {
    const Features at = features_of(epoch.features, random_point(random), kToday);
    for (int j = 0; j < 5; ++j) {
      double expected = 0;
      for (std::size_t f = 0; f < at.size(); ++f) {
        const double d =
            (at[f] - epoch.centroids[static_cast<std::size_t>(j)].at[f]) / epoch.scale[f];
        expected += d * d;
      }
      EXPECT_NEAR(model.squared_distance(model.standardised(at), j), expected, 1e-12);
    }
  }
}

TEST(Model, TiesGoToTheLowestIndex) {
  Random random(3);
  Epoch epoch = random_epoch(random, Recency::kLinear, 4);
  epoch.centroids[3].at = epoch.centroids[1].at;
  epoch.centroids[2].at = epoch.centroids[1].at;
  const Model model(epoch);
  const Place place = model.place(model.centroid(3));
  EXPECT_EQ(place.cluster, 1);
  EXPECT_EQ(place.second, 0);
  EXPECT_EQ(place.confidence(), 0);
  // Equal centroids have no border between them: silence never leads from one to the other.
  const Point point = random_point(random);
  const auto next = model.next_crossing(point, 1, kToday);
  EXPECT_EQ(next ? next->cluster : 0, 0);
}

TEST(Model, ClustersAndSegmentsNameEachOther) {
  Random random(4);
  const Model model(random_epoch(random, Recency::kLinear, 4));
  for (int j = 0; j < 4; ++j) EXPECT_EQ(model.cluster_of(model.segment(j)), j);
  EXPECT_EQ(model.cluster_of(Segment::kDormant), -1);
  EXPECT_EQ(model.cluster_of(Segment::kNone), -1);
}

/// At the crossing strictly nearer, a millisecond before not.
void expect_border(const Model& model, const Point& point, int from, const Crossing& crossing,
                   Instant now) {
  ASSERT_GE(crossing.at, now);
  EXPECT_LT(distance(model, point, crossing.at, crossing.cluster),
            distance(model, point, crossing.at, from));
  if (crossing.at > now) {
    EXPECT_GE(distance(model, point, crossing.at - 1, crossing.cluster),
              distance(model, point, crossing.at - 1, from));
  }
  const Place there = model.place(point, crossing.at);
  EXPECT_TRUE(there.cluster == crossing.cluster ||
              tied(there.nearest, distance(model, point, crossing.at, crossing.cluster)));
}

/// The first instant of a coarse grid at which the nearest cluster is another one; nullopt = none
/// within three years.
std::optional<Instant> stepped(const Model& model, const Point& point, int from, Instant now) {
  for (Instant at = now; at - now < 3 * 365 * kMsPerDay; at = at + kStep) {
    const Place place = model.place(point, at);
    if (place.cluster != from && !tied(place.nearest, distance(model, point, at, from))) return at;
  }
  return std::nullopt;
}

TEST(Model, TheNextCrossingIsWhereSteppingFindsIt) {
  Random random(5);
  int crossings = 0, nevers = 0;
  for (const Recency recency : kRecencies) {
    for (int k = kSegmentsMin; k <= kSegmentsMax; ++k) {
      const Model model(random_epoch(random, recency, k));
      for (int i = 0; i < 14; ++i) {
        SCOPED_TRACE(std::string(word(recency)) + " k=" + std::to_string(k));
        const Point point = random_point(random);
        const int from = model.place(point, kToday).cluster;
        const auto next = model.next_crossing(point, from, kToday);
        const auto found = stepped(model, point, from, kToday);
        if (next) expect_border(model, point, from, *next, kToday);
        if (found) {
          ++crossings;
          ASSERT_TRUE(next);
          EXPECT_LE(next->at, *found);
          EXPECT_GT(next->at, *found - 2 * kStep);
        } else {
          ++nevers;
          EXPECT_TRUE(!next || next->at - kToday > 3 * 365 * kMsPerDay - 2 * kStep);
        }
      }
    }
  }
  EXPECT_GT(crossings, 80);
  EXPECT_GT(nevers, 30);
}

TEST(Model, SilenceLeadsThroughGrowingRecencyAndEnds) {
  Random random(6);
  for (const Recency recency : kRecencies) {
    for (int i = 0; i < 100; ++i) {
      const Model model(random_epoch(random, recency, kSegmentsMax));
      const Point point = random_point(random);
      int cluster = model.place(point, kToday).cluster;
      Instant at = kToday;
      int hops = 0;
      while (const auto next = model.next_crossing(point, cluster, at)) {
        EXPECT_GT(model.centroid(next->cluster)[kRecencyFeature],
                  model.centroid(cluster)[kRecencyFeature]);
        EXPECT_GE(next->at, at);
        at = next->at;
        cluster = next->cluster;
        ASSERT_LT(++hops, kSegmentsMax);
      }
      const Instant end = point.last_order_at + (kNeverMs - kMsPerDay);
      const Place last = model.place(point, end);
      EXPECT_TRUE(last.cluster == cluster ||
                  tied(last.nearest, distance(model, point, end, cluster)));
    }
  }
}

/// Two centroids that differ in recency only, as far apart as told; the border lies half way.
Model two_clusters(Recency recency, double first, double second) {
  Epoch epoch;
  epoch.number = 1;
  epoch.features = test::feature_rules(recency);
  epoch.scale = {1, 1, 1};
  epoch.centroids = {{{first, 1, 5}, Segment::kInsiders}, {{second, 1, 5}, Segment::kOccasional}};
  return Model(epoch);
}

TEST(Model, ABorderBeyondSaturationIsNeverCrossed) {
  const Point point{kToday, 2, 10'000};
  const auto crosses = [&](double first, double second) {
    return two_clusters(Recency::kSaturating, first, second)
        .next_crossing(point, 0, kToday)
        .has_value();
  };
  EXPECT_TRUE(crosses(0.5, 1.4));
  EXPECT_FALSE(crosses(0.5, 1.5));
  EXPECT_FALSE(crosses(0.5, 1.6));
  EXPECT_FALSE(crosses(1.4, 0.5)) << "silence leads to larger recency only";
}

TEST(Model, CloseToSaturationTheClosedFormIsOnlyAGuess) {
  // There one bit of the feature is many milliseconds.
  for (const double short_of_one : {1e-4, 1e-6, 1e-8, 1e-10}) {
    const Model model = two_clusters(Recency::kSaturating, 0.5, 2 * (1 - short_of_one) - 0.5);
    for (const std::int64_t orders : {1, 2, 7, 19, 333}) {
      const Point point{kToday + orders * 1'234'567, orders, 10'000};
      const auto next = model.next_crossing(point, 0, kToday);
      ASSERT_TRUE(next);
      expect_border(model, point, 0, *next, kToday);
    }
  }
}

TEST(Model, ALinearBorderIsCrossedOneMillisecondBehindIt) {
  const Model model = two_clusters(Recency::kLinear, 10, 30);
  const Point point{kToday, 2, 10'000};
  const auto next = model.next_crossing(point, 0, kToday);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->cluster, 1);
  EXPECT_EQ(next->at, kToday + 20 * kMsPerDay + 1) << "on the border the present one keeps it";
  const Instant late = kToday + 25 * kMsPerDay;
  const auto overdue = model.next_crossing(point, 0, late);
  ASSERT_TRUE(overdue);
  EXPECT_EQ(overdue->at, late) << "a border that is behind is crossed at once";
  EXPECT_FALSE(two_clusters(Recency::kLinear, 0, 80'000).next_crossing(point, 0, kToday))
      << "beyond 100 years is never";
}

TEST(Model, CheckFindsWhatIsUnsound) {
  Random random(9);
  const Epoch sound = random_epoch(random, Recency::kLinear, 3);
  ASSERT_EQ(check(sound), "");
  const auto broken = [&](const char* invariant, auto&& damage) {
    Epoch epoch = sound;
    damage(epoch);
    EXPECT_NE(check(epoch).find(invariant), std::string::npos) << check(epoch);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  broken("K1", [](Epoch& e) { e.centroids.resize(1); });
  broken("K1", [](Epoch& e) { e.centroids.resize(9); });
  broken("K1", [](Epoch& e) { e.centroids[1].segment = e.centroids[0].segment; });
  broken("K1", [](Epoch& e) { e.centroids[1].segment = Segment::kNone; });
  broken("K2", [&](Epoch& e) { e.centroids[1].at[2] = nan; });
  broken("K2", [&](Epoch& e) { e.mean[0] = std::numeric_limits<double>::infinity(); });
  broken("K2", [](Epoch& e) { e.scale[1] = 0; });
  broken("K2", [](Epoch& e) { e.scale[1] = -1; });
  broken("K2", [](Epoch& e) { e.features.tau_ms = 0; });
  broken("K2", [](Epoch& e) { e.features.floor_minor = -1; });
  broken("K3", [](Epoch& e) { e.number = 0; });
  broken("K3", [](Epoch& e) { e.predecessor = e.number; });
  broken("K3", [](Epoch& e) { e.predecessor = -1; });
}

}  // namespace
}  // namespace segmentd
