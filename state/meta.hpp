// META: the progress record of one input partition, the last changelog record of every transaction
// that touches the partition. A transaction is a function of (state before, input records [first,
// next), META).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "state/core/instant.hpp"

namespace segmentd {

/// What was seen of the newest applied input record: enough to notice that the input was
/// re-created.
struct LastApplied {
  std::int64_t offset = -1;  // -1 = none yet
  std::int64_t timestamp_ms = 0;
  std::uint64_t hash = 0;  // XXH3 of the value, seeded with XXH3 of the key
  bool operator==(const LastApplied&) const = default;
};

/// Records without a customer: counted with their money, never customers.
struct Anonymous {
  std::int64_t orders = 0;        // counting ones
  std::int64_t orders_minor = 0;  // their amounts, or the payments where these are the money
  std::int64_t refunds = 0;
  std::int64_t refunds_minor = 0;
  std::int64_t others = 0;  // orders that do not count, payments and cancellations
  bool operator==(const Anonymous&) const = default;
};

/// A pass over the customers that is not finished: who moves is decided as of `as_of` and written
/// in bounded transactions, in id order. Who is still to move follows from the rows: those whose
/// segment is not that of their cluster as of that instant.
struct Sweep {
  enum class Kind : std::uint8_t {
    kSilence,  // the aged ones, at an evaluation instant, epoch unchanged
    kRelabel,  // everyone, from epoch `from_epoch` to META's epoch
  };
  Kind kind = Kind::kSilence;
  Instant as_of;
  std::int64_t from_epoch = 0;  // of kRelabel; 0 = none was in force
  bool operator==(const Sweep&) const = default;
};

struct Meta {
  std::int64_t txn_seq = 0;  // of this partition, from 1
  std::string input_topic;
  std::int32_t partition = 0;
  std::int64_t first_offset = 0;          // of the records applied in this transaction
  std::int64_t next_offset = 0;           // the first one not yet applied
  std::optional<Instant> clock;           // the partition's clock; unset before the first record
  Instant now;                            // the clock the decisions of this transaction were told
  std::int64_t epoch = 0;                 // in force in this partition; 0 = none
  std::optional<Instant> evaluated_upto;  // the newest evaluation instant that is behind
  Instant timers_fired_upto;              // all silence due up to here was decided
  std::string store_uuid;
  std::string writer;  // transactional.id
  LastApplied last_applied;
  Anonymous anonymous;
  std::optional<Sweep> sweep;
  std::string fingerprint;  // `key=value` lines of the settings that give state its meaning
  bool operator==(const Meta&) const = default;
};

}  // namespace segmentd
