// The monotonic clock of a worker and its waiting. The simulation brings its own, so that time
// passes only where it says.
#pragma once

#include <chrono>

#include "daemon/ports.hpp"

namespace segmentd {

class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Pace() = default;
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;
  virtual ~Pace() = default;

  virtual Time now() const = 0;
  /// Returns after about that long; at once for a duration that is not positive.
  virtual void sleep(milliseconds duration) = 0;
};

/// The machine's own. Any thread.
Pace& steady_pace();

}  // namespace segmentd
