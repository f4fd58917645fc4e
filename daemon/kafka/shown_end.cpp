#include "daemon/kafka/shown_end.hpp"

#include <algorithm>
#include <utility>

#include "daemon/kafka/broker.hpp"

namespace segmentd::kafka {
namespace {

constexpr milliseconds kLook{100};

std::string place(const Written& written, const OutputTopicNames& names) {
  return names[static_cast<std::size_t>(written.topic)] + "/" + std::to_string(written.partition);
}

bool has(const std::vector<Written>& all, const Written& one) {
  return std::any_of(all.begin(), all.end(), [&](const Written& w) {
    return w.topic == one.topic && w.partition == one.partition;
  });
}

bool is_nowhere(const Written& written) {
  return written.last_offset < 0;
}

/// Those whose partition's last stable offset is not past them. kRetry: not all leaders answer.
/// kUnavailable, kMisconfigured: one of the topics is gone, or must not be seen.
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
    return Error{errc_of(err), "ends: " + describe(err)};
  }
  std::vector<Written> hidden;
  for (const Written& w : written) {
    const auto* found = rd_kafka_topic_partition_list_find(list.get(), name(w), w.partition);
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Error{errc_of(found->err), place(w, names) + ": " + describe(found->err)};
    }
    if (found->offset <= w.last_offset) hidden.push_back(w);
  }
  return hidden;
}

}  // namespace

bool ShownEnd::expect(std::vector<Written> written, bool unknown) {
  std::erase_if(given_up_, [&](const Written& g) { return has(written, g); });
  if (!unknown) std::erase_if(written, is_nowhere);
  if (written.empty()) return false;
  expected_ = std::move(written);
  shown_.clear();
  hidden_at_.reset();
  return true;
}

Result<void> ShownEnd::learn_offsets(const ClientSettings& settings, const OutputTopicNames& names,
                                     milliseconds timeout) {
  if (std::none_of(expected_.begin(), expected_.end(), is_nowhere)) return {};
  const auto broker = open_broker(settings);
  if (!broker) return broker.error();
  for (Written& w : expected_) {
    if (!is_nowhere(w)) continue;
    const auto marks =
        (*broker)->watermarks(names[static_cast<std::size_t>(w.topic)], w.partition, timeout);
    if (!marks && marks.error().code == Errc::kRetry) return marks.error();
    if (marks) w.last_offset = marks->end - 1;
  }
  std::erase_if(expected_, is_nowhere);  // its topic is empty, gone or not ours to see
  return {};
}

void ShownEnd::give_up() {
  given_up_.insert(given_up_.end(), expected_.begin(), expected_.end());
  expected_.clear();
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
  if (!hidden && hidden.error().code == Errc::kRetry) {
    hidden_at_.reset();
    return hidden.error();
  }
  gone_ = !hidden;
  if (gone_) {  // for good, or just now: the next write will tell
    where_ = "one of the topics it wrote to (" + hidden.error().what + ")";
    return is_overdue() ? Answer::kOverdue : Answer::kHidden;
  }
  for (const Written& w : expected_) {
    if (!has(*hidden, w)) shown_.push_back(w);
  }
  expected_ = std::move(*hidden);
  if (expected_.empty()) return Answer::kShown;
  where_ = place(expected_.front(), names);
  return is_overdue() ? Answer::kOverdue : Answer::kHidden;
}

std::string ShownEnd::undone_by_abort(rd_kafka_t* client, const OutputTopicNames& names,
                                      const std::vector<Written>& written, milliseconds timeout) {
  std::vector<Written> asked = given_up_;
  std::erase_if(asked, [&](const Written& g) { return !has(written, g); });
  if (asked.empty()) return {};
  const auto hidden = hidden_of(client, names, asked, timeout);
  if (!hidden) return {};
  std::string places;
  for (const Written& w : *hidden) places += (places.empty() ? "" : ", ") + place(w, names);
  return places;
}

Result<bool> is_committed(const ClientSettings& settings, const OutputTopicNames& names,
                          const std::vector<Written>& records, milliseconds timeout) {
  Error why{Errc::kRetry, "not known"};
  for (const Written& w : records) {
    const ReadFrom from[] = {{w.partition, w.last_offset}};
    auto reader =
        open_log_reader(settings, names[static_cast<std::size_t>(w.topic)], from, timeout);
    std::vector<Message> found;
    Result<void> read = reader ? Result<void>() : Result<void>(reader.error());
    const auto until = std::chrono::steady_clock::now() + timeout;
    while (read && found.empty() && !(*reader)->progress(w.partition).at_stable_end &&
           std::chrono::steady_clock::now() < until) {
      read = (*reader)->read(found, 1, kLook);
    }
    if (read && (!found.empty() || (*reader)->progress(w.partition).at_stable_end)) {
      return !found.empty() && found.front().offset == w.last_offset;
    }
    why = read ? Error{Errc::kRetry, place(w, names) + ": not read in time"} : read.error();
  }
  return why;
}

}  // namespace segmentd::kafka
