// `segmentd watch`: reads what a consumer would read, read_committed, and says it in sentences.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/kafka/admin.hpp"
#include "daemon/kafka/broker.hpp"
#include "daemon/watch/customer_table.hpp"
#include "daemon/watch/line_rate.hpp"
#include "daemon/watch/sentence.hpp"
#include "daemon/watch/suggestion.hpp"
#include "daemon/watch/summary.hpp"
#include "daemon/wire/epoch_json.hpp"

namespace segmentd {
namespace {

constexpr milliseconds kTimeout{30'000};
constexpr milliseconds kPoll{200};
constexpr std::size_t kBatch = 1000;

struct WatchFlags {
  config::ConfigArguments config;
  std::string from = "beginning";
  std::string segment;
  std::int64_t rate = 20;
  bool once = false;
  bool quiet = false;
  bool summary = false;
  bool suggest = false;
};

volatile sig_atomic_t stop_asked = 0;
void ask_to_stop(int) {
  stop_asked = 1;
}

/// TERM and INT end the watching in order; the second one ends the process.
void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = ask_to_stop;
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

std::int64_t steady_ms() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// All partitions of one topic, read from a start to wherever they were decided when it was opened,
/// and on from there.
class TopicTail {
 public:
  static Result<TopicTail> open(kafka::Admin& admin, Broker& broker, const std::string& topic,
                                std::int64_t from);
  /// At most one batch; waits a moment for the first. `take` sees each record.
  Result<void> read(const std::function<Result<void>(const Message&)>& take);
  /// Everything that was decided at open() has been read.
  bool caught_up() const;
  std::size_t partitions() const { return ends_.size(); }

 private:
  std::string topic_;
  std::unique_ptr<LogReader> reader_;
  std::map<std::int32_t, std::int64_t> ends_;  // by partition, at open()
  std::vector<Message> batch_;
  std::int64_t moved_ms_ = steady_ms();  // when something was read last
  bool told_of_trouble_ = false;
};

Result<TopicTail> TopicTail::open(kafka::Admin& admin, Broker& broker, const std::string& topic,
                                  std::int64_t from) {
  TopicTail tail;
  tail.topic_ = topic;
  const auto described = admin.describe({&topic, 1}, kTimeout);
  if (!described) return described.error();
  const kafka::TopicDescription& description = described->at(topic);
  if (!description.exists) {
    return Error{Errc::kUnavailable, "topic " + topic + " does not exist; `segmentd run` makes it"};
  }
  std::vector<ReadFrom> starts;
  for (std::int32_t p = 0; p < description.partitions; ++p) {
    const auto marks = broker.watermarks(topic, p, kTimeout);
    if (!marks) return marks.error();
    tail.ends_[p] = marks->stable_end;
    starts.push_back({p, from == kFromEnd ? marks->stable_end : from});
  }
  auto reader = broker.open_reader(topic, starts, kTimeout);
  if (!reader) return reader.error();
  tail.reader_ = std::move(*reader);
  return tail;
}

Result<void> TopicTail::read(const std::function<Result<void>(const Message&)>& take) {
  batch_.clear();
  auto got = reader_->read(batch_, kBatch, kPoll);
  for (const Message& message : batch_) {
    if (auto ok = take(message); !ok) return ok.error().within(topic_);
  }
  if (!got && got.error().code != Errc::kRetry) return got;
  if (!got && !std::exchange(told_of_trouble_, true)) {
    std::cerr << "segmentd: " << got.error().what << "; trying again\n";
  }
  if (!batch_.empty() || caught_up()) {
    moved_ms_ = steady_ms();
    told_of_trouble_ = told_of_trouble_ && !got;
  } else if (steady_ms() - moved_ms_ > kTimeout.count()) {
    return Error{Errc::kUnavailable, "topic " + topic_ + " does not answer"};
  }
  return {};
}

bool TopicTail::caught_up() const {
  return std::all_of(ends_.begin(), ends_.end(), [this](const auto& end) {
    return reader_->progress(end.first).position >= end.second;
  });
}

class Watch {
 public:
  Watch(const WatchFlags& flags, const config::Settings& settings, Segment watched)
      : flags_(flags),
        settings_(settings),
        crossing_only_(!flags.segment.empty()),
        moves_(watched),
        rate_(flags.rate) {}

  Result<void> open();
  /// Sentences, until stopped or (--once) all there was has been said.
  Result<void> say_moves();
  Result<void> say_summary();
  Result<void> say_suggestion();

 private:
  Result<void> say(const Message& message);
  void say_left_out(std::int64_t left_out);
  Result<void> read_all(const std::string& topic,
                        const std::function<Result<void>(const Message&)>& take);
  Result<CustomerTable> read_table();
  Result<Epoch> newest_epoch();

  const WatchFlags& flags_;
  const config::Settings& settings_;
  bool crossing_only_;
  MoveCounts moves_;
  LineRate rate_;
  std::unique_ptr<kafka::Admin> admin_;
  std::unique_ptr<Broker> broker_;
  bool told_of_unknown_ = false;
};

Result<void> Watch::open() {
  const auto client = client_settings(settings_, settings_.application() + "-watch");
  auto admin = kafka::Admin::open(client);
  if (!admin) return admin.error();
  admin_ = std::move(*admin);
  auto broker = kafka::open_broker(client);
  if (!broker) return broker.error();
  broker_ = std::move(*broker);
  return {};
}

Result<void> Watch::say_moves() {
  const std::string topic = settings_.output.changes_topic();
  auto tail =
      TopicTail::open(*admin_, *broker_, topic, flags_.from == "end" ? kFromEnd : kFromBeginning);
  if (!tail) return tail.error();
  if (!flags_.quiet) {
    std::cerr << "watching " << topic << ", " << tail->partitions() << " partitions, from the "
              << flags_.from << "; times are UTC\n";
  }
  stop_on_signals();
  while (stop_asked == 0 && !(flags_.once && tail->caught_up())) {
    auto ok = tail->read([this](const Message& message) { return say(message); });
    if (!ok) return ok;
    say_left_out(rate_.ended(steady_ms()));
    std::cout.flush();
    if (!std::cout) return Error{Errc::kUnavailable, "standard output is gone"};
  }
  say_left_out(rate_.rest());
  std::cout.flush();
  return {};
}

/// A record of another kind may share the topic in a later version: it is passed over, with a word
/// once.
Result<void> Watch::say(const Message& message) {
  const auto event = read_event(message.value.value_or(""));
  if (!event) {
    if (!std::exchange(told_of_unknown_, true)) {
      std::cerr << "segmentd: passed over a record: " << event.error().what << '\n';
    }
    return {};
  }
  moves_.add(event->change);
  if (flags_.quiet || (crossing_only_ && !moves_.crosses(event->change))) return {};
  const std::int64_t now_ms = steady_ms();
  say_left_out(rate_.ended(now_ms));
  if (rate_.take(now_ms)) std::cout << sentence(*event) << '\n';
  return {};
}

void Watch::say_left_out(std::int64_t left_out) {
  if (left_out > 0) {
    std::cout << "... and " << readable_count(left_out) << " more in this second\n";
  }
}

Result<void> Watch::read_all(const std::string& topic,
                             const std::function<Result<void>(const Message&)>& take) {
  auto tail = TopicTail::open(*admin_, *broker_, topic, kFromBeginning);
  if (!tail) return tail.error();
  while (!tail->caught_up()) {
    if (auto ok = tail->read(take); !ok) return ok;
  }
  return {};
}

Result<CustomerTable> Watch::read_table() {
  CustomerTable table;
  auto ok = read_all(settings_.output.table_topic(), [&](const Message& message) {
    return table.put(message.partition, message.key.value_or(""), message.value);
  });
  if (!ok) return ok.error();
  return table;
}

Result<void> Watch::say_summary() {
  auto table = read_table();
  if (!table) return table.error();
  std::cout << summary_text(*table, moves_) << std::flush;
  return {};
}

Result<Epoch> Watch::newest_epoch() {
  Epoch newest;
  auto ok = read_all(settings_.model_topic(), [&](const Message& message) -> Result<void> {
    if (!message.value || !epoch_of_key(message.key.value_or(""))) return {};
    auto epoch = decode_epoch(*message.value);
    if (!epoch) return epoch.error();
    if (epoch->number > newest.number) newest = std::move(*epoch);
    return {};
  });
  if (!ok) return ok.error();
  if (newest.number == 0) return Error{Errc::kUnavailable, "there is no model yet"};
  return newest;
}

Result<void> Watch::say_suggestion() {
  auto table = read_table();
  if (!table) return table.error();
  auto epoch = newest_epoch();
  if (!epoch) return epoch.error();
  const int decimals = epoch->features.decimals;
  const auto suggestion = suggest_order(*table, Model(std::move(*epoch)), moves_.watched());
  if (!suggestion) {
    return Error{Errc::kUnavailable,
                 "no order in reason moves anybody to " + std::string(word(moves_.watched()))};
  }
  std::cout << suggestion_json(*suggestion, moves_.watched(), decimals) << std::endl;
  return {};
}

int run_watch(WatchFlags& flags) {
  // What is read carries its currency; a setting that only run needs is not asked for.
  flags.config.sets.insert(flags.config.sets.begin(), "currency=XXX");
  const auto settings = load_or_explain(flags.config);
  if (!settings) return kExitUsage;
  const auto watched = flags.segment.empty() ? Segment::kInsiders : segment_of(flags.segment);
  if (!watched || *watched == Segment::kNone) {
    return fail({Errc::kMisconfigured, "--segment '" + flags.segment + "' is no segment"});
  }
  Watch watch(flags, *settings, *watched);
  Result<void> done = watch.open();
  if (flags.suggest) {
    if (done) done = watch.say_suggestion();
  } else {
    if (done) done = watch.say_moves();
    if (done && flags.summary) done = watch.say_summary();
  }
  return done ? kExitClean : fail(done.error());
}

}  // namespace

void add_watch(CLI::App& app, Action& action) {
  auto flags = std::make_shared<WatchFlags>();
  CLI::App* command =
      app.add_subcommand("watch", "Say segment changes as sentences, as they are committed");
  add_config_flags(*command, flags->config);
  command->add_option("--from", flags->from, "Where to begin")
      ->check(CLI::IsMember({"beginning", "end"}))
      ->capture_default_str();
  command->add_option("--segment", flags->segment, "Only moves into or out of this one")
      ->type_name("SEGMENT");
  command->add_option("--rate", flags->rate, "Lines a second, the rest is counted; 0 = all lines")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command->add_flag("--once", flags->once, "End when everything that is there now has been said");
  command->add_flag("--quiet", flags->quiet, "No sentences");
  command->add_flag("--summary", flags->summary,
                    "At the end: customers and revenue by segment, moves by cause");
  command->add_flag("--suggest", flags->suggest,
                    "Only print, as JSON, an order that moves one customer into the segment "
                    "(default insiders)");
  command->callback([flags, &action] { action = [flags] { return run_watch(*flags); }; });
}

}  // namespace segmentd
