// What the changelogs say for certain, told apart from what a store claims (P2).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace segmentd::test {

/// The sum over a partition's rows, META left out: equal for equal rows in whatever order.
class RowsHash {
 public:
  void put(std::string_view key, std::optional<std::string_view> value);
  std::uint64_t sum() const { return sum_; }

 private:
  std::map<std::string, std::uint64_t, std::less<>> rows_;
  std::uint64_t sum_ = 0;
};

class ChangelogTruth {
 public:
  explicit ChangelogTruth(std::int32_t partitions)
      : partitions_(static_cast<std::size_t>(partitions)) {}

  /// In the order in which transactions are decided to be committed.
  void committed(std::int32_t partition, std::string_view key,
                 std::optional<std::string_view> value);
  bool knows(std::int32_t partition, std::string_view key,
             std::optional<std::string_view> value) const;
  /// Of all rows as of the transaction that META ends; nullopt = there was no such transaction.
  std::optional<std::uint64_t> rows_at(std::int32_t partition, std::string_view meta) const;

 private:
  struct Part {
    std::unordered_set<std::uint64_t> records;
    RowsHash rows;
    std::unordered_map<std::uint64_t, std::uint64_t> at_meta;
  };
  const Part& part(std::int32_t p) const { return partitions_[static_cast<std::size_t>(p)]; }

  std::vector<Part> partitions_;
};

}  // namespace segmentd::test
