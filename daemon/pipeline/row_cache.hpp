// The customers' rows of one partition that are in memory: those changed since the last commit (the
// overlay), and as many of the recently used others as the bound allows.
//
// Two generations, an approximation of LRU that costs nothing per use: a row used moves to the
// young one; when the young one is full the old one is dropped, but for changed rows, and the
// generations change places. A row's address stays the same until it is dropped.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tsl/robin_map.h>
#include <xxhash.h>

#include "state/core/customer.hpp"

namespace segmentd {

/// A customer's row in memory. Owned by the cache.
struct CachedRow {
  Customer customer;
  bool dirty = false;        // differs from the last commit
  bool table_dirty = false;  // in a way that the customer table shows
  std::size_t bytes = 0;     // as counted last
};

/// The memory a customer's row takes in the cache, about.
std::size_t memory_bytes_about(const Customer& customer);

class RowCache {
 public:
  /// Bounds the rows that are kept without need, until told hardly any: changed ones are always
  /// kept. Holds from the next clean() on.
  void set_bounds(std::size_t rows_max, std::size_t bytes_max) {
    young_max_ = rows_max / 2 > 0 ? rows_max / 2 : 1;
    young_bytes_max_ = bytes_max / 2;
  }

  /// nullptr = not in memory.
  CachedRow* find(std::string_view id);
  /// Takes a row in; it must not be in memory.
  CachedRow& insert(Customer customer);
  /// Marks a row changed; it is listed in dirty() from then on.
  void touch(CachedRow& row);

  /// Rows changed since clean(), in the order of their first change.
  const std::vector<CachedRow*>& dirty() const { return dirty_; }
  /// All changes are committed; drops rows beyond the bound. Addresses of dropped rows end here.
  void clean();

  std::size_t size() const { return young_.size() + old_.size(); }
  /// Of all rows, about; what changed since clean() is counted as it was then.
  std::size_t bytes() const { return young_bytes_ + old_bytes_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view id) const { return XXH3_64bits(id.data(), id.size()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };
  // Keys are views of the rows' own ids, which never change.
  using Rows = tsl::robin_map<std::string_view, std::unique_ptr<CachedRow>, Hash, Equal>;

  std::size_t young_max_ = 1;
  std::size_t young_bytes_max_ = 0;
  std::size_t young_bytes_ = 0;
  std::size_t old_bytes_ = 0;
  Rows young_;
  Rows old_;
  std::vector<CachedRow*> dirty_;
};

}  // namespace segmentd
