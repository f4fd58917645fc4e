#include "daemon/kafka/shown_end.hpp"

#include <algorithm>
#include <utility>

namespace segmentd::kafka {
namespace {

std::string place(const Written& written, const OutputTopicNames& names) {
  return names[static_cast<std::size_t>(written.topic)] + "/" + std::to_string(written.partition);
}

bool has(const std::vector<Written>& all, const Written& one) {
  return std::any_of(all.begin(), all.end(), [&](const Written& w) {
    return w.topic == one.topic && w.partition == one.partition;
  });
}

/// Those whose partition's last stable offset is not past them. kRetry: not all leaders answer.
Result<std::vector<Written>> hidden_of(rd_kafka_t* client, const OutputTopicNames& names,
                                       const std::vector<Written>& written, milliseconds timeout) {
  const auto name = [&](const Written& w) {
    return names[static_cast<std::size_t>(w.topic)].c_str();
  };
  Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(written.size())));
  for (const Written& w : written) {
    auto* entry = rd_kafka_topic_partition_list_add(list.get(), name(w), w.partition);
    // As a time it asks for the last stable offset: read_committed is the default, of producers
    // too.
    entry->offset = RD_KAFKA_OFFSET_END;
  }
  if (auto err = rd_kafka_offsets_for_times(client, list.get(), timeout_ms(timeout))) {
    return Error{Errc::kRetry, "the ends of what was written last: " + describe(err)};
  }
  std::vector<Written> hidden;
  for (const Written& w : written) {
    const auto* found = rd_kafka_topic_partition_list_find(list.get(), name(w), w.partition);
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Error{Errc::kRetry, place(w, names) + ": " + describe(found->err)};
    }
    if (found->offset <= w.last_offset) hidden.push_back(w);
  }
  return hidden;
}

}  // namespace

void ShownEnd::expect(std::vector<Written> written) {
  std::erase_if(overdue_, [&](const Written& o) { return has(written, o); });
  std::erase_if(written, [](const Written& w) { return w.last_offset < 0; });
  if (written.empty()) return;  // it leaves no trace; the one before may be hidden still
  expected_ = std::move(written);
  hidden_at_.reset();
}

/// Counts an answer that it is hidden.
bool ShownEnd::is_overdue() {
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
  auto hidden = hidden_of(client, names, expected_, timeout);
  if (!hidden) {
    hidden_at_.reset();
    return hidden.error();
  }
  expected_ = std::move(*hidden);
  if (expected_.empty()) return Answer::kShown;
  where_ = place(expected_.front(), names);
  if (!is_overdue()) return Answer::kHidden;
  overdue_.insert(overdue_.end(), expected_.begin(), expected_.end());
  expected_.clear();
  return Answer::kOverdue;
}

std::string ShownEnd::undone_by_abort(rd_kafka_t* client, const OutputTopicNames& names,
                                      const std::vector<Written>& written, milliseconds timeout) {
  std::vector<Written> asked = overdue_;
  std::erase_if(asked, [&](const Written& o) { return !has(written, o); });
  if (asked.empty()) return {};
  const auto hidden = hidden_of(client, names, asked, timeout);
  if (!hidden) return {};
  std::string places;
  for (const Written& w : *hidden) places += (places.empty() ? "" : ", ") + place(w, names);
  return places;
}

}  // namespace segmentd::kafka
