#include "daemon/kafka/group_offsets.hpp"

#include <utility>

namespace segmentd::kafka {

Result<std::vector<CommittedOffset>> committed_offsets(rd_kafka_t* consumer,
                                                       const std::string& topic,
                                                       std::span<const std::int32_t> partitions,
                                                       milliseconds timeout) {
  Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const std::int32_t p : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), p);
  }
  // With read_committed the library asks for stable offsets and waits for open transactions.
  if (auto err = rd_kafka_committed(consumer, list.get(), timeout_ms(timeout))) {
    return Error{errc_of(err), "committed offsets of " + topic + ": " + describe(err)};
  }
  std::vector<CommittedOffset> answer;
  for (const std::int32_t p : partitions) {
    const auto* found = rd_kafka_topic_partition_list_find(list.get(), topic.c_str(), p);
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Error{errc_of(found->err), "committed offset of " + topic + "/" + std::to_string(p) +
                                            ": " + describe(found->err)};
    }
    CommittedOffset offset{.partition = p, .next_offset = {}, .metadata = {}};
    if (found->offset >= 0) {
      offset.next_offset = found->offset;
      if (found->metadata != nullptr) {
        offset.metadata.assign(static_cast<const char*>(found->metadata), found->metadata_size);
      }
    }
    answer.push_back(std::move(offset));
  }
  return answer;
}

Result<std::vector<CommittedOffset>> committed_offsets(const ClientSettings& settings,
                                                       const std::string& topic,
                                                       std::span<const std::int32_t> partitions,
                                                       milliseconds timeout, Offsets which) {
  Hooks hooks{settings.log, nullptr};
  // By it the library decides whether to ask for stable ones.
  const char* isolation = which == Offsets::kStable ? "read_committed" : "read_uncommitted";
  auto conf = make_conf(settings, hooks, {},
                        {{"group.id", settings.group},
                         {"isolation.level", isolation},
                         {"enable.auto.commit", "false"}});
  if (!conf) return conf.error();
  const auto consumer = make_consumer(std::move(*conf));
  if (!consumer) return consumer.error();
  return committed_offsets(consumer->get(), topic, partitions, timeout);
}

}  // namespace segmentd::kafka
