// `segmentd state rebuild`: a local store goes, so that the next start restores it from the
// changelog.
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/commands/command.hpp"
#include "daemon/commands/state.hpp"
#include "daemon/commands/state_look.hpp"
#include "daemon/inspect/look.hpp"
#include "daemon/inspect/verdict.hpp"

namespace segmentd {
namespace {

/// Whether the changelog gives every one of them back; else the exit code, and why is told.
int require_changelog(const config::Settings& settings, const DirectoryLook& look,
                      std::vector<PartitionFound>& partitions) {
  auto kafka = KafkaLook::connect(settings);
  if (!kafka) return fail(kafka.error(), kExitBroker);
  const RocksEnvironment environment{looking_options()};
  for (PartitionFound& partition : partitions) {
    partition = look_at_partition(settings, look, environment, partition.number,
                                  (*kafka)->input_partitions());
  }
  (*kafka)->look_at(partitions);
  int code = kExitClean;
  for (const PartitionFound& partition : partitions) {
    const std::string where = "partition " + std::to_string(partition.number) + ": ";
    if (!partition.changelog || !partition.group) {
      code = fail({Errc::kRetry, where + partition.unanswered.front()}, kExitBroker);
    } else if (const auto loss = loss_of_rebuilding(partition)) {
      code = fail({Errc::kCorrupt, where + *loss +
                                       ". Nothing was changed; --force deletes the store all the "
                                       "same, and what only it knows is lost"});
    }
    if (code != kExitClean) return code;
  }
  return code;
}

Result<void> rebuild_one(const StateDir& directory, const StateFlags& flags,
                         const PartitionFound& partition) {
  const std::string path = directory.partition(partition.number).string();
  std::string becomes = flags.force ? "deleted" : "moved to " + path + ".kept";
  if (!flags.dry_run && flags.force) {
    if (auto removed = directory.remove_partition(partition.number); !removed) return removed;
  } else if (!flags.dry_run) {
    const auto kept = directory.keep_partition(partition.number);
    if (!kept) return kept.error();
    becomes = "moved to " + kept->string();
  }
  std::cout << "partition " << partition.number << ": " << path
            << (flags.dry_run ? " would be " : " was ") << becomes;
  if (partition.changelog) {
    std::cout << "; the next start restores "
              << count_text(partition.changelog->rows.customers, "customer")
              << " from the changelog\n";
  } else {
    std::cout << "; the next start restores what the changelog has\n";
  }
  return {};
}

/// Of the directory: those to be rebuilt. An error names what is not there.
Result<std::vector<PartitionFound>> chosen(const StateFlags& flags, const StateDir& directory) {
  std::vector<PartitionFound> partitions;
  for (const std::int32_t number : directory.partitions()) {
    if (!flags.all && number != *flags.partition) continue;
    partitions.emplace_back().number = number;
  }
  if (!partitions.empty()) return partitions;
  const std::string what = flags.all ? std::string("no store")
                                     : "no store of partition " + std::to_string(*flags.partition);
  return Error{Errc::kMisconfigured, directory.directory().string() + " holds " + what +
                                         ": there is nothing to rebuild, the next start restores "
                                         "what the changelog has"};
}

}  // namespace

int rebuild_state(const StateFlags& flags) {
  if (!flags.all && !flags.partition) {
    return fail({Errc::kMisconfigured, "which? --partition N, or --all"});
  }
  const auto settings = load_or_explain(flags.config);
  if (!settings) return kExitUsage;
  auto look = look_at_directory(*settings);
  if (!look) return fail(look.error(), kExitState);
  if (!look->directory) {
    return fail({Errc::kMisconfigured, settings->state_dir() + " holds no state of segmentd"});
  }
  // The lock is kept to the end: no daemon opens what is being moved.
  auto locked =
      StateDir::open(settings->state_dir(), settings->application(), look->directory->instance());
  if (!locked) return fail(locked.error(), kExitState);
  look->held.reset();
  auto partitions = chosen(flags, *locked);
  if (!partitions) return fail(partitions.error());
  if (!flags.force) {
    const int code = require_changelog(*settings, *look, *partitions);
    if (code != kExitClean) return code;
  }
  for (const PartitionFound& partition : *partitions) {
    if (auto done = rebuild_one(*locked, flags, partition); !done) {
      return fail(done.error(), kExitState);
    }
  }
  return kExitClean;
}

}  // namespace segmentd
