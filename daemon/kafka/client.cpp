#include "daemon/kafka/client.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace segmentd::kafka {
namespace {

void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  const auto* hooks = static_cast<const Hooks*>(rd_kafka_opaque(handle));
  if (hooks == nullptr || !hooks->log) return;
  const std::string_view line = text;
  // One list of properties serves consumers and producers; that each ignores the other's is no
  // news.
  if (std::string_view(facility) == "CONFWARN" &&
      (line.find("is a consumer property") != line.npos ||
       line.find("is a producer property") != line.npos)) {
    return;
  }
  hooks->log(level, std::string(facility) + ": " + text);
}

Result<void> set(rd_kafka_conf_t* conf, const Property& property) {
  std::array<char, 512> why{};
  const auto outcome = rd_kafka_conf_set(conf, property.first.c_str(), property.second.c_str(),
                                         why.data(), why.size());
  if (outcome == RD_KAFKA_CONF_OK) return {};
  return Error{Errc::kMisconfigured, "kafka." + property.first + ": " + why.data()};
}

Result<Handle> make_handle(rd_kafka_type_t type, Conf conf) {
  std::array<char, 512> why{};
  Handle handle(rd_kafka_new(type, conf.get(), why.data(), why.size()));
  if (!handle) return Error{Errc::kMisconfigured, std::string("kafka: ") + why.data()};
  (void)conf.release();  // the handle has it now
  return handle;
}

}  // namespace

void DropHandle::operator()(rd_kafka_t* handle) const {
  rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Result<Conf> make_conf(const ClientSettings& settings, Hooks& hooks,
                       const std::vector<Property>& tuned, const std::vector<Property>& required) {
  Conf conf(rd_kafka_conf_new());
  const std::vector<Property> ours = {
      {"client.id", settings.client_id},    {"socket.nagle.disable", "true"},
      {"log.connection.close", "false"},    {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "1000"},
  };
  const std::vector<Property> reached = {{"bootstrap.servers", settings.brokers}};
  for (const auto* properties : {&ours, &tuned, &settings.properties, &reached, &required}) {
    for (const Property& property : *properties) {
      if (auto done = set(conf.get(), property); !done) return done.error();
    }
  }
  rd_kafka_conf_set_opaque(conf.get(), &hooks);
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  return conf;
}

Result<Handle> make_consumer(Conf conf) {
  auto handle = make_handle(RD_KAFKA_CONSUMER, std::move(conf));
  if (handle) rd_kafka_poll_set_consumer(handle->get());
  return handle;
}

Result<Handle> make_producer(Conf conf) {
  return make_handle(RD_KAFKA_PRODUCER, std::move(conf));
}

std::string property_of(const rd_kafka_conf_t* conf, const char* name) {
  std::array<char, 512> value{};
  std::size_t size = value.size();
  if (rd_kafka_conf_get(conf, name, value.data(), &size) != RD_KAFKA_CONF_OK) return {};
  return value.data();
}

std::string describe(rd_kafka_resp_err_t code, std::string_view text) {
  std::string said(text.empty() ? std::string_view(rd_kafka_err2str(code)) : text);
  return said + " (" + rd_kafka_err2name(code) + ")";
}

Errc errc_of(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
      return Errc::kMisconfigured;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
      return Errc::kUnavailable;
    default:
      return Errc::kRetry;
  }
}

Message message_of(RawMessage raw) {
  Message message;
  message.partition = raw->partition;
  message.offset = raw->offset;
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  message.timestamp_ms = rd_kafka_message_timestamp(raw.get(), &kind);
  if (raw->key != nullptr) {
    message.key.emplace(static_cast<const char*>(raw->key), raw->key_len);
  }
  if (raw->payload != nullptr) {
    message.value.emplace(static_cast<const char*>(raw->payload), raw->len);
  }
  message.owner = Message::Owner(raw.release(), [](void* held) {
    rd_kafka_message_destroy(static_cast<rd_kafka_message_t*>(held));
  });
  return message;
}

Result<std::int32_t> partition_count(rd_kafka_t* handle, rd_kafka_topic_t* topic,
                                     milliseconds timeout) {
  const rd_kafka_metadata_t* metadata = nullptr;
  auto err = rd_kafka_metadata(handle, 0, topic, &metadata, timeout_ms(timeout));
  std::int32_t count = 0;
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (metadata->topic_cnt == 1) {
      err = metadata->topics[0].err;
      count = metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
  }
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return count;
  return Error{errc_of(err),
               std::string("topic ") + rd_kafka_topic_name(topic) + ": " + describe(err)};
}

std::string kilobytes(std::int64_t bytes) {
  return std::to_string(std::max<std::int64_t>(bytes >> 10, 1));
}

int timeout_ms(milliseconds timeout) {
  const auto most = milliseconds(std::numeric_limits<int>::max());
  return static_cast<int>(std::clamp(timeout, milliseconds(0), most).count());
}

milliseconds left_until(std::chrono::steady_clock::time_point until) {
  const auto left =
      std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
  return std::max(left, milliseconds(1));
}

}  // namespace segmentd::kafka
