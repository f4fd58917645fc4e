// The settings that give stored state its meaning, compared with those it was made under.
#pragma once

#include <string>

#include "state/core/result.hpp"

namespace segmentd {

/// Both are `key=value` lines. kMisconfigured names every setting that differs, both values and the
/// way out.
Result<void> check_fingerprint(const std::string& stored, const std::string& configured);

}  // namespace segmentd
