#include "daemon/kafka/broker.hpp"

#include <utility>

namespace segmentd::kafka {
namespace {

using Clock = std::chrono::steady_clock;

/// Asks for the ends of partitions as one isolation level sees them.
class EndAsker {
 public:
  explicit EndAsker(LogLine log) : hooks_{std::move(log), nullptr} {}

  Result<void> open(const ClientSettings& settings, const char* isolation) {
    auto conf = make_conf(settings, hooks_, {},
                          {{"group.id", settings.group},
                           {"isolation.level", isolation},
                           {"enable.auto.commit", "false"}});
    if (!conf) return conf.error();
    auto handle = make_consumer(std::move(*conf));
    if (!handle) return handle.error();
    handle_ = std::move(*handle);
    return {};
  }

  Result<std::int32_t> partition_count(const std::string& topic, milliseconds timeout) {
    const Topic asked(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
    return kafka::partition_count(handle_.get(), asked.get(), timeout);
  }

  /// First and next offset.
  Result<std::pair<std::int64_t, std::int64_t>> ask(const std::string& topic,
                                                    std::int32_t partition,
                                                    Clock::time_point until) {
    std::int64_t first = 0;
    std::int64_t end = 0;
    const auto query = [&] {
      return rd_kafka_query_watermark_offsets(handle_.get(), topic.c_str(), partition, &first, &end,
                                              timeout_ms(left_until(until)));
    };
    auto err = query();
    // The library goes on asking the leader that it knew, moved or dead, as long as its metadata
    // live.
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && Clock::now() < until &&
        partition_count(topic, left_until(until))) {
      err = query();
    }
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return std::pair{first, end};
    return Error{errc_of(err), topic + "/" + std::to_string(partition) + ": " + describe(err)};
  }

 private:
  Hooks hooks_;
  Handle handle_;
};

std::string writer_of(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;  // the message's
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, kWriterHeader, &value, &size) !=
          RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {};
  }
  return {static_cast<const char*>(value), size};
}

/// Of a record that may belong to an open transaction. nullopt: there is none any more.
Result<std::optional<std::string>> writer_of_record(const ClientSettings& settings,
                                                    const std::string& topic, ReadFrom from,
                                                    Clock::time_point until) {
  Hooks hooks{settings.log, nullptr};
  auto conf = make_conf(settings, hooks, {},
                        {{"group.id", settings.group},
                         {"isolation.level", "read_uncommitted"},
                         {"enable.auto.commit", "false"},
                         {"enable.partition.eof", "true"},
                         {"auto.offset.reset", "error"}});
  if (!conf) return conf.error();
  auto handle = make_consumer(std::move(*conf));
  if (!handle) return handle.error();
  const Partitions list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), from.partition)->offset =
      from.offset;
  if (auto err = rd_kafka_assign(handle->get(), list.get())) {
    return Error{errc_of(err), topic + ": " + describe(err)};
  }
  while (Clock::now() < until) {
    const RawMessage message(rd_kafka_consumer_poll(handle->get(), timeout_ms(left_until(until))));
    if (!message) break;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return std::optional(writer_of(*message));
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return std::optional<std::string>();
  }
  return Error{Errc::kRetry, topic + "/" + std::to_string(from.partition) +
                                 ": who hides its end is not known yet"};
}

class KafkaBroker final : public Broker {
 public:
  explicit KafkaBroker(const ClientSettings& settings)
      : settings_(settings), committed_(settings.log), uncommitted_(settings.log) {}

  Result<void> open() {
    if (auto opened = committed_.open(settings_, "read_committed"); !opened) return opened;
    return uncommitted_.open(settings_, "read_uncommitted");
  }

  Result<std::unique_ptr<LogReader>> open_reader(const std::string& topic,
                                                 std::span<const ReadFrom> from,
                                                 milliseconds timeout) override {
    return open_log_reader(settings_, topic, from, timeout);
  }
  Result<Watermarks> watermarks(const std::string& topic, std::int32_t partition,
                                milliseconds timeout) override;
  Result<std::int32_t> partition_count(const std::string& topic, milliseconds timeout) override {
    return committed_.partition_count(topic, timeout);
  }
  Result<std::optional<std::string>> hiding_writer(const std::string& topic, std::int32_t partition,
                                                   milliseconds timeout) override;
  Result<void> fence(const std::string& transactional_id, milliseconds timeout) override;

 private:
  const ClientSettings settings_;
  EndAsker committed_;
  EndAsker uncommitted_;
};

Result<Watermarks> KafkaBroker::watermarks(const std::string& topic, std::int32_t partition,
                                           milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  // In this order stable_end <= end even while the log grows.
  auto stable = committed_.ask(topic, partition, until);
  if (!stable) return stable.error();
  auto all = uncommitted_.ask(topic, partition, until);
  if (!all) return all.error();
  return Watermarks{.first = all->first, .stable_end = stable->second, .end = all->second};
}

Result<std::optional<std::string>> KafkaBroker::hiding_writer(const std::string& topic,
                                                              std::int32_t partition,
                                                              milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  auto marks = watermarks(topic, partition, timeout);
  if (!marks) return marks.error();
  if (marks->stable_end >= marks->end) return std::optional<std::string>();
  return writer_of_record(settings_, topic, {partition, marks->stable_end}, until);
}

Result<void> KafkaBroker::fence(const std::string& transactional_id, milliseconds timeout) {
  Hooks hooks{settings_.log, nullptr};
  auto conf = make_conf(settings_, hooks, {}, {{"transactional.id", transactional_id}});
  if (!conf) return conf.error();
  auto producer = make_producer(std::move(*conf));
  if (!producer) return producer.error();
  const auto until = Clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    KafkaError error(
        rd_kafka_init_transactions(producer->get(), timeout_ms(std::max(left, milliseconds(1)))));
    if (!error) return {};
    if (rd_kafka_error_is_retriable(error.get()) != 0 && Clock::now() < until) continue;
    const auto code = rd_kafka_error_code(error.get());
    return Error{errc_of(code), "fence " + transactional_id + ": " +
                                    describe(code, rd_kafka_error_string(error.get()))};
  }
}

}  // namespace

Result<std::unique_ptr<Broker>> open_broker(const ClientSettings& settings) {
  auto broker = std::make_unique<KafkaBroker>(settings);
  if (auto opened = broker->open(); !opened) return opened.error();
  return std::unique_ptr<Broker>(std::move(broker));
}

}  // namespace segmentd::kafka
