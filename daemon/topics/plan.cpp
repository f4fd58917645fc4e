#include "daemon/topics/plan.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "config/units.hpp"

namespace segmentd {
namespace {

constexpr std::array kRoles{
    TopicRole::kInput,     TopicRole::kChanges, TopicRole::kTable,      TopicRole::kRejected,
    TopicRole::kChangelog, TopicRole::kModel,   TopicRole::kStatistics,
};

/// Small segments, because the newest one is never compacted and every restore reads it.
constexpr std::int64_t kCompactedSegmentBytes = 64LL << 20;
constexpr const char* kCompactedDirtyRatio = "0.2";
/// How long a deletion stays readable: who reads again after longer than this may not hear of it.
constexpr std::int64_t kDeletionsKeptMs = 24LL * 60 * 60 * 1000;
/// librdkafka's default of message.max.bytes; every broker's default takes that much.
constexpr std::int64_t kMessageBytesMaxDefault = 1'000'000;
/// Enough to lose one broker, and one more while it is away.
constexpr std::int32_t kReplicationMax = 3;
/// Of so many replicas a write needs two: one broker may go and nothing waits or is lost.
constexpr std::int32_t kReplicasForTwoInSync = 3;
/// What a batch adds to its one record when that is as large as it may be.
constexpr std::int64_t kBatchOverheadBytes = 64LL << 10;

bool is_compacted(TopicRole role) {
  return role == TopicRole::kTable || role == TopicRole::kChangelog || role == TopicRole::kModel ||
         role == TopicRole::kStatistics;
}

std::string name_of(const config::Settings& settings, TopicRole role) {
  switch (role) {
    case TopicRole::kInput:
      return settings.input.topic();
    case TopicRole::kChanges:
      return settings.output.changes_topic();
    case TopicRole::kTable:
      return settings.output.table_topic();
    case TopicRole::kRejected:
      return settings.rejected_topic();
    case TopicRole::kChangelog:
      return settings.changelog_topic();
    case TopicRole::kModel:
      return settings.model_topic();
    case TopicRole::kStatistics:
      return settings.statistics_topic();
  }
  return {};
}

std::int32_t partitions_wanted(TopicRole role, std::int32_t input_partitions) {
  return role == TopicRole::kModel ? 1 : input_partitions;
}

/// The largest message segmentd may write.
std::int64_t message_bytes_max(const config::Settings& settings) {
  return settings.kafka.integer("message.max.bytes").value_or(kMessageBytesMaxDefault);
}

std::string setting_of(const kafka::TopicDescription& topic, const std::string& name) {
  const auto found = topic.settings.find(name);
  return found == topic.settings.end() ? std::string() : found->second;
}

std::optional<std::int64_t> number_of(const kafka::TopicDescription& topic,
                                      const std::string& name) {
  const std::string text = setting_of(topic, name);
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

bool compacts(const std::string& cleanup) {
  return cleanup.find("compact") != std::string::npos;
}
bool deletes(const std::string& cleanup) {
  return cleanup.find("delete") != std::string::npos;
}

/// `30d, at most 1GiB a partition`.
std::string retention_text(const kafka::TopicDescription& topic) {
  const std::string cleanup = setting_of(topic, "cleanup.policy");
  if (cleanup.empty()) return {};
  if (!deletes(cleanup)) return "compacted";
  const std::int64_t ms = number_of(topic, "retention.ms").value_or(-1);
  const std::int64_t bytes = number_of(topic, "retention.bytes").value_or(-1);
  std::string text = ms < 0 ? "forever" : config::format_duration(std::chrono::milliseconds(ms));
  if (bytes >= 0) text += ", at most " + config::format_bytes(bytes) + " a partition";
  return text;
}

bool keeps_forever(const kafka::TopicDescription& topic) {
  return number_of(topic, "retention.ms").value_or(-1) < 0 &&
         number_of(topic, "retention.bytes").value_or(-1) < 0;
}

void set_replication(const config::Settings& settings, std::int32_t brokers,
                     kafka::NewTopic& topic) {
  const auto wanted = static_cast<std::int32_t>(settings.topics.replication_factor());
  topic.replication = wanted > 0 ? wanted : std::min(kReplicationMax, brokers);
  if (settings.topics.min_insync_replicas() > 0) {
    topic.settings["min.insync.replicas"] = settings.topics.min_insync_replicas.text();
  } else if (topic.replication >= kReplicasForTwoInSync) {
    topic.settings["min.insync.replicas"] = "2";
  }
}

/// Collects what is found about one topic after the other.
class Judge {
 public:
  Judge(const config::Settings& settings, const TopicDescriptions& found, std::int32_t brokers,
        Moment moment)
      : settings_(settings), found_(found), brokers_(brokers), moment_(moment) {}

  TopicReport judge() {
    const kafka::TopicDescription& input = found_.at(settings_.input.topic());
    if (input.exists) report_.input_partitions = input.partitions;
    for (const TopicRole role : kRoles) take(role);
    return std::move(report_);
  }

 private:
  void take(TopicRole role);
  void judge_input(const kafka::TopicDescription& topic);
  void judge_missing();
  void judge_own(const kafka::TopicDescription& topic);
  void judge_partitions();
  void judge_cleanup();
  void judge_sizes(const kafka::TopicDescription& topic);

  void problem(const std::string& what) { finding().problems.push_back(what); }
  void note(const std::string& what) { report_.notes.push_back("topic " + finding().name + what); }
  TopicFinding& finding() { return report_.topics.back(); }

  const config::Settings& settings_;
  const TopicDescriptions& found_;
  const std::int32_t brokers_;
  const Moment moment_;
  TopicReport report_;
};

void Judge::take(TopicRole role) {
  const std::string name = name_of(settings_, role);
  const kafka::TopicDescription& topic = found_.at(name);
  TopicFinding& taken = report_.topics.emplace_back();
  taken.role = role;
  taken.name = name;
  taken.exists = topic.exists;
  taken.partitions = topic.exists ? topic.partitions : 0;
  if (role != TopicRole::kInput) {
    taken.partitions_wanted = partitions_wanted(role, report_.input_partitions);
  }
  taken.cleanup = setting_of(topic, "cleanup.policy");
  taken.retention = retention_text(topic);
  if (role == TopicRole::kInput) {
    judge_input(topic);
  } else if (topic.exists) {
    judge_own(topic);
  } else {
    judge_missing();
  }
  const std::string who = "topic " + name + " (" + std::string(word(role)) + ") ";
  for (const std::string& what : finding().problems) report_.problems.push_back(who + what);
}

void Judge::judge_input(const kafka::TopicDescription& topic) {
  if (!topic.exists) {
    problem("does not exist: create it, or set input.topic to the topic your orders are in");
    return;
  }
  if (topic.partitions == 0) problem("has a partition without leader: look at the brokers");
  if (compacts(finding().cleanup)) {
    problem(
        "is compacted (cleanup.policy = " + finding().cleanup +
        "): Kafka drops all but a customer's newest record, so orders would be missing. Set its "
        "cleanup.policy to delete");
    return;
  }
  if (deletes(finding().cleanup) && !keeps_forever(topic)) {
    note(" (input) keeps records for " + finding().retention +
         ": a daemon that is down for longer misses orders, and a new application begins with "
         "what is left");
  }
}

void Judge::judge_missing() {
  const TopicRole role = finding().role;
  if (moment_ == Moment::kRunning) {
    problem("was deleted while segmentd runs: see \"A topic is gone\" in OPERATIONS.md");
    return;
  }
  if (report_.input_partitions == 0) return;  // nobody can say yet how many partitions it needs
  report_.absent.push_back(new_topic(settings_, role, report_.input_partitions, brokers_));
  if (settings_.topics.create()) {
    note(" (" + std::string(word(role)) + ") does not exist and will be created at the start");
  } else {
    problem("does not exist: run `segmentd topics create`, or set topics.create = true");
  }
}

void Judge::judge_own(const kafka::TopicDescription& topic) {
  judge_partitions();
  judge_cleanup();
  judge_sizes(topic);
  const auto in_sync = number_of(topic, "min.insync.replicas");
  if (in_sync && topic.replication > 0 && *in_sync > topic.replication) {
    problem("has " + std::to_string(topic.replication) + " replicas, but min.insync.replicas = " +
            std::to_string(*in_sync) + ": brokers may acknowledge no write");
  }
  const auto deletions_kept = number_of(topic, "delete.retention.ms");
  if (finding().role == TopicRole::kChangelog && deletions_kept) {
    report_.deletions_kept_ms = *deletions_kept;
  }
  if (is_compacted(finding().role) && deletions_kept && *deletions_kept < kDeletionsKeptMs) {
    note(" has delete.retention.ms = " + std::to_string(*deletions_kept) +
         ", below a day: a reader that was away for longer than that may miss deletions");
  }
}

void Judge::judge_partitions() {
  const std::int32_t has = finding().partitions;
  const std::int32_t wanted = finding().partitions_wanted;
  if (has == 0) {
    problem("has a partition without leader: look at the brokers");
  } else if (wanted > 0 && has != wanted) {
    problem("has " + partitions_text(has) + ", needs " + std::to_string(wanted) +
            (finding().role == TopicRole::kModel
                 ? " (epochs have one order)"
                 : ", as many as the input: a customer's records go to the partition number of "
                   "their input. If the input was given more, start a new application id (setting "
                   "`application`)"));
  }
}

void Judge::judge_cleanup() {
  const std::string& cleanup = finding().cleanup;
  const std::string has = "has cleanup.policy = " + cleanup;
  if (is_compacted(finding().role) && deletes(cleanup)) {
    problem(has + ", needs compact: what no longer changes would be deleted with time");
  } else if (!is_compacted(finding().role) && compacts(cleanup)) {
    problem(has + ", needs delete: compaction drops all but the newest record of a key");
  }
}

void Judge::judge_sizes(const kafka::TopicDescription& topic) {
  const auto takes = number_of(topic, "max.message.bytes");
  const std::int64_t writes = message_bytes_max(settings_);
  if (takes && *takes < writes) {
    problem("has max.message.bytes = " + std::to_string(*takes) + ", but segmentd may write " +
            std::to_string(writes) + " (kafka.message.max.bytes): the broker would refuse them");
  }
}

}  // namespace

std::string partitions_text(std::int32_t count) {
  return std::to_string(count) + (count == 1 ? " partition" : " partitions");
}

std::vector<std::string> topic_names(const config::Settings& settings) {
  std::vector<std::string> names;
  names.reserve(kRoles.size());
  for (const TopicRole role : kRoles) names.push_back(name_of(settings, role));
  return names;
}

kafka::NewTopic new_topic(const config::Settings& settings, TopicRole role,
                          std::int32_t input_partitions, std::int32_t brokers) {
  kafka::NewTopic topic;
  topic.name = name_of(settings, role);
  topic.partitions = partitions_wanted(role, input_partitions);
  set_replication(settings, brokers, topic);
  if (is_compacted(role)) {
    topic.settings["cleanup.policy"] = "compact";
    topic.settings["segment.bytes"] = std::to_string(kCompactedSegmentBytes);
    topic.settings["min.cleanable.dirty.ratio"] = kCompactedDirtyRatio;
    topic.settings["delete.retention.ms"] = std::to_string(kDeletionsKeptMs);
  } else {
    topic.settings["cleanup.policy"] = "delete";
    topic.settings["retention.ms"] =
        role == TopicRole::kInput ? "-1" : std::to_string(settings.topics.retention().count());
  }
  if (role != TopicRole::kInput && message_bytes_max(settings) > kMessageBytesMaxDefault) {
    topic.settings["max.message.bytes"] =
        std::to_string(message_bytes_max(settings) + kBatchOverheadBytes);
  }
  return topic;
}

TopicReport judge_topics(const config::Settings& settings, const TopicDescriptions& found,
                         std::int32_t brokers, Moment moment) {
  return Judge(settings, found, brokers, moment).judge();
}

}  // namespace segmentd
