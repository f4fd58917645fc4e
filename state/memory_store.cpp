#include "state/memory_store.hpp"

namespace segmentd {

std::optional<std::string> MemoryStore::find(std::string_view key) const {
  const auto row = rows_.find(key);
  return row == rows_.end() ? std::nullopt : std::optional(row->second);
}

Result<std::optional<std::string>> MemoryStore::get(std::string_view key) {
  return find(key);
}

Result<void> MemoryStore::multi_get(std::span<const std::string_view> keys,
                                    std::vector<std::optional<std::string>>& values) {
  require_ascending(keys);
  values.clear();
  values.reserve(keys.size());
  for (const std::string_view key : keys) values.push_back(find(key));
  return {};
}

Result<void> MemoryStore::write(std::span<const RowWrite> rows, const Position& position) {
  require_writable(rows);
  for (const RowWrite& row : rows) {
    if (row.value) {
      rows_.insert_or_assign(row.key, *row.value);
    } else {
      rows_.erase(row.key);
    }
  }
  position_ = position;
  return {};
}

Result<void> MemoryStore::scan(std::string_view prefix, const Visitor& visit) {
  for (auto row = rows_.lower_bound(prefix); row != rows_.end(); ++row) {
    if (!std::string_view(row->first).starts_with(prefix)) break;
    if (Result<void> visited = visit(row->first, row->second); !visited) return visited;
  }
  return {};
}

StoreStatistics MemoryStore::statistics() const {
  StoreStatistics statistics;
  statistics.unflushed_rows = rows_.size();
  statistics.rows = rows_.size();
  return statistics;
}

}  // namespace segmentd
