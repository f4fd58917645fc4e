// One published epoch of the model: where the segments are, in which scale, from when on.
// Self-contained: with an epoch and a customer's figures anybody can compute the segment. Immutable
// once published.
//
// Features of a customer at an instant, in natural units:
//   [0] recency    g(age) by Recency: saturating 1 - exp(-age/tau), linear days, or ln(1 + days)
//   [1] frequency  ln(n), n >= 1 counting orders
//   [2] monetary   ln(1 + max(M, floor)), M and floor in major currency units
// Standardised: z = (feature - mean) / scale, with means and scales frozen per epoch.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "state/core/instant.hpp"
#include "state/core/segment.hpp"

namespace segmentd {

inline constexpr int kFeatures = 3;
inline constexpr int kRecencyFeature = 0;
inline constexpr int kFrequencyFeature = 1;
inline constexpr int kMonetaryFeature = 2;

using Features = std::array<double, kFeatures>;

enum class Recency : std::uint8_t { kSaturating, kLinear, kLog };
const char* word(Recency recency);

/// How features are made; part of the epoch and fixed for the life of a state directory, but for
/// the floor, which is set at the first fit and again when a challenger is adopted.
struct FeatureRules {
  Recency recency = Recency::kSaturating;
  std::int64_t tau_ms = 180 * kMsPerDay;  // of kSaturating, > 0
  int decimals = 2;                       // minor units per major unit = 10^decimals
  std::int64_t floor_minor = 0;           // >= 0
  bool operator==(const FeatureRules&) const = default;
};

enum class EpochKind : std::uint8_t {
  kProvisional,  // cold start: equal groups by rank, re-made at each evaluation instant
  kFirstFit,     // the first k-means fit
  kMeans,        // the live centroids, published anew
  kAdopted,      // a challenger took over
};
const char* word(EpochKind kind);

struct Centroid {
  Features at{};  // natural units
  Segment segment = Segment::kNone;
  std::int64_t customers = 0;      // members when it was published; 0 where only a sample was seen
  std::int64_t revenue_minor = 0;  // of those
  bool operator==(const Centroid&) const = default;
};

struct Epoch {
  std::int64_t number = 0;       // from 1, only grows; 0 = no epoch
  std::int64_t predecessor = 0;  // 0 = none
  EpochKind kind = EpochKind::kProvisional;
  Instant instant;  // the evaluation instant it was decided at
  FeatureRules features;
  Features mean{};
  Features scale{};                 // > 0
  std::vector<Centroid> centroids;  // index = cluster
  std::uint64_t seed = 0;
  // How good it was when decided.
  double inertia = 0;        // sum of squared standardised distances of all customers, own scale
  double excess_before = 0;  // of the predecessor: share of inertia that the exact means would save
  std::string currency;

  bool provisional() const { return kind == EpochKind::kProvisional; }
  bool operator==(const Epoch&) const = default;
};

}  // namespace segmentd
