// One life of a transactional producer: from its creation until it must be replaced. For
// transaction_log.cpp only.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "daemon/kafka/client.hpp"
#include "daemon/kafka/request_watch.hpp"
#include "daemon/kafka/transaction_log.hpp"

namespace segmentd::kafka {

/// Offset of the newest record written to each partition of each topic in one transaction.
class WrittenOffsets {
 public:
  void clear();
  /// `offset` < 0: written, the broker did not say where.
  void note(std::size_t topic, std::int32_t partition, std::int64_t offset);
  std::vector<Written> list() const;

 private:
  std::array<std::vector<std::int64_t>, kOutputTopics> last_;
};

class TransactionalProducer {
 public:
  TransactionalProducer(const ClientSettings& settings, const TransactionLogOptions& options);
  TransactionalProducer(const TransactionalProducer&) = delete;
  TransactionalProducer& operator=(const TransactionalProducer&) = delete;
  ~TransactionalProducer();

  /// Once. Afterwards a transaction can begin.
  Result<void> open(std::chrono::steady_clock::time_point until);

  rd_kafka_t* handle() const { return handle_.get(); }
  rd_kafka_topic_t* topic(std::size_t topic) const { return topics_[topic].get(); }
  milliseconds transaction_timeout() const { return transaction_timeout_; }
  /// A request of a transaction may still be on its way: begin no other on this producer.
  bool stray() const { return watch_.stray(); }

  /// A record was handed to the library: its partition takes part, whatever becomes of it.
  void note_queued(std::size_t topic, std::int32_t partition) {
    written_.note(topic, partition, -1);
  }
  /// Of the transaction since the last forget(); complete once it was committed.
  std::vector<Written> written() const { return written_.list(); }
  /// The first record that could not be delivered, and why; empty = none.
  const std::string& delivery_failure() const { return delivery_failure_; }
  /// The partition of the first record that was refused as too large; -1 = none.
  std::int32_t refused_partition() const { return refused_partition_; }
  void forget();

 private:
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* hooks);

  Result<void> create();
  Result<void> open_topics(std::chrono::steady_clock::time_point until);
  Result<void> know_topic(std::size_t topic, std::chrono::steady_clock::time_point until);
  Result<void> init(std::chrono::steady_clock::time_point until);

  // Copies: a producer may be left behind by its owner.
  const ClientSettings settings_;
  const TransactionLogOptions options_;
  Hooks hooks_;
  RequestWatch watch_;
  milliseconds transaction_timeout_{0};
  WrittenOffsets written_;
  std::string delivery_failure_;
  std::int32_t refused_partition_ = -1;
  // The handle goes after its topics and before what its threads use.
  Handle handle_;
  std::array<Topic, kOutputTopics> topics_;
};

bool is_fenced(rd_kafka_resp_err_t code);

}  // namespace segmentd::kafka
