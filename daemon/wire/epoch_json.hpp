// Epochs on the model topic, and where each took effect on the statistics topic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/core/epoch.hpp"
#include "state/core/instant.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// `epoch/<n>`: the key on the model topic.
std::string epoch_key(std::int64_t number);
/// The inverse; nullopt = another kind of key.
std::optional<std::int64_t> epoch_of_key(std::string_view key);

/// Appends the epoch as one line of JSON. Every double reads back bit for bit; what can be derived
/// (standardised centroids, money in major units) is written too, for people and other programs.
void append_epoch(std::string& out, const Epoch& epoch);

/// kBadInput: not such a document, or one that no model could have made: number < 1, predecessor
/// not below it, k outside 2 .. 8, a scale not > 0, a segment named twice, counts below 0. Unknown
/// members are ignored; derived ones are not read.
Result<Epoch> decode_epoch(std::string_view json);

/// From which input record on an epoch was in force in a partition.
struct AppliedEpoch {
  std::int32_t partition = 0;
  std::int64_t epoch = 0;
  std::int64_t input_offset = 0;  // the first record decided by it
  std::optional<Instant> clock;   // the partition's clock then; nullopt = it had none yet
  bool operator==(const AppliedEpoch&) const = default;
};

/// `applied/<partition>/<epoch>`: the key on the statistics topic.
std::string applied_key(const AppliedEpoch& applied);
void append_applied(std::string& out, const AppliedEpoch& applied);
/// kBadInput: not such a document.
Result<AppliedEpoch> decode_applied(std::string_view json);

}  // namespace segmentd
