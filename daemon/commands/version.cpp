#include "daemon/version.hpp"

#include <iostream>

#include "daemon/commands/command.hpp"

namespace segmentd {

void add_version(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("version", "Print the version");
  command->callback([&action] {
    action = [] {
      std::cout << "segmentd " << kVersion << '\n';
      return kExitClean;
    };
  });
}

}  // namespace segmentd
