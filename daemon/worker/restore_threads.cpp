#include "daemon/worker/restore_threads.hpp"

#include <algorithm>
#include <utility>

namespace segmentd {

RestoreThreads::RestoreThreads(RestoreParts parts, int threads) : parts_(std::move(parts)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

RestoreThreads::~RestoreThreads() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (auto& [partition, work] : under_way_) work.cancelled = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void RestoreThreads::request(std::int32_t partition) {
  {
    const std::lock_guard lock(mutex_);
    wanted_.push_back(partition);
  }
  changed_.notify_all();
}

void RestoreThreads::cancel(std::span<const std::int32_t> partitions) {
  const auto among = [partitions](std::int32_t p) {
    return std::find(partitions.begin(), partitions.end(), p) != partitions.end();
  };
  std::unique_lock lock(mutex_);
  std::erase_if(wanted_, among);
  for (auto& [partition, work] : under_way_) work.cancelled = work.cancelled || among(partition);
  changed_.wait(lock, [&] {
    return std::none_of(partitions.begin(), partitions.end(),
                        [this](std::int32_t p) { return under_way_.contains(p); });
  });
  std::erase_if(done_, [&](const Restored& r) { return among(r.partition); });
}

std::optional<Restored> RestoreThreads::take() {
  const std::lock_guard lock(mutex_);
  if (done_.empty()) return std::nullopt;
  Restored restored = std::move(done_.front());
  done_.pop_front();
  return restored;
}

std::optional<RestoreProgress> RestoreThreads::progress(std::int32_t partition) const {
  const std::lock_guard lock(mutex_);
  const auto it = under_way_.find(partition);
  if (it == under_way_.end()) return std::nullopt;
  return it->second.progress;
}

bool RestoreThreads::cancelled(std::int32_t partition) const {
  const std::lock_guard lock(mutex_);
  return under_way_.at(partition).cancelled;
}

void RestoreThreads::work() {
  while (true) {
    std::int32_t partition = -1;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || !wanted_.empty(); });
      if (stop_) return;
      partition = wanted_.front();
      wanted_.pop_front();
      under_way_[partition] = {};
    }
    restore(partition);
    changed_.notify_all();
  }
}

void RestoreThreads::restore(std::int32_t partition) {
  std::optional<Restored> restored = restore_partition(
      parts_, partition, [&] { return cancelled(partition); },
      [&](const RestoreProgress& progress) {
        const std::lock_guard lock(mutex_);
        under_way_.at(partition).progress = progress;
      });
  {
    const std::lock_guard lock(mutex_);
    if (!under_way_.at(partition).cancelled) {
      done_.push_back(std::move(*restored));
      under_way_.erase(partition);
      return;
    }
  }
  restored.reset();  // closes the store before cancel() returns
  const std::lock_guard lock(mutex_);
  under_way_.erase(partition);
}

}  // namespace segmentd
