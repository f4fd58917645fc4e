// A pipeline over a store and an output in memory, driven as the worker drives it, with restarts,
// lost work and aborted transactions where a test wants them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "daemon/pipeline/pipeline.hpp"
#include "state/forwarding_store.hpp"
#include "state/store.hpp"
#include "tests/support/collecting_sink.hpp"

namespace segmentd::test {

using Input = std::vector<CollectingSink::Put>;

/// The shipped extract as records, imported once.
const Input& online_retail();
/// Its first records.
Input first_records(std::size_t n);

/// The wall clock of all benches: later than all data.
inline constexpr Instant kWall{1'700'000'000'000};

/// Event clock, pounds with three decimals, one partition, everything else the default. Epochs come
/// early, so that a short input sees many.
PipelineRules bench_rules();
Decoder bench_decoder();

struct OutputLine {
  std::int32_t partition = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;
  bool operator==(const OutputLine&) const = default;

  std::string header(const std::string& name) const;
};

/// What read_committed readers of the topics see.
class CommittedLog : public OutputSink {
 public:
  Result<void> put(OutputTopic topic, std::int32_t partition, std::optional<std::string_view> key,
                   std::optional<std::string_view> value,
                   std::span<const HeaderText> headers) override;
  void commit();
  void abort() { open_.clear(); }

  const std::vector<OutputLine>& lines(OutputTopic topic) const {
    return topics_[static_cast<std::size_t>(topic)];
  }
  /// The last value of every key, as compaction leaves it.
  std::map<std::string, std::string> compacted(OutputTopic topic) const;

 private:
  std::vector<std::pair<OutputTopic, OutputLine>> open_;
  std::array<std::vector<OutputLine>, kOutputTopics> topics_;
};

/// What happens at a commit.
enum class Fault {
  kNone,
  kAbort,    // put_all() was called, the transaction is aborted and goes out again
  kRestart,  // after the commit: pipeline and partition are gone, the store is opened again
  kCrash,    // before the commit: what was decided is lost
  kRevoke,   // before the commit: the partition goes, what was decided is lost, and comes back
};

class Bench {
 public:
  using OpenStore = std::function<std::unique_ptr<Store>()>;

  /// Without `open_store` the state lies in memory and outlives restarts.
  explicit Bench(PipelineRules rules, OpenStore open_store = {});

  /// Reads on to the input's end (offset = index), `chunk` records at a time.
  void feed(const Input& input, std::size_t chunk = 10'000);
  /// Decides and commits all that is held; false = it failed, and the test with it.
  bool settle();
  /// A store that lacks the newest writes is first brought up to date from the changelog.
  void restart();
  /// At every commit one in `one_in` meets this fault.
  void inject(Fault fault, unsigned one_in, std::uint64_t seed);

  Pipeline& pipeline() { return *pipeline_; }
  Partition& partition() { return *pipeline_->find(0); }
  const CommittedLog& log() const { return log_; }
  std::vector<std::string> values(OutputTopic topic) const;
  std::map<std::string, std::string> table() const { return log_.compacted(OutputTopic::kTable); }
  /// The rows of the store, decoded.
  std::map<std::string, Customer> rows();
  Instant wall = kWall;
  observe::Tally tally;
  std::size_t commits = 0;
  std::size_t faults = 0;

 private:
  bool commit();  // false = met a fault that lost the pipeline
  void take_up();
  void replay_tail(Store& store) const;

  PipelineRules rules_;
  OpenStore open_store_;
  CommittedLog log_;
  std::unique_ptr<Epochs> epochs_;
  std::unique_ptr<Pipeline> pipeline_;
  Fault fault_ = Fault::kNone;
  unsigned one_in_ = 1;
  std::mt19937_64 random_;
};

/// Everything two runs over the same input must have in common.
struct Outcome {
  std::vector<OutputLine> events, rejected;
  std::vector<std::string> epochs, applied;
  std::map<std::string, std::string> table;
};
Outcome outcome_of(const Bench& bench);
void expect_same(const Outcome& one, const Outcome& other);

}  // namespace segmentd::test
