// A store that passes everything on to another one: a base for those that add one thing.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "state/store.hpp"

namespace segmentd {

class ForwardingStore : public Store {
 public:
  explicit ForwardingStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  Result<std::optional<std::string>> get(std::string_view key) override { return store_->get(key); }
  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::vector<std::optional<std::string>>& values) override {
    return store_->multi_get(keys, values);
  }
  Result<void> write(std::span<const RowWrite> rows, const Position& position) override {
    return store_->write(rows, position);
  }
  Result<void> scan(std::string_view prefix, const Visitor& visit) override {
    return store_->scan(prefix, visit);
  }
  std::optional<Position> position() const override { return store_->position(); }
  Result<void> flush() override { return store_->flush(); }
  StoreStatistics statistics() const override { return store_->statistics(); }

 protected:
  /// Closes the other store, if nobody else keeps it.
  void close() { store_.reset(); }

 private:
  std::shared_ptr<Store> store_;
};

}  // namespace segmentd
