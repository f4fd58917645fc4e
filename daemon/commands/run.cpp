// `segmentd run`: builds the parts, joins them, waits for a signal.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include <pthread.h>
#include <unistd.h>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/clock.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/commands/crew.hpp"
#include "daemon/commands/memory_budget.hpp"
#include "daemon/http/health.hpp"
#include "daemon/http/routes.hpp"
#include "daemon/http/server.hpp"
#include "daemon/kafka/admin.hpp"
#include "daemon/kafka/broker.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/topics/topic_watch.hpp"
#include "daemon/topics/topics.hpp"
#include "daemon/version.hpp"
#include "daemon/worker/model_reader.hpp"
#include "state/disk_room.hpp"
#include "state/partition_stores.hpp"
#include "state/rocks_store.hpp"
#include "state/state_dir.hpp"

namespace segmentd {
namespace {

using observe::LogLevel;

constexpr milliseconds kModelTimeout{60'000};
/// How long the worker may be away from its loop: longer than librdkafka's longest blocking call
/// here.
constexpr milliseconds kStall{120'000};
/// Longer than Worker::run() may take to return, and closing the stores.
constexpr std::chrono::seconds kShutdownPatience{50};
constexpr milliseconds kLookAfterStores{1'000};

/// TERM and INT, taken by a thread of its own: no work happens inside a signal handler.
class Signals {
 public:
  /// Blocks them in this thread and all made later; so before any other thread.
  explicit Signals(std::atomic<bool>& stop, const std::atomic<bool>& working) : working_(working) {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGPIPE, SIG_IGN);
    thread_ = std::thread([this, &stop] { wait(stop); });
  }
  ~Signals() {
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  /// Also the watchdog of the shutdown: librdkafka may hang when it closes. What was committed is
  /// committed and the rest comes again, so leaving at once is as safe as being killed.
  void wait(std::atomic<bool>& stop) {
    int number = 0;
    if (sigwait(&set_, &number) != 0 || number == SIGUSR1) return;
    observe::log_line(LogLevel::kInfo, "asked to stop", {{"signal", number}});
    stop = true;
    if (!working_) {  // still looking for the broker: nothing is open that has to be closed
      observe::log_line(LogLevel::kInfo, "stopped before it had begun");
      _exit(kExitClean);
    }
    timespec patience{};
    patience.tv_sec = kShutdownPatience.count();
    while ((number = sigtimedwait(&set_, nullptr, &patience)) != SIGUSR1) {
      // Asked again: it is under way. Or the whole process was stopped (SIGSTOP) and continued.
      if (number > 0 || errno == EINTR) continue;
      observe::log_line(LogLevel::kError, "the shutdown hangs: leaving without it");
      _exit(kExitBug);
    }
  }

  const std::atomic<bool>& working_;
  sigset_t set_{};
  std::thread thread_;
};

/// A quarter more than what has to stay free: a store that goes on is not to stop again at once.
bool has_room(const config::Settings& settings) {
  const auto free_bytes = static_cast<std::uint64_t>(settings.limits.disk_free_bytes());
  return static_cast<bool>(require_room(settings.state_dir(), free_bytes + free_bytes / 4));
}

/// A random UUID (RFC 9562, version 4).
std::string random_uuid() {
  std::random_device random;
  std::string text;
  constexpr const char* kDigits = "0123456789abcdef";
  for (int i = 0; i < 32; ++i) {
    unsigned nibble = random() & 15U;
    if (i == 12) nibble = 4;
    if (i == 16) nibble = 8 | (nibble & 3U);
    if (i == 8 || i == 12 || i == 16 || i == 20) text += '-';
    text += kDigits[nibble];
  }
  return text;
}

void write_kafka_log(int level, std::string_view line) {
  constexpr int kEmergency = 0;  // ours: something is lost. The library itself calls no more than 1
  constexpr int kError = 3;
  constexpr int kWarning = 5;
  observe::log_line(level <= kEmergency ? LogLevel::kError
                    : level <= kError   ? LogLevel::kWarning
                    : level <= kWarning ? LogLevel::kInfo
                                        : LogLevel::kDebug,
                    "librdkafka", {{"line", line}});
}

/// Of the model topic. A right that is missing is the brokers' affair, not one of usage: it may be
/// given back.
int model_exit_code(const Error& error) {
  return error.code == Errc::kCorrupt ? kExitState : kExitBroker;
}

/// What one run needs, in the order in which it is made; destroyed in reverse.
class Run {
 public:
  /// Sets `working` from when on stopping takes a last commit.
  Run(const config::Settings& settings, std::atomic<bool>& working)
      : settings_(settings),
        working_(working),
        metrics_({settings.currency(), static_cast<int>(settings.decimals()), kVersion}),
        health_(static_cast<int>(settings.workers()), kStall, std::chrono::steady_clock::now()) {}

  /// Sets `stop` itself when a worker cannot go on: the others end with it.
  int go(std::atomic<bool>& stop);

 private:
  int open_state();
  int serve();
  int prepare_topics();
  int open_kafka();
  int work(std::atomic<bool>& stop);

  const config::Settings& settings_;
  std::atomic<bool>& working_;
  observe::Metrics metrics_;
  http::HealthBoard health_;
  std::unique_ptr<TopicWatch> topic_watch_;
  std::unique_ptr<http::Server> server_;
  std::optional<StateDir> directory_;
  std::string process_;  // what the names of its workers begin with
  std::int32_t partitions_ = 0;
  milliseconds deletions_kept_{0};  // by the changelog
  kafka::ClientSettings client_;
  std::unique_ptr<Broker> broker_;
  Epochs epochs_;
  std::unique_ptr<ModelReader> model_reader_;
};

int Run::open_state() {
  auto opened = StateDir::open(settings_.state_dir(), settings_.application(), random_uuid());
  if (!opened) return fail_logged(opened.error(), kExitState);
  directory_ = std::move(*opened);
  process_ = process_name(settings_, directory_->instance());
  return kExitClean;
}

int Run::serve() {
  http::Router router;
  http::add_operations_routes(router, metrics_, health_,
                              [] { return std::chrono::steady_clock::now(); });
  http::add_index_route(router);
  http::ServerSettings server;
  server.address = settings_.http.address();
  auto started = http::Server::start(server, std::move(router));
  if (!started) return fail_logged(started.error(), exit_code(started.error()));
  server_ = std::move(*started);
  return kExitClean;
}

int Run::prepare_topics() {
  client_ = client_settings(settings_, settings_.application());
  client_.log = write_kafka_log;
  auto admin = kafka::Admin::open(client_);
  if (!admin) return fail_logged(admin.error(), exit_code(admin.error()));
  auto report = segmentd::prepare_topics(settings_, **admin, settings_.topics.create());
  if (!report) {
    return fail_logged(report.error().within("broker " + settings_.bootstrap_servers()),
                       kExitBroker);
  }
  for (const std::string& note : report->notes) observe::log_line(LogLevel::kWarning, note);
  for (const std::string& name : report->created) {
    observe::log_line(LogLevel::kInfo, "topic created", {{"topic", name}});
  }
  if (!report->problems.empty()) {
    std::string text = "the topics are not as they must be:";
    for (const std::string& problem : report->problems) text += " " + problem + ";";
    text.pop_back();
    return fail_logged({Errc::kUnavailable, text}, kExitBroker);
  }
  partitions_ = report->input_partitions;
  deletions_kept_ = milliseconds(report->deletions_kept_ms);
  topic_watch_ = watch_topics(settings_, std::move(*admin), *report, metrics_);
  return kExitClean;
}

int Run::open_kafka() {
  auto broker = kafka::open_broker(client_);
  if (!broker) return fail_logged(broker.error(), exit_code(broker.error()));
  broker_ = std::move(*broker);
  auto reader = ModelReader::start(*broker_, settings_.model_topic(), epochs_);
  if (!reader) return fail_logged(reader.error(), exit_code(reader.error()));
  model_reader_ = std::move(*reader);
  if (auto complete = model_reader_->wait_until_complete(kModelTimeout); !complete) {
    return fail_logged(complete.error(), model_exit_code(complete.error()));
  }
  return kExitClean;
}

int Run::work(std::atomic<bool>& stop) {
  const RocksEnvironment rocks(rocks_options(settings_, partitions_));
  PartitionStores stores(*directory_, rocks, settings_.state_keep(),
                         std::chrono::steady_clock::now);
  Crew crew(
      {settings_, client_, *broker_, epochs_, *model_reader_, stores, metrics_, health_, process_,
       partitions_, deletions_kept_, random_uuid, [this] { return has_room(settings_); }},
      stop, working_);
  std::optional<std::chrono::steady_clock::time_point> ending;
  std::optional<Error> model_failed;
  while (!crew.wait(kLookAfterStores)) {
    const auto now = std::chrono::steady_clock::now();
    if (!model_failed && (model_failed = model_reader_->failed())) stop = true;
    if (stop && !ending) ending = now;
    if (ending && now - *ending > kShutdownPatience) {  // also where nobody asked it to stop
      observe::log_line(LogLevel::kError, "the shutdown hangs: leaving without it");
      _exit(kExitBug);
    }
    for (const std::int32_t p : stores.remove_left(crew.all_are_members())) {
      observe::log_line(LogLevel::kInfo, "removed the directory of a partition that went elsewhere",
                        {{"partition", p}});
    }
  }
  if (model_failed && crew.code() == kExitClean) {
    return fail_logged(*model_failed, model_exit_code(*model_failed));
  }
  const int code = crew.code();
  if (code == kExitClean) observe::log_line(LogLevel::kInfo, "stopped");
  return code;
}

int Run::go(std::atomic<bool>& stop) {
  if (const int code = open_state(); code != kExitClean) return code;
  if (const int code = serve(); code != kExitClean) return code;
  observe::log_line(LogLevel::kInfo, "segmentd starts",
                    {{"version", kVersion},
                     {"application", settings_.application()},
                     {"instance", process_},
                     {"workers", settings_.workers()},
                     {"brokers", settings_.bootstrap_servers()},
                     {"input", settings_.input.topic()},
                     {"state_dir", settings_.state_dir()},
                     {"http_port", server_->port()}});
  say_memory_budget(settings_);
  if (const int code = prepare_topics(); code != kExitClean) return code;
  if (const int code = open_kafka(); code != kExitClean) return code;
  return work(stop);
}

int run_daemon(const config::ConfigArguments& arguments) {
  const auto settings = load_or_explain(arguments);
  if (!settings) return kExitUsage;
  observe::set_up_log({static_cast<observe::LogLevel>(settings->log.level()),
                       static_cast<observe::LogFormat>(settings->log.format())});
  for (const std::string& note : settings->notes()) observe::log_line(LogLevel::kWarning, note);
  std::atomic<bool> stop{false};
  std::atomic<bool> working{false};
  const Signals signals(stop, working);
  Run run(*settings, working);
  return run.go(stop);
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<config::ConfigArguments>();
  CLI::App* command = app.add_subcommand(
      "run", "Work: orders from Kafka in, segment changes out, until TERM or INT");
  add_config_flags(*command, *arguments, true);
  command->callback(
      [arguments, &action] { action = [arguments] { return run_daemon(*arguments); }; });
}

}  // namespace segmentd
