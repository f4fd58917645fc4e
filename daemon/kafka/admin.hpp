// Topics: what there is, and making what is missing. For the commands `topics`, `check` and `run`.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/kafka/client.hpp"

namespace segmentd::kafka {

struct TopicDescription {
  bool exists = false;
  std::int32_t partitions = 0;
  std::int32_t replication = 0;
  /// Every setting in force by its Kafka name: "cleanup.policy", "retention.ms",
  /// "min.insync.replicas", ... Filled by describe() for topics that exist.
  std::map<std::string, std::string> settings;
};

struct NewTopic {
  std::string name;
  std::int32_t partitions = 1;
  std::int32_t replication = -1;                // -1 = the broker's default
  std::map<std::string, std::string> settings;  // others are the broker's default
};

/// One connection; any thread, one call at a time.
class Admin {
 public:
  /// kMisconfigured: a property is wrong.
  static Result<std::unique_ptr<Admin>> open(const ClientSettings& settings);

  /// One answer per name; a topic that is not there is an answer, not an error. kRetry: the brokers
  /// did not answer in time.
  Result<std::map<std::string, TopicDescription>> describe(std::span<const std::string> names,
                                                           milliseconds timeout);

  /// How many brokers the cluster has now, at least 1; one that is down is not counted. kRetry as
  /// above.
  Result<std::int32_t> brokers(milliseconds timeout);

  /// All topics but Kafka's own ("__..."), sorted.
  Result<std::vector<std::string>> list(milliseconds timeout);

  /// The group.instance.id of every member of a group; those without one are left out. A group that
  /// nobody is in has none. A static member that died is in it until its session has ended.
  Result<std::vector<std::string>> member_instances(const std::string& group, milliseconds timeout);

  /// Returns when every topic is there and its partitions have leaders. One that exists already is
  /// left as it is. kMisconfigured: refused by the broker, with its reason.
  Result<void> create(std::span<const NewTopic> topics, milliseconds timeout);

 private:
  Admin() = default;

  Result<std::map<std::string, TopicDescription>> ask_metadata(milliseconds timeout);
  Result<void> ask_settings(std::map<std::string, TopicDescription>& topics, milliseconds timeout);
  Result<void> wait_until_led(std::span<const NewTopic> topics, milliseconds timeout);

  Hooks hooks_;
  Handle handle_;
};

}  // namespace segmentd::kafka
