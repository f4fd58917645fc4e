// Short ways to fill a store, look into it and open one.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "state/rocks_store.hpp"
#include "state/store.hpp"

namespace segmentd::test {

using Rows = std::vector<std::pair<std::string, std::string>>;

inline std::vector<RowWrite> puts(const Rows& rows) {
  std::vector<RowWrite> writes;
  for (const auto& [key, value] : rows) writes.push_back({key, value});
  return writes;
}

inline Rows scanned(Store& store, std::string_view prefix) {
  Rows rows;
  const Result<void> scanned =
      store.scan(prefix, [&](std::string_view key, std::string_view value) {
        rows.emplace_back(key, value);
        return Result<void>();
      });
  EXPECT_TRUE(scanned) << scanned.error().what;
  return rows;
}

inline std::optional<std::string> value_of(Store& store, std::string_view key) {
  const Result<std::optional<std::string>> value = store.get(key);
  EXPECT_TRUE(value) << value.error().what;
  return value ? *value : std::nullopt;
}

inline std::unique_ptr<RocksStore> opened(const std::filesystem::path& directory,
                                          const RocksOptions& options = {}) {
  Result<std::unique_ptr<RocksStore>> store =
      RocksStore::open(RocksEnvironment(options), directory);
  EXPECT_TRUE(store) << store.error().what;
  return store ? *std::move(store) : nullptr;
}

}  // namespace segmentd::test
