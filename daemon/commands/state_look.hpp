// What `segmentd state` looks at: the state directory, and the application's topics and group.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "daemon/commands/broker_talk.hpp"
#include "daemon/inspect/found.hpp"
#include "daemon/kafka/client.hpp"
#include "daemon/ports.hpp"
#include "state/core/result.hpp"
#include "state/rocks_store.hpp"
#include "state/state_dir.hpp"

namespace segmentd {

/// The application on Kafka, to be read. One thread.
class KafkaLook {
 public:
  /// Asks for the topics. kRetry and kUnavailable: nobody answers, or not so; the text names the
  /// brokers.
  static Result<std::unique_ptr<KafkaLook>> connect(const config::Settings& settings);

  Broker& broker() { return *broker_; }
  std::int32_t input_partitions() const { return input_partitions_; }          // 0 = not usable
  std::int32_t changelog_partitions() const { return changelog_partitions_; }  // 0 = no such topic
  /// What is wrong with the topics; each begins with a topic's name.
  const std::vector<std::string>& problems() const { return problems_; }

  /// Adds what Kafka holds of these partitions to what was found in their stores. What did not
  /// answer is told there (PartitionFound::unanswered).
  void look_at(std::vector<PartitionFound>& partitions);

 private:
  explicit KafkaLook(const config::Settings& settings) : settings_(settings) {}

  using Offsets = std::map<std::int32_t, CommittedOffset>;
  Result<Offsets> committed(const std::vector<PartitionFound>& partitions);
  void look_at_changelog_of(PartitionFound& partition);
  void look_at_input_of(PartitionFound& partition);

  const config::Settings& settings_;
  LastComplaint complaint_;
  kafka::ClientSettings client_;
  std::unique_ptr<Broker> broker_;
  std::int32_t input_partitions_ = 0;
  std::int32_t changelog_partitions_ = 0;
  std::vector<std::string> problems_;
};

/// The state directory of the settings, for reading. `directory` unset = there is no state in it
/// yet.
struct DirectoryLook {
  std::optional<StateDir> directory;
  std::optional<std::string> held;  // pid
};

/// kMisconfigured, kCorrupt: it belongs to another application, or cannot be read.
Result<DirectoryLook> look_at_directory(const config::Settings& settings);

/// The store of one partition with what does not fit; as often as it takes where somebody works on
/// it.
PartitionFound look_at_partition(const config::Settings& settings, const DirectoryLook& look,
                                 const RocksEnvironment& environment, std::int32_t number,
                                 std::int32_t input_partitions);

/// Little memory: what is looked at is read once.
RocksOptions looking_options();

}  // namespace segmentd
