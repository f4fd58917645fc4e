// An epoch made ready to answer: which cluster is a customer in, how sure, and when does silence
// move it. Immutable, hence shared freely between threads.
//
// Invariants, re-checked by check() after every load:
//   K1  2 <= k <= 8, every segment word at most once, and kNone never.
//   K2  every mean, scale and coordinate is finite, every scale > 0.
//   K3  numbers only grow: predecessor < number.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "state/core/epoch.hpp"
#include "state/core/features.hpp"

namespace segmentd {

/// K1-K3; empty = sound, else what is wrong.
std::string check(const Epoch& epoch);

/// Where a point lies: nearest cluster, squared standardised distances to it and to the second
/// nearest.
struct Place {
  int cluster = 0;
  double nearest = 0;
  double second = 0;
  /// 1 - d1^2/d2^2: 0 on a border, 1 on the centroid.
  double confidence() const { return second > 0 ? 1 - nearest / second : 0; }
};

/// The next cluster that silence leads to.
struct Crossing {
  int cluster = 0;
  Instant at;
};

/// Silence beyond this age changes nobody any more.
inline constexpr std::int64_t kNeverMs = 100 * 365 * kMsPerDay;

class Model {
 public:
  /// Requires check(epoch).empty().
  explicit Model(Epoch epoch);

  const Epoch& epoch() const { return epoch_; }
  int k() const { return static_cast<int>(epoch_.centroids.size()); }
  Segment segment(int cluster) const {
    return epoch_.centroids[static_cast<std::size_t>(cluster)].segment;
  }
  /// The cluster that bears this segment; -1 = none does.
  int cluster_of(Segment segment) const;
  /// Of a centroid, standardised.
  const Features& centroid(int cluster) const {
    return centroids_[static_cast<std::size_t>(cluster)];
  }

  Features standardised(const Features& natural) const;
  /// `z` is standardised.
  double squared_distance(const Features& z, int cluster) const;
  /// The nearest cluster; ties go to the lowest index, so that the answer is a function.
  Place place(const Features& z) const;
  /// The same from figures and clock.
  Place place(const Point& point, Instant now) const {
    return place(standardised(features_of(epoch_.features, point, now)));
  }

  /// The first millisecond > `now` - or `now` itself, where rounding left the border behind - at
  /// which a customer in `cluster` who does nothing is strictly nearer to another one; nullopt =
  /// never within kNeverMs of the last order. Only recency moves, and d_j^2 - z^2 is a line in z:
  /// the next cluster is the first line that undercuts the present one, among those of larger
  /// centroid recency. Agrees with place() at the instant and the millisecond before, up to ties.
  std::optional<Crossing> next_crossing(const Point& point, int cluster, Instant now) const;

 private:
  /// True when at `now` the point is strictly nearer to `other` than to `cluster`.
  bool nearer(const Point& point, Instant now, int other, int cluster) const;
  std::optional<Instant> first_instant(const Point& point, Instant guess, Instant not_before,
                                       int other, int cluster) const;

  Epoch epoch_;
  std::array<Features, kSegmentsMax> centroids_{};  // standardised; the first k
};

}  // namespace segmentd
