#include "daemon/kafka/player.hpp"

#include <utility>

namespace segmentd::kafka {
namespace {

constexpr milliseconds kConnect{30'000};

const std::vector<Property> kTuned = {
    {"linger.ms", "5"},           {"batch.num.messages", "10000"}, {"batch.size", "1000000"},
    {"compression.codec", "lz4"}, {"retry.backoff.ms", "100"},     {"message.timeout.ms", "60000"},
};

void* bytes_of(const std::optional<std::string_view>& text) {
  if (!text) return nullptr;
  return const_cast<char*>(text->data() != nullptr ? text->data() : "");
}

}  // namespace

Result<std::unique_ptr<Player>> Player::open(const ClientSettings& settings,
                                             const std::string& topic) {
  std::unique_ptr<Player> player(new Player());
  player->hooks_ = Hooks{settings.log, player.get()};
  auto conf = make_conf(settings, player->hooks_, kTuned,
                        {{"enable.idempotence", "true"}, {"partitioner", "murmur2_random"}});
  if (!conf) return conf.error();
  rd_kafka_conf_set_dr_msg_cb(conf->get(), &Player::on_delivery);
  auto handle = make_producer(std::move(*conf));
  if (!handle) return handle.error();
  player->handle_ = std::move(*handle);
  if (auto known = player->know_topic(topic); !known) return known.error();
  return player;
}

Player::~Player() {
  if (handle_) rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

Result<void> Player::know_topic(const std::string& topic) {
  topic_.reset(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
  if (!topic_) return Error{Errc::kMisconfigured, topic + ": " + describe(rd_kafka_last_error())};
  const rd_kafka_metadata_t* metadata = nullptr;
  auto err = rd_kafka_metadata(handle_.get(), 0, topic_.get(), &metadata, timeout_ms(kConnect));
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    err = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                   : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) partitions_ = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
  }
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return Error{errc_of(err), "topic " + topic + ": " + describe(err)};
}

Result<void> Player::play(std::optional<std::string_view> key,
                          std::optional<std::string_view> value, std::int32_t partition) {
  if (++played_ % 512 == 0) rd_kafka_poll(handle_.get(), 0);
  const std::int32_t where = partition < 0 ? RD_KAFKA_PARTITION_UA : partition;
  while (rd_kafka_produce(topic_.get(), where, RD_KAFKA_MSG_F_COPY, bytes_of(value),
                          value ? value->size() : 0, bytes_of(key), key ? key->size() : 0,
                          nullptr) != 0) {
    const auto err = rd_kafka_last_error();
    if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(handle_.get(), 10);  // bounded by message.timeout.ms, which empties the queue
      continue;
    }
    const auto errc = err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? Errc::kBadInput : errc_of(err);
    return Error{errc, std::string(rd_kafka_topic_name(topic_.get())) + ": " + describe(err)};
  }
  return {};
}

Result<void> Player::flush(milliseconds timeout) {
  const auto err = rd_kafka_flush(handle_.get(), timeout_ms(timeout));
  const std::string topic = rd_kafka_topic_name(topic_.get());
  if (failed_ > 0) {
    return Error{Errc::kUnavailable, topic + ": " + std::to_string(failed_) +
                                         " records not written; " + first_failure_};
  }
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return Error{Errc::kRetry, topic + ": " + std::to_string(rd_kafka_outq_len(handle_.get())) +
                                 " records not written yet: " + describe(err)};
}

void Player::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* hooks) {
  auto* self = static_cast<Player*>(static_cast<Hooks*>(hooks)->owner);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++self->delivered_;
  } else if (self->failed_++ == 0) {
    self->first_failure_ = describe(message->err);  // errstr would be the record's bytes
  }
}

}  // namespace segmentd::kafka
