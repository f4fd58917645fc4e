#include "daemon/replay/replay.hpp"

#include <iostream>
#include <memory>
#include <utility>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/clock.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/replay/report.hpp"
#include "state/memory_store.hpp"
#include "state/rocks_store.hpp"
#include "state/state_dir.hpp"

namespace segmentd {
namespace {

/// Names the store of every replay: events of the same input are then the same.
constexpr const char* kReplayUuid = "replay";

struct ReplayFlags {
  config::ConfigArguments config;
  ReplayOptions options;
  std::string until;
  std::string state;
  std::string epochs;
};

std::optional<Instant> instant_of_flag(const std::string& text) {
  const auto parsed = parse_rfc3339(text);
  if (!parsed) return std::nullopt;
  return instant_of_utc(parsed->civil) - parsed->offset_ms.value_or(0);
}

Result<std::unique_ptr<Store>> open_store(const ReplayFlags& flags,
                                          const config::Settings& settings,
                                          std::optional<StateDir>& directory) {
  if (flags.state.empty()) return std::unique_ptr<Store>(std::make_unique<MemoryStore>());
  auto opened = StateDir::open(flags.state, settings.application(), kReplayUuid);
  if (!opened) return opened.error();
  directory = std::move(*opened);
  if (directory->instance() != kReplayUuid) {
    return Error{
        Errc::kMisconfigured,
        flags.state + " is the state of `segmentd run`: replay needs a directory of its own"};
  }
  const RocksEnvironment environment{RocksOptions{}};
  auto store = RocksStore::open(environment, directory->partition(0));
  if (!store) return store.error();
  return std::unique_ptr<Store>(std::move(*store));
}

int run_replay(ReplayFlags& flags) {
  flags.config.sets.insert(flags.config.sets.begin(), "clock=event");
  const auto settings = load_or_explain(flags.config);
  if (!settings) return kExitUsage;
  if (settings->clock() != config::Clock::kEvent) {
    return fail({Errc::kMisconfigured, "clock: replay knows only the event clock"});
  }
  if (!flags.until.empty()) {
    flags.options.until = instant_of_flag(flags.until);
    if (!flags.options.until) {
      return fail({Errc::kMisconfigured, "--until '" + flags.until + "' is not an RFC 3339 time"});
    }
  }
  if (!flags.epochs.empty()) {
    auto given = read_given_epochs(flags.epochs);
    if (!given) return fail_without_broker(given.error());
    flags.options.epochs = std::move(*given);
    flags.options.given_epochs = true;
  }
  auto rules = decode_rules(*settings);
  if (!rules) return fail(rules.error());
  rules->key = KeyMode::kNone;
  auto decoder = Decoder::create(std::move(*rules));
  if (!decoder) return fail(decoder.error());
  std::optional<StateDir> directory;
  auto store = open_store(flags, *settings, directory);
  if (!store) return fail(store.error(), kExitState);
  flags.options.wall = wall_now();
  auto done = replay(flags.options, pipeline_rules(*settings, "replay", 1), std::move(*decoder),
                     std::move(*store), kReplayUuid);
  if (!done) return fail_without_broker(done.error());
  std::cerr << describe(*done);
  return kExitClean;
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ReplayFlags>();
  CLI::App* command = app.add_subcommand(
      "replay", "Play history files through the same decisions, without a broker");
  add_config_flags(*command, flags->config);
  command
      ->add_option("--until", flags->until,
                   "Move the clock on to here at the end (RFC 3339, UTC without an offset)")
      ->type_name("TIME");
  command
      ->add_option(
          "--state", flags->state,
          "Keep state here and go on from it (else in memory): INPUT then follows what was "
          "replayed before; orders sent again are known by their ids")
      ->type_name("DIR");
  command
      ->add_option("--epochs", flags->epochs,
                   "Apply these epochs at their record positions, make none. FILE has a line for "
                   "the value of each epoch/<n> record of the model topic and each "
                   "applied/<partition>/<n> record, of one partition, of the statistics topic")
      ->type_name("FILE");
  command->add_option("--events", flags->options.events, "Segment changes, a CloudEvent a line")
      ->type_name("FILE|-");
  command->add_option("--table", flags->options.table, "A line per customer as of the end")
      ->type_name("FILE");
  command->add_option("--summary", flags->options.summary, "One JSON object as of the end")
      ->type_name("FILE");
  command
      ->add_option("input", flags->options.inputs,
                   "Records, one JSON object a line; .xz is read too")
      ->type_name("INPUT.ndjson|-")
      ->required();
  command->callback([flags, &action] { action = [flags] { return run_replay(*flags); }; });
}

}  // namespace segmentd
