#include "daemon/commands/state_look.hpp"

#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "daemon/commands/assembly.hpp"
#include "daemon/inspect/look.hpp"
#include "daemon/kafka/admin.hpp"
#include "daemon/kafka/broker.hpp"
#include "daemon/kafka/group_offsets.hpp"
#include "daemon/pipeline/offset_mark.hpp"
#include "daemon/topics/topics.hpp"

namespace segmentd {
namespace {

constexpr milliseconds kGroupTimeout{10'000};
/// The files of a store that is worked on may go away while they are read.
constexpr int kStoreTries = 5;
constexpr milliseconds kStorePause{200};
/// A commit's end may show in the group's offset before it does in the changelog.
constexpr int kEndTries = 5;
constexpr milliseconds kEndPause{500};

/// The offset tells of a transaction that the changelog, read after it, does not.
bool is_behind_offset(const PartitionFound& partition) {
  if (!partition.group || !partition.changelog) return false;
  const auto mark = offset_mark(partition.group->before.metadata);
  const auto& meta = partition.changelog->meta;
  return partition.group->before.next_offset && mark && (!meta || meta->txn_seq < mark->txn_seq);
}

/// Where it goes on reading; a store in which nothing was flushed yet begins with the first record.
std::optional<Position> store_position(const StoreFound& store) {
  if (!store.exists || !store.unreadable.empty()) return std::nullopt;
  return store.position.value_or(Position{});
}

}  // namespace

RocksOptions looking_options() {
  return RocksOptions{.cache_bytes = 16ULL << 20, .write_buffers_bytes = 8ULL << 20};
}

Result<std::unique_ptr<KafkaLook>> KafkaLook::connect(const config::Settings& settings) {
  std::unique_ptr<KafkaLook> look(new KafkaLook(settings));
  look->client_ = client_settings(settings, settings.application() + "-state");
  look->client_.log = look->complaint_.line();
  auto admin = kafka::Admin::open(look->client_);
  if (!admin) return admin.error();
  auto broker = kafka::open_broker(look->client_);
  if (!broker) return broker.error();
  look->broker_ = std::move(*broker);
  say_asking(settings);
  const auto report = prepare_topics(settings, **admin, false);
  if (!report) return of_broker(report.error(), settings, look->complaint_);
  look->input_partitions_ = report->input_partitions;
  look->problems_ = report->problems;
  for (const TopicFinding& topic : report->topics) {
    if (topic.role == TopicRole::kChangelog) look->changelog_partitions_ = topic.partitions;
  }
  return look;
}

Result<KafkaLook::Offsets> KafkaLook::committed(const std::vector<PartitionFound>& partitions) {
  std::vector<std::int32_t> numbers;
  numbers.reserve(partitions.size());
  for (const PartitionFound& partition : partitions) numbers.push_back(partition.number);
  auto found = kafka::committed_offsets(client_, settings_.input.topic(), numbers, kGroupTimeout);
  if (!found) return found.error();
  Offsets offsets;
  for (CommittedOffset& offset : *found) offsets[offset.partition] = std::move(offset);
  return offsets;
}

void KafkaLook::look_at(std::vector<PartitionFound>& partitions) {
  if (partitions.empty()) return;
  auto before = committed(partitions);
  for (PartitionFound& partition : partitions) {
    if (before) partition.group = GroupFound{before->at(partition.number), {}};
    look_at_changelog_of(partition);
    for (int tried = 1; tried < kEndTries && is_behind_offset(partition); ++tried) {
      std::this_thread::sleep_for(kEndPause);
      look_at_changelog_of(partition);
    }
    look_at_input_of(partition);
  }
  const auto after = before ? committed(partitions) : before;
  for (PartitionFound& partition : partitions) {
    if (after) {
      partition.group->after = after->at(partition.number);
    } else {
      partition.group.reset();
      partition.unanswered.push_back("the group's offset: " + after.error().what);
    }
  }
}

void KafkaLook::look_at_changelog_of(PartitionFound& partition) {
  partition.changelog.reset();
  if (partition.number >= changelog_partitions_) {
    partition.changelog = ChangelogFound{};
    partition.changelog->exists = false;
    return;
  }
  auto found = look_at_changelog(*broker_, settings_.changelog_topic(), partition.number,
                                 store_position(partition.store), customer_rules(settings_));
  if (found) {
    partition.changelog = *std::move(found);
  } else {
    partition.unanswered.push_back("the changelog: " + found.error().what);
  }
}

void KafkaLook::look_at_input_of(PartitionFound& partition) {
  if (partition.number >= input_partitions_) return;  // told as a misfit, or of the topic
  const auto& meta = partition.changelog ? partition.changelog->meta : partition.store.meta;
  auto found = look_at_input(*broker_, settings_.input.topic(), partition.number, meta);
  if (found) {
    partition.input = *found;
  } else {
    partition.unanswered.push_back("the input: " + found.error().what);
  }
}

Result<DirectoryLook> look_at_directory(const config::Settings& settings) {
  const std::filesystem::path path = settings.state_dir();
  DirectoryLook look;
  look.held = StateDir::holder(path);
  std::error_code failed;
  if (std::filesystem::exists(path, failed) && !std::filesystem::is_directory(path, failed)) {
    return Error{Errc::kMisconfigured, "state_dir: " + path.string() + " is no directory"};
  }
  if (!std::filesystem::exists(path / "identity", failed) && !failed) return look;
  if (failed)
    return Error{Errc::kMisconfigured, "state_dir: " + path.string() + ": " + failed.message()};
  auto directory = StateDir::look(path, settings.application());
  if (!directory) return directory.error();
  look.directory = *std::move(directory);
  return look;
}

PartitionFound look_at_partition(const config::Settings& settings, const DirectoryLook& look,
                                 const RocksEnvironment& environment, std::int32_t number,
                                 std::int32_t input_partitions) {
  PartitionFound found;
  found.number = number;
  if (!look.directory) return found;
  const Rules rules = customer_rules(settings);
  found.store = look_at_store(environment, *look.directory, number, rules);
  for (int tried = 1; look.held && !found.store.unreadable.empty() && tried < kStoreTries;
       ++tried) {
    std::this_thread::sleep_for(kStorePause);
    found.store = look_at_store(environment, *look.directory, number, rules);
  }
  if (found.store.meta) {
    found.store.misfits = misfits(*found.store.meta, number, settings.input.topic(),
                                  settings.fingerprint(), input_partitions);
  }
  return found;
}

}  // namespace segmentd
