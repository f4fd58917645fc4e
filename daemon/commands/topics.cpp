#include "daemon/topics/topics.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/broker_talk.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/kafka/admin.hpp"

namespace segmentd {
namespace {

constexpr std::int32_t kInputPartitionsDefault = 4;
constexpr std::int32_t kInputPartitionsMax = 10'000;

struct TopicsFlags {
  config::ConfigArguments config;
  bool create = false;
  bool input = false;
  std::int32_t partitions = kInputPartitionsDefault;
};

using Line = std::array<std::string, 6>;

Line line_of(const TopicFinding& topic) {
  const auto or_dash = [&](const std::string& text) { return text.empty() ? "-" : text; };
  const std::string state = !topic.exists ? "missing" : topic.problems.empty() ? "ok" : "problem";
  return {topic.name,
          std::string(word(topic.role)),
          topic.exists ? std::to_string(topic.partitions) : "-",
          or_dash(topic.cleanup),
          or_dash(topic.retention),
          state};
}

/// Columns as wide as their widest text.
void print_table(const TopicReport& report) {
  std::vector<Line> lines{{"TOPIC", "ROLE", "PARTITIONS", "CLEANUP", "RETENTION", "STATE"}};
  for (const TopicFinding& topic : report.topics) lines.push_back(line_of(topic));
  std::array<std::size_t, std::tuple_size_v<Line>> widths{};
  for (const Line& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
  }
  for (const Line& line : lines) {
    for (std::size_t c = 0; c + 1 < line.size(); ++c) {
      std::cout << std::left << std::setw(static_cast<int>(widths[c]) + 2) << line[c];
    }
    std::cout << line.back() << '\n';
  }
}

int print_problems(const TopicReport& report) {
  for (const std::string& problem : report.problems) std::cerr << "segmentd: " << problem << '\n';
  return report.usable() ? kExitClean : kExitBroker;
}

/// The exit code, or what the broker says; so below.
Result<int> list_topics(const config::Settings& settings, kafka::Admin& admin) {
  const auto report = prepare_topics(settings, admin, false);
  if (!report) return report.error();
  print_table(*report);
  for (const std::string& note : report->notes) std::cout << "note: " << note << '\n';
  return print_problems(*report);
}

/// Makes the input if it is not there.
Result<void> ensure_input(const config::Settings& settings, kafka::Admin& admin,
                          std::int32_t partitions) {
  const auto before = prepare_topics(settings, admin, false);
  if (!before) return before.error();
  const TopicFinding& input = before->topics.front();
  if (input.exists) {
    std::cout << "exists   " << input.name << " (input), " << partitions_text(input.partitions)
              << "; left as it is\n";
    return {};
  }
  if (auto made = create_input(settings, admin, partitions); !made) return made.error();
  std::cout << "created  " << input.name << " (input), " << partitions_text(partitions)
            << "; it keeps its records forever until you say otherwise\n";
  return {};
}

Result<int> create_topics(const TopicsFlags& flags, const config::Settings& settings,
                          kafka::Admin& admin) {
  if (flags.input) {
    auto made = ensure_input(settings, admin, flags.partitions);
    if (!made) return made.error();
  }
  const auto report = prepare_topics(settings, admin, true);
  if (!report) return report.error();
  for (const TopicFinding& topic : report->topics) {
    if (topic.role == TopicRole::kInput || !topic.exists) continue;
    const bool is_new = std::count(report->created.begin(), report->created.end(), topic.name) > 0;
    std::cout << (is_new ? "created  " : "exists   ") << topic.name << " (" << word(topic.role)
              << "), " << partitions_text(topic.partitions) << ", " << topic.cleanup << '\n';
  }
  if (!report->topics.front().exists) {
    std::cerr << "segmentd: nothing was created: the others take their partition count from the "
                 "input, which is yours to make. `segmentd topics create --input --partitions N` "
                 "makes it too\n";
  }
  return print_problems(*report);
}

int run_topics(const TopicsFlags& flags) {
  const auto settings = load_or_explain(flags.config);
  if (!settings) return kExitUsage;
  LastComplaint complaint;
  auto client = client_settings(*settings, settings->application() + "-topics");
  client.log = complaint.line();
  auto admin = kafka::Admin::open(client);
  if (!admin) return fail(admin.error());
  say_asking(*settings);
  const auto code =
      flags.create ? create_topics(flags, *settings, **admin) : list_topics(*settings, **admin);
  return code ? *code : fail(of_broker(code.error(), *settings, complaint), kExitBroker);
}

}  // namespace

void add_topics(CLI::App& app, Action& action) {
  auto flags = std::make_shared<TopicsFlags>();
  CLI::App* command =
      app.add_subcommand("topics", "List the topics of this application, or create");
  add_config_flags(*command, flags->config);
  command->require_subcommand(0, 1);
  command->add_subcommand("list", "Show what each topic is and whether it is as it has to be")
      ->fallthrough();
  CLI::App* create = command->add_subcommand("create", "Create what is missing")->fallthrough();
  auto* input =
      create->add_flag("--input", flags->input, "Create the input topic too if it is missing");
  create->add_option("--partitions", flags->partitions, "Of the created input topic")
      ->check(CLI::Range(1, kInputPartitionsMax))
      ->capture_default_str()
      ->needs(input);
  create->callback([flags] { flags->create = true; });
  command->callback([flags, &action] { action = [flags] { return run_topics(*flags); }; });
}

}  // namespace segmentd
