#include "daemon/watch/customer_table.hpp"

#include <algorithm>
#include <utility>

namespace segmentd {

Result<void> CustomerTable::put(std::int32_t partition, std::string_view customer_id,
                                std::optional<std::string_view> value) {
  if (!value) {
    const auto it = entries_.find(customer_id);
    if (it != entries_.end()) entries_.erase(it);
    return {};
  }
  auto row = read_row(*value);
  if (!row) return row.error();
  Instant& clock = clocks_.try_emplace(partition, row->updated_at).first->second;
  clock = std::max(clock, row->updated_at);
  entries_.insert_or_assign(std::string(customer_id), TableEntry{partition, std::move(*row)});
  return {};
}

std::optional<Instant> CustomerTable::clock(std::int32_t partition) const {
  const auto it = clocks_.find(partition);
  if (it == clocks_.end()) return std::nullopt;
  return it->second;
}

}  // namespace segmentd
