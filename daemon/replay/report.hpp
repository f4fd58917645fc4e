// What a replay says at its end: the customer table and the summary.
#pragma once

#include <string>

#include "daemon/import/file_sink.hpp"
#include "daemon/pipeline/pipeline.hpp"
#include "daemon/replay/replay.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// One line a customer, in the order of the ids' bytes, with what is known as of the partition's
/// clock.
Result<void> write_table(Partition& partition, const EncodeContext& context, FileSink& out);

/// One JSON object. `effects` = where each epoch took effect.
struct EpochEffect {
  std::int64_t epoch = 0;
  std::string kind;
  Instant instant;
  std::int64_t input_offset = 0;
  std::optional<Instant> clock;
};
std::string summary_json(const Partition& partition, const ReplayTotals& totals,
                         const std::vector<EpochEffect>& effects, const EncodeContext& context);

/// What happened to the records, in a few lines for people, each ending in LF.
std::string describe(const ReplayTotals& totals);

}  // namespace segmentd
