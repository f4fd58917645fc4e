// What the command line says about settings, whichever library reads it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace segmentd::config {

struct ConfigArguments {
  std::optional<std::string> file;             // --config FILE; nullopt = no file is read
  std::vector<std::string> sets;               // --set key=value, in their order: the last one wins
  std::map<std::string, std::string> flags{};  // --<key> VALUE, by key; they win over --set
};

}  // namespace segmentd::config
