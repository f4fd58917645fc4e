#include "daemon/commands/command.hpp"

#include <iostream>
#include <utility>

#include <unistd.h>

#include "config/load.hpp"
#include "config/render.hpp"
#include "config/suggest.hpp"
#include "daemon/kafka/property.hpp"

namespace segmentd {

void add_config_flags(CLI::App& command, config::ConfigArguments& arguments, bool list_settings) {
  command.add_option("--config", arguments.file, "Configuration file (TOML)")->type_name("FILE");
  command
      .add_option(
          "--set", arguments.sets,
          "A setting, over file and environment; may be repeated. `segmentd config` lists them")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  const config::Settings settings;
  for (const config::OptionBase* option : settings.options()) {
    const std::string flag = "--" + option->key();
    if (command.get_option_no_throw(flag) != nullptr) continue;
    const auto take = [&arguments, key = option->key()](const std::string& value) {
      arguments.flags[key] = value;
    };
    command.add_option_function<std::string>(flag, take)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->group("");  // told by the footer, in the table's own words
  }
  command.footer(list_settings
                     ? config::render_help(settings)
                     : "Every setting is a flag too, as in --input.topic orders; `segmentd run "
                       "--help` lists them.");
}

void suggest_flags(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    std::vector<std::string> known;
    for (const CLI::Option* option : command->get_options()) known.push_back(option->get_name());
    for (const std::string& word : command->remaining()) {
      if (!word.starts_with("--")) continue;
      const std::string flag = word.substr(0, word.find('='));
      std::cerr << "segmentd: " << flag << ' ' << config::unknown_name(flag, known, 2) << '\n';
    }
  }
}

config::LoadedSettings load_settings(const config::ConfigArguments& arguments) {
  config::ConfigChecks checks = config::default_config_checks();
  checks.kafka_refusal = [](const std::string& name, const std::string& value) -> std::string {
    std::string refusal = kafka::refusal_of_property(name, value);
    // The library's words may repeat the value.
    if (refusal.empty() || !config::is_secret_kafka_property(name)) return refusal;
    return "is not taken by librdkafka";
  };
  return config::load_settings(arguments, config::environment_of(environ), checks);
}

std::optional<config::Settings> load_or_explain(const config::ConfigArguments& arguments) {
  return usable_or_explain(load_settings(arguments));
}

std::optional<config::Settings> usable_or_explain(config::LoadedSettings loaded) {
  if (loaded.ok()) return std::move(loaded.settings);
  std::cerr << "segmentd: the configuration is not usable:\n"
            << config::problems_text(loaded.problems);
  return std::nullopt;
}

int fail(const Error& error, int code) {
  std::cerr << "segmentd: " << error.what << '\n';
  return code;
}

int exit_code(const Error& error) {
  switch (error.code) {
    case Errc::kBadInput:
    case Errc::kMisconfigured:
      return kExitUsage;
    case Errc::kRetry:
    case Errc::kUnavailable:
      return kExitBroker;
    case Errc::kCorrupt:
      return kExitState;
  }
  return kExitBug;
}

int fail(const Error& error) {
  return fail(error, exit_code(error));
}

int fail_without_broker(const Error& error) {
  return error.code == Errc::kUnavailable ? fail(error, kExitUsage) : fail(error);
}

}  // namespace segmentd
