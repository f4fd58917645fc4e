// The parts of `segmentd state`, each in a file of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/flags.hpp"

namespace segmentd {

struct StateFlags {
  config::ConfigArguments config;
  std::optional<std::int32_t> partition;
  bool offline = false;                 // show
  bool json = false;                    // show
  std::string from = "store";           // rows
  std::string out = "-";                // rows
  std::optional<std::string> customer;  // rows
  bool all = false;                     // rebuild
  bool force = false;                   // rebuild
  bool dry_run = false;                 // rebuild
};

/// Each does what its subcommand is there for; the exit code.
int show_state(const StateFlags& flags);
int write_rows(const StateFlags& flags);
int rebuild_state(const StateFlags& flags);

}  // namespace segmentd
