#include "state/store.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "state/codec.hpp"

namespace segmentd {
namespace {

[[noreturn]] void bug(const char* what) {
  std::fprintf(stderr, "segmentd: bug: %s\n", what);
  std::abort();
}

}  // namespace

void Store::require_ascending(std::span<const std::string_view> keys) {
  const auto out_of_order =
      std::adjacent_find(keys.begin(), keys.end(), std::greater_equal<std::string_view>());
  if (out_of_order != keys.end()) bug("keys of a multi_get are not in ascending order");
}

void Store::require_writable(std::span<const RowWrite> rows) {
  for (const RowWrite& row : rows) {
    if (row.key.empty() || row.key == kPositionKey) bug("a write to a key that is the store's own");
  }
}

}  // namespace segmentd
