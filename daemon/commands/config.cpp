#include <iostream>
#include <memory>

#include "config/render.hpp"
#include "daemon/commands/command.hpp"

namespace segmentd {
namespace {

struct ConfigFlags {
  config::ConfigArguments config;
  bool as_template = false;
  bool reference = false;
};

int run_config(const ConfigFlags& flags) {
  if (flags.as_template) {
    std::cout << config::render_toml(config::Settings());
    return kExitClean;
  }
  if (flags.reference) {
    std::cout << config::render_reference(config::Settings());
    return kExitClean;
  }
  // What is wrong is said, and what is in force is shown all the same: that is what one looks for.
  const config::LoadedSettings loaded = load_settings(flags.config);
  std::cout << config::render_effective(loaded.settings);
  if (loaded.ok()) return kExitClean;
  std::cerr << "segmentd: the configuration is not usable:\n"
            << config::problems_text(loaded.problems);
  return kExitUsage;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ConfigFlags>();
  CLI::App* command =
      app.add_subcommand("config", "Show the settings in force and where each comes from");
  add_config_flags(*command, flags->config, true);
  command->add_flag("--template", flags->as_template, "Print the shipped segmentd.toml");
  command->add_flag("--reference", flags->reference, "Print the reference page");
  command->callback([flags, &action] { action = [flags] { return run_config(*flags); }; });
}

}  // namespace segmentd
