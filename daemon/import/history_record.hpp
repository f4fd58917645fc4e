// One order or refund of a history file, and its form as a record of the input topic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/core/instant.hpp"

namespace segmentd {

/// Becomes one record. A refund names no order: history files do not say which.
struct HistoryRecord {
  enum class Type { kOrder, kRefund };
  Type type = Type::kOrder;
  std::string id;                       // of the order or of the refund
  std::optional<std::string> customer;  // nullopt = not identified
  Instant at;
  std::int64_t amount_minor = 0;
  std::string currency;
  std::optional<std::string> status;  // of an order; nullopt = not given
};

/// 1-256 bytes of UTF-8 without control characters: what the daemon takes as an id.
bool is_valid_id(std::string_view id);

/// Writes the record as one line of JSON, without line end, over what `json` held.
void write_json(const HistoryRecord& record, int decimals, std::string& json);

}  // namespace segmentd
