// Looks now and then, while the daemon runs, whether the topics are still as they have to be: a
// policy that somebody changes does its harm days later. Says what became worse, and stops nothing.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "config/settings.hpp"
#include "daemon/kafka/admin.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/ports.hpp"
#include "daemon/topics/plan.hpp"

namespace segmentd {

/// What differs between two looks.
struct TopicNews {
  std::vector<std::string> worse;   // problems and notes that were not there before
  std::vector<std::string> better;  // problems and notes that are gone
};

/// Compares a look with the one before it; afterwards `known` is what this one found. Pure.
TopicNews news_of(const TopicReport& report, std::set<std::string>& known);

/// A thread of its own, from construction to destruction. Each change is logged once, a problem as
/// a warning; the metric follows every look. A look that fails (the broker is away) says nothing:
/// others do.
class TopicWatch {
 public:
  using Look = std::function<Result<TopicReport>()>;

  /// `known` is how the topics were found at the start: what was said of them is not said again.
  /// `look` is called on the watch's thread, first after `every`, and should be bounded: the
  /// destructor waits for it. `metrics` outlives the watch.
  TopicWatch(milliseconds every, const TopicReport& known, Look look, observe::Metrics& metrics);
  ~TopicWatch();
  TopicWatch(const TopicWatch&) = delete;
  TopicWatch& operator=(const TopicWatch&) = delete;

 private:
  void work();
  void look();
  void show(const TopicReport& report);

  const milliseconds every_;
  const Look look_;
  observe::Metrics& metrics_;
  std::set<std::string> known_;  // of the thread, after construction
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;   // guarded by mutex_
  std::thread thread_;  // last: uses all of the above
};

/// A watch as the settings want it, asking by this connection, at most some seconds a look.
/// `settings` and `metrics` outlive it.
std::unique_ptr<TopicWatch> watch_topics(const config::Settings& settings,
                                         std::unique_ptr<kafka::Admin> admin,
                                         const TopicReport& known, observe::Metrics& metrics);

}  // namespace segmentd
