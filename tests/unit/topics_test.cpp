// What topics have to be and what is wrong with those that are there, without a broker.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

#include <gtest/gtest.h>

#include "daemon/topics/plan.hpp"
#include "daemon/topics/topic_watch.hpp"

namespace segmentd {
namespace {

config::Settings shop(const std::vector<std::pair<std::string, std::string>>& sets = {}) {
  config::Settings settings;
  EXPECT_EQ(settings.set("application", "shop"), "");
  for (const auto& [key, value] : sets) EXPECT_EQ(settings.set(key, value), "") << key;
  return settings;
}

kafka::TopicDescription topic(std::int32_t partitions, const std::string& cleanup) {
  return {.exists = true,
          .partitions = partitions,
          .replication = 1,
          .settings = {{"cleanup.policy", cleanup},
                       {"retention.ms", "-1"},
                       {"retention.bytes", "-1"},
                       {"min.insync.replicas", "1"},
                       {"max.message.bytes", "1048588"},
                       {"delete.retention.ms", "86400000"}}};
}

/// All topics as they have to be, with an input of four partitions.
TopicDescriptions sound_topics() {
  return {{"orders", topic(4, "delete")},
          {"segment-changes", topic(4, "delete")},
          {"customer-segments", topic(4, "compact")},
          {"shop-rejected", topic(4, "delete")},
          {"shop-changelog", topic(4, "compact")},
          {"shop-model", topic(1, "compact")},
          {"shop-statistics", topic(4, "compact")}};
}

constexpr std::int32_t kOneBroker = 1;
constexpr std::int32_t kThreeBrokers = 3;

TopicReport judge(const config::Settings& settings, const TopicDescriptions& found,
                  Moment moment = Moment::kStart) {
  return judge_topics(settings, found, kOneBroker, moment);
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(Topics, OfAnApplicationAreNamed) {
  EXPECT_EQ(joined(topic_names(shop({{"input.topic", "sales"}, {"output.table_topic", "t"}}))),
            "sales\nsegment-changes\nt\nshop-rejected\nshop-changelog\nshop-model\n"
            "shop-statistics\n");
}

TEST(Topics, AsTheyHaveToBeAreFine) {
  const TopicReport report = judge(shop(), sound_topics());
  EXPECT_TRUE(report.usable()) << joined(report.problems);
  EXPECT_EQ(joined(report.notes), "");
  EXPECT_EQ(report.input_partitions, 4);
  EXPECT_TRUE(report.absent.empty());
  ASSERT_EQ(report.topics.size(), 7U);
  EXPECT_EQ(report.topics[0].retention, "forever");
  EXPECT_EQ(report.topics[4].role, TopicRole::kChangelog);
  EXPECT_EQ(report.topics[4].retention, "compacted");
  EXPECT_EQ(report.topics[5].partitions_wanted, 1);
}

TEST(Topics, WhatIsCreatedHasThePoliciesOfItsRole) {
  const auto settings = shop({{"topics.retention", "2d"}});
  const auto changes = new_topic(settings, TopicRole::kChanges, 6, kOneBroker);
  EXPECT_EQ(changes.name, "segment-changes");
  EXPECT_EQ(changes.partitions, 6);
  EXPECT_EQ(changes.replication, 1) << "as many as there are brokers";
  EXPECT_EQ(changes.settings, (std::map<std::string, std::string>{{"cleanup.policy", "delete"},
                                                                  {"retention.ms", "172800000"}}));
  EXPECT_EQ(new_topic(settings, TopicRole::kRejected, 6, kOneBroker).settings, changes.settings);
  const std::map<std::string, std::string> compacted{{"cleanup.policy", "compact"},
                                                     {"segment.bytes", "67108864"},
                                                     {"min.cleanable.dirty.ratio", "0.2"},
                                                     {"delete.retention.ms", "86400000"}};
  for (const TopicRole role : {TopicRole::kTable, TopicRole::kChangelog, TopicRole::kStatistics}) {
    EXPECT_EQ(new_topic(settings, role, 6, kOneBroker).settings, compacted) << word(role);
    EXPECT_EQ(new_topic(settings, role, 6, kOneBroker).partitions, 6) << word(role);
  }
  EXPECT_EQ(new_topic(settings, TopicRole::kModel, 6, kOneBroker).settings, compacted);
  EXPECT_EQ(new_topic(settings, TopicRole::kModel, 6, kOneBroker).partitions, 1);
}

TEST(Topics, ReplicationAndSizesFollowTheSettings) {
  const auto created = new_topic(shop({{"topics.replication_factor", "3"},
                                       {"topics.min_insync_replicas", "2"},
                                       {"kafka.message.max.bytes", "5000000"}}),
                                 TopicRole::kTable, 1, kOneBroker);
  EXPECT_EQ(created.replication, 3);
  EXPECT_EQ(created.settings.at("min.insync.replicas"), "2");
  EXPECT_GE(std::stoll(created.settings.at("max.message.bytes")), 5'000'000);
}

TEST(Topics, AreReplicatedThreeTimesWhereThereAreBrokersForIt) {
  const auto replication = [](std::int32_t brokers,
                              const std::vector<std::pair<std::string, std::string>>& sets = {}) {
    const auto topic = new_topic(shop(sets), TopicRole::kChangelog, 1, brokers);
    const auto in_sync = topic.settings.find("min.insync.replicas");
    return std::to_string(topic.replication) + "/" +
           (in_sync == topic.settings.end() ? "default" : in_sync->second);
  };
  EXPECT_EQ(replication(1), "1/default");
  EXPECT_EQ(replication(2), "2/default")
      << "with two of two a write waits for a broker that is down";
  EXPECT_EQ(replication(3), "3/2");
  EXPECT_EQ(replication(9), "3/2");
  EXPECT_EQ(replication(3, {{"topics.min_insync_replicas", "1"}}), "3/1");
  EXPECT_EQ(replication(3, {{"topics.replication_factor", "1"}}), "1/default")
      << "two of one could never be written";
  EXPECT_EQ(replication(1, {{"topics.replication_factor", "5"}}), "5/2") << "as set; it is refused";
  for (const TopicRole role : {TopicRole::kInput, TopicRole::kModel, TopicRole::kChanges}) {
    EXPECT_EQ(new_topic(shop(), role, 1, kThreeBrokers).replication, 3) << word(role);
    EXPECT_EQ(new_topic(shop(), role, 1, kThreeBrokers).settings.at("min.insync.replicas"), "2");
  }
}

TEST(Topics, AnInputThatIsCreatedKeepsItsRecords) {
  const auto input =
      new_topic(shop({{"topics.retention", "2d"}}), TopicRole::kInput, 6, kOneBroker);
  EXPECT_EQ(input.name, "orders");
  EXPECT_EQ(input.partitions, 6);
  EXPECT_EQ(input.settings, (std::map<std::string, std::string>{{"cleanup.policy", "delete"},
                                                                {"retention.ms", "-1"}}));
}

TEST(Topics, ThatAreMissingAreCreatedOrAProblem) {
  auto found = sound_topics();
  found["shop-model"] = {};
  found["segment-changes"] = {};
  const TopicReport report = judge(shop(), found);
  EXPECT_TRUE(report.usable()) << joined(report.problems);
  ASSERT_EQ(report.absent.size(), 2U);
  EXPECT_EQ(report.absent[0].name, "segment-changes");
  EXPECT_EQ(report.absent[0].partitions, 4);
  EXPECT_EQ(report.absent[1].partitions, 1);
  EXPECT_NE(joined(report.notes).find("segment-changes (changes) does not exist and will be"),
            std::string::npos);

  const TopicReport refused = judge(shop({{"topics.create", "false"}}), found);
  ASSERT_EQ(refused.problems.size(), 2U) << joined(refused.problems);
  EXPECT_NE(refused.problems[1].find("topic shop-model (model) does not exist"), std::string::npos);
  EXPECT_EQ(refused.absent.size(), 2U) << "`topics create` makes them all the same";
}

TEST(Topics, WithoutAnInputNobodyKnowsHowManyPartitions) {
  auto found = sound_topics();
  found["orders"] = {};
  found["shop-model"] = {};
  const TopicReport report = judge(shop(), found);
  EXPECT_EQ(report.input_partitions, 0);
  EXPECT_TRUE(report.absent.empty());
  ASSERT_EQ(report.problems.size(), 1U) << joined(report.problems);
  EXPECT_NE(report.problems[0].find("topic orders (input) does not exist"), std::string::npos);
}

TEST(Topics, WithAnotherPartitionCountAreRefused) {
  for (const char* name : {"segment-changes", "customer-segments", "shop-rejected",
                           "shop-changelog", "shop-statistics", "shop-model"}) {
    auto found = sound_topics();
    found[name].partitions = 3;
    const TopicReport report = judge(shop(), found);
    ASSERT_EQ(report.problems.size(), 1U) << name << joined(report.problems);
    EXPECT_NE(report.problems[0].find(std::string("topic ") + name), std::string::npos);
    EXPECT_NE(report.problems[0].find("has 3 partitions, needs "), std::string::npos);
  }
}

TEST(Topics, WithTheWrongPolicyAreRefused) {
  for (const char* name :
       {"customer-segments", "shop-changelog", "shop-model", "shop-statistics"}) {
    for (const char* cleanup : {"delete", "compact,delete"}) {
      auto found = sound_topics();
      found[name].settings["cleanup.policy"] = cleanup;
      const TopicReport report = judge(shop(), found);
      ASSERT_EQ(report.problems.size(), 1U) << name << joined(report.problems);
      EXPECT_NE(report.problems[0].find("needs compact"), std::string::npos);
    }
  }
  for (const char* name : {"segment-changes", "shop-rejected"}) {
    auto found = sound_topics();
    found[name].settings["cleanup.policy"] = "compact";
    const TopicReport report = judge(shop(), found);
    ASSERT_EQ(report.problems.size(), 1U) << name << joined(report.problems);
    EXPECT_NE(report.problems[0].find("needs delete"), std::string::npos);
  }
}

TEST(Topics, ACompactedInputIsRefusedAndAFiniteOneNoted) {
  for (const char* cleanup : {"compact", "compact,delete"}) {
    auto found = sound_topics();
    found["orders"] = topic(4, cleanup);
    const TopicReport report = judge(shop(), found);
    ASSERT_EQ(report.problems.size(), 1U) << joined(report.problems);
    EXPECT_NE(report.problems[0].find("is compacted"), std::string::npos);
  }
  auto found = sound_topics();
  found["orders"].settings["retention.ms"] = "604800000";
  const TopicReport report = judge(shop(), found);
  EXPECT_TRUE(report.usable());
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_NE(report.notes[0].find("keeps records for 7d"), std::string::npos) << report.notes[0];
}

TEST(Topics, ThatWouldRefuseWritesAreRefused) {
  auto found = sound_topics();
  found["shop-rejected"].settings["max.message.bytes"] = "900000";
  found["shop-changelog"].settings["min.insync.replicas"] = "2";
  const TopicReport report = judge(shop(), found);
  ASSERT_EQ(report.problems.size(), 2U) << joined(report.problems);
  EXPECT_NE(report.problems[0].find("max.message.bytes = 900000"), std::string::npos);
  EXPECT_NE(report.problems[1].find("min.insync.replicas = 2"), std::string::npos);
  EXPECT_EQ(judge(shop({{"kafka.message.max.bytes", "2000000"}}), sound_topics()).problems.size(),
            6U)
      << "no topic takes what may be written";
}

TEST(Topics, DeletionsThatAreSoonForgottenAreNoted) {
  auto found = sound_topics();
  found["shop-changelog"].settings["delete.retention.ms"] = "3600000";
  const TopicReport report = judge(shop(), found);
  EXPECT_TRUE(report.usable()) << joined(report.problems);
  EXPECT_EQ(report.deletions_kept_ms, 3'600'000);
  EXPECT_EQ(judge(shop(), sound_topics()).deletions_kept_ms, 86'400'000);
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_EQ(report.notes[0],
            "topic shop-changelog has delete.retention.ms = 3600000, below a day: a reader that "
            "was away for longer than that may miss deletions");
}

TEST(Topics, AllProblemsAreSaidAtOnce) {
  auto found = sound_topics();
  found["orders"].settings["cleanup.policy"] = "compact";
  found["shop-model"].partitions = 2;
  found["shop-changelog"] = topic(3, "delete");
  EXPECT_EQ(judge(shop(), found).problems.size(), 4U);
}

TEST(TopicsWhileRunning, OneThatIsMissingHasBeenDeleted) {
  auto found = sound_topics();
  found["shop-changelog"] = {};
  const TopicReport report = judge(shop(), found, Moment::kRunning);
  ASSERT_EQ(report.problems.size(), 1U) << joined(report.problems);
  EXPECT_EQ(report.problems[0],
            "topic shop-changelog (changelog) was deleted while segmentd runs: see \"A topic is "
            "gone\" in OPERATIONS.md");
  EXPECT_EQ(joined(report.notes), "");
}

TEST(TopicsWhileRunning, AChangeIsToldOnce) {
  std::set<std::string> known;
  auto found = sound_topics();
  const auto news = [&] { return news_of(judge(shop(), found, Moment::kRunning), known); };
  EXPECT_EQ(news().worse, std::vector<std::string>{});
  found["orders"].settings["retention.ms"] = "604800000";  // a note
  found["shop-changelog"].settings["cleanup.policy"] = "delete";
  const TopicNews changed = news();
  ASSERT_EQ(changed.worse.size(), 2U) << joined(changed.worse);
  EXPECT_EQ(changed.better, std::vector<std::string>{});
  EXPECT_EQ(news().worse, std::vector<std::string>{}) << "it was told";
  found["orders"].settings["retention.ms"] = "-1";
  const TopicNews mended = news();
  EXPECT_EQ(mended.worse, std::vector<std::string>{});
  ASSERT_EQ(mended.better.size(), 1U);
  EXPECT_NE(mended.better[0].find("keeps records for 7d"), std::string::npos);
  found["orders"].settings["retention.ms"] = "604800000";
  EXPECT_EQ(news().worse.size(), 1U) << "it is worse again";
}

/// What the topics are, shared with the watch's thread.
class Cluster {
 public:
  Result<TopicReport> look() {
    const std::lock_guard lock(mutex_);
    ++looks_;
    changed_.notify_all();
    if (away_) return Error{Errc::kRetry, "no answer in time"};
    return judge(shop(), found_, Moment::kRunning);
  }
  void set(const std::string& topic, const std::string& setting, const std::string& value) {
    const std::lock_guard lock(mutex_);
    found_[topic].settings[setting] = value;
  }
  void set_away(bool away) {
    const std::lock_guard lock(mutex_);
    away_ = away;
  }
  /// Returns when a look that began after this call is over: the next one has begun.
  void wait_for_looks() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, upto = looks_ + 2] { return looks_ >= upto; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  TopicDescriptions found_ = sound_topics();
  int looks_ = 0;
  bool away_ = false;
};

bool says(const observe::Metrics& metrics, const std::string& line) {
  return metrics.exposition().find(line + "\n") != std::string::npos;
}

TEST(TopicWatch, FollowsTheTopicsWithItsMetric) {
  Cluster cluster;
  observe::Metrics metrics({"GBP", 2, "test"});
  auto at_start = sound_topics();
  at_start["shop-model"].settings["min.insync.replicas"] = "2";
  const TopicWatch watch(
      milliseconds(1), judge(shop(), at_start), [&] { return cluster.look(); }, metrics);
  cluster.wait_for_looks();
  EXPECT_TRUE(says(metrics, "segmentd_topic_problems{role=\"model\"} 0"));
  cluster.set("shop-changelog", "cleanup.policy", "delete");
  cluster.set("shop-changelog", "max.message.bytes", "1000");
  cluster.wait_for_looks();
  EXPECT_TRUE(says(metrics, "segmentd_topic_problems{role=\"changelog\"} 2"));
  EXPECT_TRUE(says(metrics, "segmentd_topic_problems{role=\"input\"} 0"));
  cluster.set_away(true);
  cluster.set("shop-changelog", "cleanup.policy", "compact");
  cluster.wait_for_looks();
  EXPECT_TRUE(says(metrics, "segmentd_topic_problems{role=\"changelog\"} 2"))
      << "what is not known is not taken for mended";
  cluster.set_away(false);
  cluster.wait_for_looks();
  EXPECT_TRUE(says(metrics, "segmentd_topic_problems{role=\"changelog\"} 1"));
}

TEST(TopicWatch, ShowsTheStartAtOnceAndEndsAtOnce) {
  observe::Metrics metrics({"GBP", 2, "test"});
  auto found = sound_topics();
  found["shop-model"].settings["min.insync.replicas"] = "2";
  const TopicWatch watch(
      std::chrono::hours(1), judge(shop(), found),
      []() -> Result<TopicReport> {
        return Error{Errc::kRetry, "never asked"};
      },
      metrics);
  EXPECT_TRUE(says(metrics, "segmentd_topic_problems{role=\"model\"} 1"));
}

}  // namespace
}  // namespace segmentd
