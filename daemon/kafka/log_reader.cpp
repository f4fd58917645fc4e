// Partitions of one topic, assigned by hand, read_committed, without a group.
#include <algorithm>
#include <map>
#include <utility>

#include "daemon/kafka/broker.hpp"

namespace segmentd::kafka {
namespace {

// A restore reads as fast as it can, several side by side: a queue for a fraction of a second each.
const std::vector<Property> kTuned = {
    {"queued.min.messages", "200000"}, {"fetch.wait.max.ms", "25"}, {"fetch.min.bytes", "1"},
    {"fetch.error.backoff.ms", "100"}, {"check.crcs", "true"},
};

class KafkaLogReader final : public LogReader {
 public:
  KafkaLogReader(LogLine log, std::string topic)
      : hooks_{std::move(log), this}, topic_(std::move(topic)) {}

  Result<void> open(const ClientSettings& settings, std::span<const ReadFrom> from,
                    milliseconds timeout);

  Result<void> read(std::vector<Message>& out, std::size_t max_records,
                    milliseconds timeout) override;
  ReadProgress progress(std::int32_t partition) const override;
  bool complete() const override;

 private:
  struct Part {
    std::int64_t position = -1;
    bool at_stable_end = false;
  };

  Result<void> require_partitions(std::span<const ReadFrom> from, milliseconds timeout);
  Result<void> trouble_of(const rd_kafka_message_t& message) const;

  Hooks hooks_;
  std::string topic_;
  std::map<std::int32_t, Part> parts_;
  Handle handle_;
};

Result<void> KafkaLogReader::open(const ClientSettings& settings, std::span<const ReadFrom> from,
                                  milliseconds timeout) {
  // The library asks for a group even of a consumer that joins none; offsets are never committed.
  auto conf = make_conf(settings, hooks_, kTuned,
                        {{"group.id", settings.group},
                         {"isolation.level", "read_committed"},
                         {"enable.auto.commit", "false"},
                         {"enable.auto.offset.store", "false"},
                         {"enable.partition.eof", "true"},
                         {"auto.offset.reset", "error"},
                         {"queued.max.messages.kbytes", kilobytes(settings.reader_queue_bytes)}});
  if (!conf) return conf.error();
  auto handle = make_consumer(std::move(*conf));
  if (!handle) return handle.error();
  handle_ = std::move(*handle);
  if (auto there = require_partitions(from, timeout); !there) return there;
  Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(from.size())));
  for (const ReadFrom& start : from) {
    auto* entry = rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), start.partition);
    entry->offset = start.offset == kFromBeginning ? RD_KAFKA_OFFSET_BEGINNING
                    : start.offset == kFromEnd     ? RD_KAFKA_OFFSET_END
                                                   : start.offset;
    parts_[start.partition].position = start.offset >= 0 ? start.offset : -1;
  }
  if (auto err = rd_kafka_assign(handle_.get(), list.get())) {
    return Error{errc_of(err), topic_ + ": " + describe(err)};
  }
  return {};
}

// The library would wait half a minute before it said that a topic is not there.
Result<void> KafkaLogReader::require_partitions(std::span<const ReadFrom> from,
                                                milliseconds timeout) {
  const Topic topic(rd_kafka_topic_new(handle_.get(), topic_.c_str(), nullptr));
  const auto count = partition_count(handle_.get(), topic.get(), timeout);
  if (!count) return count.error();
  for (const ReadFrom& start : from) {
    if (start.partition >= 0 && start.partition < *count) continue;
    return Error{Errc::kUnavailable,
                 "topic " + topic_ + " has no partition " + std::to_string(start.partition)};
  }
  return {};
}

Result<void> KafkaLogReader::read(std::vector<Message>& out, std::size_t max_records,
                                  milliseconds timeout) {
  milliseconds wait = timeout;
  for (std::size_t n = 0; n < max_records; ++n) {
    RawMessage message(rd_kafka_consumer_poll(handle_.get(), timeout_ms(wait)));
    if (!message) return {};
    wait = milliseconds(0);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // Its offset is past control records, which no message shows.
      Part& part = parts_.at(message->partition);
      part.position = message->offset;
      part.at_stable_end = true;
      return {};
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return trouble_of(*message);
    Part& part = parts_.at(message->partition);
    part.position = message->offset + 1;
    part.at_stable_end = false;
    out.push_back(message_of(std::move(message)));
  }
  return {};
}

Result<void> KafkaLogReader::trouble_of(const rd_kafka_message_t& message) const {
  std::string where = topic_;
  if (message.rkt != nullptr) where.append("/").append(std::to_string(message.partition));
  const std::string what = where + ": " + describe(message.err, rd_kafka_message_errstr(&message));
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    return Error{Errc::kCorrupt, what};
  }
  return Error{errc_of(message.err), what};
}

ReadProgress KafkaLogReader::progress(std::int32_t partition) const {
  const Part& part = parts_.at(partition);
  ReadProgress progress{.position = part.position, .end = -1, .at_stable_end = part.at_stable_end};
  // Of a fetch at least as new as the position, so an open transaction is never overlooked.
  std::int64_t first = -1;
  std::int64_t end = -1;
  const auto err =
      rd_kafka_get_watermark_offsets(handle_.get(), topic_.c_str(), partition, &first, &end);
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0) progress.end = end;
  return progress;
}

bool KafkaLogReader::complete() const {
  return std::all_of(parts_.begin(), parts_.end(),
                     [&](const auto& part) { return progress(part.first).complete(); });
}

}  // namespace

Result<std::unique_ptr<LogReader>> open_log_reader(const ClientSettings& settings,
                                                   const std::string& topic,
                                                   std::span<const ReadFrom> from,
                                                   milliseconds timeout) {
  auto reader = std::make_unique<KafkaLogReader>(settings.log, topic);
  if (auto opened = reader->open(settings, from, timeout); !opened) return opened.error();
  return std::unique_ptr<LogReader>(std::move(reader));
}

}  // namespace segmentd::kafka
