// The same core without a broker: records from files, decisions by the same pipeline, output to
// files. For trying segmentd on one's own history, and for tests.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/pipeline/pipeline.hpp"
#include "state/core/result.hpp"
#include "state/store.hpp"

namespace segmentd {

/// An epoch to be applied before the record at `input_offset`, with the partition's clock at
/// `clock`.
struct GivenEpoch {
  Epoch epoch;
  std::int64_t input_offset = 0;
  std::optional<Instant> clock;
};

struct ReplayOptions {
  std::vector<std::string> inputs;  // NDJSON files, in order; "-" = standard input
  std::optional<Instant> until;     // the clock is moved on to here at the end
  std::string events;               // file for CloudEvents, a line each; empty = none, "-" = stdout
  std::string table;                // file for the customer table
  std::string summary;              // file for the summary
  std::vector<GivenEpoch> epochs;   // with given_epochs, in order of input_offset
  bool given_epochs = false;        // apply those, judge none
  Instant wall;                     // for the future check
};

/// Counts of one replay, and how it ended.
struct ReplayTotals {
  observe::Tally tally;
  std::uint64_t records = 0;
  double seconds = 0;
};

/// Reads an epochs file: the values of the model topic's `epoch/<n>` records and of the statistics
/// topic's `applied/<partition>/<n>` records of one partition, a line each, in any order. Epochs
/// that were not applied are passed over. kBadInput names the line, or says that none was applied.
Result<std::vector<GivenEpoch>> read_given_epochs(const std::string& path);

/// Replays all inputs as partition 0 into `store`. A store that holds state already is gone on
/// from: the first record of these inputs gets its next offset, and given epochs count from the
/// first record ever replayed into it. Epochs lie in the store beside the rows, under the keys of
/// the model topic. No output is begun unless the inputs are there and the state can be gone on
/// from; then all are, before the first record. kCorrupt: the state is not safe to go on from, by
/// damage or because it was made under other settings; kUnavailable: a file.
Result<ReplayTotals> replay(const ReplayOptions& options, PipelineRules rules, Decoder decoder,
                            std::unique_ptr<Store> store, const std::string& store_uuid);

}  // namespace segmentd
