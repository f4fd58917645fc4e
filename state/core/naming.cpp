#include "state/core/naming.hpp"

#include <algorithm>
#include <array>

namespace segmentd {
namespace {

/// The order in which words join as k grows; the first two make k = 2.
constexpr std::array<Segment, kSegmentsMax> kByK{
    Segment::kInsiders,  Segment::kOccasional, Segment::kAtRisk, Segment::kLoyal,
    Segment::kPromising, Segment::kLapsed,     Segment::kSteady, Segment::kDormant};

double worth(const Features& z) {
  return z[kFrequencyFeature] + z[kMonetaryFeature];
}

/// Gives `segment` to the unnamed centroid with the largest score.
template <class Score>
void give(Segment segment, const std::vector<Features>& centroids, std::vector<Segment>& names,
          const Score& score) {
  std::size_t best = centroids.size();
  for (std::size_t j = 0; j < centroids.size(); ++j) {
    if (names[j] != Segment::kNone) continue;
    if (best == centroids.size() || score(centroids[j]) > score(centroids[best])) best = j;
  }
  if (best < centroids.size()) names[best] = segment;
}

}  // namespace

std::vector<Segment> segments_of(int k) {
  return {kByK.begin(), kByK.begin() + k};
}

std::vector<Segment> names_of(const std::vector<Features>& centroids) {
  const std::vector<Segment> words = segments_of(static_cast<int>(centroids.size()));
  const auto present = [&](Segment s) {
    return std::find(words.begin(), words.end(), s) != words.end();
  };
  std::vector<Segment> names(centroids.size(), Segment::kNone);
  give(Segment::kInsiders, centroids, names,
       [](const Features& z) { return worth(z) - z[kRecencyFeature]; });
  for (const Segment s : {Segment::kDormant, Segment::kLapsed, Segment::kAtRisk}) {
    if (present(s)) {
      give(s, centroids, names, [](const Features& z) { return z[kRecencyFeature]; });
    }
  }
  for (const Segment s :
       {Segment::kLoyal, Segment::kSteady, Segment::kPromising, Segment::kOccasional}) {
    if (present(s)) give(s, centroids, names, worth);
  }
  return names;
}

}  // namespace segmentd
