// The one place where the wall clock is read for decisions; everything else is told.
#pragma once

#include <chrono>

#include "state/core/instant.hpp"

namespace segmentd {

inline Instant wall_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

}  // namespace segmentd
