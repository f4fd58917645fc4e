#include "daemon/kafka/shown_end.hpp"

#include <algorithm>
#include <utility>

namespace segmentd::kafka {
namespace {

std::string place(const Written& written, const OutputTopicNames& names) {
  return names[static_cast<std::size_t>(written.topic)] + "/" + std::to_string(written.partition);
}

}  // namespace

std::string ShownEnd::expect(std::vector<Written> written, bool committed,
                             const OutputTopicNames& names) {
  std::string undone;
  std::erase_if(lost_, [&](const Written& lost) {
    const bool ended = std::any_of(written.begin(), written.end(), [&](const Written& w) {
      return w.topic == lost.topic && w.partition == lost.partition;
    });
    if (ended && !committed) undone += (undone.empty() ? "" : ", ") + place(lost, names);
    return ended;
  });
  std::erase_if(written, [](const Written& w) { return w.last_offset < 0; });
  if (written.empty()) return undone;  // it leaves no trace; the one before may be hidden still
  expected_ = std::move(written);
  hidden_at_.reset();
  return undone;
}

/// Counts the answer.
bool ShownEnd::is_lost() {
  const auto now = Clock::now();
  if (!hidden_at_) hidden_for_ = milliseconds(0);
  const auto since = std::chrono::duration_cast<milliseconds>(now - hidden_at_.value_or(now));
  hidden_at_ = now;
  hidden_for_ += std::min(since, kAnswerLasts);
  return hidden_for_ >= kEndPatience;
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
    hidden_at_.reset();
    return Error{Errc::kRetry, "the ends of what was written last: " + describe(err)};
  }
  std::vector<Written> hidden;
  for (const Written& w : expected_) {
    const auto* found = rd_kafka_topic_partition_list_find(list.get(), name(w), w.partition);
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      hidden_at_.reset();
      return Error{Errc::kRetry, place(w, names) + ": " + describe(found->err)};
    }
    if (found->offset <= w.last_offset) hidden.push_back(w);
  }
  expected_ = std::move(hidden);
  if (expected_.empty()) return Answer::kShown;
  where_ = place(expected_.front(), names);
  if (!is_lost()) return Answer::kHidden;
  lost_.insert(lost_.end(), expected_.begin(), expected_.end());
  expected_.clear();
  return Answer::kLost;
}

}  // namespace segmentd::kafka
