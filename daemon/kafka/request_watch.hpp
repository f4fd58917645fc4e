// Watches the requests of one handle go out and be answered.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <librdkafka/rdkafka.h>

namespace segmentd::kafka {

/// The few requests we watch, by their number in Kafka's protocol.
enum class Api : std::int16_t {
  kLeaveGroup = 13,
  kAddOffsetsToTxn = 25,
  kEndTxn = 26,
  kTxnOffsetCommit = 28
};

/// The library repeats a request whose connection was cut, and says nothing of it. The first copy
/// may still reach the broker, in the middle of a later transaction of the same producer
/// (KAFKA-17754). The requests of a transaction follow one another, so one that is sent before the
/// last of its kind was answered is such a repetition. Written by the library's threads, read by
/// the owner's. Must outlive the handle it watches.
class RequestWatch {
 public:
  RequestWatch() = default;
  RequestWatch(const RequestWatch&) = delete;
  RequestWatch& operator=(const RequestWatch&) = delete;

  /// Watches the handle made from `conf`.
  void attach(rd_kafka_conf_t* conf);

  /// Grows with every answer.
  std::uint64_t answers(Api api) const;
  /// A request that ends or extends a transaction was sent twice, or has no answer.
  bool stray() const;

 private:
  struct Traffic {
    std::atomic<bool> waiting{false};   // sent, not answered
    std::atomic<bool> repeated{false};  // sent again while waiting
    std::atomic<std::uint64_t> answers{0};
  };
  static constexpr std::int16_t kApis = 32;

  static rd_kafka_resp_err_t on_new(rd_kafka_t* handle, const rd_kafka_conf_t* conf, void* watch,
                                    char* why, std::size_t why_size);
  static rd_kafka_resp_err_t on_sent(rd_kafka_t* handle, int socket, const char* broker,
                                     std::int32_t broker_id, std::int16_t api, std::int16_t version,
                                     std::int32_t correlation, std::size_t size, void* watch);
  static rd_kafka_resp_err_t on_answer(rd_kafka_t* handle, int socket, const char* broker,
                                       std::int32_t broker_id, std::int16_t api,
                                       std::int16_t version, std::int32_t correlation,
                                       std::size_t size, std::int64_t round_trip_us,
                                       rd_kafka_resp_err_t error, void* watch);

  const Traffic& of(Api api) const { return traffic_[static_cast<std::size_t>(api)]; }

  std::array<Traffic, kApis> traffic_;
};

}  // namespace segmentd::kafka
