// RFC 6901 JSON pointers, merged into one tree so that a document is walked once for all of them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/core/result.hpp"

namespace segmentd {

/// Where the values of a set of pointers stand in a document. Two pointers may be equal, and one
/// may lead on from another. Immutable.
class PointerTree {
 public:
  /// kMisconfigured: an entry is not a pointer of at least one step (`/a`, `/a/0/b~1c`).
  static Result<PointerTree> of(std::span<const std::string> pointers);

  /// A place in the tree; kNowhere = no pointer leads through here.
  using Place = int;
  static constexpr Place kNowhere = -1;
  static constexpr Place kRoot = 0;

  /// The place one member or one array element further down.
  Place member(Place from, std::string_view name) const;
  Place element(Place from, std::size_t index) const;

  /// The number of the value that stands here, below values(); nullopt = only a way to others.
  std::optional<std::size_t> value_at(Place place) const;
  /// The numbers of all values here and below.
  std::span<const std::size_t> values_below(Place place) const;

  /// Distinct pointers, hence values.
  std::size_t values() const { return values_; }
  /// Which value pointer `i` of those given stands for.
  std::size_t value_of(std::size_t i) const { return value_of_[i]; }

 private:
  struct Step {
    std::string name;
    std::optional<std::size_t> index;  // the same as an array index, if it is one
    Place to = kNowhere;
  };
  struct Node {
    std::vector<Step> steps;
    std::optional<std::size_t> value;
    std::vector<std::size_t> below;
  };

  Place grow(Place from, const std::string& name);

  std::vector<Node> nodes_{Node{}};
  std::vector<std::size_t> value_of_;
  std::size_t values_ = 0;
};

}  // namespace segmentd
