// What the daemon asks of the durable state of one input partition: bytes in, bytes out. The
// sentences S1-S7 are held against every implementation by tests/store/store_test.cpp.
//
//   S1  A write() is applied whole or not at all, its position included.
//   S2  After a crash or a close a store holds the writes up to some point in their order and none
//       behind it; everything up to the last successful flush() is among them.
//   S3  position() is the position of the last write that is held; none before the first.
//   S4  get(), multi_get() and scan() see every write that returned success. Within a write the
//       last entry of a key is the one that holds.
//   S5  scan() gives each key with the prefix once, in the order of bytes; the position is never
//       seen.
//   S6  What is read is what was written, or kCorrupt: no byte is ever wrong silently.
//   S7  After a failed write() or flush() every further one fails in the same way: close the store,
//       reopen or rebuild it.
//
// Errors: kUnavailable = no room on the disk (wait, reopen); kCorrupt = stored bytes are wrong or
// the storage failed (set the directory aside and rebuild from the changelog). Threads: calls from
// one thread at a time; statistics() from any at any time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/core/result.hpp"
#include "state/position.hpp"

namespace segmentd {

struct RowWrite {
  std::string key;                   // any but kPositionKey, not empty
  std::optional<std::string> value;  // nullopt = delete
};

/// For metrics. Zero where an implementation has no such thing.
struct StoreStatistics {
  std::uint64_t unflushed_rows = 0;  // written and not yet safe against a crash, about
  std::uint64_t rows = 0;            // held, about
  std::uint64_t disk_bytes = 0;
  std::uint64_t memtable_bytes = 0;
  std::uint64_t pending_compaction_bytes = 0;
  std::uint64_t background_errors = 0;
  std::uint64_t shared_cache_bytes = 0;  // of the cache that all stores of a process share
};

class Store {
 public:
  using Visitor = std::function<Result<void>(std::string_view key, std::string_view value)>;

  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// nullopt = no such key.
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;

  /// values[i] belongs to keys[i]; values is resized. Requires keys in ascending order without
  /// repeats.
  virtual Result<void> multi_get(std::span<const std::string_view> keys,
                                 std::vector<std::optional<std::string>>& values) = 0;

  /// S1. An empty span moves the position alone.
  virtual Result<void> write(std::span<const RowWrite> rows, const Position& position) = 0;

  /// S5. The views last for the visit. An error of the visitor ends the scan and is returned. The
  /// visitor must not write to the store.
  virtual Result<void> scan(std::string_view prefix, const Visitor& visit) = 0;

  virtual std::optional<Position> position() const = 0;

  /// Makes every write so far safe against a crash (S2). Blocks.
  virtual Result<void> flush() = 0;

  virtual StoreStatistics statistics() const = 0;

 protected:
  /// Aborts unless keys are strictly ascending: an unsorted multi_get is a bug of the caller.
  static void require_ascending(std::span<const std::string_view> keys);
  /// Aborts on a key that is not the caller's to write.
  static void require_writable(std::span<const RowWrite> rows);
};

}  // namespace segmentd
