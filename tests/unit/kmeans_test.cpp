// Batch k-means and the rule that names its clusters.
#include "state/core/kmeans.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/random_models.hpp"

namespace segmentd {
namespace {

using test::between;
using test::Random;

double squared_distance(const Features& a, const Features& b) {
  double sum = 0;
  for (std::size_t f = 0; f < a.size(); ++f) sum += (a[f] - b[f]) * (a[f] - b[f]);
  return sum;
}

double inertia_of(const std::vector<Features>& points, const std::vector<Features>& centroids) {
  double inertia = 0;
  for (const Features& p : points) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const Features& c : centroids) nearest = std::min(nearest, squared_distance(p, c));
    inertia += nearest;
  }
  return inertia;
}

std::vector<Features> cloud(Random& random, std::size_t n) {
  std::vector<Features> points(n);
  for (Features& p : points) {
    for (double& v : p) v = between(random, -2, 2);
  }
  return points;
}

/// `k` tight groups of `each` points around corners of a grid; the corners come first.
std::vector<Features> groups(Random& random, int k, int each, std::vector<Features>& corners) {
  std::vector<Features> points;
  for (int g = 0; g < k; ++g) {
    const int floor = g / 4;
    const Features corner{10.0 * (g % 2), 10.0 * (g / 2 % 2), 10.0 * floor};
    corners.push_back(corner);
    for (int i = 0; i < each; ++i) {
      Features p = corner;
      for (double& v : p) v += between(random, -0.5, 0.5);
      points.push_back(p);
    }
  }
  std::shuffle(points.begin(), points.end(), random);
  return points;
}

TEST(KMeans, IsAFunctionOfPointsAndSeed) {
  Random random(1);
  const std::vector<Features> points = cloud(random, 300);
  const auto one = fit_kmeans(points, 5, 3, 42);
  const auto two = fit_kmeans(points, 5, 3, 42);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->centroids, two->centroids);
  EXPECT_EQ(one->inertia, two->inertia);
  const auto single = fit_kmeans(points, 5, 1, 42);
  bool other = false;
  for (std::uint64_t seed = 43; seed < 50; ++seed) {
    other = other || fit_kmeans(points, 5, 1, seed)->centroids != single->centroids;
  }
  EXPECT_TRUE(other) << "the seed is used";
}

TEST(KMeans, FindsGroupsThatLieApart) {
  for (int k = kSegmentsMin; k <= kSegmentsMax; ++k) {
    Random random(static_cast<std::uint64_t>(k));
    std::vector<Features> corners;
    const std::vector<Features> points = groups(random, k, 40, corners);
    const auto fit = fit_kmeans(points, k, 5, 7);
    ASSERT_TRUE(fit);
    ASSERT_EQ(fit->centroids.size(), static_cast<std::size_t>(k));
    for (const Features& corner : corners) {
      const auto near = [&](const Features& c) { return squared_distance(c, corner) < 0.3; };
      EXPECT_EQ(std::count_if(fit->centroids.begin(), fit->centroids.end(), near), 1) << k;
    }
    EXPECT_NEAR(fit->inertia, inertia_of(points, fit->centroids), 1e-9 * (1 + fit->inertia));
  }
}

TEST(KMeans, CentroidsAreTheMeansOfTheirMembers) {
  Random random(3);
  const std::vector<Features> points = cloud(random, 400);
  const auto fit = fit_kmeans(points, 4, 2, 5);
  ASSERT_TRUE(fit);
  std::vector<Features> sum(4, Features{});
  std::vector<double> members(4, 0);
  for (const Features& p : points) {
    std::size_t nearest = 0;
    for (std::size_t j = 1; j < 4; ++j) {
      if (squared_distance(p, fit->centroids[j]) < squared_distance(p, fit->centroids[nearest])) {
        nearest = j;
      }
    }
    members[nearest] += 1;
    for (std::size_t f = 0; f < p.size(); ++f) sum[nearest][f] += p[f];
  }
  for (std::size_t j = 0; j < 4; ++j) {
    for (std::size_t f = 0; f < kFeatures; ++f) {
      EXPECT_NEAR(fit->centroids[j][f], sum[j][f] / members[j], 1e-12);
    }
  }
}

TEST(KMeans, FewerDistinctPointsThanClustersGiveNoFit) {
  const Features a{1, 2, 3}, b{1, 2, 4};
  EXPECT_FALSE(fit_kmeans({}, 2, 1, 1));
  EXPECT_FALSE(fit_kmeans({a, a, a, a}, 2, 3, 1));
  EXPECT_FALSE(fit_kmeans({a, b, a, b}, 3, 3, 1));
  const auto fit = fit_kmeans({a, b, a, b, a}, 2, 3, 1);
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->inertia, 0);
  EXPECT_NE(fit->centroids[0], fit->centroids[1]);
}

TEST(KMeans, MoreStartsAreNeverWorseThanTheFirst) {
  Random random(4);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Features> points = cloud(random, 150);
    const double once = fit_kmeans(points, 6, 1, seed)->inertia;
    EXPECT_LE(fit_kmeans(points, 6, 8, seed)->inertia, once);
  }
}

TEST(KMeans, TheGeneratorIsSplitMix64) {
  SplitMix64 random(1234567);  // reference values of the algorithm's author
  EXPECT_EQ(random.next(), 6457827717110365317ULL);
  EXPECT_EQ(random.next(), 3203168211198807973ULL);
  EXPECT_EQ(random.next(), 9817491932198370423ULL);
  for (int i = 0; i < 1'000; ++i) {
    const double u = random.uniform();
    EXPECT_TRUE(u >= 0 && u < 1);
  }
}

}  // namespace
}  // namespace segmentd
