#include "daemon/pipeline/row_cache.hpp"

namespace segmentd {

CachedRow* RowCache::find(std::string_view id) {
  if (const auto it = young_.find(id); it != young_.end()) return it->second.get();
  const auto it = old_.find(id);
  if (it == old_.end()) return nullptr;
  std::unique_ptr<CachedRow> row = std::move(it.value());
  old_.erase(it);
  CachedRow* found = row.get();
  young_.emplace(found->customer.id, std::move(row));
  return found;
}

CachedRow& RowCache::insert(Customer customer) {
  auto row = std::make_unique<CachedRow>();
  row->customer = std::move(customer);
  CachedRow& inserted = *row;
  young_.emplace(inserted.customer.id, std::move(row));
  return inserted;
}

void RowCache::touch(CachedRow& row) {
  if (row.dirty) return;
  row.dirty = true;
  dirty_.push_back(&row);
}

void RowCache::clean() {
  for (CachedRow* row : dirty_) {
    row->dirty = false;
    row->table_dirty = false;
  }
  dirty_.clear();
  if (young_.size() <= young_max_) return;
  old_ = std::move(young_);
  young_ = Rows();
}

}  // namespace segmentd
