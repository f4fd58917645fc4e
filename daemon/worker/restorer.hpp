// Makes assigned partitions ready beside the worker's round, which goes on meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "daemon/worker/restore.hpp"

namespace segmentd {

/// Called by one thread, the worker's.
class Restorer {
 public:
  Restorer() = default;
  Restorer(const Restorer&) = delete;
  Restorer& operator=(const Restorer&) = delete;
  virtual ~Restorer() = default;

  /// REQUIRES: the partition is not being restored already.
  virtual void request(std::int32_t partition) = 0;
  /// Returns when nothing of these partitions is open here any more.
  virtual void cancel(std::span<const std::int32_t> partitions) = 0;
  /// The next one that is done; nullopt = none yet.
  virtual std::optional<Restored> take() = 0;
  /// nullopt: it is not being restored at this moment.
  virtual std::optional<RestoreProgress> progress(std::int32_t partition) const = 0;
};

}  // namespace segmentd
