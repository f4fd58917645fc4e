// The durable state of one input partition in RocksDB: one directory, one column family, no
// write-ahead log. The changelog topic is the log; RocksDB holds a committed prefix of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/store.hpp"

namespace segmentd {

struct RocksOptions {
  std::uint64_t cache_bytes = 256ULL << 20;          // blocks, indexes, filters, of all partitions
  std::uint64_t write_buffers_bytes = 128ULL << 20;  // memtables of all partitions
  std::uint64_t write_buffer_bytes = 32ULL << 20;  // one partition's memtable before it is flushed
  /// Table files one store keeps open; -1 = all of them, else at least 20.
  int open_files = -1;
  /// With less room than this on its disk a store is not opened, written or flushed: kUnavailable.
  std::uint64_t disk_free_bytes = 0;
  int background_jobs = 2;  // flushes and compactions at once, in the process
  /// Off: what was not flushed is lost at close, as in a crash.
  bool flush_on_close = true;
};

/// What all partitions of a process share: the memory and the background threads. May be used from
/// any thread; outlives nothing: stores keep their share of it alive.
class RocksEnvironment {
 public:
  explicit RocksEnvironment(const RocksOptions& options);

  const RocksOptions& options() const { return options_; }
  /// Bytes held in the cache, memtables included; for metrics.
  std::uint64_t cache_used_bytes() const;

 private:
  friend class RocksStore;
  struct Shared;

  RocksOptions options_;
  std::shared_ptr<Shared> shared_;
};

class RocksStore final : public Store {
 public:
  /// Opens the store in `directory`, creating both where absent. kUnavailable: no room;
  /// kMisconfigured: no access, or open elsewhere; kCorrupt: not a store, or a damaged one.
  static Result<std::unique_ptr<RocksStore>> open(const RocksEnvironment& environment,
                                                  const std::filesystem::path& directory);
  /// Opens what is there for reading, and changes no byte of it: write() and flush() fail with
  /// kMisconfigured. What is read is as of the opening. nullptr = no store lies there. A store that
  /// is open elsewhere can be read too, but its files may go away meanwhile (kCorrupt).
  static Result<std::unique_ptr<RocksStore>> look(const RocksEnvironment& environment,
                                                  const std::filesystem::path& directory);
  /// Flushes (RocksOptions::flush_on_close) and closes; a failure to flush only costs the unflushed
  /// rows.
  ~RocksStore() override;

  Result<std::optional<std::string>> get(std::string_view key) override;
  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::vector<std::optional<std::string>>& values) override;
  Result<void> write(std::span<const RowWrite> rows, const Position& position) override;
  Result<void> scan(std::string_view prefix, const Visitor& visit) override;
  std::optional<Position> position() const override { return position_; }
  Result<void> flush() override;
  StoreStatistics statistics() const override;

 private:
  struct Database;
  explicit RocksStore(std::unique_ptr<Database> database);
  /// A store of what was opened, with its position.
  static Result<std::unique_ptr<RocksStore>> made(std::unique_ptr<Database> database,
                                                  const std::filesystem::path& directory);

  std::unique_ptr<Database> database_;
  std::optional<Position> position_;
};

}  // namespace segmentd
