// The state directory of one partition in one process: a disk that outlives the process and after a
// crash holds some prefix of what was written, and the store over it, which fails as fate says and
// is held against the changelog at every write (P2).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "state/memory_store.hpp"
#include "tests/sim/truth.hpp"
#include "tests/support/sim_cluster.hpp"

namespace segmentd::test {

struct SimDisk {
  struct Write {
    std::vector<RowWrite> rows;
    Position position;
  };
  std::vector<Write> flushed;
  std::vector<Write> unflushed;
  bool open = false;

  /// What was not flushed is there up to some point.
  void lose(Chance& chance);
  void flush();
};

/// Where breaches of the invariants are told.
using Breach = std::function<void(const std::string& what)>;

class SimStore final : public Store {
 public:
  /// All outlive it.
  struct Around {
    SimCluster& cluster;
    const SimProcess& process;
    const ChangelogTruth& truth;
    const Breach& breach;
  };
  SimStore(const Around& around, std::int32_t partition, SimDisk& disk);
  ~SimStore() override;

  Result<std::optional<std::string>> get(std::string_view key) override;
  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::vector<std::optional<std::string>>& values) override;
  Result<void> write(std::span<const RowWrite> rows, const Position& position) override;
  Result<void> scan(std::string_view prefix, const Visitor& visit) override;
  std::optional<Position> position() const override { return rows_.position(); }
  Result<void> flush() override;
  StoreStatistics statistics() const override;

 private:
  unsigned at(Door door, unsigned ways) const {
    return around_.cluster.fates().at(door, around_.process.number, ways);
  }
  Error fail(Errc code, const char* what);
  void apply(std::span<const RowWrite> rows, const Position& position);
  void check(std::span<const RowWrite> rows, const Position& position);

  const Around around_;
  const std::int32_t partition_;
  SimDisk& disk_;
  MemoryStore rows_;
  RowsHash hash_;
  std::optional<Error> failed_;  // S7
};

}  // namespace segmentd::test
