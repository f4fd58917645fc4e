#include "tests/sim/sim_store.hpp"

#include <iterator>
#include <utility>

#include "state/codec.hpp"

namespace segmentd::test {

void SimDisk::lose(Chance& chance) {
  unflushed.resize(chance.below(unflushed.size() + 1));
  flush();
}

void SimDisk::flush() {
  flushed.insert(flushed.end(), std::make_move_iterator(unflushed.begin()),
                 std::make_move_iterator(unflushed.end()));
  unflushed.clear();
}

SimStore::SimStore(const Around& around, std::int32_t partition, SimDisk& disk)
    : around_(around), partition_(partition), disk_(disk) {
  if (std::exchange(disk_.open, true)) around_.breach("a store is opened twice");
  for (const SimDisk::Write& write : disk_.flushed) apply(write.rows, write.position);
}

/// Closed in order it holds at least what was flushed, mostly all.
SimStore::~SimStore() {
  disk_.open = false;
  const bool keeps = around_.cluster.stores_keep || !around_.cluster.chance().one_in(4);
  if (around_.process.alive && !failed_ && keeps) {
    disk_.flush();
  } else {
    disk_.lose(around_.cluster.chance());
  }
}

Error SimStore::fail(Errc code, const char* what) {
  failed_ = Error{code, what};
  return *failed_;
}

Result<std::optional<std::string>> SimStore::get(std::string_view key) {
  if (at(Door::kGet, 1) == 1) return Error{Errc::kCorrupt, "checksum"};
  return rows_.get(key);
}

Result<void> SimStore::multi_get(std::span<const std::string_view> keys,
                                 std::vector<std::optional<std::string>>& values) {
  if (at(Door::kMultiGet, 1) == 1) return Error{Errc::kCorrupt, "checksum"};
  return rows_.multi_get(keys, values);
}

Result<void> SimStore::scan(std::string_view prefix, const Visitor& visit) {
  if (at(Door::kScan, 1) == 1) return Error{Errc::kCorrupt, "checksum"};
  return rows_.scan(prefix, visit);
}

Result<void> SimStore::write(std::span<const RowWrite> rows, const Position& position) {
  const unsigned way = at(Door::kWrite, 3);
  if (failed_) return *failed_;
  if (way == 1) return fail(Errc::kUnavailable, "no space left on device");
  if (way == 2) return fail(Errc::kCorrupt, "a background error");
  check(rows, position);
  apply(rows, position);
  disk_.unflushed.push_back({{rows.begin(), rows.end()}, position});
  if (way == 3) return fail(Errc::kUnavailable, "no space left on device, yet it is there");
  return {};
}

void SimStore::apply(std::span<const RowWrite> rows, const Position& position) {
  for (const RowWrite& row : rows) hash_.put(row.key, row.value);
  (void)rows_.write(rows, position);
}

/// P2: every row is one that was committed; and where a transaction ends, or the changelog is said
/// to be held to its end, the rows are those of that moment and of no other.
void SimStore::check(std::span<const RowWrite> rows, const Position& position) {
  RowsHash after = hash_;
  for (const RowWrite& row : rows) {
    after.put(row.key, row.value);
    if (around_.truth.knows(partition_, row.key, row.value)) continue;
    return around_.breach("P2: a store learns what the changelog does not know, partition " +
                          std::to_string(partition_));
  }
  const bool ends = !rows.empty() && rows.back().key == kMetaKey && position.complete_at &&
                    rows_.position() && rows_.position()->complete_at;
  const bool complete = rows.empty() && position.complete_at && position.next_offset > 0;
  if (!ends && !complete) return;
  const auto old_meta = rows_.get(kMetaKey);
  const auto meta = ends ? rows.back().value : *old_meta;
  if (!meta) return;
  if (around_.truth.rows_at(partition_, *meta) != after.sum()) {
    around_.breach("P2: a store is no committed prefix of its changelog, partition " +
                   std::to_string(partition_));
  }
}

Result<void> SimStore::flush() {
  const unsigned way = at(Door::kFlush, 2);
  if (failed_) return *failed_;
  if (way == 1) return fail(Errc::kUnavailable, "no space left on device");
  if (way == 2) return fail(Errc::kCorrupt, "a background error");
  disk_.flush();
  return {};
}

StoreStatistics SimStore::statistics() const {
  StoreStatistics statistics;
  for (const SimDisk::Write& write : disk_.unflushed) {
    statistics.unflushed_rows += write.rows.size();
  }
  return statistics;
}

}  // namespace segmentd::test
