#include "config/kafka_properties.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace segmentd::config {
namespace {

constexpr const char* kUseBrokers = "set `brokers`";
constexpr const char* kMembership =
    "made from `application` and `instance`: membership must be static, or a stalled member's "
    "commit "
    "passes unchecked";
constexpr const char* kTransactional =
    "every write is part of a transaction, which needs an idempotent producer and acks of all";
constexpr const char* kOffsets =
    "offsets are committed inside the transactions only, else records are lost or applied twice";
constexpr const char* kBoundByTransaction =
    "a record is given up when its transaction is; set kafka.transaction.timeout.ms";
constexpr const char* kPartition =
    "the output goes to the partition number of its input, set explicitly; for the input's "
    "partitioner "
    "set `input.partitioner`";
constexpr const char* kSetByProgram = "takes an address in the program, not a text";
constexpr const char* kReports =
    "the positions in the changelog are taken from the delivery reports";
constexpr const char* kServing = "how the daemon is handed librdkafka's events and logs is its own";

constexpr std::array kRefused{
    RefusedProperty{"bootstrap.servers", kUseBrokers},
    RefusedProperty{"metadata.broker.list", kUseBrokers},

    RefusedProperty{"group.id", "the consumer group is the application: set `application`"},
    RefusedProperty{"group.instance.id", kMembership},
    RefusedProperty{"group.protocol.type", "the daemon is a member of a consumer group"},
    RefusedProperty{"partition.assignment.strategy",
                    "cooperative-sticky: a partition may move only after its owner has revoked it"},
    RefusedProperty{"isolation.level",
                    "read_committed: records of aborted transactions must not be applied"},
    RefusedProperty{
        "auto.offset.reset",
        "the position comes from the state; a lost position must fail, not skip. Where there "
        "is neither state nor offset `input.start` decides"},
    RefusedProperty{"enable.auto.commit", kOffsets},
    RefusedProperty{"auto.commit.enable", kOffsets},
    RefusedProperty{"auto.commit.interval.ms", kOffsets},
    RefusedProperty{"enable.auto.offset.store", kOffsets},
    RefusedProperty{"offset.store.*", kOffsets},
    RefusedProperty{
        "enable.partition.eof",
        "the end of a partition tells that it has caught up, and so which clock it uses"},
    RefusedProperty{"queued.max.messages.kbytes",
                    "set `limits.queue_bytes`, and `limits.restore_queue_bytes`"},
    RefusedProperty{"queue.buffering.max.kbytes", "set `limits.output_queue_bytes`"},

    RefusedProperty{"transactional.id",
                    "made from `application` and `instance`: it must be the same after a restart"},
    RefusedProperty{"enable.idempotence", kTransactional},
    RefusedProperty{"acks", kTransactional},
    RefusedProperty{"request.required.acks", kTransactional},
    RefusedProperty{"enable.gapless.guarantee",
                    "an aborted transaction is sent again; this would end the producer instead"},
    RefusedProperty{"message.timeout.ms", kBoundByTransaction},
    RefusedProperty{"delivery.timeout.ms", kBoundByTransaction},
    RefusedProperty{"retries", kBoundByTransaction},
    RefusedProperty{"message.send.max.retries", kBoundByTransaction},
    RefusedProperty{
        "queuing.strategy",
        "records must be sent in the order they were written: the changelog's last row counts"},
    RefusedProperty{"msg_order_cmp", kSetByProgram},
    RefusedProperty{"partitioner", kPartition},
    RefusedProperty{"delivery.report.only.error", kReports},
    RefusedProperty{"produce.offset.report", kReports},

    RefusedProperty{"api.version.request", "without it librdkafka cannot use transactions"},
    RefusedProperty{
        "allow.auto.create.topics",
        "a topic made by the broker has the wrong partition count and cleanup policy; set "
        "`topics.create`"},
    RefusedProperty{"topic.blacklist", "it could hide the topics the daemon needs"},
    RefusedProperty{"log_level", "set `log.level`"},
    RefusedProperty{"log.queue", kServing},
    RefusedProperty{"enabled_events", kServing},
    RefusedProperty{"*_cb", kSetByProgram},
    RefusedProperty{"opaque", kSetByProgram},
    RefusedProperty{"default_topic_conf", kSetByProgram},
    RefusedProperty{"interceptors", kSetByProgram},
    RefusedProperty{"ssl_engine_callback_data", kSetByProgram},
    RefusedProperty{"ssl_key", "takes an address in the program; set kafka.ssl.key.location"},
    RefusedProperty{"ssl_certificate",
                    "takes an address in the program; set kafka.ssl.certificate.location"},
    RefusedProperty{"ssl_ca", "takes an address in the program; set kafka.ssl.ca.location"},
    RefusedProperty{"go.*", "a property of another client library"},
};

constexpr std::array kBounded{
    BoundedProperty{
        "transaction.timeout.ms", 5'000, 60'000,
        "shorter aborts healthy transactions while a broker changes; longer hides a dead "
        "member's partitions from every reader for that long"},
    BoundedProperty{"max.in.flight.requests.per.connection", 1, 5,
                    "an idempotent producer keeps the order of at most 5"},
    BoundedProperty{"max.in.flight", 1, 5, "an idempotent producer keeps the order of at most 5"},
    BoundedProperty{"message.max.bytes", 1'000'000, 1'000'000'000,
                    "a customer's row and a rejected record must fit"},
};

// librdkafka before 2.5.0 crashes on a longer one.
constexpr std::size_t kClientIdMax = 63;

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  if (pattern.starts_with('*')) return name.ends_with(pattern.substr(1));
  return pattern == name;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

/// nullptr = the name is not refused.
const RefusedProperty* refused_by_name(std::string_view name) {
  const auto found =
      std::find_if(kRefused.begin(), kRefused.end(),
                   [&](const RefusedProperty& refused) { return matches(refused.name, name); });
  return found == kRefused.end() ? nullptr : &*found;
}

std::string refusal(std::string_view name, std::string_view value) {
  if (const RefusedProperty* refused = refused_by_name(name)) {
    return std::string("may not be set: ") + refused->reason;
  }
  for (const BoundedProperty& bounded : kBounded) {
    if (name != bounded.name) continue;
    const auto number = whole_number(value);
    if (number && *number >= bounded.smallest && *number <= bounded.largest) return {};
    return "must be in " + std::to_string(bounded.smallest) + " .. " +
           std::to_string(bounded.largest) + ": " + bounded.reason;
  }
  if (name == "client.id" && value.size() > kClientIdMax) {
    return "has more than " + std::to_string(kClientIdMax) + " bytes";
  }
  if (name.empty()) return "names no property";
  return {};
}

}  // namespace

std::span<const RefusedProperty> refused_kafka_properties() {
  return kRefused;
}
std::span<const BoundedProperty> bounded_kafka_properties() {
  return kBounded;
}

bool is_refused_kafka_property(std::string_view name) {
  return refused_by_name(name) != nullptr;
}

bool is_secret_kafka_property(std::string_view name) {
  constexpr std::array<std::string_view, 2> kSecretNames{"ssl.key.pem", "sasl.oauthbearer.config"};
  return name.find("password") != std::string_view::npos ||
         name.find("secret") != std::string_view::npos ||
         std::find(kSecretNames.begin(), kSecretNames.end(), name) != kSecretNames.end();
}

std::string KafkaProperties::set(std::string_view name, std::string_view value,
                                 std::string_view origin) {
  std::string refused = refusal(name, value);
  if (!refused.empty()) return refused;
  entries_.insert_or_assign(std::string(name), Entry{std::string(value), std::string(origin)});
  return {};
}

std::optional<std::int64_t> KafkaProperties::integer(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return std::nullopt;
  return whole_number(found->second.value);
}

}  // namespace segmentd::config
