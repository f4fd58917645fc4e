#include "config/settings.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "config/suggest.hpp"
#include "config/units.hpp"

namespace segmentd::config {
namespace {

/// librdkafka's own default of message.max.bytes.
constexpr std::int64_t kMessageBytesMaxDefault = 1'000'000;
/// An open order, payment or refund in a stored row: an id of 256 bytes and the rest.
constexpr std::int64_t kEntryBytesMax = 300;

std::vector<std::string> keys_of(const OptionSet& set) {
  std::vector<std::string> keys;
  for (const OptionBase* option : set.options()) keys.push_back(option->key());
  return keys;
}

/// A problem of one setting whose reason names the other one.
Problem problem_of(const OptionBase& option, std::string reason) {
  return {option.key(), option.text(), option.origin(), std::move(reason)};
}

}  // namespace

Settings::Settings() = default;

// Options know their own set, so a copy is built like the first and takes the values.
Settings::Settings(const Settings& other) : Settings() {
  *this = other;
}

Settings& Settings::operator=(const Settings& other) {
  if (this == &other) return *this;
  copy_values(other);
  kafka = other.kafka;
  return *this;
}

std::string Settings::set(std::string_view key, std::string_view value, std::string_view origin) {
  if (key.starts_with(kKafkaPrefix)) {
    return kafka.set(key.substr(kKafkaPrefix.size()), value, origin);
  }
  OptionBase* const option = find(key);
  if (option == nullptr) return unknown_name(key, keys_of(*this));
  return option->set(value, origin);
}

std::vector<Problem> Settings::conflicts() const {
  std::vector<Problem> problems;
  for (const OptionBase* option : options()) {
    if (option->has(kRequired) && option->is_default()) {
      problems.push_back({option->key(), "", "", "no value; set it to the " + option->summary()});
    }
  }
  if (brokers().empty()) problems.push_back(problem_of(brokers, "is empty; name at least one"));
  conflicting_topics(problems);
  conflicting_bounds(problems);
  return problems;
}

void Settings::conflicting_topics(std::vector<Problem>& problems) const {
  std::set<std::string> taken{rejected_topic(), changelog_topic(), model_topic(),
                              statistics_topic()};
  for (const StringOption* topic : {&input.topic, &output.changes_topic, &output.table_topic}) {
    if (taken.insert((*topic)()).second) continue;
    problems.push_back(problem_of(*topic, "is the name of another topic of this application"));
  }
  const std::int64_t replicas = topics.replication_factor();
  if (replicas == 0) {
    problems.push_back(problem_of(topics.replication_factor, "is neither positive nor -1"));
  }
  if (topics.min_insync_replicas() == 0) {
    problems.push_back(problem_of(topics.min_insync_replicas, "is neither positive nor -1"));
  }
  if (replicas > 0 && topics.min_insync_replicas() > replicas) {
    problems.push_back(
        problem_of(topics.min_insync_replicas,
                   "is more than topics.replication_factor = " + topics.replication_factor.text() +
                       ": brokers may acknowledge no write"));
  }
}

void Settings::conflicting_bounds(std::vector<Problem>& problems) const {
  const auto refuse_if = [&](bool wrong, const OptionBase& option, const std::string& reason) {
    if (wrong) problems.push_back(problem_of(option, reason));
  };
  const std::int64_t message_bytes_max =
      kafka.integer("message.max.bytes").value_or(kMessageBytesMaxDefault);
  refuse_if(rejected.bytes_max() + kRejectedOverheadBytes > message_bytes_max, rejected.bytes_max,
            "leaves less than " + format_bytes(kRejectedOverheadBytes) +
                " for key and headers in a message of kafka.message.max.bytes = " +
                std::to_string(message_bytes_max));
  refuse_if(orders.remembered() * kEntryBytesMax > message_bytes_max, orders.remembered,
            "lets a customer's row grow to " +
                std::to_string(orders.remembered() * kEntryBytesMax) +
                " bytes, more than kafka.message.max.bytes = " + std::to_string(message_bytes_max) +
                " lets it be written");
  refuse_if(!announce_from().empty(), announce_from,
            "cannot be applied by this version, which publishes from the first move on: leave it "
            "out");
  refuse_if(input.bytes_max() > limits.queue_bytes(), input.bytes_max,
            "is more than limits.queue_bytes = " + limits.queue_bytes.text() +
                ": such a record could not be fetched");
  refuse_if(message_bytes_max > limits.output_queue_bytes(), limits.output_queue_bytes,
            "is less than kafka.message.max.bytes = " + std::to_string(message_bytes_max) +
                ": the largest record must fit");
  refuse_if(rocksdb.write_buffer_bytes() > rocksdb.write_buffers_bytes(),
            rocksdb.write_buffer_bytes,
            "is more than rocksdb.write_buffers_bytes = " + rocksdb.write_buffers_bytes.text() +
                ", which all partitions share");
  refuse_if(limits.transaction_bytes() < rejected.bytes_max(), limits.transaction_bytes,
            "is less than rejected.max_bytes = " + rejected.bytes_max.text() +
                ": one rejected record must fit into a transaction");
  for (const IntegerOption* rows : {&limits.transaction_records, &limits.relabel_per_transaction}) {
    refuse_if((*rows)() > limits.overlay_rows(), *rows,
              "is more than limits.overlay_rows = " + limits.overlay_rows.text() +
                  ": the rows of one transaction must fit");
  }
  refuse_if(limits.commit_interval() * 2 > transaction_timeout(), limits.commit_interval,
            "is more than half of kafka.transaction.timeout.ms = " +
                std::to_string(transaction_timeout().count()) +
                ": the broker would abort transactions before they are committed");
  const auto socket_ms = kafka.integer("socket.timeout.ms");
  const std::int64_t socket_ms_max = transaction_timeout().count() - 100;
  if (socket_ms && *socket_ms > socket_ms_max) {
    problems.push_back({"kafka.socket.timeout.ms", std::to_string(*socket_ms),
                        kafka.all().find("socket.timeout.ms")->second.origin,
                        "is more than " + std::to_string(socket_ms_max) +
                            ", which is kafka.transaction.timeout.ms less 100: a request must end "
                            "before its transaction does"});
  }
}

std::vector<std::string> Settings::notes() const {
  std::vector<std::string> notes;
  if (!model.margin.is_default() && model.margin() > 0) {
    notes.push_back("model.margin = " + model.margin.text() + " (" + model.margin.origin() +
                    "): not applied by this version, which decides as with 0");
  }
  for (const std::string& item : input.skip()) {
    const auto place = parse_record_place(item);
    if (place && place->topic != input.topic()) {
      notes.push_back("input.skip = " + item + " (" + input.skip.origin() +
                      "): without effect, the input is " + input.topic());
    }
  }
  return notes;
}

std::string Settings::fingerprint() const {
  std::vector<std::string> lines;
  for (const OptionBase* option : options()) {
    if (option->has(kMeaning)) lines.push_back(option->key() + "=" + option->text() + "\n");
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

std::string Settings::bootstrap_servers() const {
  return brokers.text();
}
std::string Settings::rejected_topic() const {
  return application() + "-rejected";
}
std::string Settings::changelog_topic() const {
  return application() + "-changelog";
}
std::string Settings::model_topic() const {
  return application() + "-model";
}
std::string Settings::statistics_topic() const {
  return application() + "-statistics";
}

std::chrono::milliseconds Settings::transaction_timeout() const {
  return std::chrono::milliseconds(
      kafka.integer("transaction.timeout.ms").value_or(kTransactionTimeoutDefault.count()));
}

std::string Settings::label(std::string_view segment) const {
  const OptionBase* const option = find("labels." + std::string(segment));
  return option == nullptr ? std::string(segment) : option->text();
}

}  // namespace segmentd::config
