// What the command line says about settings, whichever library reads it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace segmentd::config {

struct ConfigArguments {
  std::optional<std::string> file;  // --config FILE; nullopt = no file is read
  std::vector<std::string> sets;    // --set key=value, in their order: the last one wins
};

}  // namespace segmentd::config
