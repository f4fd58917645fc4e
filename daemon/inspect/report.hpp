// What was found and what follows from it, for a person and for a program.
#pragma once

#include <string>

#include "daemon/inspect/found.hpp"
#include "state/core/instant.hpp"

namespace segmentd {

/// Aligned lines, a block for each partition; ends with a line end. `now`: what ages count from.
std::string inspection_text(const Inspection& found, Instant now);

/// One JSON object without line end. Members are only added by later versions.
std::string inspection_json(const Inspection& found, Instant now);

/// Every partition is safe.
bool is_safe(const Inspection& found);

}  // namespace segmentd
