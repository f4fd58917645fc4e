// The state directory, looked at before `run` opens it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "daemon/check/findings.hpp"
#include "daemon/ports.hpp"
#include "state/meta.hpp"

namespace segmentd {

struct StateFound {
  std::string instance;     // of the directory; empty = there is no state in it yet, or in_use
  bool in_use = false;      // another process holds the directory, so nothing in it was read
  std::vector<Meta> metas;  // of the partitions that have applied something
};

/// Changes nothing and holds nothing: no byte below state_dir is written, and a daemon may start on
/// it meanwhile. `input_partitions` 0 = not known.
StateFound check_state(const config::Settings& settings, std::int32_t input_partitions,
                       Findings& findings);

/// Whether the input still has what the state goes on from.
void check_offsets(const std::vector<Meta>& metas, const std::string& input_topic, Broker& broker,
                   milliseconds timeout, Findings& findings);

}  // namespace segmentd
