// Loading: which source wins, what is refused and how it is said, what goes to librdkafka.
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "config/load.hpp"
#include "config/render.hpp"
#include "tests/unit/config_files.hpp"

namespace segmentd::config {
namespace {

// --- loading ---

TEST_F(ConfigTest, TheCurrencyIsRequired) {
  EXPECT_EQ(problems(load("")), "currency: no value; set it to the ISO 4217 code of your orders\n");
  EXPECT_EQ(problems(load("currency = 'x'")),
            "currency = 'x' (s.toml:1): must be three letters A-Z, as ISO 4217 has them\n");
  EXPECT_TRUE(load("currency = 'EUR'").ok());
}

TEST_F(ConfigTest, LaterSourcesWinAndEachValueKnowsItsOrigin) {
  const std::string toml =
      "currency = 'EUR'\n[model]\nk = 3\nseed = 11\nmin_days = 1\n[input]\ntopic = 'from-file'\n";
  const auto loaded = load(toml,
                           {{"SEGMENTD_MODEL__SEED", "12"},
                            {"SEGMENTD_MODEL__MIN_DAYS", "2"},
                            {"SEGMENTD_DATA", "not a setting"},
                            {"HOME", "/"}},
                           {"model.min_days=3", "model.min_days=4"});
  ASSERT_EQ(problems(loaded), "");
  const Settings& s = loaded.settings;
  EXPECT_EQ(s.model.k(), 3);
  EXPECT_EQ(s.model.k.origin(), directory_.string() + "/s.toml:3");
  EXPECT_EQ(s.model.seed(), 12);
  EXPECT_EQ(s.model.seed.origin(), "SEGMENTD_MODEL__SEED");
  EXPECT_EQ(s.model.days_min(), 4);
  EXPECT_EQ(s.model.days_min.origin(), "--set");
  EXPECT_EQ(s.input.topic(), "from-file");
  EXPECT_EQ(s.decimals.origin(), "default");
}

TEST_F(ConfigTest, EveryWayToWriteAKeyIsTheSameKey) {
  const auto loaded = load(
      "currency = 'EUR'\n"
      "clock = 'event'\n"
      "'clock.max_step' = '10d'\n"
      "limits = { cache_rows = 5, held_bytes = 100000 }\n"
      "brokers = ['a:1', 'b:2']\n"
      "'orders.remembered' = 9\n"
      "[input]\n"
      "counting_statuses = []\n"
      "money = \"payments\"\n"
      "field.amount = '/a'\n"
      "[model]\n"
      "margin = 0\n"
      "announce_first_fit = true\n"
      "[kafka]\n"
      "security.protocol = 'ssl'\n"
      "'linger.ms' = 3\n"
      "enable.ssl.certificate.verification = false\n");
  ASSERT_EQ(problems(loaded), "");
  const Settings& s = loaded.settings;
  EXPECT_EQ(s.clock(), Clock::kEvent);
  EXPECT_EQ(s.clock_step_max(), std::chrono::hours(240));
  EXPECT_EQ(s.field.amount(), "/a");
  EXPECT_EQ(s.limits.cache_rows(), 5);
  EXPECT_EQ(s.limits.held_bytes(), 100'000);
  EXPECT_EQ(s.bootstrap_servers(), "a:1,b:2");
  EXPECT_EQ(s.orders.remembered(), 9);
  EXPECT_TRUE(s.input.counting_statuses().empty());
  EXPECT_EQ(s.input.money(), MoneySource::kPayments);
  EXPECT_EQ(s.model.margin(), 0.0);
  EXPECT_TRUE(s.model.announce_first_fit());
  EXPECT_EQ(s.kafka.all().at("security.protocol").value, "ssl");
  EXPECT_EQ(s.kafka.all().at("linger.ms").value, "3");
  EXPECT_EQ(s.kafka.all().at("enable.ssl.certificate.verification").value, "false");
}

TEST_F(ConfigTest, AllProblemsOfAllSourcesAreReportedAtOnce) {
  const auto loaded = load(
      "currency = 'EUR'\n"
      "aplication = 'shop'\n"
      "decimals = 9\n"
      "time_zone = 'Europe/Atlantis'\n"
      "k = 3\n"
      "since = 2020-01-01\n"
      "[input]\n"
      "start = 'yesterday'\n"
      "topic = ['a', 'b']\n"
      "time_format.x = 1\n"
      "[kafka]\n"
      "group.id = 'mine'\n",
      {{"SEGMENTD_FOO", "1"}, {"SEGMENTD_INPUT_TOPIC", "t"}, {"SEGMENTD_MODEL__K", "many"}},
      {"limits.commit_interval=25", "no-equals", "rejected.max_bytes=960000"});
  EXPECT_EQ(problems(loaded),
            "since (s.toml:6): is neither a text, a number, true or false, nor a list of those\n"
            "aplication (s.toml:2): is unknown; did you mean application?\n"
            "decimals = '9' (s.toml:3): is outside 0 .. 8\n"
            "time_zone = 'Europe/Atlantis' (s.toml:4): must be a name of the IANA time zone "
            "database, such "
            "as Europe/Berlin\n"
            "k (s.toml:5): is unknown; did you mean model.k?\n"
            "input.start = 'yesterday' (s.toml:8): is not one of earliest, latest\n"
            "input.topic (s.toml:9): is a list; one value is wanted\n"
            "input.time_format.x (s.toml:10): is unknown; did you mean input.time_format?\n"
            "kafka.group.id = 'mine' (s.toml:12): may not be set: the consumer group is the "
            "application: set "
            "`application`\n"
            "SEGMENTD_FOO (environment): is unknown\n"
            "SEGMENTD_INPUT_TOPIC (environment): is unknown; did you mean SEGMENTD_INPUT__TOPIC?\n"
            "model.k = 'many' (SEGMENTD_MODEL__K): is not an integer; allowed: 2 .. 8\n"
            "limits.commit_interval = '25' (--set): must be a whole number and ms, s, m, h or d; "
            "allowed: 1ms "
            ".. 5s\n"
            "--set = 'no-equals': is not of the form key=value\n"
            "rejected.max_bytes = '960kB' (--set): leaves less than 64KiB for key and headers in a "
            "message "
            "of kafka.message.max.bytes = 1000000\n");
}

TEST_F(ConfigTest, ASettingsOwnFlagWinsOverEverythingElse) {
  ConfigArguments arguments;
  arguments.file = file("currency = 'EUR'\nmodel.k = 3\n");
  arguments.sets = {"model.k=5", "input.topic=from-set"};
  arguments.flags = {{"model.k", "6"}, {"decimals", "3"}};
  const auto loaded = load_settings(arguments, {{"SEGMENTD_MODEL__K", "4"}});
  ASSERT_EQ(problems(loaded), "");
  EXPECT_EQ(loaded.settings.model.k(), 6);
  EXPECT_EQ(loaded.settings.model.k.origin(), "--model.k");
  EXPECT_EQ(loaded.settings.input.topic(), "from-set");
  EXPECT_EQ(loaded.settings.decimals(), 3);
  arguments.flags["model.k"] = "9";
  EXPECT_EQ(problems(load_settings(arguments, {})),
            "model.k = '9' (--model.k): is outside 2 .. 8\n");
}

TEST_F(ConfigTest, WhatThisVersionDoesNotDoIsRefusedOrSaid) {
  EXPECT_EQ(problems(load_sets({"announce_from=2026-01-01T00:00:00Z"})),
            "announce_from = '2026-01-01T00:00:00Z' (--set): cannot be applied by this version, "
            "which publishes from the first move on: leave it out\n");
  EXPECT_TRUE(load_sets({}).settings.notes().empty());
  EXPECT_TRUE(load_sets({"model.margin=0"}).settings.notes().empty());
  const auto notes = load_sets({"model.margin=0.2"}).settings.notes();
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0],
            "model.margin = 0.2 (--set): not applied by this version, which decides as with 0");
}

TEST_F(ConfigTest, AFileThatCannotBeReadOrParsedIsOneProblemAndNothingIsCalledMissing) {
  const auto absent = load_settings({(directory_ / "absent.toml").string(), {"model.k=9"}}, {});
  EXPECT_EQ(problems(absent),
            "absent.toml: cannot be read: No such file or directory\n"
            "model.k = '9' (--set): is outside 2 .. 8\n");
  const auto directory = load_settings({directory_.string(), {}}, {});
  ASSERT_EQ(directory.problems.size(), 1U);
  EXPECT_NE(directory.problems[0].text().find("cannot be read"), std::string::npos);
  const auto broken = load("currency = 'EUR'\nmodel.k = = 4\n");
  ASSERT_EQ(broken.problems.size(), 1U);
  EXPECT_EQ(problems(broken).rfind("s.toml:2: is not TOML: ", 0), 0U) << problems(broken);
}

TEST_F(ConfigTest, AKeyWrittenTwoWaysIsRefused) {
  EXPECT_EQ(problems(load("currency = 'EUR'\n'model.k' = 3\n[model]\nk = 5\n")),
            "model.k (s.toml:2): is also set in line 4\n");
}

TEST_F(ConfigTest, TheEnvironmentIsFilteredByItsPrefix) {
  const char* const entries[] = {"PATH=/bin", "SEGMENTD_CURRENCY=EUR", "SEGMENTD_APPLICATION=a=b",
                                 "SEGMENTD_BROKEN", nullptr};
  EXPECT_EQ(environment_of(entries),
            (Environment{{"SEGMENTD_APPLICATION", "a=b"}, {"SEGMENTD_CURRENCY", "EUR"}}));
  EXPECT_EQ(environment_name("clock.max_step"), "SEGMENTD_CLOCK__MAX_STEP");
}

TEST(Load, TimeZonesAreTheMachines) {
  EXPECT_TRUE(load_sets({"time_zone=Europe/London"}).ok());
  EXPECT_FALSE(load_sets({"time_zone=Europe/Londn"}).ok());
  std::vector<std::string> asked;
  const ConfigChecks nothing_known{[&](const std::string& name) {
                                     asked.push_back(name);
                                     return false;
                                   },
                                   {}};
  EXPECT_TRUE(load_settings({{}, {"currency=EUR", "time_zone=UTC"}}, {}, nothing_known).ok());
  EXPECT_TRUE(asked.empty());
  EXPECT_FALSE(load_settings({{}, {"currency=EUR", "time_zone=Mars"}}, {}, nothing_known).ok());
  EXPECT_EQ(asked, std::vector<std::string>{"Mars"});
}

// --- kafka ---

TEST(Kafka, PropertiesComeFromEverySource) {
  const auto loaded = load_sets(
      {"kafka.linger.ms=4"},
      {{"SEGMENTD_KAFKA__SECURITY__PROTOCOL", "ssl"}, {"SEGMENTD_KAFKA__LINGER__MS", "3"}});
  ASSERT_EQ(problems_text(loaded.problems), "");
  EXPECT_EQ(loaded.settings.kafka.all().at("security.protocol").value, "ssl");
  EXPECT_EQ(loaded.settings.kafka.all().at("linger.ms").value, "4");
  EXPECT_EQ(loaded.settings.kafka.all().at("linger.ms").origin, "--set");
}

TEST(Kafka, WhatTheProtocolDependsOnIsRefusedWithItsReason) {
  for (const char* name : {"bootstrap.servers",
                           "metadata.broker.list",
                           "group.id",
                           "group.instance.id",
                           "transactional.id",
                           "enable.auto.commit",
                           "enable.auto.offset.store",
                           "isolation.level",
                           "auto.offset.reset",
                           "partition.assignment.strategy",
                           "enable.idempotence",
                           "acks",
                           "request.required.acks",
                           "enable.partition.eof",
                           "message.timeout.ms",
                           "partitioner",
                           "offset.store.method",
                           "rebalance_cb",
                           "go.batch.consumer",
                           "queue.buffering.max.kbytes",
                           "queued.max.messages.kbytes"}) {
    KafkaProperties properties;
    const std::string reason = properties.set(name, "1", "t");
    EXPECT_EQ(reason.rfind("may not be set: ", 0), 0U) << name;
    EXPECT_TRUE(properties.all().empty()) << name;
  }
  std::set<std::string> names;
  for (const RefusedProperty& refused : refused_kafka_properties()) {
    EXPECT_TRUE(names.insert(refused.name).second) << refused.name << " stands twice";
    EXPECT_GT(std::string(refused.reason).size(), 10U) << refused.name;
  }
}

TEST(Kafka, SomePropertiesAreBounded) {
  KafkaProperties properties;
  EXPECT_EQ(properties.set("transaction.timeout.ms", "5000", "t"), "");
  EXPECT_EQ(properties.set("transaction.timeout.ms", "60000", "t"), "");
  for (const char* wrong : {"4999", "60001", "", "10s"}) {
    EXPECT_EQ(
        properties.set("transaction.timeout.ms", wrong, "t").rfind("must be in 5000 .. 60000: ", 0),
        0U)
        << wrong;
  }
  EXPECT_EQ(properties.integer("transaction.timeout.ms"), 60'000);
  EXPECT_EQ(properties.set("client.id", std::string(63, 'c'), "t"), "");
  EXPECT_EQ(properties.set("client.id", std::string(64, 'c'), "t"), "has more than 63 bytes");
  EXPECT_EQ(properties.set("", "x", "t"), "names no property");
}

TEST(Kafka, LibrdkafkaIsAskedAboutWhatIsLeft) {
  const ConfigChecks checks{{}, [](const std::string& name, const std::string& value) {
                              return name == "linger.ms" && value == "3" ? "" : "No such property";
                            }};
  const auto loaded = load_settings(
      {{}, {"currency=EUR", "kafka.linger.ms=3", "kafka.lingr.ms=3", "kafka.acks=1"}}, {}, checks);
  ASSERT_EQ(loaded.problems.size(), 2U);
  EXPECT_EQ(loaded.problems[0].text(), "kafka.lingr.ms = '3' (--set): No such property");
  EXPECT_EQ(loaded.problems[1].text().find("No such property"), std::string::npos);
}

TEST(Kafka, SecretsAreShownNowhere) {
  const auto loaded =
      load_sets({"kafka.sasl.password=hunter2", "kafka.ssl.key.pem=hunter2", "kafka.client.rack=r1",
                 "kafka.ssl.key.password=hunter2", "kafka.ssl.keystore.password=hunter2",
                 "kafak.sasl.password=hunter2"},
                {{"SEGMENTD_KAFKA__SASL__OAUTHBEARER__CLIENT__SECRET", "hunter2"},
                 {"SEGMENTD_KAFKA_SASL__PASSWORD", "hunter2"}});
  EXPECT_EQ(loaded.problems.size(), 2U);
  EXPECT_EQ(loaded.settings.kafka.all().at("sasl.password").value, "hunter2");
  const std::string shown = render_effective(loaded.settings);
  EXPECT_EQ(shown.find("hunter2"), std::string::npos) << shown;
  EXPECT_NE(shown.find("kafka.\"sasl.password\" = \"[secret]\"  # --set\n"), std::string::npos);
  EXPECT_NE(shown.find("kafka.\"client.rack\" = \"r1\"  # --set\n"), std::string::npos);
  EXPECT_EQ(problems_text(loaded.problems).find("hunter2"), std::string::npos);

  const ConfigChecks none_known{{}, [](const std::string&, const std::string&) { return "no"; }};
  const auto refused =
      load_settings({{}, {"currency=EUR", "kafka.sasl.password=hunter2"}}, {}, none_known);
  EXPECT_EQ(problems_text(refused.problems), "kafka.sasl.password = '[secret]' (--set): no\n");
}

TEST(Settings, ConflictsNameBothSettings) {
  const auto conflicts = [](const std::vector<std::string>& sets) {
    return problems_text(load_sets(sets).problems);
  };
  EXPECT_EQ(conflicts({}), "");
  EXPECT_EQ(
      conflicts({"input.topic=segment-changes"}),
      "output.changes_topic = 'segment-changes' (default): is the name of another topic of this "
      "application\n");
  EXPECT_EQ(conflicts({"output.table_topic=segmentd-model"}),
            "output.table_topic = 'segmentd-model' (--set): is the name of another topic of this "
            "application\n");
  EXPECT_EQ(conflicts({"topics.replication_factor=2", "topics.min_insync_replicas=3"}),
            "topics.min_insync_replicas = '3' (--set): is more than topics.replication_factor = 2: "
            "brokers may acknowledge no write\n");
  EXPECT_EQ(conflicts({"topics.replication_factor=2", "topics.min_insync_replicas=2"}), "");
  EXPECT_EQ(conflicts({"topics.replication_factor=0"}),
            "topics.replication_factor = '0' (--set): is neither positive nor -1\n");
  EXPECT_EQ(conflicts({"rejected.max_bytes=934464"}), "");
  EXPECT_EQ(
      conflicts({"rejected.max_bytes=934465"}),
      "rejected.max_bytes = '934465B' (--set): leaves less than 64KiB for key and headers in a "
      "message of kafka.message.max.bytes = 1000000\n");
  EXPECT_EQ(conflicts({"rejected.max_bytes=1MB", "kafka.message.max.bytes=2000000"}), "");
  EXPECT_EQ(
      conflicts({"input.max_bytes=2MiB", "limits.queue_bytes=1MiB"}),
      "input.max_bytes = '2MiB' (--set): is more than limits.queue_bytes = 1MiB: such a record "
      "could not be fetched\n");
  EXPECT_EQ(conflicts({"kafka.message.max.bytes=2000000", "limits.output_queue_bytes=1MiB"}),
            "limits.output_queue_bytes = '1MiB' (--set): is less than kafka.message.max.bytes = "
            "2000000: the largest record must fit\n");
  EXPECT_EQ(conflicts({"rocksdb.write_buffer_bytes=64MiB", "rocksdb.write_buffers_bytes=32MiB"}),
            "rocksdb.write_buffer_bytes = '64MiB' (--set): is more than "
            "rocksdb.write_buffers_bytes = 32MiB, which all partitions share\n");
  EXPECT_EQ(
      conflicts({"limits.transaction_bytes=800kB"}),
      "limits.transaction_bytes = '800kB' (--set): is less than rejected.max_bytes = 900kB: one "
      "rejected record must fit into a transaction\n");
  EXPECT_EQ(
      conflicts({"limits.overlay_rows=9999"}),
      "limits.transaction_records = '10000' (default): is more than limits.overlay_rows = 9999: "
      "the rows of one transaction must fit\n");
  EXPECT_EQ(conflicts({"limits.overlay_rows=10000"}), "");
  EXPECT_EQ(conflicts({"limits.commit_interval=5s"}), "");
  EXPECT_EQ(
      conflicts({"limits.commit_interval=5s", "kafka.transaction.timeout.ms=9999"}),
      "limits.commit_interval = '5s' (--set): is more than half of kafka.transaction.timeout.ms "
      "= 9999: the broker would abort transactions before they are committed\n");
  EXPECT_EQ(conflicts({"kafka.socket.timeout.ms=9900"}), "");
  EXPECT_EQ(
      conflicts({"kafka.socket.timeout.ms=9901"}),
      "kafka.socket.timeout.ms = '9901' (--set): is more than 9900, which is "
      "kafka.transaction.timeout.ms less 100: a request must end before its transaction does\n");
  EXPECT_EQ(conflicts({"brokers="}), "brokers (--set): is empty; name at least one\n");
}

}  // namespace
}  // namespace segmentd::config
