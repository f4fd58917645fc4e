#include "daemon/commands/crew.hpp"

#include <chrono>
#include <utility>

#include <pthread.h>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/clock.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/kafka/source.hpp"
#include "daemon/kafka/transaction_log.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/worker/restore_threads.hpp"
#include "daemon/worker/worker.hpp"

namespace segmentd {
namespace {

constexpr std::chrono::hours kAsideInterval{1};

WorkerRules worker_rules(const config::Settings& settings, int worker, std::int32_t partitions) {
  WorkerRules rules;
  rules.commit_interval = settings.limits.commit_interval();
  rules.flush_interval = settings.rocksdb.flush_interval();
  rules.flush_rows = static_cast<std::uint64_t>(settings.rocksdb.flush_rows());
  rules.poll_records_max = settings.limits.transaction_records();
  rules.held_bytes_max = static_cast<std::size_t>(settings.limits.held_bytes());
  rules.start_at_earliest = settings.input.start() == config::InputStart::kEarliest;
  rules.leave_on_stop = settings.on_stop() == config::OnStop::kLeave;
  rules.worker = worker;
  rules.partitions = partitions;
  return rules;
}

int exit_code_of(const WorkerEnd& end) {
  switch (end.kind) {
    case WorkerEnd::Kind::kStopped:
      return kExitClean;
    case WorkerEnd::Kind::kBroker:
      return kExitBroker;
    case WorkerEnd::Kind::kState:
      return kExitState;
    case WorkerEnd::Kind::kFenced:
      return kExitFenced;
  }
  return kExitBug;
}

std::string another_runs_as(const std::string& member) {
  return ". Another process runs as " + member +
         ": was the state directory copied? Each process needs a state_dir of its own, made by "
         "itself, and `instance` only where it differs";
}

}  // namespace

int fail_logged(const Error& error, int code) {
  observe::log_line(observe::LogLevel::kError, "ends: it cannot go on",
                    {{"what", error.what}, {"exit_code", code}});
  return code;
}

Crew::Crew(CrewParts parts, std::atomic<bool>& stop, std::atomic<bool>& working)
    : parts_(std::move(parts)),
      stop_(stop),
      working_(working),
      holdings_(static_cast<int>(parts_.settings.workers())),
      at_work_(static_cast<int>(parts_.settings.workers())) {
  const int workers = at_work_;
  for (int worker = 0; worker < workers; ++worker) {
    threads_.emplace_back([this, worker] { begin(worker); });
  }
}

Crew::~Crew() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

bool Crew::wait(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return at_work_ == 0; });
}

void Crew::begin(int worker) {
  pthread_setname_np(pthread_self(), ("worker-" + std::to_string(worker)).c_str());
  const int code = work(worker);
  if (code != kExitClean) stop_ = true;
  {
    const std::lock_guard lock(mutex_);
    if (code_ == kExitClean) code_ = code;
    --at_work_;
  }
  changed_.notify_all();
}

int Crew::work(int worker) {
  const config::Settings& settings = parts_.settings;
  const std::string member = parts_.process + "-" + std::to_string(worker);
  auto rules = decode_rules(settings);
  if (!rules) return fail_logged(rules.error(), exit_code(rules.error()));
  auto decoder = Decoder::create(std::move(*rules));
  if (!decoder) return fail_logged(decoder.error(), exit_code(decoder.error()));
  // First the producer: opening it ends what a killed predecessor of this name left open.
  kafka::TransactionLogOptions options;
  options.transactional_id = member;
  options.input_topic = settings.input.topic();
  options.topics = output_topics(settings);
  options.queue_bytes = settings.limits.output_queue_bytes();
  auto log = kafka::open_transaction_log(parts_.client, options);
  if (!log) return fail_logged(log.error(), exit_code(log.error()));
  working_ = true;
  PipelineRules pipeline_rules_here = pipeline_rules(settings, member, parts_.partitions);
  pipeline_rules_here.partition.process = parts_.new_uuid().substr(0, 8);
  Pipeline pipeline(std::move(pipeline_rules_here), std::move(*decoder), parts_.epochs);
  RestoreThreads restorer(
      {parts_.broker, steady_pace(), settings.input.topic(), output_topics(settings),
       pipeline.partition_rules(), parts_.epochs, member,
       [this](std::int32_t p) { return parts_.stores.open(p); },
       [this](std::int32_t p, GivenUp how) {
         return how == GivenUp::kDeleted ? parts_.stores.remove(p)
                                         : parts_.stores.set_aside(p, kAsideInterval);
       },
       parts_.new_uuid, wall_now, [this] { return parts_.model_reader.position(); },
       parts_.deletions_kept},
      static_cast<int>(settings.limits.restores()));
  kafka::SourceOptions source;
  source.topic = settings.input.topic();
  source.instance = member;
  source.queue_bytes = settings.limits.queue_bytes();
  Worker one(worker_rules(settings, worker, parts_.partitions),
             {[&](RebalanceListener& listener) {
                return kafka::open_source(parts_.client, source, listener);
              },
              **log, parts_.broker, steady_pace(), pipeline, restorer, holdings_, parts_.metrics,
              parts_.health, wall_now, settings.input.topic(),
              [this](std::int32_t p) { return parts_.stores.set_aside(p, kAsideInterval); },
              [this](std::int32_t p) { parts_.stores.left(p); }, parts_.has_room});
  const WorkerEnd end = one.run(stop_);
  if (end.kind == WorkerEnd::Kind::kStopped) return kExitClean;
  const bool fenced = end.kind == WorkerEnd::Kind::kFenced;
  return fail_logged({Errc::kCorrupt, end.what + (fenced ? another_runs_as(member) : "")},
                     exit_code_of(end));
}

}  // namespace segmentd
