// `segmentd topics` and `segmentd check`, the program itself, on a real broker.
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/topics/topics.hpp"
#include "daemon/wire/partitioner.hpp"
#include "tests/kafka/test_broker.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd::test {
namespace {

struct Ran {
  int code = -1;
  std::string output;  // both streams

  bool says(const std::string& text) const { return output.find(text) != std::string::npos; }
};

/// One application on the broker, whose topics do not exist yet, and its settings file.
class Application : public testing::Test {
 protected:
  Application() {
    name_ = unique_name("shop");
    EXPECT_EQ(settings_.set("application", name_), "");
    for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
             {"brokers", broker_address()},
             {"currency", "GBP"},
             {"input.topic", name_ + "-orders"},
             {"output.changes_topic", name_ + "-changes"},
             {"output.table_topic", name_ + "-table"},
             {"state_dir", temp_.path("state")},
             {"http.address", "127.0.0.1:0"}}) {
      EXPECT_EQ(settings_.set(key, value), "") << key;
    }
    client_.brokers = broker_address();
    admin_ = std::move(*kafka::Admin::open(client_));
  }

  Ran run(const std::string& arguments, const std::string& more = "") const {
    std::string toml;
    for (const config::OptionBase* option : settings_.options()) {
      if (!option->is_default()) toml += option->key() + " = " + option->toml() + "\n";
    }
    const std::string command = std::string("timeout 60 " SEGMENTD_PROGRAM " ") + arguments +
                                " --config " + temp_.file("segmentd.toml", toml) + " " + more +
                                " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    Ran ran;
    std::array<char, 4096> chunk{};
    for (std::size_t got = 0; (got = fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
      ran.output.append(chunk.data(), got);
    }
    const int status = pclose(pipe);
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
  }
  std::string input() const { return settings_.input.topic(); }
  void make_topic(const std::string& topic, std::int32_t partitions, const std::string& cleanup) {
    const std::vector<kafka::NewTopic> topics{
        {topic, partitions, -1, {{"cleanup.policy", cleanup}}}};
    const auto made = admin_->create(topics, kPatience);
    ASSERT_TRUE(made) << made.error().what;
  }
  kafka::TopicDescription described(const std::string& topic) {
    return admin_->describe(std::vector{topic}, kPatience)->at(topic);
  }
  /// Orders of 200 customers, each in the partition that `partitioner` says.
  void fill_input(Partitioner partitioner) const {
    const auto player = kafka::Player::open(client_, input());
    ASSERT_TRUE(player) << player.error().what;
    for (int n = 0; n < 200; ++n) {
      const std::string id = "customer" + std::to_string(n);
      const std::string order = R"({"order_id":"1","customer_id":")" + id +
                                R"(","ordered_at":"2023-01-01T00:00:00Z","amount":"1.00",)" +
                                R"("currency":"GBP"})";
      ASSERT_TRUE(
          (*player)->play(id, order, partition_of(partitioner, id, (*player)->partitions())));
    }
    ASSERT_TRUE((*player)->flush(kPatience));
  }

  TempDirectory temp_;
  std::string name_;
  config::Settings settings_;
  kafka::ClientSettings client_;
  std::unique_ptr<kafka::Admin> admin_;
};

TEST_F(Application, TopicsAreCreatedAsTheyHaveToBe) {
  const Ran missing = run("topics create");
  EXPECT_EQ(missing.code, 3) << missing.output;
  EXPECT_TRUE(missing.says("topics create --input --partitions N")) << missing.output;

  const Ran created = run("topics create --input --partitions 3");
  EXPECT_EQ(created.code, 0) << created.output;
  EXPECT_EQ(described(input()).partitions, 3);
  EXPECT_EQ(described(input()).settings.at("retention.ms"), "-1");
  for (const std::string& topic : {settings_.output.table_topic(), settings_.changelog_topic(),
                                   settings_.statistics_topic()}) {
    const auto found = described(topic);
    EXPECT_EQ(found.partitions, 3) << topic;
    EXPECT_EQ(found.settings.at("cleanup.policy"), "compact") << topic;
    EXPECT_EQ(found.settings.at("segment.bytes"), "67108864") << topic;
    EXPECT_EQ(found.settings.at("delete.retention.ms"), "86400000") << topic;
  }
  for (const std::string& topic : {settings_.output.changes_topic(), settings_.rejected_topic()}) {
    const auto found = described(topic);
    EXPECT_EQ(found.partitions, 3) << topic;
    EXPECT_EQ(found.settings.at("cleanup.policy"), "delete") << topic;
    EXPECT_EQ(found.settings.at("retention.ms"), "2592000000") << topic;
  }
  EXPECT_EQ(described(settings_.model_topic()).partitions, 1);

  const Ran again = run("topics create --input --partitions 7");
  EXPECT_EQ(again.code, 0) << again.output;
  EXPECT_TRUE(again.says("3 partitions; left as it is")) << again.output;
  const Ran listed = run("topics");
  EXPECT_EQ(listed.code, 0) << listed.output;
  EXPECT_TRUE(listed.says(settings_.changelog_topic())) << listed.output;
  EXPECT_FALSE(listed.says("missing")) << listed.output;
}

TEST_F(Application, WrongPartitionCountsAreRefusedAndNothingIsMade) {
  make_topic(input(), 4, "delete");
  make_topic(settings_.changelog_topic(), 2, "compact");
  const auto report = prepare_topics(settings_, *admin_, true);
  ASSERT_TRUE(report) << report.error().what;
  ASSERT_EQ(report->problems.size(), 1U);
  EXPECT_NE(report->problems[0].find("has 2 partitions, needs 4"), std::string::npos)
      << report->problems[0];
  EXPECT_EQ(report->input_partitions, 4);
  EXPECT_TRUE(report->created.empty());
  EXPECT_FALSE(described(settings_.model_topic()).exists);
  const Ran created = run("topics create");
  EXPECT_EQ(created.code, 3) << created.output;
  const Ran checked = run("check");
  EXPECT_EQ(checked.code, 3) << checked.output;
  EXPECT_TRUE(checked.says("has 2 partitions, needs 4")) << checked.output;
}

TEST_F(Application, ACompactedInputIsRefused) {
  make_topic(input(), 2, "compact");
  const Ran checked = run("check");
  EXPECT_EQ(checked.code, 3) << checked.output;
  EXPECT_TRUE(checked.says("is compacted")) << checked.output;
}

TEST_F(Application, CheckFindsASoundSetUpSound) {
  ASSERT_EQ(run("topics create --input --partitions 4").code, 0);
  fill_input(Partitioner::kMurmur2);
  const Ran checked = run("check");
  EXPECT_EQ(checked.code, 0) << checked.output;
  for (const char* expected :
       {"(changelog): 4 partitions, compacted", "(input): 4 partitions, keeps records forever",
        "all 200 keyed records lie where murmur2 puts them", "all 200 sampled would be taken",
        "can be made", "is free", "no problems"}) {
    EXPECT_TRUE(checked.says(expected)) << expected << "\n" << checked.output;
  }
  EXPECT_FALSE(checked.says("customer1")) << checked.output;
  EXPECT_FALSE(std::filesystem::exists(settings_.state_dir()));
}

TEST_F(Application, CheckNamesThePartitionerThatFits) {
  ASSERT_EQ(run("topics create --input --partitions 4").code, 0);
  fill_input(Partitioner::kConsistent);
  const Ran checked = run("check");
  EXPECT_EQ(checked.code, 2) << checked.output;
  EXPECT_TRUE(checked.says("set input.partitioner = consistent")) << checked.output;
  const Ran right = run("check", "--set input.partitioner=consistent");
  EXPECT_EQ(right.code, 0) << right.output;
}

TEST_F(Application, CheckSaysAllProblemsAtOnceAndReturnsTheWorst) {
  make_topic(input(), 2, "delete");
  make_topic(settings_.model_topic(), 2, "delete");
  ASSERT_TRUE(std::filesystem::create_directory(settings_.state_dir()));
  std::ofstream(settings_.state_dir() + "/identity") << "not ours\n";
  const Ran checked = run("check", "--set topics.create=false");
  EXPECT_EQ(checked.code, 4) << checked.output;
  for (const char* expected :
       {"(changelog) does not exist: run `segmentd topics create`", "has 2 partitions, needs 1",
        "needs compact", "not an identity segmentd wrote", "the input is empty", "8 problems"}) {
    EXPECT_TRUE(checked.says(expected)) << expected << "\n" << checked.output;
  }
}

TEST_F(Application, CheckReportsSettingsTogetherWithTheRest) {
  const Ran checked = run("check", "--set decimals=99 --set kafka.linger.ms=soon");
  EXPECT_EQ(checked.code, 2) << checked.output;
  EXPECT_TRUE(checked.says("decimals = '99'")) << checked.output;
  EXPECT_TRUE(checked.says("kafka.linger.ms = 'soon'")) << checked.output;
  EXPECT_TRUE(checked.says("skipped  broker and topics"))
      << "the kafka property may be what it connects with";
  EXPECT_TRUE(checked.says("skipped  state directory")) << checked.output;
  EXPECT_TRUE(checked.says("is free")) << checked.output;
  const Ran both = run("check", "--set decimals=99");
  EXPECT_EQ(both.code, 2) << both.output;
  EXPECT_TRUE(both.says("decimals = '99'")) << both.output;
  EXPECT_TRUE(both.says("(input) does not exist")) << both.output;
}

TEST_F(Application, CheckLooksAtEverythingThatTheRefusedSettingsLeaveCertain) {
  ASSERT_EQ(run("topics create --input --partitions 4").code, 0);
  fill_input(Partitioner::kConsistent);
  const Ran checked = run("check",
                          "--set colour=red --set kafka.no.such.thing=1 --set kafka.group.id=mine "
                          "--set limits.overlay_rows=none");
  EXPECT_EQ(checked.code, 2) << checked.output;
  for (const char* expected :
       {"colour (--set): is unknown", "kafka.no.such.thing", "kafka.group.id", "overlay_rows",
        "(input): 4 partitions", "set input.partitioner = consistent", "can be made", "is free",
        "5 problems"}) {
    EXPECT_TRUE(checked.says(expected)) << expected << "\n" << checked.output;
  }
  EXPECT_FALSE(checked.says("skipped")) << checked.output;
}

TEST_F(Application, CheckSaysWhyNobodyAnswers) {
  ASSERT_EQ(settings_.set("brokers", "127.0.0.1:1"), "");
  const Ran checked = run("check");
  EXPECT_EQ(checked.code, 3) << checked.output;
  EXPECT_TRUE(checked.says("broker 127.0.0.1:1")) << checked.output;
  EXPECT_TRUE(checked.says("refused")) << checked.output;
}

TEST_F(Application, CheckFindsATakenAddress) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ASSERT_EQ(run("topics create --input --partitions 1").code, 0);
  const Ran checked =
      run("check", "--set http.address=127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  close(fd);
  EXPECT_EQ(checked.code, 2) << checked.output;
  EXPECT_TRUE(checked.says("is in use by another process")) << checked.output;
}

TEST_F(Application, KafkaPropertiesAreShownToTheLibrary) {
  for (const std::string command : {"check", "config", "topics"}) {
    const Ran ran = run(command, "--set kafka.no.such.thing=1 --set kafka.linger.ms=soon");
    EXPECT_EQ(ran.code, 2) << ran.output;
    EXPECT_TRUE(ran.says("kafka.no.such.thing = '1' (--set): is no property")) << ran.output;
    EXPECT_TRUE(ran.says("kafka.linger.ms = 'soon' (--set): librdkafka does not")) << ran.output;
  }
}

}  // namespace
}  // namespace segmentd::test
