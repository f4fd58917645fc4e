#include "daemon/kafka/shown_end.hpp"

#include <algorithm>
#include <utility>

namespace segmentd::kafka {

void ShownEnd::expect(std::vector<Written> written) {
  std::erase_if(written, [](const Written& w) { return w.last_offset < 0; });
  if (written.empty()) return;  // it leaves no trace; the one before may be hidden still
  expected_ = std::move(written);
  hidden_since_.reset();
}

Result<ShownEnd::Answer> ShownEnd::ask(rd_kafka_t* client, const OutputTopicNames& names,
                                       milliseconds timeout) {
  if (expected_.empty()) return Answer::kShown;
  const auto name = [&](const Written& w) {
    return names[static_cast<std::size_t>(w.topic)].c_str();
  };
  Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(expected_.size())));
  for (const Written& w : expected_) {
    // As a time it asks for the last stable offset: read_committed is the default, of producers
    // too.
    rd_kafka_topic_partition_list_add(list.get(), name(w), w.partition)->offset =
        RD_KAFKA_OFFSET_END;
  }
  if (auto err = rd_kafka_offsets_for_times(client, list.get(), timeout_ms(timeout))) {
    hidden_since_.reset();
    return Error{Errc::kRetry, "the ends of what was written last: " + describe(err)};
  }
  std::vector<Written> hidden;
  for (const Written& w : expected_) {
    const auto* found = rd_kafka_topic_partition_list_find(list.get(), name(w), w.partition);
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      hidden_since_.reset();
      return Error{Errc::kRetry, std::string(name(w)) + "/" + std::to_string(w.partition) + ": " +
                                     describe(found->err)};
    }
    if (found->offset <= w.last_offset) hidden.push_back(w);
  }
  expected_ = std::move(hidden);
  if (expected_.empty()) return Answer::kShown;
  where_ = std::string(name(expected_.front())) + "/" + std::to_string(expected_.front().partition);
  const auto now = Clock::now();
  if (!hidden_since_) hidden_since_ = now;
  if (now - *hidden_since_ < kEndPatience) return Answer::kHidden;
  expected_.clear();
  return Answer::kLost;
}

}  // namespace segmentd::kafka
