// What every topic of an application has to be, and what is wrong with those that are there. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "daemon/kafka/admin.hpp"

namespace segmentd {

enum class TopicRole : std::uint8_t {
  kInput,  // the user's; all others are written by segmentd
  kChanges,
  kTable,
  kRejected,
  kChangelog,
  kModel,
  kStatistics,
};

/// `input`, `changes`, `table`, `rejected`, `changelog`, `model`, `statistics`.
std::string_view word(TopicRole role);

/// `1 partition`, `4 partitions`.
std::string partitions_text(std::int32_t count);

/// By topic name, as Admin::describe gives it.
using TopicDescriptions = std::map<std::string, kafka::TopicDescription>;

/// One topic as it was found.
struct TopicFinding {
  TopicRole role = TopicRole::kInput;
  std::string name;
  bool exists = false;
  std::int32_t partitions = 0;         // 0 = it does not exist or is not led
  std::int32_t partitions_wanted = 0;  // 0 = not known, or for the input: any number
  std::string cleanup;                 // cleanup.policy as Kafka writes it; empty = not known
  std::string retention;               // `30d`, `forever`, `compacted`; empty = not known
  std::vector<std::string> problems;   // why it cannot be used; empty where it is only missing
};

/// All topics of an application as they were found.
struct TopicReport {
  std::int32_t input_partitions = 0;    // 0 = the input is not usable
  std::vector<TopicFinding> topics;     // the input first, each role once
  std::vector<kafka::NewTopic> absent;  // what would be created; empty if the input is not usable
  std::vector<std::string> problems;    // of all topics, each beginning with the topic's name
  std::vector<std::string> notes;       // what a person should know and may want
  std::vector<std::string> created;     // names

  bool usable() const { return problems.empty(); }
};

/// The names of an application's topics, the input first.
std::vector<std::string> topic_names(const config::Settings& settings);

/// How segmentd creates a topic of its own. REQUIRES: `role` is not the input, input_partitions >
/// 0.
kafka::NewTopic new_topic(const config::Settings& settings, TopicRole role,
                          std::int32_t input_partitions);

/// Compares what is there with what has to be. A missing topic of segmentd's own is a note where
/// `topics.create` is on, else a problem. REQUIRES: `found` has an answer for each of
/// topic_names().
TopicReport judge_topics(const config::Settings& settings, const TopicDescriptions& found);

}  // namespace segmentd
