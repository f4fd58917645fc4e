// How far along the changelog a store is.
#pragma once

#include <cstdint>
#include <optional>

#include "state/core/instant.hpp"

namespace segmentd {

struct Position {
  std::int64_t next_offset = 0;  // of the changelog: the first record not yet in the store
  /// Wall time at which the store was last known to hold the changelog to its end; a store that was
  /// not there for long may have missed tombstones that are compacted away by now. Unset = never.
  std::optional<Instant> complete_at;
  bool operator==(const Position&) const = default;
};

}  // namespace segmentd
