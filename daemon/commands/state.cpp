// `segmentd state`: what lies in a state directory and in the changelog, and whether it fits.
#include "daemon/commands/state.hpp"

#include <algorithm>
#include <iostream>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/clock.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/commands/state_look.hpp"
#include "daemon/inspect/report.hpp"

namespace segmentd {
namespace {

constexpr const char* kAbout =
    "Look at a state directory and at what belongs to it on Kafka: how far it is, whether it is "
    "consistent, and what to do where it is not. Nothing is changed, and a segmentd may run "
    "meanwhile. All rows and the whole changelog are read.\n"
    "Ends with 0 if everything is safe to go on from, 4 if something is not, 3 if Kafka does not "
    "answer.";

/// Every partition that is here or on Kafka.
std::set<std::int32_t> numbers_of(const DirectoryLook& look, const KafkaLook* kafka) {
  std::set<std::int32_t> numbers;
  if (look.directory) {
    for (const std::int32_t number : look.directory->partitions()) numbers.insert(number);
  }
  if (kafka == nullptr) return numbers;
  const std::int32_t on_kafka = std::max(kafka->input_partitions(), kafka->changelog_partitions());
  for (std::int32_t number = 0; number < on_kafka; ++number) numbers.insert(number);
  return numbers;
}

bool all_answered(const Inspection& found) {
  for (const PartitionFound& partition : found.partitions) {
    if (!partition.unanswered.empty()) return false;
  }
  return true;
}

Inspection inspect(const config::Settings& settings, const std::set<std::int32_t>& numbers,
                   const DirectoryLook& look, KafkaLook* kafka) {
  Inspection found;
  found.directory = settings.state_dir();
  found.application = settings.application();
  if (look.directory) {
    found.instance = look.directory->instance();
    found.writers = process_name(settings, found.instance) + "-";
  }
  found.held = look.held;
  if (kafka != nullptr) found.input_partitions = kafka->input_partitions();
  const RocksEnvironment environment{looking_options()};
  for (const std::int32_t number : numbers) {
    found.partitions.push_back(
        look_at_partition(settings, look, environment, number, found.input_partitions));
  }
  // What a daemon that started meanwhile does to the files is no damage.
  if (!found.held) found.held = StateDir::holder(found.directory);
  if (kafka != nullptr) kafka->look_at(found.partitions);
  return found;
}

}  // namespace

int show_state(const StateFlags& flags) {
  const auto settings = load_or_explain(flags.config);
  if (!settings) return kExitUsage;
  const auto look = look_at_directory(*settings);
  if (!look) return fail(look.error(), kExitState);
  std::unique_ptr<KafkaLook> kafka;
  int code = kExitClean;
  if (!flags.offline) {
    auto connected = KafkaLook::connect(*settings);
    if (connected) {
      kafka = *std::move(connected);
    } else {
      code = fail({connected.error().code, connected.error().what +
                                               ". Only the state directory is looked at "
                                               "(--offline: without asking)"},
                  kExitBroker);
    }
  }
  auto numbers = numbers_of(*look, kafka.get());
  if (flags.partition) {
    if (!numbers.contains(*flags.partition)) {
      return fail({Errc::kMisconfigured, "there is no partition " +
                                             std::to_string(*flags.partition) + ", neither in " +
                                             settings->state_dir() + " nor on Kafka"});
    }
    numbers = {*flags.partition};
  }
  const Inspection found = inspect(*settings, numbers, *look, kafka.get());
  std::cout << (flags.json ? inspection_json(found, wall_now()) + "\n"
                           : inspection_text(found, wall_now()));
  if (kafka != nullptr) {
    for (const std::string& problem : kafka->problems()) {
      code = fail({Errc::kUnavailable, problem}, kExitBroker);
    }
  }
  if (!is_safe(found)) return kExitState;
  return all_answered(found) ? code : kExitBroker;
}

namespace {

CLI::Option* add_partition(CLI::App& command, const std::shared_ptr<StateFlags>& flags,
                           const char* about) {
  return command.add_option("--partition", flags->partition, about)
      ->type_name("N")
      ->check(CLI::Range(0, std::numeric_limits<std::int32_t>::max()).description(""));
}

void add_show(CLI::App& command, const std::shared_ptr<StateFlags>& flags) {
  add_partition(command, flags, "Look at this partition only");
  command.add_flag("--offline", flags->offline, "Look at the state directory only, ask no broker");
  command.add_flag("--json", flags->json, "One JSON object in place of text");
}

void add_rows(CLI::App& command, const std::shared_ptr<StateFlags>& flags) {
  add_partition(command, flags, "Of this partition; not needed with --customer");
  command
      .add_option("--from", flags->from,
                  "`store`: the state directory, as of its last flush while a segmentd runs on "
                  "it; `changelog`: its newest rows up to its end, held in memory until they "
                  "are sorted")
      ->check(CLI::IsMember({"store", "changelog"}).description(""))
      ->type_name("store|changelog")
      ->capture_default_str();
  command.add_option("--out", flags->out, "Write to this file in place of standard output")
      ->type_name("FILE");
  command
      .add_option("--customer", flags->customer,
                  "Explain the raw row of this customer alone: every order still open to change, "
                  "what was folded, what was announced")
      ->type_name("ID");
}

void add_rebuild(CLI::App& command, const std::shared_ptr<StateFlags>& flags) {
  auto* partition = add_partition(command, flags, "Rebuild this partition");
  command.add_flag("--all", flags->all, "Rebuild every partition of the state directory")
      ->excludes(partition);
  command.add_flag("--force", flags->force,
                   "Delete in place of moving aside, and do so without asking the changelog "
                   "whether it has the state: what it lacks is lost");
  command.add_flag("--dry-run", flags->dry_run, "Say what would be done, change nothing");
}

}  // namespace

void add_state(CLI::App& app, Action& action) {
  auto flags = std::make_shared<StateFlags>();
  auto chosen = std::make_shared<int (*)(const StateFlags&)>(&show_state);
  CLI::App* command = app.add_subcommand("state", kAbout);
  command->require_subcommand(0, 1);
  add_show(*command, flags);
  add_config_flags(*command, flags->config);
  const auto add = [&](const char* name, const char* about, int (*run)(const StateFlags&)) {
    CLI::App* part = command->add_subcommand(name, about);
    part->callback([chosen, run] { *chosen = run; });
    part->fallthrough();
    return part;
  };
  add_show(*add("show", "The same as without a subcommand", &show_state), flags);
  add_rows(*add("rows",
                "Write a partition's customer rows as documents of the customer table, a JSON "
                "line each, sorted by customer id",
                &write_rows),
           flags);
  add_rebuild(*add("rebuild",
                   "Move the local store of a partition aside (to partition-N.kept), so that the "
                   "next start restores it from the changelog. Refused while a segmentd runs on "
                   "the directory, and where the changelog cannot give the state back.",
                   &rebuild_state),
              flags);
  command->callback(
      [flags, chosen, &action] { action = [flags, chosen] { return (*chosen)(*flags); }; });
}

}  // namespace segmentd
