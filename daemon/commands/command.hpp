// The commands of segmentd: each adds itself to the command line and runs when it was asked for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "config/flags.hpp"
#include "config/load.hpp"
#include "config/settings.hpp"
#include "state/core/result.hpp"

namespace segmentd {

// Exit codes; part of the contract with scripts and service managers.
inline constexpr int kExitClean = 0;
inline constexpr int kExitUsage = 2;   // usage or configuration
inline constexpr int kExitBroker = 3;  // broker or topic
inline constexpr int kExitState = 4;   // state unsafe
inline constexpr int kExitFenced = 5;  // fenced by another instance
inline constexpr int kExitBug = 70;

/// What a command returns to main.
using Action = std::function<int()>;

/// The flags that every command which reads settings takes: --config, --set, and one for each
/// setting, but where the command has a flag of that name itself. Call it after those. With
/// `list_settings` its --help tells all settings, else where they are told.
void add_config_flags(CLI::App& command, config::ConfigArguments& arguments,
                      bool list_settings = false);
/// Says on stderr what was probably meant by each flag of the chosen command that does not exist.
void suggest_flags(const CLI::App& app);
/// Settings of file, environment and flags, with every problem found; librdkafka was asked about
/// each `kafka.*`.
config::LoadedSettings load_settings(const config::ConfigArguments& arguments);
/// Loads settings, or prints every problem to stderr and returns nullopt (exit kExitUsage).
std::optional<config::Settings> load_or_explain(const config::ConfigArguments& arguments);
/// The same of settings that were loaded.
std::optional<config::Settings> usable_or_explain(config::LoadedSettings loaded);
/// Prints `segmentd: <what>` to stderr; the exit code that fits.
int fail(const Error& error);
/// The exit code that fits an error of a command that has none of its own for it.
int exit_code(const Error& error);
int fail(const Error& error, int code);
/// As fail(), where no broker takes part: what is unavailable is then a file, and named by the
/// user.
int fail_without_broker(const Error& error);

// Each registers a subcommand and sets `action` when it is chosen.
void add_run(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_import(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_watch(CLI::App& app, Action& action);
void add_topics(CLI::App& app, Action& action);
void add_state(CLI::App& app, Action& action);
void add_version(CLI::App& app, Action& action);

}  // namespace segmentd
