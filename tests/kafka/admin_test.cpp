// Topics made and described, and input records where Java would put them, on a real broker.
#include <cstdio>
#include <map>

#include <gtest/gtest.h>

#include "daemon/wire/partitioner.hpp"
#include "tests/kafka/test_broker.hpp"

namespace segmentd::test {
namespace {

TEST(Admin, MakesTopicsWithTheirPoliciesAndDescribesThem) {
  const Scene scene(1);
  const std::string name = unique_name("compacted");
  const std::vector<kafka::NewTopic> wanted{
      {name, 3, -1, {{"cleanup.policy", "compact"}, {"max.message.bytes", "2000000"}}}};
  const auto made = scene.admin->create(wanted, kPatience);
  ASSERT_TRUE(made) << made.error().what;
  const std::vector<std::string> names{name, unique_name("missing")};
  const auto found = scene.admin->describe(names, kPatience);
  ASSERT_TRUE(found) << found.error().what;
  ASSERT_EQ(found->size(), 2U);
  const auto& topic = found->at(name);
  EXPECT_TRUE(topic.exists);
  EXPECT_EQ(topic.partitions, 3);
  EXPECT_EQ(topic.replication, 1);
  EXPECT_EQ(topic.settings.at("cleanup.policy"), "compact");
  EXPECT_EQ(topic.settings.at("max.message.bytes"), "2000000");
  EXPECT_EQ(topic.settings.at("min.insync.replicas"), "1");
  EXPECT_FALSE(topic.settings.at("retention.ms").empty());
  EXPECT_FALSE(found->at(names[1]).exists);
}

TEST(Admin, CountsTheBrokers) {
  const Scene scene(1);
  const auto brokers = scene.admin->brokers(kPatience);
  ASSERT_TRUE(brokers) << brokers.error().what;
  EXPECT_EQ(*brokers, 1);
}

TEST(Admin, LeavesAnExistingTopicAsItIs) {
  const Scene scene(2);
  const std::vector<kafka::NewTopic> again{{scene.input, 7, -1, {}}};
  ASSERT_TRUE(scene.admin->create(again, kPatience));
  const std::vector<std::string> names{scene.input};
  EXPECT_EQ(scene.admin->describe(names, kPatience)->at(scene.input).partitions, 2);
}

TEST(Admin, GivesTheBrokersReason) {
  const Scene scene(1);
  const std::vector<kafka::NewTopic> bad{{unique_name("bad"), 1, -1, {{"cleanup.policy", "no"}}}};
  const auto made = scene.admin->create(bad, kPatience);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kMisconfigured);
  EXPECT_NE(made.error().what.find("cleanup.policy"), std::string::npos) << made.error().what;
  const std::vector<kafka::NewTopic> many{{unique_name("bad"), 1, 3, {}}};
  const auto replicated = scene.admin->create(many, kPatience);
  ASSERT_FALSE(replicated);
  EXPECT_EQ(replicated.error().code, Errc::kMisconfigured) << replicated.error().what;
}

TEST(Admin, ListsTopicsButNotKafkasOwn) {
  const Scene scene(1);
  const auto names = scene.admin->list(kPatience);
  ASSERT_TRUE(names);
  EXPECT_NE(std::find(names->begin(), names->end(), scene.input), names->end());
  for (const std::string& name : *names) EXPECT_NE(name.substr(0, 2), "__");
}

TEST(Admin, SaysThatNobodyAnswers) {
  kafka::ClientSettings settings;
  settings.brokers = "127.0.0.1:1";
  const auto admin = kafka::Admin::open(settings);
  ASSERT_TRUE(admin);
  const auto names = (*admin)->list(milliseconds(300));
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().code, Errc::kRetry);
}

/// Where each key lies, over all partitions.
std::map<std::string, std::int32_t> placement(const Scene& scene) {
  std::map<std::string, std::int32_t> where;
  for (std::int32_t p = 0; p < scene.partitions; ++p) {
    for (const std::string& text : scene.committed(scene.input, p)) {
      where[text.substr(0, text.find('='))] = p;
    }
  }
  return where;
}

std::vector<std::string> some_keys() {
  std::vector<std::string> keys(200);
  for (std::size_t n = 0; n < keys.size(); ++n) {
    keys[n] = std::string(n % 13, 'k') + std::to_string(12346 + n);
  }
  keys.push_back("M\xC3\xBCller");
  return keys;
}

void expect_murmur2(const std::map<std::string, std::int32_t>& where, std::int32_t partitions) {
  for (const std::string& key : some_keys()) {
    ASSERT_TRUE(where.contains(key)) << key;
    EXPECT_EQ(where.at(key), partition_of(Partitioner::kMurmur2, key, partitions)) << key;
  }
}

TEST(Player, PutsKeyedRecordsWhereMurmur2Says) {
  const Scene scene(5);
  const auto player = kafka::Player::open(scene.settings, scene.input);
  ASSERT_TRUE(player);
  EXPECT_EQ((*player)->partitions(), 5);
  for (const std::string& key : some_keys()) ASSERT_TRUE((*player)->play(key, "v"));
  ASSERT_TRUE((*player)->flush(kPatience));
  EXPECT_EQ((*player)->delivered(), some_keys().size());
  expect_murmur2(placement(scene), 5);
}

TEST(Player, AJavaClientPutsThemThereToo) {
  const Scene scene(5);
  const std::string command =
      "java -Xmx128m -cp \"$(" SEGMENTD_SOURCE_DIR
      "/deploy/kafka/broker classpath)\" org.apache.kafka.tools.ConsoleProducer"
      " --bootstrap-server " +
      scene.settings.brokers + " --topic " + scene.input +
      " --reader-property parse.key=true --reader-property key.separator=,"
      " >/dev/null 2>&1";
  FILE* producer = popen(command.c_str(), "w");
  ASSERT_NE(producer, nullptr);
  for (const std::string& key : some_keys()) std::fprintf(producer, "%s,v\n", key.c_str());
  ASSERT_EQ(pclose(producer), 0);
  expect_murmur2(placement(scene), 5);
}

TEST(Player, SaysWhatIsMissingOrTooLarge) {
  const Scene scene(1);
  const auto missing = kafka::Player::open(scene.settings, unique_name("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kUnavailable) << missing.error().what;
  const auto player = kafka::Player::open(scene.settings, scene.input);
  ASSERT_TRUE(player);
  const auto large = (*player)->play("k", std::string(2'000'000, 'x'));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::kBadInput);
}

}  // namespace
}  // namespace segmentd::test
