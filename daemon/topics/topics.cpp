#include "daemon/topics/topics.hpp"

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace segmentd {
namespace {

/// Of one question to the broker.
constexpr milliseconds kPatience{
    40'000};  // a broker that just started may take 15 s for its first topics
constexpr milliseconds kPause{100};

Result<TopicReport> look(const config::Settings& settings, kafka::Admin& admin,
                         milliseconds patience, Moment moment) {
  auto found = admin.describe(topic_names(settings), patience);
  if (!found) return found.error();
  auto brokers = admin.brokers(patience);
  if (!brokers) return brokers.error();
  return judge_topics(settings, *found, *brokers, moment);
}

/// Whether absence is all that is wrong.
bool only_absent(const TopicReport& report) {
  for (const TopicFinding& topic : report.topics) {
    if (topic.exists ? !topic.problems.empty() : topic.role == TopicRole::kInput) return false;
  }
  return true;
}

}  // namespace

Result<TopicReport> prepare_topics(const config::Settings& settings, kafka::Admin& admin,
                                   bool create) {
  auto report = look(settings, admin, kPatience, Moment::kStart);
  if (!report || !create || report->absent.empty() || !only_absent(*report)) return report;
  const std::vector<kafka::NewTopic> absent = std::move(report->absent);
  if (auto made = admin.create(absent, kPatience); !made) return made.error();
  // What another process made in the meantime may be different. Brokers hear of a new topic one
  // after the other, and any of them may answer.
  const auto until = std::chrono::steady_clock::now() + kPatience;
  do {
    report = look(settings, admin, kPatience, Moment::kStart);
    if (!report || report->absent.empty()) break;
    std::this_thread::sleep_for(kPause);
  } while (std::chrono::steady_clock::now() < until);
  if (!report) return report;
  for (const kafka::NewTopic& topic : absent) report->created.push_back(topic.name);
  return report;
}

Result<TopicReport> look_at_topics(const config::Settings& settings, kafka::Admin& admin,
                                   milliseconds patience) {
  return look(settings, admin, patience, Moment::kRunning);
}

Result<void> create_input(const config::Settings& settings, kafka::Admin& admin,
                          std::int32_t partitions) {
  auto brokers = admin.brokers(kPatience);
  if (!brokers) return brokers.error();
  const auto topic = new_topic(settings, TopicRole::kInput, partitions, *brokers);
  return admin.create(std::vector{topic}, kPatience);
}

}  // namespace segmentd
