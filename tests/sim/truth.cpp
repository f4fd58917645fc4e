#include "tests/sim/truth.hpp"

#include <functional>

#include "state/codec.hpp"

namespace segmentd::test {
namespace {

std::uint64_t hash_of(std::string_view text) {
  return std::hash<std::string_view>{}(text);
}

std::uint64_t hash_of(std::string_view key, std::optional<std::string_view> value) {
  const std::uint64_t v = value ? hash_of(*value) + 1 : 0;
  return hash_of(key) * 0x9e3779b97f4a7c15ULL ^ (v * 0xc2b2ae3d27d4eb4fULL + (v >> 29U));
}

}  // namespace

void RowsHash::put(std::string_view key, std::optional<std::string_view> value) {
  if (key == kMetaKey) return;
  auto it = rows_.find(key);
  if (it != rows_.end()) sum_ -= it->second;
  if (!value) {
    if (it != rows_.end()) rows_.erase(it);
    return;
  }
  if (it == rows_.end()) it = rows_.emplace(std::string(key), 0).first;
  it->second = hash_of(key, value);
  sum_ += it->second;
}

void ChangelogTruth::committed(std::int32_t partition, std::string_view key,
                               std::optional<std::string_view> value) {
  Part& part = partitions_[static_cast<std::size_t>(partition)];
  part.records.insert(hash_of(key, value));
  part.rows.put(key, value);
  if (key == kMetaKey && value) part.at_meta[hash_of(*value)] = part.rows.sum();
}

bool ChangelogTruth::knows(std::int32_t partition, std::string_view key,
                           std::optional<std::string_view> value) const {
  return part(partition).records.contains(hash_of(key, value));
}

std::optional<std::uint64_t> ChangelogTruth::rows_at(std::int32_t partition,
                                                     std::string_view meta) const {
  const auto it = part(partition).at_meta.find(hash_of(meta));
  return it == part(partition).at_meta.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace segmentd::test
