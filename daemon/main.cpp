// Reads the command line and hands over to one command; the only file that knows them all.
//
// Threads of `segmentd run`, all of them:
//   main       builds the parts, then waits for the workers and removes stores that went elsewhere
//   worker-0.. (`workers`) poll, rebalance, decide, commit, store; each for its own partitions
//   signal     waits for TERM and INT and asks the workers to stop, so that no work happens in a
//              signal handler; then the watchdog of the shutdown
//   restore    (`limits.restores` a worker) read changelogs of partitions that were assigned, open
//              their stores
//   topics     looks at the topics' policies now and then
//   model      reads the model topic to its end and on
//   http-0..3  answer from finished pictures that the worker publishes after each commit
//   librdkafka, RocksDB: threads of their own; their callbacks only enqueue
#include <exception>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "daemon/commands/command.hpp"
#include "daemon/version.hpp"

namespace {

/// CLI11 alone would say no more than that a subcommand is required.
bool is_command(const CLI::App& app, const std::string& word) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : commands) {
    if (command->get_name() == word) return true;
  }
  std::cerr << "segmentd: no command '" << word << "'; there are:";
  for (const CLI::App* command : commands) std::cerr << ' ' << command->get_name();
  std::cerr << '\n';
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace segmentd;
  CLI::App app{
      "segmentd: orders in, segment changes out, exactly once.\n"
      "Settings come from defaults, --config FILE, SEGMENTD_* variables, --set key=value and "
      "--key value; what comes later in this list wins.\n"
      "Exit codes: 0 clean, 2 usage or configuration, 3 broker or topic, 4 state unsafe, 5 fenced "
      "by "
      "another instance, 70 a bug.",
      "segmentd"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("segmentd ") + kVersion);
  Action action;
  add_run(app, action);
  add_replay(app, action);
  add_import(app, action);
  add_check(app, action);
  add_config(app, action);
  add_watch(app, action);
  add_topics(app, action);
  add_state(app, action);
  add_version(app, action);
  if (argc > 1 && argv[1][0] != '-' && !is_command(app, argv[1])) return kExitUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    if (dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr) suggest_flags(app);
    return code == 0 ? kExitClean : kExitUsage;
  }
  try {
    return action();
  } catch (const std::exception& e) {
    std::cerr << "segmentd: bug: " << e.what() << '\n';
    return kExitBug;
  }
}
