#include "tests/worker/worker_fixture.hpp"

#include "daemon/wire/epoch_json.hpp"
#include "state/codec.hpp"
#include "state/forwarding_store.hpp"
#include "tests/support/metrics_page.hpp"

namespace segmentd::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

/// A store that fails as the test says, over one that outlives it.
class TroubledStore final : public ForwardingStore {
 public:
  TroubledStore(std::shared_ptr<Store> store, std::optional<Error>& trouble)
      : ForwardingStore(std::move(store)), trouble_(trouble) {}
  Result<void> write(std::span<const RowWrite> rows, const Position& position) override {
    if (trouble_) return *trouble_;
    return ForwardingStore::write(rows, position);
  }

 private:
  std::optional<Error>& trouble_;
};

}  // namespace

WorkerTest::WorkerTest() : cluster_(kPartitions), log_(cluster_) {
  const Input records = first_records(kRecords);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto p = records[i].key ? records[i].key->back() % kPartitions : 0;
    cluster_.input[static_cast<std::size_t>(p)].push_back(
        {records[i].key, records[i].json, 1'600'000'000'000 + static_cast<std::int64_t>(i)});
  }
  rules_.partitions = kPartitions;
  rules_.stuck_patience = 20ms;
  rules_.restore_pause = 1ms;
  rules_.restore_attempts_max = 5;
  rules_.dropped_patience = 50ms;
  rules_.room_look = 1ms;
  rules_.idle_poll = 1ms;
  rules_.report_every = 0ms;
  rules_.poll_records_max = 20;
  pipeline_rules_ = bench_rules();
  pipeline_rules_.partition_count = kPartitions;
  pipeline_rules_.partition.process = "one";
  pipeline_rules_.partition.partitions = kPartitions;
  pipeline_rules_.transaction_records_max = 25;
}

// --- the run ---

WorkerEnd WorkerTest::run(FakeSource::Script script) {
  given_up_.clear();
  stop_ = false;
  Epochs epochs;
  std::size_t read = 0;
  read_model(epochs, read);
  Pipeline pipeline(pipeline_rules_, bench_decoder(), epochs);
  RestoreThreads restorer(
      restore_parts(*changelog_, *restore_pace_, pipeline.partition_rules(), epochs), 2);
  Holdings holdings(1);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  const auto guarded = [&](FakeSource& source) {
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << "it stands still";
      stop_ = true;
      return;
    }
    read_model(epochs, read);
    rejoins_ = source.rejoins;
    script(source);
  };
  WorkerParts parts{[&](RebalanceListener& listener) -> Result<std::unique_ptr<Source>> {
                      auto source = std::make_unique<FakeSource>(cluster_, listener, guarded);
                      return std::unique_ptr<Source>(std::move(source));
                    },
                    log_,
                    cluster_,
                    steady_pace(),
                    pipeline,
                    restorer,
                    holdings,
                    metrics_,
                    health_,
                    [this] { return wall_; },
                    kFakeInput,
                    [this](std::int32_t p) { return set_aside(p); },
                    [this](std::int32_t p) { left_.insert(p); },
                    [this] { return room_; }};
  Worker worker(rules_, std::move(parts));
  return worker.run(stop_);
}

RestoreParts WorkerTest::restore_parts(Broker& changelog, Pace& pace, const PartitionRules& rules,
                                       const Epochs& epochs) {
  return {changelog,
          pace,
          kFakeInput,
          fake_outputs(),
          rules,
          epochs,
          kWriter,
          [this](std::int32_t p) { return open_store(p); },
          [this](std::int32_t p, GivenUp how) { return give_up_store(p, how); },
          [this] { return new_uuid_; },
          [this] { return wall_; },
          [this] { return static_cast<std::int64_t>(cluster_.model.size()); }};
}

void WorkerTest::read_model(Epochs& epochs, std::size_t& read) const {
  for (; read < cluster_.model.size(); ++read) {
    epochs.add(*decode_epoch(*cluster_.model[read].value));
  }
}

Result<std::unique_ptr<Store>> WorkerTest::open_store(std::int32_t p) {
  const std::lock_guard lock(restoring_);
  ++opened_[p];
  if (open_trouble_.contains(p)) {
    const Error trouble = open_trouble_.at(p);
    open_trouble_.erase(p);
    return trouble;
  }
  auto& memory = stores_[p];
  if (memory == nullptr) memory = std::make_shared<MemoryStore>();
  return std::unique_ptr<Store>(std::make_unique<TroubledStore>(memory, write_trouble_));
}

Result<void> WorkerTest::give_up_store(std::int32_t p, GivenUp how) {
  const std::lock_guard lock(restoring_);
  given_up_.emplace_back(p, how);
  stores_[p] = std::make_shared<MemoryStore>();
  return {};
}

Result<void> WorkerTest::set_aside(std::int32_t p) {
  const std::lock_guard lock(restoring_);
  ++set_aside_[p];
  if (set_aside_[p] > 1) return Error{Errc::kCorrupt, "set aside not long ago"};
  stores_[p] = std::make_shared<MemoryStore>();
  write_trouble_.reset();
  return {};
}

// --- how far it goes ---

bool WorkerTest::consumed(std::int32_t p) const {
  const auto it = cluster_.offsets.find(p);
  const auto end = static_cast<std::int64_t>(cluster_.input[static_cast<std::size_t>(p)].size());
  return it != cluster_.offsets.end() && it->second.next_offset == end;
}

bool WorkerTest::all_consumed() const {
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    if (!consumed(p)) return false;
  }
  return true;
}

FakeSource::Script WorkerTest::consume_all(FakeSource::Script more) {
  return [this, more = std::move(more)](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    more(source);
    if (all_consumed()) stop();
  };
}

void WorkerTest::consume_until(int commits) {
  run(consume_all([&](FakeSource&) {
    if (log_.committed >= commits) stop();
  }));
}

WorkerEnd WorkerTest::take_up() {
  return run([this](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    if (source.active(0) && source.active(1)) stop();
  });
}

std::string WorkerTest::said_while_0_goes_on() {
  std::string said;
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({0, 1});
    said = not_ready();
    if (consumed(0)) stop();
  });
  return said;
}

std::string WorkerTest::not_ready() const {
  std::string text;
  for (const std::string& reason : health_.report(std::chrono::steady_clock::now()).not_ready) {
    text += reason + "; ";
  }
  return text;
}

std::string WorkerTest::metric(const std::string& series) const {
  return value_of(metrics_.exposition(), series);
}

// --- what came of it ---

WorkerTest::Seen WorkerTest::seen() const {
  Seen seen;
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    const auto at = static_cast<std::size_t>(p);
    seen.changes.emplace_back();
    for (const auto& r : cluster_.changes[at]) seen.changes.back().push_back(*r.value);
    seen.rows.emplace_back();
    for (const auto& r : cluster_.changelog[at]) {
      if (*r.key != kMetaKey) seen.rows.back()[*r.key] = *r.value;
    }
  }
  return seen;
}

const WorkerTest::Seen& WorkerTest::calm() {
  static const Seen seen = [] {
    struct Calm : WorkerTest {
      void TestBody() override {}
      Seen play() {
        EXPECT_EQ(run(consume_all()).kind, WorkerEnd::Kind::kStopped);
        return this->seen();
      }
    };
    return Calm().play();
  }();
  return seen;
}

void WorkerTest::expect_calm() const {
  const Seen found = seen();
  for (std::size_t p = 0; p < kPartitions; ++p) {
    EXPECT_GT(calm().changes[p].size(), 20U);
    EXPECT_EQ(found.changes[p], calm().changes[p]) << "partition " << p;
    EXPECT_EQ(found.rows[p], calm().rows[p]) << "partition " << p;
  }
}

}  // namespace segmentd::test
