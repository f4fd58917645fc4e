// What every topic of an application has to be, and what is wrong with those that are there. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "daemon/kafka/admin.hpp"
#include "daemon/observe/words.hpp"

namespace segmentd {

using observe::TopicRole;

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
  std::int32_t input_partitions = 0;  // 0 = the input is not usable
  /// How long the changelog that is there keeps a deletion readable; of one to be created: a day.
  std::int64_t deletions_kept_ms = 24LL * 60 * 60 * 1000;
  std::vector<TopicFinding> topics;     // the input first, each role once
  std::vector<kafka::NewTopic> absent;  // what would be created; empty if the input is not usable
  std::vector<std::string> problems;    // of all topics, each beginning with the topic's name
  std::vector<std::string> notes;       // what a person should know and may want
  std::vector<std::string> created;     // names

  bool usable() const { return problems.empty(); }
};

/// The names of an application's topics, the input first.
std::vector<std::string> topic_names(const config::Settings& settings);

/// How segmentd creates a topic on a cluster of so many brokers. The input, which is created only
/// where a person asks for it, keeps its records forever until its owner says otherwise.
/// REQUIRES: partitions of the input > 0, brokers > 0.
kafka::NewTopic new_topic(const config::Settings& settings, TopicRole role,
                          std::int32_t input_partitions, std::int32_t brokers);

/// When the topics are looked at.
enum class Moment : std::uint8_t {
  kStart,    // what is missing may still be created
  kRunning,  // what is missing was there and has been deleted
};

/// Compares what is there with what has to be. A missing topic of segmentd's own is a note where
/// it is going to be created (at the start, with `topics.create` on), else a problem. REQUIRES:
/// `found` has an answer for each of topic_names(); brokers > 0.
TopicReport judge_topics(const config::Settings& settings, const TopicDescriptions& found,
                         std::int32_t brokers, Moment moment = Moment::kStart);

}  // namespace segmentd
