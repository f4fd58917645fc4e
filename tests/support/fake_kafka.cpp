#include "tests/support/fake_kafka.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace segmentd::test {
namespace {

std::optional<std::string> text_of(std::optional<std::string_view> text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

/// Reads one partition to where it ended when this was opened.
class FakeReader final : public LogReader {
 public:
  /// `hidden`: behind the end lies an open transaction.
  FakeReader(FakePartition log, ReadFrom from, std::function<bool()> hidden)
      : log_(std::move(log)),
        partition_(from.partition),
        next_(std::max<std::int64_t>(0, from.offset)),
        hidden_(std::move(hidden)) {}

  Result<void> read(std::vector<Message>& out, std::size_t max_records, milliseconds) override {
    if (next_ > size()) return Error{Errc::kCorrupt, "offset out of range"};
    for (; max_records > 0 && next_ < size(); --max_records, ++next_) {
      const FakeRecord& r = log_[static_cast<std::size_t>(next_)];
      out.push_back(Message::copy_of(partition_, next_, r.timestamp_ms, r.key, r.value));
    }
    return {};
  }
  ReadProgress progress(std::int32_t) const override {
    return {next_, size() + (hidden_() ? 1 : 0), next_ >= size()};
  }
  bool complete() const override { return progress(partition_).complete(); }

 private:
  std::int64_t size() const { return static_cast<std::int64_t>(log_.size()); }

  const FakePartition log_;
  std::int32_t partition_;
  std::int64_t next_;
  std::function<bool()> hidden_;
};

}  // namespace

// --- the cluster ---

FakeCluster::FakeCluster(std::int32_t partitions)
    : input(static_cast<std::size_t>(partitions)),
      changelog(static_cast<std::size_t>(partitions)),
      changes(static_cast<std::size_t>(partitions)) {}

const FakePartition& FakeCluster::partition(const std::string& topic, std::int32_t number) const {
  const auto at = static_cast<std::size_t>(number);
  if (topic == kFakeInput) return input.at(at);
  if (topic == kFakeChangelog) return changelog.at(at);
  return model;
}

Result<std::unique_ptr<LogReader>> FakeCluster::open_reader(const std::string& topic,
                                                            std::span<const ReadFrom> from,
                                                            milliseconds) {
  const std::int32_t number = from.front().partition;
  const auto hidden = [this, topic, number] {
    const std::lock_guard lock(mutex);
    return topic == kFakeChangelog && open_writers.contains(number);
  };
  const std::lock_guard lock(mutex);
  return std::unique_ptr<LogReader>(
      std::make_unique<FakeReader>(partition(topic, number), from.front(), hidden));
}

Result<Watermarks> FakeCluster::watermarks(const std::string& topic, std::int32_t number,
                                           milliseconds) {
  const std::lock_guard lock(mutex);
  const auto end = static_cast<std::int64_t>(partition(topic, number).size());
  return Watermarks{0, end, end};
}

Result<std::int32_t> FakeCluster::partition_count(const std::string&, milliseconds) {
  if (input_gone) return Error{Errc::kUnavailable, "topic orders: unknown"};
  return partitions_told > 0 ? partitions_told : static_cast<std::int32_t>(input.size());
}

Result<std::optional<std::string>> FakeCluster::hiding_writer(const std::string& topic,
                                                              std::int32_t number, milliseconds) {
  const std::lock_guard lock(mutex);
  const auto it = open_writers.find(number);
  if (topic != kFakeChangelog || it == open_writers.end()) return std::optional<std::string>();
  return std::optional<std::string>(it->second);
}

Result<void> FakeCluster::fence(const std::string& transactional_id, milliseconds) {
  if (fences_in_vain) return {};
  const std::lock_guard lock(mutex);
  std::erase_if(open_writers, [&](const auto& open) { return open.second == transactional_id; });
  return {};
}

OutputTopicNames fake_outputs() {
  OutputTopicNames names;
  names[static_cast<std::size_t>(OutputTopic::kChangelog)] = kFakeChangelog;
  names[static_cast<std::size_t>(OutputTopic::kModel)] = kFakeModel;
  return names;
}

// --- transactions ---

Result<void> FakeLog::begin() {
  if (broken_) return Error{Errc::kRetry, "the producer must be reopened"};
  if (begin_failures > 0) {
    --begin_failures;
    return Error{Errc::kRetry, "no broker answers"};
  }
  open_.clear();
  return {};
}

Result<void> FakeLog::produce(OutputTopic topic, std::int32_t partition,
                              std::optional<std::string_view> key,
                              std::optional<std::string_view> value, std::span<const Header>) {
  const std::size_t bytes = (key ? key->size() : 0) + (value ? value->size() : 0);
  if (record_bytes_max > 0 && bytes > record_bytes_max) {
    return Error{Errc::kBadInput, "a record of " + std::to_string(bytes) + " bytes is too large"};
  }
  open_.push_back({topic, partition, {text_of(key), text_of(value), 0}});
  return {};
}

void FakeLog::apply(std::span<const InputOffset> offsets) {
  const std::lock_guard lock(cluster_.mutex);
  for (Open& o : open_) {
    const auto at = static_cast<std::size_t>(o.partition);
    if (o.topic == OutputTopic::kChanges) cluster_.changes[at].push_back(std::move(o.record));
    if (o.topic == OutputTopic::kChangelog) cluster_.changelog[at].push_back(std::move(o.record));
    if (o.topic == OutputTopic::kModel) cluster_.model.push_back(std::move(o.record));
  }
  for (const InputOffset& o : offsets) {
    cluster_.offsets[o.partition] = {o.partition, o.next_offset, o.metadata};
  }
  ++committed;
}

TransactionResult FakeLog::commit(std::span<const InputOffset> offsets, const GroupStamp& group) {
  using Outcome = TransactionResult::Outcome;
  if (before_commit) before_commit(offsets);
  if (offsets.empty() || group.generation != cluster_.generation) {
    return {Outcome::kAborted, "illegal generation", {}, -1};
  }
  const bool refused = std::any_of(offsets.begin(), offsets.end(),
                                   [this](const InputOffset& o) { return o.partition == refuses; });
  if (refused) {
    broken_ = true;
    return {Outcome::kUnknown, "too large", {}, refuses};
  }
  Fate fate = Fate::kCommitted;
  if (!fates.empty()) {
    fate = fates.front();
    fates.pop_front();
  }
  if (fate == Fate::kCommitted || fate == Fate::kUnknownCommitted) apply(offsets);
  if (fate == Fate::kAborted) return {Outcome::kAborted, "as the test says", {}, -1};
  if (fate != Fate::kCommitted) {
    broken_ = true;
    if (fate == Fate::kFenced) return {Outcome::kFenced, "another took our name", {}, -1};
    if (fate == Fate::kFatal) return {Outcome::kFatal, "not allowed", {}, -1};
    return {Outcome::kUnknown, "timed out", {}, -1};
  }
  TransactionResult result{Outcome::kCommitted, {}, {}, -1};
  for (const InputOffset& o : offsets) {
    const auto& log = cluster_.changelog[static_cast<std::size_t>(o.partition)];
    result.written.push_back(
        {OutputTopic::kChangelog, o.partition, static_cast<std::int64_t>(log.size()) - 1});
  }
  return result;
}

TransactionResult FakeLog::abort() {
  aborted_of.clear();
  for (const Open& o : open_) aborted_of.insert(o.partition);
  open_.clear();
  if (abort_is_unknown) {
    broken_ = true;
    return {TransactionResult::Outcome::kUnknown, "timed out", {}, -1};
  }
  return {TransactionResult::Outcome::kAborted, {}, {}, -1};
}

Result<void> FakeLog::reopen() {
  if (reopen_failures > 0) {
    --reopen_failures;
    return Error{Errc::kRetry, "no broker answers"};
  }
  broken_ = false;
  ++reopened;
  return {};
}

// --- the input ---

Polled FakeSource::poll(milliseconds timeout) {
  ++polls;
  script_(*this);
  if (trouble) return *std::exchange(trouble, std::nullopt);
  for (auto& [number, part] : parts_) {
    if (!part.active || part.ignored) continue;
    const FakePartition& log = cluster_.input[static_cast<std::size_t>(number)];
    if (part.next < static_cast<std::int64_t>(log.size())) {
      const FakeRecord& r = log[static_cast<std::size_t>(part.next)];
      part.told_end = false;
      return Message::copy_of(number, part.next++, r.timestamp_ms, r.key, r.value);
    }
    if (!std::exchange(part.told_end, true)) return PartitionEnd{number, part.next};
  }
  std::this_thread::sleep_for(std::min(timeout, milliseconds(1)));
  return Idle{};
}

Result<void> FakeSource::activate(std::int32_t partition, std::int64_t next_offset) {
  const auto it = parts_.find(partition);
  if (it == parts_.end() || it->second.active) return Error{Errc::kBadInput, "cannot be activated"};
  it->second = {true, false, false, next_offset};
  return {};
}

void FakeSource::assign(std::vector<std::int32_t> partitions) {
  ++cluster_.generation;
  for (const std::int32_t p : partitions) parts_[p] = {};
  listener_.on_assigned(partitions);
}

void FakeSource::forget(const std::vector<std::int32_t>& partitions) {
  for (const std::int32_t p : partitions) parts_.erase(p);
}

void FakeSource::revoke(std::vector<std::int32_t> partitions) {
  ++cluster_.generation;
  listener_.on_revoked(partitions);
  forget(partitions);
}

void FakeSource::lose(std::vector<std::int32_t> partitions) {
  ++cluster_.generation;
  listener_.on_lost(partitions);
  forget(partitions);
}

Result<void> FakeSource::rejoin(milliseconds) {
  ++rejoins;
  std::vector<std::int32_t> all;
  for (const auto& [number, part] : parts_) all.push_back(number);
  revoke(all);
  assign(all);
  return {};
}

void FakeSource::leave(milliseconds) {
  ++cluster_.members_left;
  std::vector<std::int32_t> all;
  for (const auto& [number, part] : parts_) all.push_back(number);
  if (!all.empty()) revoke(all);
}

GroupStamp FakeSource::group() const {
  return {cluster_.generation, "member", false, {}};
}

Result<std::vector<CommittedOffset>> FakeSource::committed(std::span<const std::int32_t> partitions,
                                                           milliseconds) const {
  std::vector<CommittedOffset> answer;
  for (const std::int32_t p : partitions) {
    const auto it = cluster_.offsets.find(p);
    answer.push_back(it == cluster_.offsets.end() ? CommittedOffset{p, {}, {}} : it->second);
  }
  return answer;
}

std::optional<std::int64_t> FakeSource::last_known_end(std::int32_t partition) const {
  return static_cast<std::int64_t>(cluster_.input[static_cast<std::size_t>(partition)].size());
}

bool FakeSource::active(std::int32_t partition) const {
  const auto it = parts_.find(partition);
  return it != parts_.end() && it->second.active && !it->second.ignored;
}

bool FakeSource::drained(std::int32_t partition) const {
  const auto it = parts_.find(partition);
  return active(partition) && it->second.told_end;
}

}  // namespace segmentd::test
