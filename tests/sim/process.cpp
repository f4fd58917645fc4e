#include "tests/sim/process.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include "daemon/wire/epoch_json.hpp"
#include "tests/sim/workload.hpp"
#include "tests/support/sim_source.hpp"

namespace segmentd::test {
namespace {

constexpr std::int64_t kWallMs = 1'700'000'000'000;
constexpr std::int64_t kSteadyMs = 1'000'000'000;  // the steady clock's own beginning

observe::Metrics& metrics() {
  static observe::Metrics all({"GBP", 3, "simulation"});
  return all;
}

class SimPace final : public Pace {
 public:
  SimPace(SimCluster& cluster, const SimProcess& process) : cluster_(cluster), process_(process) {}

  Time now() const override { return Time(milliseconds(kSteadyMs + cluster_.now_ms())); }
  void sleep(milliseconds duration) override {
    (void)cluster_.fates().at(Door::kSleep, process_.number, 0);
    if (duration.count() > 0) cluster_.pass(duration.count());
  }

 private:
  SimCluster& cluster_;
  const SimProcess& process_;
};

/// What ModelReader does in a thread of its own, whenever it is asked.
class SimModelReader {
 public:
  SimModelReader(Broker& broker, std::string topic, Epochs& epochs)
      : broker_(broker), topic_(std::move(topic)), epochs_(epochs) {}

  void read_on() {
    if (reader_ == nullptr) {
      const ReadFrom from[] = {{0, kFromBeginning}};
      auto opened = broker_.open_reader(topic_, from, milliseconds(1'000));
      if (!opened) return;
      reader_ = std::move(*opened);
    }
    std::vector<Message> records;
    if (!reader_->read(records, 100, milliseconds(1))) return;
    for (const Message& record : records) {
      if (auto epoch = decode_epoch(*record.value)) epochs_.add(*epoch);
    }
  }
  std::int64_t position() const {
    return reader_ == nullptr ? 0 : std::max<std::int64_t>(0, reader_->progress(0).position);
  }
  bool complete() const { return reader_ != nullptr && reader_->complete(); }

 private:
  Broker& broker_;
  std::string topic_;
  Epochs& epochs_;
  std::unique_ptr<LogReader> reader_;
};

/// What RestoreThreads does beside the worker, whenever it is asked: a restore may be long done
/// before the worker takes it up, and be done while an outcome is in doubt.
class SimRestorer final : public Restorer {
 public:
  static constexpr std::int64_t kHopelessMs = 3'000;  // only the worker can help, who waits for us

  SimRestorer(RestoreParts parts, SimCluster& cluster)
      : parts_(std::move(parts)), cluster_(cluster) {}

  void request(std::int32_t partition) override { wanted_.push_back(partition); }
  void cancel(std::span<const std::int32_t> partitions) override {
    const auto among = [&](std::int32_t p) {
      return std::find(partitions.begin(), partitions.end(), p) != partitions.end();
    };
    std::erase_if(wanted_, among);
    std::erase_if(done_, [&](const Restored& r) { return among(r.partition); });
  }
  std::optional<Restored> take() override {
    const bool later = cluster_.rough && cluster_.chance().one_in(3);
    if (done_.empty() && !later) work();
    if (done_.empty() || later) return std::nullopt;
    Restored first = std::move(done_.front());
    done_.pop_front();
    return first;
  }
  std::optional<RestoreProgress> progress(std::int32_t) const override { return std::nullopt; }

  void work() {
    if (wanted_.empty()) return;
    const std::int32_t partition = wanted_.front();
    wanted_.pop_front();
    const std::int64_t until = cluster_.now_ms() + kHopelessMs;
    const auto cancelled = [this, until] { return cluster_.now_ms() > until; };
    done_.push_back(restore_partition(parts_, partition, cancelled, [](const RestoreProgress&) {}));
  }

 private:
  RestoreParts parts_;
  SimCluster& cluster_;
  std::deque<std::int32_t> wanted_;
  std::deque<Restored> done_;
};

WorkerRules worker_rules(const SimSurroundings& around) {
  WorkerRules rules;
  rules.idle_poll = milliseconds(100);
  rules.report_every = std::chrono::hours(1'000);
  rules.flush_interval = milliseconds(2'000);
  rules.flush_rows = 12;
  rules.poll_records_max = around.limits.poll_records;
  rules.held_bytes_max = around.limits.held_bytes;
  rules.partitions = around.cluster.partitions();
  rules.leave_on_stop = !around.cluster.rough || !around.cluster.chance().one_in(3);
  return rules;
}

PipelineRules pipeline_rules(const SimSurroundings& around, const std::string& writer,
                             int process) {
  PipelineRules rules = simulation_rules(around.cluster.partitions());
  rules.partition.writer = writer;
  rules.partition.process = std::to_string(process);
  rules.own_epochs = around.own_epochs;
  rules.transaction_records_max = around.limits.records;
  rules.transaction_bytes_max = around.limits.bytes;
  rules.overlay_rows_max = around.limits.rows;
  rules.relabel_per_transaction_max = around.limits.moves;
  rules.held_bytes_max = around.limits.held_bytes;
  return rules;
}

}  // namespace

/// Everything that dies with the process, in an order in which it can.
struct SimDaemon::Life {
  Life(SimDaemon& daemon, SimSurroundings& around)
      : log(around.cluster.open_transactions(daemon.process_, "sim-" + daemon.instance_)),
        broker(around.cluster.open_broker(daemon.process_)),
        pace(around.cluster, daemon.process_),
        pipeline(pipeline_rules(around, "sim-" + daemon.instance_, ++around.processes),
                 simulation_decoder(), epochs),
        model(*broker, SimCluster::output_names()[static_cast<std::size_t>(OutputTopic::kModel)],
              epochs),
        restorer({*broker, pace, SimCluster::kInput, SimCluster::output_names(),
                  pipeline.partition_rules(), epochs, "sim-" + daemon.instance_,
                  [&daemon](std::int32_t p) { return daemon.open_store(p); },
                  [&daemon](std::int32_t p, GivenUp) { return daemon.remove_store(p); },
                  [] { return std::string("uuid"); }, wall(around.cluster),
                  [this] {
                    model.read_on();
                    return model.position();
                  }},
                 around.cluster),
        worker(worker_rules(around), parts(daemon, around)) {}

  static std::function<Instant()> wall(SimCluster& cluster) {
    return [&cluster] { return Instant{kWallMs + cluster.now_ms()}; };
  }
  WorkerParts parts(SimDaemon& daemon, SimSurroundings& around) {
    return {[&daemon, &around](RebalanceListener& listener) { return daemon.join(listener); },
            *log,
            *broker,
            pace,
            pipeline,
            restorer,
            holdings,
            metrics(),
            health,
            wall(around.cluster),
            SimCluster::kInput,
            [&daemon](std::int32_t p) { return daemon.remove_store(p); },
            [](std::int32_t) {},
            [] { return true; }};
  }

  Epochs epochs;
  std::unique_ptr<TransactionLog> log;
  std::unique_ptr<Broker> broker;
  SimPace pace;
  Holdings holdings{1};
  http::HealthBoard health{1, std::chrono::hours(1'000), {}};
  Pipeline pipeline;
  SimModelReader model;
  SimRestorer restorer;
  Worker worker;
};

SimDaemon::SimDaemon(SimSurroundings& around, int number, std::string instance)
    : around_(around), instance_(std::move(instance)) {
  process_.number = number;
  process_.alive = false;
}

SimDaemon::~SimDaemon() {
  kill();
}

Result<std::unique_ptr<Source>> SimDaemon::join(RebalanceListener& listener) {
  if (around_.cluster.fates().at(Door::kOpenSource, process_.number, 1) == 1) {
    return Error{Errc::kUnavailable, "no broker"};
  }
  auto source = around_.cluster.open_source(process_, instance_, listener);
  source->on_answered = [this](std::span<const std::int32_t> partitions) {
    for (const std::int32_t p : partitions) {
      if (disks_[p].open) around_.breach("W5: a store is open although its partition was given up");
    }
  };
  return std::unique_ptr<Source>(std::move(source));
}

Result<std::unique_ptr<Store>> SimDaemon::open_store(std::int32_t partition) {
  const unsigned way = around_.cluster.fates().at(Door::kOpenStore, process_.number, 2);
  if (way == 1) return Error{Errc::kUnavailable, "no space left on device"};
  if (way == 2) return Error{Errc::kCorrupt, "checksum"};
  return std::unique_ptr<Store>(std::make_unique<SimStore>(
      SimStore::Around{around_.cluster, process_, around_.truth, around_.breach}, partition,
      disks_[partition]));
}

Result<void> SimDaemon::remove_store(std::int32_t partition) {
  if (around_.cluster.fates().at(Door::kSetAside, process_.number, 1) == 1) {
    return Error{Errc::kUnavailable, "set aside not long ago"};
  }
  if (disks_[partition].open) around_.breach("a store is removed while it is open");
  disks_[partition] = {};
  return {};
}

// --- living and dying ---

void SimDaemon::guarded(const std::function<void()>& act) {
  busy_ = true;
  try {
    act();
  } catch (const Crash&) {
    kill();
  }
  busy_ = false;
}

void SimDaemon::kill() {
  process_.alive = false;
  life_.reset();
  for (auto& [partition, disk] : disks_) disk.open = false;
}

void SimDaemon::start() {
  process_.alive = true;
  process_.frozen = false;
  fenced_ = false;
  rounds_over_ = 0;
  guarded([this] {
    life_ = std::make_unique<Life>(*this, around_);
    for (int n = 0; !life_->model.complete(); ++n) {
      life_->model.read_on();
      if (n > 100) return kill();
    }
    if (!life_->log->reopen() || !life_->worker.join()) kill();
  });
}

void SimDaemon::round() {
  guarded([this] {
    if (!around_.cluster.rough || around_.cluster.chance().one_in(4)) life_->model.read_on();
    if (around_.cluster.rough && around_.cluster.chance().one_in(3)) life_->restorer.work();
    life_->worker.round();
    check_held();
    check_cache();
    if (!life_->worker.ended()) return;
    ends.push_back(*life_->worker.ended());
    fenced_ = ends.back().kind == WorkerEnd::Kind::kFenced;
    life_->worker.shut_down();
    kill();
  });
}

void SimDaemon::stop(bool leave) {
  guarded([&] {
    if (leave) life_->worker.shut_down();
    kill();
  });
}

bool SimDaemon::at_rest() const {
  return life_ == nullptr || (!life_->pipeline.touched() && life_->pipeline.held_bytes() == 0);
}

/// P3: beyond the limit comes at most what one round reads, and then a record with every poll that
/// keeps the member in the group.
void SimDaemon::check_held() {
  constexpr std::size_t kRecordBytes = 1'500;
  const std::size_t held = life_->pipeline.held_bytes();
  rounds_over_ = held > around_.limits.held_bytes ? rounds_over_ + 1 : 0;
  const std::size_t records = static_cast<std::size_t>(around_.limits.poll_records) + rounds_over_;
  if (held > around_.limits.held_bytes + records * kRecordBytes) {
    around_.breach("P3: too much is held");
  }
}

/// P3: with everything committed there are, beside the rows that may stay, at most those that the
/// last transaction used or was prepared to.
void SimDaemon::check_cache() {
  if (life_->pipeline.touched()) return;
  const SimLimits& limits = around_.limits;
  const auto used = static_cast<std::size_t>(limits.records + limits.moves + limits.prefetched);
  for (const auto& [number, partition] : life_->pipeline.partitions()) {
    if (partition->rows().size() > kCachedRows + used)
      around_.breach("P3: too many rows are cached");
  }
}

void SimDaemon::check_limits() const {
  if (life_ == nullptr) return;
  Budget all;
  for (const auto& [number, partition] : life_->pipeline.partitions()) {
    const Budget pending = partition->pending();
    all.records += pending.records;
    all.rows += pending.rows;
    all.moves += pending.moves;
    all.bytes += pending.bytes;
  }
  const SimLimits& limits = around_.limits;
  constexpr std::int64_t kLastBytes = 4'500;  // of the record, or the moves, that reach the limit
  if (all.records > limits.records || all.rows > limits.rows || all.moves > limits.moves ||
      all.bytes > limits.bytes + kLastBytes) {
    around_.breach("P3: a transaction of " + std::to_string(all.records) + " records, " +
                   std::to_string(all.rows) + " rows, " + std::to_string(all.moves) +
                   " moves and " + std::to_string(all.bytes) + " bytes");
  }
}

}  // namespace segmentd::test
