// Whether an application would take what an import writes into its input topic.
#pragma once

#include <vector>

#include "config/settings.hpp"
#include "daemon/import/options.hpp"

namespace segmentd {

/// What the settings leave open to an import: options that neither the user nor the layout told.
void complete_by(const config::Settings& settings, ImportOptions& options);

/// Every setting that the records would not fit, with what would be written. A currency that is
/// told by a column is not known here. REQUIRES: `options` were completed.
std::vector<config::Problem> misfits(const config::Settings& settings,
                                     const ImportOptions& options);

}  // namespace segmentd
