// Writes input records: for import, the quick start and the tests. Never for what segmentd says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/kafka/client.hpp"

namespace segmentd::kafka {

/// An idempotent producer to one topic. Keyed records lie where Java would put them (murmur2),
/// others anywhere. One thread.
class Player {
 public:
  /// kUnavailable: no such topic.
  static Result<std::unique_ptr<Player>> open(const ClientSettings& settings,
                                              const std::string& topic);
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  /// Queues a copy; waits while the queue is full. `partition` < 0 = by key. Stamped with the wall
  /// clock: brokers delete by it. kBadInput: larger than the topic takes.
  Result<void> play(std::optional<std::string_view> key, std::optional<std::string_view> value,
                    std::int32_t partition = -1);

  /// Waits until all is written. Tells of the first record that was not, whenever that was.
  Result<void> flush(milliseconds timeout);

  std::int32_t partitions() const { return partitions_; }
  std::uint64_t delivered() const { return delivered_; }

 private:
  Player() = default;
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* hooks);
  Result<void> know_topic(const std::string& topic);

  Hooks hooks_;
  std::int32_t partitions_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t failed_ = 0;
  std::string first_failure_;
  std::uint32_t played_ = 0;
  Handle handle_;
  Topic topic_;
};

}  // namespace segmentd::kafka
