// Reads what a state directory and Kafka hold, for looking at it. Changes nothing and holds
// nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "daemon/inspect/found.hpp"
#include "daemon/ports.hpp"
#include "state/core/customer.hpp"
#include "state/core/result.hpp"
#include "state/rocks_store.hpp"
#include "state/state_dir.hpp"

namespace segmentd {

/// Whether what META was made from and under is what the settings say; a sentence for each thing
/// that differs. `input_partitions` 0 = not known.
std::vector<std::string> misfits(const Meta& meta, std::int32_t number,
                                 const std::string& input_topic,
                                 const std::string& settings_fingerprint,
                                 std::int32_t input_partitions);

/// The store of partition `number`: every row is read and decoded. What cannot be read is an
/// answer, not an error.
StoreFound look_at_store(const RocksEnvironment& environment, const StateDir& directory,
                         std::int32_t number, const Rules& rules);

/// Gives every committed record of a changelog's partition up to its end as of now, in offset
/// order; the end is a transaction's. kRetry: no answer for long; kUnavailable: no such topic or
/// partition; kCorrupt: somebody deletes it meanwhile. An error of the visitor ends it.
Result<Watermarks> read_changelog(Broker& broker, const std::string& topic, std::int32_t partition,
                                  const std::function<Result<void>(const Message&)>& visit);

/// The changelog of a partition: every record is read, what is newest of each customer is counted
/// and decoded. `store_position`: where a store goes on; unset = there is none that does.
Result<ChangelogFound> look_at_changelog(Broker& broker, const std::string& topic,
                                         std::int32_t partition,
                                         const std::optional<Position>& store_position,
                                         const Rules& rules);

/// The input as far as `meta` is about it.
Result<InputFound> look_at_input(Broker& broker, const std::string& topic, std::int32_t partition,
                                 const std::optional<Meta>& meta);

}  // namespace segmentd
