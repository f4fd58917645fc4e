// The epochs known to this process, by number; what the model topic says.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "state/core/model.hpp"

namespace segmentd {

/// Any thread: the reader of the model topic adds, workers and restoring threads ask.
class Epochs {
 public:
  /// Takes in an epoch; one that is known already stays as it is.
  std::shared_ptr<const Model> add(const Epoch& epoch) {
    const std::lock_guard lock(mutex_);
    auto [it, fresh] = by_number_.try_emplace(epoch.number, nullptr);
    if (fresh) it->second = std::make_shared<const Model>(epoch);
    return it->second;
  }
  /// nullptr = 0, or not known.
  std::shared_ptr<const Model> find(std::int64_t number) const {
    const std::lock_guard lock(mutex_);
    const auto it = by_number_.find(number);
    return it == by_number_.end() ? nullptr : it->second;
  }
  /// nullptr = none yet.
  std::shared_ptr<const Model> newest() const {
    const std::lock_guard lock(mutex_);
    return by_number_.empty() ? nullptr : by_number_.rbegin()->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::shared_ptr<const Model>> by_number_;  // guarded by mutex_
};

}  // namespace segmentd
