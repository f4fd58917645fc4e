// Which segment a cluster bears: the rule of the contract, worked out another way.
#include "state/core/naming.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/random_models.hpp"

namespace segmentd {
namespace {

using test::between;
using test::Random;

const std::map<int, std::set<Segment>> kWords{
    {2, {Segment::kInsiders, Segment::kOccasional}},
    {3, {Segment::kInsiders, Segment::kOccasional, Segment::kAtRisk}},
    {4, {Segment::kInsiders, Segment::kOccasional, Segment::kAtRisk, Segment::kLoyal}},
    {5,
     {Segment::kInsiders, Segment::kOccasional, Segment::kAtRisk, Segment::kLoyal,
      Segment::kPromising}},
    {6,
     {Segment::kInsiders, Segment::kOccasional, Segment::kAtRisk, Segment::kLoyal,
      Segment::kPromising, Segment::kLapsed}},
    {7,
     {Segment::kInsiders, Segment::kOccasional, Segment::kAtRisk, Segment::kLoyal,
      Segment::kPromising, Segment::kLapsed, Segment::kSteady}},
    {8,
     {Segment::kInsiders, Segment::kOccasional, Segment::kAtRisk, Segment::kLoyal,
      Segment::kPromising, Segment::kLapsed, Segment::kSteady, Segment::kDormant}}};

double worth(const Features& z) {
  return z[1] + z[2];
}

/// insiders = largest zF + zM - zR; of the rest dormant, lapsed, at_risk = the largest zR in that
/// order as far as present; the others by falling zF + zM: loyal, steady, promising, occasional.
std::vector<Segment> expected_names(const std::vector<Features>& centroids) {
  const std::set<Segment>& words = kWords.at(static_cast<int>(centroids.size()));
  std::vector<std::size_t> order;
  for (std::size_t j = 0; j < centroids.size(); ++j) order.push_back(j);
  std::vector<Segment> names(centroids.size(), Segment::kNone);
  const auto name_first = [&](Segment segment) {
    if (!words.contains(segment)) return;
    names[order.front()] = segment;
    order.erase(order.begin());
  };
  const auto sort_by = [&](auto&& score) {
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return score(centroids[a]) > score(centroids[b]);
    });
  };
  sort_by([](const Features& z) { return worth(z) - z[0]; });
  name_first(Segment::kInsiders);
  sort_by([](const Features& z) { return z[0]; });
  for (const Segment s : {Segment::kDormant, Segment::kLapsed, Segment::kAtRisk}) name_first(s);
  sort_by(worth);
  for (const Segment s :
       {Segment::kLoyal, Segment::kSteady, Segment::kPromising, Segment::kOccasional}) {
    name_first(s);
  }
  return names;
}

TEST(Naming, FollowsTheRuleForEveryK) {
  Random random(1);
  for (int k = kSegmentsMin; k <= kSegmentsMax; ++k) {
    for (int i = 0; i < 300; ++i) {
      std::vector<Features> centroids(static_cast<std::size_t>(k));
      for (Features& c : centroids) {
        for (double& v : c) v = between(random, -2, 2);
      }
      ASSERT_EQ(names_of(centroids), expected_names(centroids)) << k;
    }
  }
}

TEST(Naming, EveryKHasTheWordsOfTheContract) {
  for (int k = kSegmentsMin; k <= kSegmentsMax; ++k) {
    const std::vector<Segment> words = segments_of(k);
    EXPECT_EQ(words.size(), static_cast<std::size_t>(k));
    EXPECT_EQ(std::set<Segment>(words.begin(), words.end()), kWords.at(k));
    EXPECT_EQ(words.front(), Segment::kInsiders);
  }
}

TEST(Naming, AnExampleOfFour) {
  //                                   recency, frequency, monetary
  const std::vector<Features> centroids{{1.5, -0.6, -0.7},   // long silent
                                        {-0.6, -0.5, -0.6},  // came once, lately
                                        {-0.8, 1.7, 1.6},    // the best
                                        {-0.2, 0.3, 0.4}};
  EXPECT_EQ(names_of(centroids), (std::vector<Segment>{Segment::kAtRisk, Segment::kOccasional,
                                                       Segment::kInsiders, Segment::kLoyal}));
}

TEST(Naming, TiesGoToTheLowerIndex) {
  const std::vector<Features> equal(4, Features{0.5, 0.5, 0.5});
  EXPECT_EQ(names_of(equal), (std::vector<Segment>{Segment::kInsiders, Segment::kAtRisk,
                                                   Segment::kLoyal, Segment::kOccasional}));
}

}  // namespace
}  // namespace segmentd
