#include "daemon/kafka/transactional_producer.hpp"

#include <algorithm>
#include <cstdlib>

namespace segmentd::kafka {
namespace {

using Clock = std::chrono::steady_clock;

// retry.backoff.ms is how long a transaction waits for the markers of the one before.
const std::vector<Property> kTuned = {
    {"linger.ms", "2"},
    {"batch.num.messages", "10000"},
    {"batch.size", "1000000"},
    {"compression.codec", "lz4"},
    {"queue.buffering.max.messages", "2000000"},
    {"retry.backoff.ms", "5"},
    {"transaction.timeout.ms", "10000"},
};

constexpr std::int64_t kUntouched = -2;

/// The record is too large for its topic, now and later.
bool is_refusal(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
         code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

}  // namespace

bool is_fenced(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

void WrittenOffsets::clear() {
  for (auto& partitions : last_) partitions.clear();
}

void WrittenOffsets::note(std::size_t topic, std::int32_t partition, std::int64_t offset) {
  auto& partitions = last_[topic];
  const auto at = static_cast<std::size_t>(partition);
  if (at >= partitions.size()) partitions.resize(at + 1, kUntouched);
  partitions[at] = std::max<std::int64_t>(partitions[at], offset < 0 ? -1 : offset);
}

std::vector<Written> WrittenOffsets::list() const {
  std::vector<Written> all;
  for (std::size_t topic = 0; topic < last_.size(); ++topic) {
    for (std::size_t p = 0; p < last_[topic].size(); ++p) {
      if (last_[topic][p] == kUntouched) continue;
      all.push_back(
          {static_cast<OutputTopic>(topic), static_cast<std::int32_t>(p), last_[topic][p]});
    }
  }
  return all;
}

TransactionalProducer::TransactionalProducer(const ClientSettings& settings,
                                             const TransactionLogOptions& options)
    : settings_(settings), options_(options), hooks_{settings.log, this} {}

TransactionalProducer::~TransactionalProducer() {
  // What is still queued belongs to a transaction that nobody will commit.
  if (handle_) rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

Result<void> TransactionalProducer::open(Clock::time_point until) {
  if (auto made = create(); !made) return made;
  if (auto known = open_topics(until); !known) return known;
  return init(until);
}

Result<void> TransactionalProducer::create() {
  auto conf = make_conf(settings_, hooks_, kTuned,
                        {{"transactional.id", options_.transactional_id},
                         {"enable.idempotence", "true"},
                         {"queue.buffering.max.kbytes", kilobytes(options_.queue_bytes)},
                         {"delivery.report.only.error", "false"}});
  if (!conf) return conf.error();
  rd_kafka_conf_set_dr_msg_cb(conf->get(), &TransactionalProducer::on_delivery);
  watch_.attach(conf->get());
  transaction_timeout_ =
      milliseconds(std::atol(property_of(conf->get(), "transaction.timeout.ms").c_str()));
  auto handle = make_producer(std::move(*conf));
  if (!handle) return handle.error();
  handle_ = std::move(*handle);
  return {};
}

// The first record to a topic whose partitions are not known would wait up to a second for them.
Result<void> TransactionalProducer::open_topics(Clock::time_point until) {
  for (std::size_t topic = 0; topic < kOutputTopics; ++topic) {
    rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(handle_.get());
    rd_kafka_topic_conf_set_opaque(conf, &topics_[topic]);
    topics_[topic].reset(rd_kafka_topic_new(handle_.get(), options_.topics[topic].c_str(), conf));
    if (!topics_[topic]) {
      return Error{Errc::kMisconfigured,
                   "topic " + options_.topics[topic] + ": " + describe(rd_kafka_last_error())};
    }
    if (auto known = know_topic(topic, until); !known) return known;
  }
  return {};
}

Result<void> TransactionalProducer::know_topic(std::size_t topic, Clock::time_point until) {
  const auto count = partition_count(handle_.get(), topics_[topic].get(), left_until(until));
  if (!count) return count.error();
  return {};
}

Result<void> TransactionalProducer::init(Clock::time_point until) {
  for (;;) {
    KafkaError error(rd_kafka_init_transactions(handle_.get(), timeout_ms(left_until(until))));
    if (!error) return {};
    if (rd_kafka_error_is_retriable(error.get()) != 0 && Clock::now() < until) continue;
    const auto code = rd_kafka_error_code(error.get());
    return Error{errc_of(code), "transactional.id " + options_.transactional_id + ": " +
                                    describe(code, rd_kafka_error_string(error.get()))};
  }
}

void TransactionalProducer::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message,
                                        void* hooks) {
  auto* self = static_cast<TransactionalProducer*>(static_cast<Hooks*>(hooks)->owner);
  const auto* slot = static_cast<const Topic*>(rd_kafka_topic_opaque(message->rkt));
  const auto topic = static_cast<std::size_t>(slot - self->topics_.data());
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    self->written_.note(topic, message->partition, message->offset);
    return;
  }
  if (is_refusal(message->err) && self->refused_partition_ < 0) {
    self->refused_partition_ = message->partition;
  }
  if (self->delivery_failure_.empty()) {
    // Not rd_kafka_message_errstr(): of a record that was to be written it gives the record's
    // bytes.
    self->delivery_failure_ = self->options_.topics[topic] + "/" +
                              std::to_string(message->partition) + ": " + describe(message->err);
  }
}

void TransactionalProducer::forget() {
  written_.clear();
  delivery_failure_.clear();
  refused_partition_ = -1;
}

}  // namespace segmentd::kafka
