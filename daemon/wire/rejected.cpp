#include "daemon/wire/rejected.hpp"

#include <algorithm>
#include <string>

namespace segmentd {

RejectedBytes fit_rejected(std::optional<std::string_view> key,
                           std::optional<std::string_view> value, std::size_t bytes_max) {
  RejectedBytes kept{key, value, false};
  if (kept.key && kept.key->size() > bytes_max / 2) {
    kept.key = kept.key->substr(0, bytes_max / 2);
    kept.truncated = true;
  }
  const std::size_t room = bytes_max - (kept.key ? kept.key->size() : 0);
  if (kept.value && kept.value->size() > room) {
    kept.value = kept.value->substr(0, room);
    kept.truncated = true;
  }
  return kept;
}

std::vector<HeaderText> rejected_headers(const Reject& reject, const RecordOrigin& origin,
                                         bool truncated) {
  return {{"segmentd-reason", std::string(word(reject.reason))},
          {"segmentd-detail", reject.detail},
          {"segmentd-topic", std::string(origin.topic)},
          {"segmentd-partition", std::to_string(origin.partition)},
          {"segmentd-offset", std::to_string(origin.offset)},
          {"segmentd-timestamp",
           origin.timestamp_ms < 0 ? std::string() : std::to_string(origin.timestamp_ms)},
          {"segmentd-truncated", truncated ? "true" : "false"}};
}

}  // namespace segmentd
