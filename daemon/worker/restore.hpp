// One partition made ready, from what lies on the disk and what the changelog has:
//
//   open store -> read changelog to its end -> know all epochs -> open Partition
//   -> compare with the input
//
// If the changelog's end stays hidden behind an open transaction of a writer that is gone, that
// writer is fenced, which aborts the transaction at once instead of after its time-out. The
// transaction's first record names it (kWriterHeader): META, which ends the one before, may be of
// another, or there is none yet. It may hide the end of another output topic only, and from their
// readers what we write behind it: then it is META's.
//
// The brokers may lose the end of a transaction that they called committed (KAFKA-20734: the
// coordinator passes over a partition that has no leader, as on a single broker that stops): it
// stays open for ever, for no client can end it but its own writer, whose next transaction does.
//
// R1  A store is given up for a fresh one only where it provably cannot be gone on from: its
//     position is not in the changelog, the changelog goes on with the META of another store, or it
//     was away for so long that deletions it missed may be compacted away (KIP-1259). The first two
//     are moved aside, for they may be the last copy; where the changelog is empty the store stays
//     where it is, and with no META in it the partition is not begun anew but reported.
// R2  The store knows all if it reaches to the changelog's very end, also where that end is hidden:
//     it holds nothing but what was committed (P2), so what hides the end is committed too, and
//     nobody has written after it. Only where we are its writer ourselves: what we write next shows
//     it to everybody, which nobody else's would.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/observe/words.hpp"
#include "daemon/pipeline/epochs.hpp"
#include "daemon/pipeline/partition.hpp"
#include "daemon/ports.hpp"
#include "daemon/worker/pace.hpp"
#include "state/core/result.hpp"
#include "state/store.hpp"

namespace segmentd {

/// What becomes of a store that is given up.
enum class GivenUp : std::uint8_t { kDeleted, kMovedAside };

/// What a restore works with; all outlive it. The functions may be called from several threads.
struct RestoreParts {
  Broker& broker;
  Pace& pace;
  std::string input_topic;
  OutputTopicNames outputs;
  const PartitionRules& rules;
  const Epochs& epochs;
  std::string own_writer;  // our transactional.id: never fenced
  std::function<Result<std::unique_ptr<Store>>(std::int32_t)> open_store;
  /// Takes a closed store out of the way.
  std::function<Result<void>(std::int32_t, GivenUp)> give_up_store;
  std::function<std::string()> new_uuid;
  std::function<Instant()> wall;
  /// Below which offset of the model topic every epoch is among `epochs`.
  std::function<std::int64_t()> model_position;
  /// How long the changelog keeps a deletion readable (its delete.retention.ms).
  milliseconds deletions_kept = std::chrono::hours(24);

  const std::string& output(OutputTopic topic) const {
    return outputs[static_cast<std::size_t>(topic)];
  }
};

/// How far one is.
struct RestoreProgress {
  std::int64_t rows_read = 0;
  std::int64_t rows_remaining = -1;  // changelog records at most; -1 = not yet known
  milliseconds elapsed{0};

  double rows_per_second() const {
    const auto seconds = std::chrono::duration<double>(elapsed).count();
    return seconds > 0 ? static_cast<double>(rows_read) / seconds : 0;
  }
  /// At the speed so far; negative = not known.
  double seconds_remaining() const {
    if (rows_remaining < 0) return -1;
    if (rows_remaining == 0) return 0;
    return rows_per_second() > 0 ? static_cast<double>(rows_remaining) / rows_per_second() : -1;
  }
};

/// A partition that is ready, or why it is not.
struct Restored {
  std::int32_t partition = -1;
  Result<std::unique_ptr<Partition>> opened;
  /// Where it failed: what the partition is to be parked for, should it stay so.
  observe::ParkReason reason = observe::ParkReason::kStoreError;
  Watermarks input{};
  int writers_fenced = 0;  // that hid the changelog's end
};

/// Does it all in the caller's thread. `cancelled` is asked now and then; true ends it with kRetry,
/// its store closed. `tell` hears of the progress, in this thread. kRetry: the brokers do not
/// answer; kCorrupt: the store cannot be trusted; others as `reason` says.
Restored restore_partition(const RestoreParts& parts, std::int32_t partition,
                           const std::function<bool()>& cancelled,
                           const std::function<void(const RestoreProgress&)>& tell);

}  // namespace segmentd
