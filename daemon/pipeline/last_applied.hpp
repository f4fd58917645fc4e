// Whether the input still is the one that the state was made from: the record applied last, read
// back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "daemon/ports.hpp"
#include "state/meta.hpp"

namespace segmentd {

enum class LastAppliedFate : std::uint8_t {
  kSame,      // it lies where it lay
  kNotThere,  // nothing was applied yet, or retention has deleted it: it cannot be compared
  kDiffers,   // another record lies there, or none: the topic was made anew
};

/// Reads the record back. `marks` of that partition of the input; `may_wait` is asked before each
/// wait, and its error ends the reading. kRetry: retention was quicker than the reading.
Result<LastAppliedFate> read_last_applied(Broker& broker, const std::string& input_topic,
                                          std::int32_t partition, const LastApplied& last,
                                          const Watermarks& marks,
                                          const std::function<Result<void>()>& may_wait);

/// What kDiffers means for a person, and the way out.
Error input_made_anew(const LastApplied& last, const Watermarks& marks);

}  // namespace segmentd
