// Where the group stands in the input, asked by its members and by those who only look.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/kafka/client.hpp"
#include "daemon/ports.hpp"

namespace segmentd::kafka {

/// As Source::committed, over a consumer's handle.
Result<std::vector<CommittedOffset>> committed_offsets(rd_kafka_t* consumer,
                                                       const std::string& topic,
                                                       std::span<const std::int32_t> partitions,
                                                       milliseconds timeout);

/// Which of a group's offsets are told.
enum class Offsets {
  kStable,  // as Source::committed: waits for transactions that are being decided
  kBefore   // as Source::committed_before: passes over them
};

/// The same from outside: of the settings' group, which is not joined.
Result<std::vector<CommittedOffset>> committed_offsets(const ClientSettings& settings,
                                                       const std::string& topic,
                                                       std::span<const std::int32_t> partitions,
                                                       milliseconds timeout,
                                                       Offsets which = Offsets::kStable);

}  // namespace segmentd::kafka
