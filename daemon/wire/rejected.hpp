// A refused record as it goes to the rejected topic: the original bytes, and headers that say why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/wire/encode.hpp"
#include "state/core/reject.hpp"

namespace segmentd {

/// Where a refused record came from.
struct RecordOrigin {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;  // -1 = the message has none
};

/// What of the original fits: views into it.
struct RejectedBytes {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  bool truncated = false;
};

/// Key and value together never exceed `bytes_max`, so that a reject is never itself too large: the
/// value is cut first; a key is cut only where it takes more than half of the room.
RejectedBytes fit_rejected(std::optional<std::string_view> key,
                           std::optional<std::string_view> value, std::size_t bytes_max);

/// segmentd-reason, -detail, -topic, -partition, -offset, -timestamp (ms, empty when there is none)
/// and -truncated (`true`, `false`), as text.
std::vector<HeaderText> rejected_headers(const Reject& reject, const RecordOrigin& origin,
                                         bool truncated);

}  // namespace segmentd
