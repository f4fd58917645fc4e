// A store in memory: for `replay` without a state directory, and for tests.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/store.hpp"

namespace segmentd {

/// Nothing outlives the object; flush() does nothing.
class MemoryStore final : public Store {
 public:
  Result<std::optional<std::string>> get(std::string_view key) override;
  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::vector<std::optional<std::string>>& values) override;
  Result<void> write(std::span<const RowWrite> rows, const Position& position) override;
  Result<void> scan(std::string_view prefix, const Visitor& visit) override;
  std::optional<Position> position() const override { return position_; }
  Result<void> flush() override { return {}; }
  /// Unlike other stores' only from the thread that writes.
  StoreStatistics statistics() const override;

 private:
  std::optional<std::string> find(std::string_view key) const;

  std::map<std::string, std::string, std::less<>> rows_;
  std::optional<Position> position_;
};

}  // namespace segmentd
