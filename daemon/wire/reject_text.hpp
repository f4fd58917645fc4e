// The words of rejects: what a person reads beside the code on the rejected topic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/core/instant.hpp"
#include "state/core/reject.hpp"

namespace segmentd {

inline constexpr std::size_t kRejectDetailBytesMax = 300;

/// Cuts `text` to at most `bytes_max` bytes, never inside a UTF-8 character.
std::string_view cut_utf8(std::string_view text, std::size_t bytes_max);

/// Foreign text for a detail: in quotes, at most 60 bytes of it, control characters and what is no
/// UTF-8 as `?`: a detail is always text.
std::string quoted(std::string_view text);

/// A reject whose detail keeps to kRejectDetailBytesMax.
Reject make_reject(RejectReason reason, std::string_view detail);

// What the worker refuses, who knows clocks, partitions and rows.

/// The record's time is later than the wall clock by more than `tolerance_ms`.
Reject reject_future(Instant at, Instant wall, std::int64_t tolerance_ms);
/// The record's time is ahead of the partition's event clock by more than `max_step_ms`.
Reject reject_clock_jump(Instant at, Instant clock, std::int64_t max_step_ms);
/// About an order or refund that is folded or too late; `folded_until` = the row's fold horizon.
Reject reject_too_old(Instant at, std::optional<Instant> folded_until);
/// The key hashes to partition `expected` by `partitioner`, but the record lies in `found`.
Reject reject_wrong_partition(std::int32_t found, std::int32_t expected,
                              std::string_view partitioner);
/// The setting input.skip names the record.
Reject reject_skipped();

}  // namespace segmentd
