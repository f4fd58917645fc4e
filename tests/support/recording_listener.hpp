// Notes what a Source tells of ownership.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "daemon/ports.hpp"

namespace segmentd::test {

/// What a listener was told, in order: "assigned 0 1", "revoked 2", "lost 3".
class RecordingListener : public RebalanceListener {
 public:
  void on_assigned(std::span<const std::int32_t> partitions) override {
    note("assigned", partitions);
    owned.insert(partitions.begin(), partitions.end());
  }
  void on_revoked(std::span<const std::int32_t> partitions) override {
    if (before_revoked) before_revoked(partitions);
    note("revoked", partitions);
    for (const std::int32_t p : partitions) owned.erase(p);
  }
  void on_lost(std::span<const std::int32_t> partitions) override {
    note("lost", partitions);
    for (const std::int32_t p : partitions) owned.erase(p);
  }

  std::vector<std::string> heard;
  std::set<std::int32_t> owned;
  /// Called first in on_revoked, if set: what a worker does in its last moment of ownership.
  std::function<void(std::span<const std::int32_t>)> before_revoked;

 private:
  void note(const char* word, std::span<const std::int32_t> partitions) {
    std::string text = word;
    for (const std::int32_t p : std::set<std::int32_t>(partitions.begin(), partitions.end())) {
      text += " " + std::to_string(p);
    }
    heard.push_back(std::move(text));
  }
};

}  // namespace segmentd::test
