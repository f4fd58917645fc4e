#include "daemon/worker/restorer.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "daemon/observe/log.hpp"
#include "daemon/pipeline/last_applied.hpp"
#include "state/codec.hpp"

namespace segmentd {
namespace {

using SteadyClock = std::chrono::steady_clock;
using observe::ParkReason;

constexpr std::size_t kBatchRecords = 20'000;
constexpr milliseconds kReadWait{100};
constexpr milliseconds kFenceTimeout{10'000};
constexpr milliseconds kQuestion{2'000};  // a cancellation waits for the answer
/// How long the changelog's end may stay behind an open transaction before its writer is fenced.
constexpr milliseconds kHiddenEndPatience{1'000};
constexpr milliseconds kRetryPause{250};
constexpr milliseconds kInputPatience{10'000};
constexpr milliseconds kEpochPause{5};
constexpr std::int64_t kNewStoreOffset = 0;

ParkReason store_reason(const Error& error) {
  return error.code == Errc::kUnavailable ? ParkReason::kDiskFull : ParkReason::kStoreError;
}

ParkReason opening_reason(const Error& error) {
  if (error.code == Errc::kMisconfigured) return ParkReason::kFingerprint;
  return error.code == Errc::kUnavailable ? ParkReason::kStateBehindLog  // an epoch is missing
                                          : ParkReason::kStoreError;
}

Error cancelled_error() {
  return {Errc::kRetry, "taken away while it was restored"};
}

}  // namespace

Restorer::Restorer(RestorerParts parts) : parts_(std::move(parts)), thread_([this] { work(); }) {}

Restorer::~Restorer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    current_cancelled_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Restorer::request(std::int32_t partition) {
  {
    const std::lock_guard lock(mutex_);
    wanted_.push_back(partition);
  }
  changed_.notify_all();
}

void Restorer::cancel(std::span<const std::int32_t> partitions) {
  const auto among = [partitions](std::int32_t p) {
    return std::find(partitions.begin(), partitions.end(), p) != partitions.end();
  };
  std::unique_lock lock(mutex_);
  std::erase_if(wanted_, among);
  current_cancelled_ = current_cancelled_ || among(current_);
  changed_.wait(lock, [&] { return !among(current_); });
  std::erase_if(done_, [&](const Restored& r) { return among(r.partition); });
  for (const std::int32_t p : partitions) remaining_.erase(p);
}

std::optional<Restored> Restorer::take() {
  const std::lock_guard lock(mutex_);
  if (done_.empty()) return std::nullopt;
  Restored restored = std::move(done_.front());
  done_.pop_front();
  return restored;
}

std::int64_t Restorer::remaining(std::int32_t partition) const {
  const std::lock_guard lock(mutex_);
  const auto it = remaining_.find(partition);
  return it == remaining_.end() ? 0 : it->second;
}

bool Restorer::cancelled(std::int32_t partition) const {
  const std::lock_guard lock(mutex_);
  return stop_ || (current_ == partition && current_cancelled_);
}

void Restorer::work() {
  while (true) {
    std::int32_t partition = -1;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || !wanted_.empty(); });
      if (stop_) return;
      partition = current_ = wanted_.front();
      current_cancelled_ = false;
      wanted_.pop_front();
    }
    std::optional<Restored> restored = restore(partition);
    {
      const std::lock_guard lock(mutex_);
      if (!current_cancelled_) {
        done_.push_back(std::move(*restored));
      }
      restored.reset();  // closes the store before cancel() returns
      current_ = -1;
      remaining_.erase(partition);
    }
    changed_.notify_all();
  }
}

Restored Restorer::restore(std::int32_t partition) {
  auto store = parts_.open_store(partition);
  if (!store) return {partition, store.error(), store_reason(store.error())};
  auto reason = ParkReason::kStoreError;
  if (auto read = read_changelog(partition, **store, reason); !read) {
    return {partition, read.error(), reason};
  }
  if (auto known = wait_for_epochs(partition); !known) return {partition, known.error(), reason};
  auto opened =
      Partition::open(parts_.rules, partition, std::move(*store), parts_.epochs, parts_.new_uuid());
  if (!opened) return {partition, opened.error(), opening_reason(opened.error())};
  auto marks = parts_.broker.watermarks(parts_.input_topic, partition, kQuestion);
  if (!marks) return {partition, marks.error(), ParkReason::kInputRecreated};
  if (auto same = compare_with_input(**opened, *marks); !same) {
    return {partition, same.error(), ParkReason::kInputRecreated};
  }
  return {partition, std::move(opened), reason, *marks};
}

/// Everything that was published before we had this partition is known before it decides: an epoch
/// that its last owner published and did not live to adopt, too.
Result<void> Restorer::wait_for_epochs(std::int32_t partition) {
  auto marks = parts_.broker.watermarks(parts_.model_topic, 0, kQuestion);
  if (!marks) return marks.error();
  while (parts_.model_position() < marks->stable_end) {
    if (cancelled(partition)) return cancelled_error();
    std::this_thread::sleep_for(kEpochPause);
  }
  return {};
}

/// What was applied last has to lie in the input still, as it was: else the topic was made anew,
/// and the next offset names another record. What retention has deleted cannot be compared.
Result<void> Restorer::compare_with_input(const Partition& partition, const Watermarks& marks) {
  const LastApplied& last = partition.meta().last_applied;
  const std::int32_t number = partition.number();
  const auto fate = read_last_applied(parts_.broker, parts_.input_topic, number, last, marks,
                                      [&] { return cancelled(number); });
  if (!fate) return fate.error();
  if (*fate == LastAppliedFate::kDiffers) return input_made_anew(last, marks);
  return {};
}

/// Reads until position = LSO = HW: everything decided is in the store, nothing is open behind it.
Result<void> Restorer::read_changelog(std::int32_t partition, Store& store, ParkReason& reason) {
  reason = ParkReason::kStateBehindLog;
  const auto position = store.position();
  const ReadFrom from{partition, position ? position->next_offset : kFromBeginning};
  const ReadFrom froms[] = {from};
  auto reader = parts_.broker.open_reader(parts_.changelog_topic, froms);
  if (!reader) return reader.error();
  SteadyClock::time_point seen_moving = SteadyClock::now();
  SteadyClock::time_point answered = seen_moving;
  while (true) {
    if (cancelled(partition)) return cancelled_error();
    auto any = read_batch(**reader, partition, store, reason);
    if (!any && any.error().code == Errc::kRetry &&
        SteadyClock::now() - answered < kInputPatience) {
      std::this_thread::sleep_for(kRetryPause);
      continue;
    }
    if (!any) return any.error();  // the others are not kept waiting for this one
    answered = SteadyClock::now();
    const ReadProgress progress = (*reader)->progress(partition);
    if (progress.complete()) break;
    const SteadyClock::time_point now = SteadyClock::now();
    if (!progress.at_stable_end || *any) seen_moving = now;
    if (now - seen_moving < kHiddenEndPatience) continue;
    if (auto fenced = fence_writer(store); !fenced) return fenced.error();
    seen_moving = now;
  }
  Position end = store.position().value_or(Position{kNewStoreOffset, std::nullopt});
  end.complete_at = parts_.wall();
  auto written = store.write({}, end);
  if (!written) reason = store_reason(written.error());
  return written;
}

Result<bool> Restorer::read_batch(LogReader& reader, std::int32_t partition, Store& store,
                                  ParkReason& reason) {
  std::vector<Message> records;
  if (auto read = reader.read(records, kBatchRecords, kReadWait); !read) return read.error();
  {
    const std::lock_guard lock(mutex_);
    remaining_[partition] = reader.progress(partition).remaining();
  }
  if (records.empty()) return false;
  std::vector<RowWrite> rows;
  rows.reserve(records.size());
  for (const Message& record : records) {
    if (!record.key) continue;
    rows.push_back({std::string(*record.key), std::nullopt});
    if (record.value) rows.back().value = std::string(*record.value);
  }
  Position position = store.position().value_or(Position{});
  position.next_offset = records.back().offset + 1;
  if (auto written = store.write(rows, position); !written) {
    reason = store_reason(written.error());
    return written.error();
  }
  return true;
}

Result<void> Restorer::fence_writer(Store& store) {
  auto bytes = store.get(kMetaKey);
  if (!bytes) return bytes.error();
  if (!bytes->has_value()) return {};
  auto meta = decode_meta(**bytes);
  if (!meta) return meta.error();
  if (meta->writer.empty() || meta->writer == parts_.own_writer) return {};
  observe::log_line(observe::LogLevel::kWarning,
                    "an open transaction hides the changelog's end: fencing its writer",
                    {{"partition", meta->partition}, {"writer", meta->writer}});
  return parts_.broker.fence(meta->writer, kFenceTimeout);
}

}  // namespace segmentd
