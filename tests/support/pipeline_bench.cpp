#include "tests/support/pipeline_bench.hpp"

#include <gtest/gtest.h>

#include "daemon/wire/epoch_json.hpp"
#include "state/codec.hpp"
#include "state/memory_store.hpp"
#include "tests/support/kept_documents.hpp"
#include "tests/support/online_retail.hpp"

namespace segmentd::test {
namespace {

template <class T>
void expect_ok(const Result<T>& result) {
  if (!result) ADD_FAILURE() << result.error().what;
}

}  // namespace

const Input& online_retail() {
  static const Input input = [] {
    CollectingSink sink;
    import_into(extract_options(), sink);
    return std::move(sink.puts);
  }();
  return input;
}

Input first_records(std::size_t n) {
  const Input& all = online_retail();
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(n, all.size()))};
}

PipelineRules bench_rules() {
  PipelineRules rules;
  PartitionRules& p = rules.partition;
  p.event_clock = true;
  p.input_topic = "orders";
  p.fingerprint = "currency=GBP\n";
  p.writer = "bench-0";
  p.encode.application = "bench";
  p.encode.currency = "GBP";
  p.encode.decimals = 3;
  rules.model.features.decimals = 3;
  rules.model.currency = "GBP";
  rules.model.min_days = 20;
  rules.model.min_customers = 50;
  rules.model.fit_starts = 4;
  return rules;
}

Decoder bench_decoder() {
  DecodeRules rules;
  rules.currency = "GBP";
  rules.decimals = 3;
  auto decoder = Decoder::create(std::move(rules));
  EXPECT_TRUE(decoder);
  return std::move(*decoder);
}

// --- the output ---

std::string OutputLine::header(const std::string& name) const {
  for (const auto& [n, v] : headers) {
    if (n == name) return v;
  }
  return "(no " + name + ")";
}

Result<void> CommittedLog::put(OutputTopic topic, std::int32_t partition,
                               std::optional<std::string_view> key,
                               std::optional<std::string_view> value,
                               std::span<const HeaderText> headers) {
  OutputLine line;
  line.partition = partition;
  if (key) line.key = std::string(*key);
  if (value) line.value = std::string(*value);
  for (const HeaderText& h : headers) line.headers.emplace_back(h.name, h.value);
  open_.emplace_back(topic, std::move(line));
  return {};
}

void CommittedLog::commit() {
  for (auto& [topic, line] : open_) {
    if (line.value) keep_document(topic, *line.value);
    topics_[static_cast<std::size_t>(topic)].push_back(std::move(line));
  }
  open_.clear();
}

std::map<std::string, std::string> CommittedLog::compacted(OutputTopic topic) const {
  std::map<std::string, std::string> last;
  for (const OutputLine& line : lines(topic)) last[line.key.value_or("")] = line.value.value_or("");
  return last;
}

// --- the bench ---

Bench::Bench(PipelineRules rules, OpenStore open_store)
    : rules_(std::move(rules)), open_store_(std::move(open_store)) {
  if (!open_store_) {
    open_store_ = [memory = std::make_shared<MemoryStore>()] {
      return std::make_unique<ForwardingStore>(memory);
    };
  }
  restart();
}

/// What a member does when it takes up a partition whose store is behind the changelog.
void Bench::replay_tail(Store& store) const {
  const auto& changelog = log_.lines(OutputTopic::kChangelog);
  Position position = store.position().value_or(Position{});
  std::vector<RowWrite> rows;
  for (auto i = static_cast<std::size_t>(position.next_offset); i < changelog.size(); ++i) {
    rows.push_back({*changelog[i].key, changelog[i].value});
  }
  position.next_offset = static_cast<std::int64_t>(changelog.size());
  if (!rows.empty()) expect_ok(store.write(rows, position));
}

void Bench::restart() {
  pipeline_.reset();
  epochs_ = std::make_unique<Epochs>();
  for (const std::string& json : values(OutputTopic::kModel)) {
    auto epoch = decode_epoch(json);
    expect_ok(epoch);
    epochs_->add(*epoch);
  }
  pipeline_ = std::make_unique<Pipeline>(rules_, bench_decoder(), *epochs_);
  take_up();
}

void Bench::take_up() {
  std::unique_ptr<Store> store = open_store_();
  replay_tail(*store);
  auto opened =
      Partition::open(pipeline_->partition_rules(), 0, std::move(store), *epochs_, "uuid");
  expect_ok(opened);
  pipeline_->add(std::move(*opened));
}

void Bench::inject(Fault fault, unsigned one_in, std::uint64_t seed) {
  fault_ = fault;
  one_in_ = one_in;
  random_.seed(seed);
}

bool Bench::commit() {
  if (!pipeline_->touched()) return true;
  const bool meets = fault_ != Fault::kNone && random_() % one_in_ == 0;
  faults += meets ? 1 : 0;
  if (meets && fault_ == Fault::kCrash) {
    restart();
    return false;
  }
  if (meets && fault_ == Fault::kRevoke) {
    pipeline_->remove(0);
    take_up();
    return false;
  }
  std::vector<InputOffset> offsets;
  if (meets && fault_ == Fault::kAbort) {
    expect_ok(pipeline_->put_all(log_, wall, offsets));
    log_.abort();
    offsets.clear();
    // The overlay stays; the worker may decide more before it tries again.
    if (random_() % 2 == 0) expect_ok(pipeline_->advance(wall));
  }
  expect_ok(pipeline_->put_all(log_, wall, offsets));
  log_.commit();
  ++commits;
  EXPECT_EQ(offsets.size(), 1U);
  EXPECT_EQ(offsets[0].next_offset, partition().meta().next_offset);
  const auto meta_at = static_cast<std::int64_t>(log_.lines(OutputTopic::kChangelog).size()) - 1;
  EXPECT_EQ(log_.lines(OutputTopic::kChangelog).back().key, std::string(kMetaKey));
  expect_ok(pipeline_->committed(0, meta_at, wall));
  EXPECT_EQ(offsets[0].metadata,
            offset_metadata({partition().meta().txn_seq, rules_.partition.writer, {}}));
  tally += partition().tally();
  partition().tally() = {};
  if (meets && fault_ == Fault::kRestart) {
    restart();
    return false;
  }
  pipeline_->settled();
  return true;
}

bool Bench::settle() {
  while (true) {
    auto next = pipeline_->advance(wall);
    expect_ok(next);
    if (!next) return false;
    if (!commit() || *next != Pipeline::Next::kCommit) return true;
  }
}

void Bench::feed(const Input& input, std::size_t chunk) {
  std::size_t quiet = 0;
  while (quiet < 2) {
    const auto end = static_cast<std::int64_t>(input.size());
    std::int64_t at = partition().next_expected_offset();
    quiet = at >= end ? quiet + 1 : 0;
    for (std::size_t n = 0; n < chunk && at < end; ++n, ++at) {
      const auto& put = input[static_cast<std::size_t>(at)];
      pipeline_->hold(Message::copy_of(0, at, 1'600'000'000'000 + at, put.key, put.json));
    }
    if (!settle()) return;
  }
}

std::vector<std::string> Bench::values(OutputTopic topic) const {
  std::vector<std::string> values;
  for (const OutputLine& line : log_.lines(topic)) values.push_back(line.value.value_or(""));
  return values;
}

std::map<std::string, Customer> Bench::rows() {
  std::map<std::string, Customer> rows;
  expect_ok(partition().store().scan(kRowPrefix, [&](std::string_view key, std::string_view value) {
    const std::string id(customer_of(key).value_or(""));
    auto row = decode_row(id, value, partition().customer_rules());
    if (!row) return Result<void>(row.error());
    rows.emplace(id, std::move(*row));
    return Result<void>();
  }));
  return rows;
}

// --- comparing ---

Outcome outcome_of(const Bench& bench) {
  return {bench.log().lines(OutputTopic::kChanges), bench.log().lines(OutputTopic::kRejected),
          bench.values(OutputTopic::kModel), bench.values(OutputTopic::kStatistics), bench.table()};
}

namespace {

template <class T, class Show>
void expect_same_lines(const std::vector<T>& one, const std::vector<T>& other, const char* what,
                       const Show& show) {
  EXPECT_EQ(one.size(), other.size()) << what;
  for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
    if (one[i] == other[i]) continue;
    ADD_FAILURE() << what << ' ' << i << "\n  " << show(one[i]) << "\n  " << show(other[i]);
    return;
  }
}

}  // namespace

void expect_same(const Outcome& one, const Outcome& other) {
  const auto value = [](const OutputLine& line) { return line.value.value_or("null"); };
  const auto itself = [](const std::string& text) { return text; };
  expect_same_lines(one.events, other.events, "event", value);
  expect_same_lines(one.rejected, other.rejected, "reject", value);
  expect_same_lines(one.epochs, other.epochs, "epoch", itself);
  expect_same_lines(one.applied, other.applied, "applied", itself);
  EXPECT_EQ(one.table.size(), other.table.size());
  for (const auto& [id, row] : one.table) {
    if (other.table.contains(id) && other.table.at(id) == row) continue;
    ADD_FAILURE() << "row\n  " << row << "\n  "
                  << (other.table.contains(id) ? other.table.at(id) : "(none)");
    return;
  }
}

}  // namespace segmentd::test
