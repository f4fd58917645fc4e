#include "daemon/topics/topic_watch.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/observe/log.hpp"
#include "daemon/topics/topics.hpp"

namespace segmentd {
namespace {

using observe::LogLevel;

/// Of one question to the broker. Short: whoever stops the daemon waits for it.
constexpr milliseconds kPatience{3'000};

}  // namespace

TopicNews news_of(const TopicReport& report, std::set<std::string>& known) {
  std::set<std::string> now(report.problems.begin(), report.problems.end());
  now.insert(report.notes.begin(), report.notes.end());
  TopicNews news;
  std::set_difference(now.begin(), now.end(), known.begin(), known.end(),
                      std::back_inserter(news.worse));
  std::set_difference(known.begin(), known.end(), now.begin(), now.end(),
                      std::back_inserter(news.better));
  known = std::move(now);
  return news;
}

TopicWatch::TopicWatch(milliseconds every, const TopicReport& known, Look look,
                       observe::Metrics& metrics)
    : every_(every), look_(std::move(look)), metrics_(metrics) {
  news_of(known, known_);
  show(known);
  thread_ = std::thread([this] { work(); });
}

TopicWatch::~TopicWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void TopicWatch::work() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, every_, [this] { return stop_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void TopicWatch::look() {
  const auto report = look_();
  if (!report) return;
  const TopicNews news = news_of(*report, known_);
  for (const std::string& what : news.worse) {
    observe::log_line(LogLevel::kWarning, "a topic is not as it has to be any more",
                      {{"what", what}});
  }
  for (const std::string& what : news.better) {
    observe::log_line(LogLevel::kInfo, "a topic is better than it was: no longer so",
                      {{"what", what}});
  }
  show(*report);
}

void TopicWatch::show(const TopicReport& report) {
  observe::TopicGauges gauges;
  for (const TopicFinding& topic : report.topics) {
    gauges.problems[topic.role] += topic.problems.size();
  }
  metrics_.publish(gauges);
}

std::unique_ptr<TopicWatch> watch_topics(const config::Settings& settings,
                                         std::unique_ptr<kafka::Admin> admin,
                                         const TopicReport& known, observe::Metrics& metrics) {
  auto look = [&settings, shared = std::shared_ptr<kafka::Admin>(std::move(admin))] {
    return look_at_topics(settings, *shared, kPatience);
  };
  return std::make_unique<TopicWatch>(settings.topics.check_every(), known, std::move(look),
                                      metrics);
}

}  // namespace segmentd
