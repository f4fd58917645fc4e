// What every connection to Kafka has in common: the person's settings, the settings the protocol
// needs, ownership of librdkafka's objects and the meaning of its errors.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <librdkafka/rdkafka.h>

#include "daemon/ports.hpp"

namespace segmentd::kafka {

/// Takes one line of the library's log. `level` is syslog's: 3 error, 4 warning, 6 info, 7 debug;
/// 0 is our own word that something is lost.
/// Called from the library's threads; must not block or throw.
using LogLine = std::function<void(int level, std::string_view line)>;

using Property = std::pair<std::string, std::string>;

/// How to reach Kafka, for every client of a process.
struct ClientSettings {
  std::string brokers;                 // bootstrap list, "host:port,host:port"
  std::string group = "segmentd";      // consumer group = application
  std::string client_id = "segmentd";  // < 64 bytes: longer ones crash librdkafka 2.0.2
  /// librdkafka properties as the person set them. config/kafka_properties.hpp refuses those that
  /// the protocol depends on; should one come all the same, ours wins.
  std::vector<Property> properties;
  /// Fetched and waiting, at most about this, of each LogReader.
  std::int64_t reader_queue_bytes = 32 << 20;
  LogLine log;  // may be empty
};

// --- below: for the adapters only ---

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* object) const {
    destroy(object);
  }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, Destroy<rd_kafka_conf_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Destroy<rd_kafka_topic_destroy>>;
using RawMessage = std::unique_ptr<rd_kafka_message_t, Destroy<rd_kafka_message_destroy>>;
using Partitions = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                   Destroy<rd_kafka_topic_partition_list_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Destroy<rd_kafka_queue_destroy>>;
using KafkaError = std::unique_ptr<rd_kafka_error_t, Destroy<rd_kafka_error_destroy>>;

/// Ends a handle without leaving the group or waiting for messages on their way.
struct DropHandle {
  void operator()(rd_kafka_t* handle) const;
};
using Handle = std::unique_ptr<rd_kafka_t, DropHandle>;

/// The opaque of every handle: where its log goes and whose it is. Must outlive the handle.
struct Hooks {
  LogLine log;
  void* owner = nullptr;
};

/// A configuration: `tuned` first, then the person's properties, then `required`, which win.
/// kMisconfigured names the property that is unknown or has a bad value.
Result<Conf> make_conf(const ClientSettings& settings, Hooks& hooks,
                       const std::vector<Property>& tuned, const std::vector<Property>& required);

Result<Handle> make_consumer(Conf conf);
Result<Handle> make_producer(Conf conf);

/// The value in force, after defaults.
std::string property_of(const rd_kafka_conf_t* conf, const char* name);

/// "text (NAME)".
std::string describe(rd_kafka_resp_err_t code, std::string_view text = {});

/// kMisconfigured (authorisation, authentication), kUnavailable (no such topic), else kRetry.
Errc errc_of(rd_kafka_resp_err_t code);

/// How many partitions the topic has now, asked of the brokers. Errors name the topic;
/// kUnavailable: there is none.
Result<std::int32_t> partition_count(rd_kafka_t* handle, rd_kafka_topic_t* topic,
                                     milliseconds timeout);

/// REQUIRES: `raw` carries no error.
Message message_of(RawMessage raw);

int timeout_ms(milliseconds timeout);

/// What is left until then, never less than a millisecond: zero has meanings of its own.
milliseconds left_until(std::chrono::steady_clock::time_point until);

/// As the library's properties in kilobytes want it: at least 1.
std::string kilobytes(std::int64_t bytes);

}  // namespace segmentd::kafka
