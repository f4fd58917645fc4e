#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "daemon/check/findings.hpp"
#include "daemon/check/input_sample.hpp"
#include "daemon/check/reach.hpp"
#include "daemon/check/state_check.hpp"
#include "daemon/commands/assembly.hpp"
#include "daemon/commands/broker_talk.hpp"
#include "daemon/commands/clock.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/http/address.hpp"
#include "daemon/kafka/admin.hpp"
#include "daemon/kafka/broker.hpp"
#include "daemon/kafka/property.hpp"
#include "daemon/topics/topics.hpp"

namespace segmentd {
namespace {

constexpr std::int64_t kSampleOfPartition = 1'000;
constexpr std::int64_t kSampleOfTopic = 50'000;
constexpr milliseconds kSamplePatience{30'000};
constexpr milliseconds kAskPatience{10'000};
constexpr const char* kAbove = ", because of the problems above";

int exit_code(Area area) {
  switch (area) {
    case Area::kConfiguration:
      return kExitUsage;
    case Area::kBroker:
      return kExitBroker;
    case Area::kState:
      return kExitState;
  }
  return kExitBug;
}

/// `compacted`, `keeps records for 30d`.
std::string kept_text(const TopicFinding& topic) {
  if (topic.cleanup == "compact") return "compacted";
  return std::string("keeps records ") + (topic.retention == "forever" ? "" : "for ") +
         topic.retention;
}

/// Looks at one part after the other; what a part found out, later ones use.
class Check {
 public:
  Check(const config::LoadedSettings& loaded, const Reach& reach)
      : loaded_(loaded), settings_(loaded.settings), reach_(reach) {}

  const Findings& all();

 private:
  void configuration();
  kafka::ClientSettings client();
  void topics();
  void report(const TopicReport& topics);
  void sample();
  void state();
  void members(const std::string& instance);
  void http();

  const config::LoadedSettings& loaded_;
  const config::Settings& settings_;
  const Reach reach_;
  LastComplaint complaint_;
  std::unique_ptr<kafka::Admin> admin_;  // null = not reached
  std::unique_ptr<Broker> broker_;       // the same
  std::int32_t input_partitions_ = 0;    // 0 = not known
  bool state_in_use_ = false;
  Findings findings_;
};

const Findings& Check::all() {
  configuration();
  topics();
  sample();
  state();
  http();
  return findings_;
}

void Check::configuration() {
  for (const config::Problem& problem : loaded_.problems) {
    findings_.problem(Area::kConfiguration, problem.text());
  }
  for (const std::string& note : settings_.notes()) findings_.note(note);
  if (!loaded_.ok()) return;
  const auto options = settings_.options();
  const auto set = std::count_if(options.begin(), options.end(),
                                 [](const auto* option) { return !option->is_default(); });
  findings_.ok("configuration: " + std::to_string(set) + " settings and " +
               std::to_string(settings_.kafka.all().size()) +
               " kafka properties are set, the others have their defaults");
  findings_.ok("time zone: " + settings_.time_zone());
}

/// Without the properties that librdkafka does not know: those were told, and it would not start.
kafka::ClientSettings Check::client() {
  auto client = client_settings(settings_, settings_.application() + "-check");
  client.log = complaint_.line();
  for (const config::Problem& problem : loaded_.problems) {
    std::erase_if(client.properties, [&](const auto& property) {
      return problem.key == std::string(config::kKafkaPrefix) + property.first;
    });
  }
  return client;
}

void Check::topics() {
  if (!reach_.broker) {
    findings_.skipped(std::string("broker and topics: not certain which") + kAbove);
    return;
  }
  say_asking(settings_);
  const auto client = this->client();
  auto admin = kafka::Admin::open(client);
  auto broker = kafka::open_broker(client);
  if (!admin || !broker) {
    findings_.problem(Area::kConfiguration, admin ? broker.error().what : admin.error().what);
    return;
  }
  auto found = prepare_topics(settings_, **admin, false);
  if (!found) {
    findings_.problem(Area::kBroker, of_broker(found.error(), settings_, complaint_).what);
    return;
  }
  findings_.ok("broker: " + settings_.bootstrap_servers() + " answers");
  admin_ = std::move(*admin);
  broker_ = std::move(*broker);
  input_partitions_ = found->input_partitions;
  report(*found);
}

void Check::report(const TopicReport& topics) {
  for (const TopicFinding& topic : topics.topics) {
    if (!topic.exists || !topic.problems.empty()) continue;
    findings_.ok("topic " + topic.name + " (" + std::string(word(topic.role)) +
                 "): " + partitions_text(topic.partitions) + ", " + kept_text(topic));
  }
  for (const std::string& note : topics.notes) findings_.note(note);
  for (const std::string& problem : topics.problems) findings_.problem(Area::kBroker, problem);
}

void Check::sample() {
  if (!broker_ || input_partitions_ == 0) {
    findings_.skipped("partitioner and records: no sample of the input could be taken");
    return;
  }
  auto rules = decode_rules(settings_);
  auto decoder = rules ? Decoder::create(*std::move(rules)) : Result<Decoder>(rules.error());
  if (!decoder || !reach_.meaning) {
    findings_.skipped(std::string("partitioner and records: not certain what they mean") + kAbove);
    return;
  }
  InputSample sample(settings_, *std::move(decoder), input_partitions_, wall_now());
  const std::int64_t each =
      std::clamp<std::int64_t>(kSampleOfTopic / input_partitions_, 10, kSampleOfPartition);
  const auto read = read_newest(*broker_, settings_.input.topic(), input_partitions_, each,
                                kSamplePatience, [&](const Message& m) { sample.add(m); });
  if (!read) {
    findings_.problem(Area::kBroker, "sample of the input: " + read.error().what);
    return;
  }
  judge_sample(settings_, sample.counts(), input_partitions_, findings_);
}

void Check::state() {
  if (!reach_.state || !reach_.meaning) {
    findings_.skipped(std::string("state directory: not certain ") +
                      (reach_.state ? "what it has to fit" : "which") + kAbove);
    return;
  }
  const StateFound found = check_state(settings_, input_partitions_, findings_);
  state_in_use_ = found.in_use;
  if (broker_ && input_partitions_ > 0) {
    check_offsets(found.metas, settings_.input.topic(), *broker_, kAskPatience, findings_);
  }
  if (admin_ && !found.instance.empty()) members(found.instance);
}

/// Nobody works on this directory: a member of its name is a process on a copy of it, or one that
/// died a moment ago.
void Check::members(const std::string& instance) {
  const auto found = admin_->member_instances(settings_.application(), kAskPatience);
  if (!found) return findings_.note("group: its members are not told: " + found.error().what);
  const std::string ours = process_name(settings_, instance) + "-";
  for (const std::string& member : *found) {
    if (!member.starts_with(ours)) continue;
    findings_.note("group: " + member +
                   ", a worker of this instance, is in the group now, though " +
                   "nobody works on this directory. Unless it has just been stopped or killed, "
                   "another process runs as this instance and the two would fence each other: was "
                   "the directory copied?");
    return;
  }
  findings_.ok("group: nobody else runs as this instance");
}

void Check::http() {
  if (!reach_.http) {
    findings_.skipped(std::string("http.address: not certain which") + kAbove);
    return;
  }
  const auto address = http::parse_listen_address(settings_.http.address());
  const auto free = address ? http::probe_listen_address(*address) : Result<void>(address.error());
  if (free) {
    findings_.ok("http.address: " + address->text() + " is free");
  } else if (address && state_in_use_) {
    findings_.note("http.address: " + address->text() + " is in use, probably by that segmentd");
  } else {
    findings_.problem(Area::kConfiguration, free.error().what);
  }
}

bool is_kafka_property(const std::string& name) {
  // librdkafka says the same of every name that it does not know.
  return kafka::refusal_of_property(name, "") != kafka::refusal_of_property("no.such.property", "");
}

int run_check(const config::ConfigArguments& arguments) {
  const config::LoadedSettings loaded = load_settings(arguments);
  Check check(loaded, reach_of(loaded, arguments.file, is_kafka_property));
  const Findings& findings = check.all();
  std::cout << findings.text();
  return findings.problems() == 0 ? kExitClean : exit_code(findings.worst());
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<config::ConfigArguments>();
  CLI::App* command = app.add_subcommand(
      "check",
      "Look at settings, broker, topics, a sample of the input and the state directory. Nothing is "
      "changed; at most 1,000 records a partition are read.");
  add_config_flags(*command, *arguments, true);
  command->callback(
      [arguments, &action] { action = [arguments] { return run_check(*arguments); }; });
}

}  // namespace segmentd
