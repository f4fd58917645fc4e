#include "daemon/pipeline/row_cache.hpp"

namespace segmentd {
namespace {

/// Of one row in the table, with the allocator's own.
constexpr std::size_t kPlaceBytes = 64;

std::size_t bytes_of(const std::string& text) {
  static const std::size_t kInside = std::string().capacity();  // no memory of its own
  return text.capacity() > kInside ? text.capacity() : 0;
}

std::size_t bytes_of(const std::vector<Part>& parts) {
  std::size_t bytes = parts.capacity() * sizeof(Part);
  for (const Part& part : parts) bytes += bytes_of(part.id);
  return bytes;
}

}  // namespace

std::size_t memory_bytes_about(const Customer& customer) {
  std::size_t bytes =
      sizeof(CachedRow) + kPlaceBytes + bytes_of(customer.id) +
      customer.orders.capacity() * sizeof(OrderGroup) + bytes_of(customer.loose_refunds) +
      customer.folded.days.capacity() * sizeof(DayRun) + bytes_of(customer.sections);
  for (const OrderGroup& order : customer.orders) {
    bytes += bytes_of(order.order_id) + bytes_of(order.payments) + bytes_of(order.refunds);
  }
  return bytes;
}

CachedRow* RowCache::find(std::string_view id) {
  if (const auto it = young_.find(id); it != young_.end()) return it->second.get();
  const auto it = old_.find(id);
  if (it == old_.end()) return nullptr;
  std::unique_ptr<CachedRow> row = std::move(it.value());
  old_.erase(it);
  CachedRow* found = row.get();
  old_bytes_ -= found->bytes;
  young_bytes_ += found->bytes;
  young_.emplace(found->customer.id, std::move(row));
  return found;
}

CachedRow& RowCache::insert(Customer customer) {
  auto row = std::make_unique<CachedRow>();
  row->customer = std::move(customer);
  row->bytes = memory_bytes_about(row->customer);
  young_bytes_ += row->bytes;
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
    const std::size_t bytes = memory_bytes_about(row->customer);  // all of them are young
    young_bytes_ += bytes - row->bytes;
    row->bytes = bytes;
  }
  dirty_.clear();
  if (young_.size() <= young_max_ && young_bytes_ <= young_bytes_max_) return;
  old_ = std::move(young_);
  old_bytes_ = young_bytes_;
  young_ = Rows();
  young_bytes_ = 0;
}

}  // namespace segmentd
