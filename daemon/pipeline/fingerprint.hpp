// The settings that give stored state its meaning, compared with those it was made under.
#pragma once

#include <cstdint>
#include <string>

#include "state/core/result.hpp"

namespace segmentd {

/// The settings' lines and the input's partition count: with another count customers would live
/// elsewhere. `partitions` <= 0 = not known, then the line is left out.
std::string fingerprint_of(const std::string& settings_lines, std::int32_t partitions);

/// Both are `key=value` lines. A partition count that one side does not know is no difference.
/// kMisconfigured names every setting that differs, both values and the way out.
Result<void> check_fingerprint(const std::string& stored, const std::string& configured);

}  // namespace segmentd
