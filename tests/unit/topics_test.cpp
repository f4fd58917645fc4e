// What topics have to be and what is wrong with those that are there, without a broker.
#include <algorithm>

#include <gtest/gtest.h>

#include "daemon/topics/plan.hpp"

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
  const TopicReport report = judge_topics(shop(), sound_topics());
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
  const auto changes = new_topic(settings, TopicRole::kChanges, 6);
  EXPECT_EQ(changes.name, "segment-changes");
  EXPECT_EQ(changes.partitions, 6);
  EXPECT_EQ(changes.replication, -1) << "the broker's default";
  EXPECT_EQ(changes.settings, (std::map<std::string, std::string>{{"cleanup.policy", "delete"},
                                                                  {"retention.ms", "172800000"}}));
  EXPECT_EQ(new_topic(settings, TopicRole::kRejected, 6).settings, changes.settings);
  const std::map<std::string, std::string> compacted{{"cleanup.policy", "compact"},
                                                     {"segment.bytes", "67108864"},
                                                     {"min.cleanable.dirty.ratio", "0.2"},
                                                     {"delete.retention.ms", "86400000"}};
  for (const TopicRole role : {TopicRole::kTable, TopicRole::kChangelog, TopicRole::kStatistics}) {
    EXPECT_EQ(new_topic(settings, role, 6).settings, compacted) << word(role);
    EXPECT_EQ(new_topic(settings, role, 6).partitions, 6) << word(role);
  }
  EXPECT_EQ(new_topic(settings, TopicRole::kModel, 6).settings, compacted);
  EXPECT_EQ(new_topic(settings, TopicRole::kModel, 6).partitions, 1);
}

TEST(Topics, ReplicationAndSizesFollowTheSettings) {
  const auto created = new_topic(shop({{"topics.replication_factor", "3"},
                                       {"topics.min_insync_replicas", "2"},
                                       {"kafka.message.max.bytes", "5000000"}}),
                                 TopicRole::kTable, 1);
  EXPECT_EQ(created.replication, 3);
  EXPECT_EQ(created.settings.at("min.insync.replicas"), "2");
  EXPECT_GE(std::stoll(created.settings.at("max.message.bytes")), 5'000'000);
}

TEST(Topics, ThatAreMissingAreCreatedOrAProblem) {
  auto found = sound_topics();
  found["shop-model"] = {};
  found["segment-changes"] = {};
  const TopicReport report = judge_topics(shop(), found);
  EXPECT_TRUE(report.usable()) << joined(report.problems);
  ASSERT_EQ(report.absent.size(), 2U);
  EXPECT_EQ(report.absent[0].name, "segment-changes");
  EXPECT_EQ(report.absent[0].partitions, 4);
  EXPECT_EQ(report.absent[1].partitions, 1);
  EXPECT_NE(joined(report.notes).find("segment-changes (changes) does not exist and will be"),
            std::string::npos);

  const TopicReport refused = judge_topics(shop({{"topics.create", "false"}}), found);
  ASSERT_EQ(refused.problems.size(), 2U) << joined(refused.problems);
  EXPECT_NE(refused.problems[1].find("topic shop-model (model) does not exist"), std::string::npos);
  EXPECT_EQ(refused.absent.size(), 2U) << "`topics create` makes them all the same";
}

TEST(Topics, WithoutAnInputNobodyKnowsHowManyPartitions) {
  auto found = sound_topics();
  found["orders"] = {};
  found["shop-model"] = {};
  const TopicReport report = judge_topics(shop(), found);
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
    const TopicReport report = judge_topics(shop(), found);
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
      const TopicReport report = judge_topics(shop(), found);
      ASSERT_EQ(report.problems.size(), 1U) << name << joined(report.problems);
      EXPECT_NE(report.problems[0].find("needs compact"), std::string::npos);
    }
  }
  for (const char* name : {"segment-changes", "shop-rejected"}) {
    auto found = sound_topics();
    found[name].settings["cleanup.policy"] = "compact";
    const TopicReport report = judge_topics(shop(), found);
    ASSERT_EQ(report.problems.size(), 1U) << name << joined(report.problems);
    EXPECT_NE(report.problems[0].find("needs delete"), std::string::npos);
  }
}

TEST(Topics, ACompactedInputIsRefusedAndAFiniteOneNoted) {
  for (const char* cleanup : {"compact", "compact,delete"}) {
    auto found = sound_topics();
    found["orders"] = topic(4, cleanup);
    const TopicReport report = judge_topics(shop(), found);
    ASSERT_EQ(report.problems.size(), 1U) << joined(report.problems);
    EXPECT_NE(report.problems[0].find("is compacted"), std::string::npos);
  }
  auto found = sound_topics();
  found["orders"].settings["retention.ms"] = "604800000";
  const TopicReport report = judge_topics(shop(), found);
  EXPECT_TRUE(report.usable());
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_NE(report.notes[0].find("keeps records for 7d"), std::string::npos) << report.notes[0];
}

TEST(Topics, ThatWouldRefuseWritesAreRefused) {
  auto found = sound_topics();
  found["shop-rejected"].settings["max.message.bytes"] = "900000";
  found["shop-changelog"].settings["min.insync.replicas"] = "2";
  const TopicReport report = judge_topics(shop(), found);
  ASSERT_EQ(report.problems.size(), 2U) << joined(report.problems);
  EXPECT_NE(report.problems[0].find("max.message.bytes = 900000"), std::string::npos);
  EXPECT_NE(report.problems[1].find("min.insync.replicas = 2"), std::string::npos);
  EXPECT_EQ(
      judge_topics(shop({{"kafka.message.max.bytes", "2000000"}}), sound_topics()).problems.size(),
      6U)
      << "no topic takes what may be written";
}

TEST(Topics, DeletionsThatAreSoonForgottenAreNoted) {
  auto found = sound_topics();
  found["shop-changelog"].settings["delete.retention.ms"] = "3600000";
  const TopicReport report = judge_topics(shop(), found);
  EXPECT_TRUE(report.usable()) << joined(report.problems);
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
  EXPECT_EQ(judge_topics(shop(), found).problems.size(), 4U);
}

}  // namespace
}  // namespace segmentd
