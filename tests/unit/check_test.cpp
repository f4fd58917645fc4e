// What `segmentd check` makes of a sample of the input and of a state directory, without a broker.
#include <atomic>
#include <memory>
#include <span>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "daemon/check/input_sample.hpp"
#include "daemon/check/reach.hpp"
#include "daemon/check/state_check.hpp"
#include "daemon/wire/partitioner.hpp"
#include "state/codec.hpp"
#include "state/rocks_store.hpp"
#include "state/state_dir.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

constexpr std::int32_t kPartitions = 5;
constexpr Instant kNow{1'700'000'000'000};

config::Settings settings_with(const std::vector<std::pair<std::string, std::string>>& sets = {}) {
  config::Settings settings;
  EXPECT_EQ(settings.set("currency", "GBP"), "");
  for (const auto& [key, value] : sets) EXPECT_EQ(settings.set(key, value), "") << key;
  return settings;
}

std::string order_of(const std::string& customer,
                     const std::string& time = "2023-01-01T00:00:00Z") {
  return R"({"order_id":"1","customer_id":")" + customer + R"(","ordered_at":")" + time +
         R"(","amount":"1.00","currency":"GBP"})";
}

InputSample new_sample(const config::Settings& settings) {
  DecodeRules rules;
  rules.currency = "GBP";
  return {settings, *Decoder::create(rules), kPartitions, kNow};
}

Message message(std::int32_t partition, std::optional<std::string_view> key,
                const std::string& value) {
  return Message::copy_of(partition, 0, 0, key, value);
}

/// 100 customers where the partitioner puts them.
InputSample sample_by(Partitioner partitioner, const config::Settings& settings) {
  InputSample sample = new_sample(settings);
  for (int n = 0; n < 100; ++n) {
    const std::string id = "c" + std::to_string(n);
    sample.add(message(partition_of(partitioner, id, kPartitions), id, order_of(id)));
  }
  return sample;
}

std::string judged(const config::Settings& settings, const SampleCounts& counts) {
  Findings findings;
  judge_sample(settings, counts, kPartitions, findings);
  return findings.text();
}

TEST(InputSample, ThePartitionerThatFitsIsNamed) {
  const auto murmur2 = settings_with();
  const auto consistent = settings_with({{"input.partitioner", "consistent"}});
  EXPECT_EQ(judged(murmur2, sample_by(Partitioner::kMurmur2, murmur2).counts()),
            "ok       partitioner: all 100 keyed records lie where murmur2 puts them\n"
            "ok       records: all 100 sampled would be taken\nno problems\n");
  EXPECT_NE(judged(murmur2, sample_by(Partitioner::kConsistent, murmur2).counts())
                .find("problem  input.partitioner = murmur2, but "),
            std::string::npos);
  EXPECT_NE(judged(murmur2, sample_by(Partitioner::kConsistent, murmur2).counts())
                .find("100 of 100 where consistent does: set input.partitioner = consistent\n"),
            std::string::npos);
  EXPECT_NE(judged(consistent, sample_by(Partitioner::kMurmur2, consistent).counts())
                .find("set input.partitioner = murmur2\n"),
            std::string::npos);
}

TEST(InputSample, StraysAreANoteAndAMixIsAProblem) {
  const auto settings = settings_with();
  InputSample sample = sample_by(Partitioner::kMurmur2, settings);
  const auto wrong = (partition_of(Partitioner::kMurmur2, "x", kPartitions) + 1) % kPartitions;
  sample.add(message(wrong, "x", order_of("x")));
  EXPECT_NE(judged(settings, sample.counts()).find("; 1 would be rejected as wrong_partition\n"),
            std::string::npos);
  for (int n = 0; n < 50; ++n) sample.add(message(wrong, "x", order_of("x")));
  EXPECT_NE(judged(settings, sample.counts()).find("problem  partitioner: "), std::string::npos);
}

TEST(InputSample, UncheckedNeedsEveryKeyInOnePartition) {
  const auto settings = settings_with({{"input.partitioner", "unchecked"}});
  InputSample sample = new_sample(settings);
  sample.add(message(3, "a", order_of("a")));
  sample.add(message(3, "a", order_of("a")));
  EXPECT_NE(judged(settings, sample.counts()).find("ok       partitioner"), std::string::npos);
  for (const std::int32_t p : {1, 2, 3}) sample.add(message(p, "a", order_of("a")));
  EXPECT_NE(judged(settings, sample.counts()).find("problem  partitioner: 1 keys"),
            std::string::npos);
}

TEST(InputSample, RecordsWithoutACustomerHaveNoPartitionOfTheirOwn) {
  const auto settings = settings_with();
  InputSample sample = new_sample(settings);
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    sample.add(message(p, std::nullopt, order_of("")));
    sample.add(message(p, "till 7", order_of("")));
  }
  EXPECT_EQ(sample.counts().keyed, 0);
  EXPECT_EQ(sample.counts().anonymous, 10);
}

TEST(InputSample, RejectsAreCountedWithAnExampleThatNamesNobody) {
  const auto settings = settings_with();
  InputSample sample = sample_by(Partitioner::kMurmur2, settings);
  const auto at = partition_of(Partitioner::kMurmur2, "secret", kPartitions);
  sample.add(message(at, "secret", order_of("hidden")));
  sample.add(message(at, "secret", order_of("secret\\u0001")));
  sample.add(message(at, "secret", order_of("secret", "yesterday")));
  sample.add(message(at, "secret", order_of("secret", "2023-11-14T23:30:00Z")));
  const std::string text = judged(settings, sample.counts());
  EXPECT_NE(text.find("note     records: 4 of 104 sampled would be rejected"), std::string::npos);
  EXPECT_NE(text.find("rejected as key_mismatch: 1, such as: "), std::string::npos);
  EXPECT_NE(text.find("rejected as bad_id: 1, such as: "), std::string::npos);
  EXPECT_NE(text.find("rejected as future: 1, such as: "), std::string::npos);
  EXPECT_NE(text.find("bad_time: 1, such as: /ordered_at: \"yesterday\""), std::string::npos);
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
}

TEST(InputSample, ManyRejectsAreAProblem) {
  const auto settings = settings_with();
  InputSample sample = sample_by(Partitioner::kMurmur2, settings);
  for (int n = 0; n < 20; ++n) sample.add(message(0, std::nullopt, "{"));
  EXPECT_NE(judged(settings, sample.counts()).find("problem  records: 20 of 120"),
            std::string::npos);
}

TEST(Findings, TheWorstAreaCountsAndALineStaysALine) {
  Findings findings;
  findings.problem(Area::kState, "a\nb");
  findings.problem(Area::kConfiguration, "c");
  EXPECT_EQ(findings.worst(), Area::kConfiguration);
  EXPECT_EQ(findings.text(), "problem  a b\nproblem  c\n2 problems\n");
}

// --- how far it looks when settings are refused ---

/// What is certain, in words; settings as --set gives them, by file where `toml` is not empty.
std::string reach_with(const std::vector<std::string>& sets, const std::string& toml = "") {
  const test::TempDirectory directory;
  config::ConfigArguments arguments;
  arguments.sets = {"currency=GBP"};
  arguments.sets.insert(arguments.sets.end(), sets.begin(), sets.end());
  if (!toml.empty()) arguments.file = directory.file("segmentd.toml", toml);
  const auto is_kafka_property = [](const std::string& name) { return name != "no.such.thing"; };
  config::ConfigChecks checks;
  checks.kafka_refusal = [&](const std::string& name, const std::string& value) {
    return !is_kafka_property(name) || value == "soon" ? std::string("is refused") : std::string();
  };
  const auto loaded = config::load_settings(arguments, {}, checks);
  EXPECT_EQ(loaded.ok(), sets.empty() && toml.empty());
  const Reach reach = reach_of(loaded, arguments.file, is_kafka_property);
  return std::string(reach.broker ? "broker " : "") + (reach.state ? "state " : "") +
         (reach.http ? "http " : "") + (reach.meaning ? "meaning " : "");
}

TEST(Reach, IsWholeUnlessAProblemConcernsWhatNamesThings) {
  const std::string all = "broker state http meaning ";
  EXPECT_EQ(reach_with({}), all);
  EXPECT_EQ(reach_with({"colour=red", "model.margin=-1", "limits.queue_bytes=2", "workers=0"}),
            all);
  EXPECT_EQ(reach_with({"kafka.group.id=mine", "kafka.no.such.thing=1"}), all)
      << "those are refused by name: nothing is spoken to in another way than was meant";
}

TEST(Reach, EndsWhereASettingIsRefused) {
  EXPECT_EQ(reach_with({"brokers=a b"}), "state http meaning ");
  EXPECT_EQ(reach_with({"output.table_topic=orders"}), "state http meaning ");
  EXPECT_EQ(reach_with({"kafka.linger.ms=soon"}), "state http meaning ");
  EXPECT_EQ(reach_with({"kafka.message.max.bytes=1"}), "state http meaning ");
  EXPECT_EQ(reach_with({"application=?"}), "http meaning ");
  EXPECT_EQ(reach_with({"input.topic=?"}), "http meaning ");
  EXPECT_EQ(reach_with({"state_dir="}), "broker http meaning ");
  EXPECT_EQ(reach_with({"http.address=here"}), "broker state meaning ");
  EXPECT_EQ(reach_with({"decimals=99"}), "broker state http ");
  EXPECT_EQ(reach_with({"currency=eur"}), "broker state http ");
}

TEST(Reach, EndsWhereAnUnknownNameIsProbablyOneOfThose) {
  EXPECT_EQ(reach_with({"broker=kafka:9092"}), "state http meaning ");
  EXPECT_EQ(reach_with({"input.topik=orders"}), "http meaning ");
  EXPECT_EQ(reach_with({"statedir=/tmp"}), "broker http meaning ");
  EXPECT_EQ(reach_with({"decimal=3"}), "broker state http ");
  EXPECT_EQ(reach_with({"brokers:kafka"}), "state http meaning ") << "--set without =";
  EXPECT_EQ(reach_with({}, "model.kk = 3\n[http]\nadress = \"127.0.0.1:1\"\n"), "broker state ");
  config::ConfigArguments arguments;
  const auto loaded = config::load_settings(
      arguments, {{"SEGMENTD_CURRENCY", "GBP"}, {"SEGMENTD_BROKRS", "kafka:9092"}});
  EXPECT_FALSE(reach_of(loaded, std::nullopt, [](const auto&) { return true; }).broker);
}

TEST(Reach, EndsAtOnceWhereTheFileIsNotReadable) {
  EXPECT_EQ(reach_with({}, "decimals = \n"), "");
}

// --- the state directory ---

struct StateCheckTest : testing::Test {
  test::TempDirectory temp;
  const std::string path = temp.path("state");

  config::Settings settings(const std::string& key = "", const std::string& value = "") const {
    config::Settings made = settings_with({{"state_dir", path}});
    if (!key.empty()) {
      EXPECT_EQ(made.set(key, value), "");
    }
    return made;
  }
  /// State of partition 1, as a daemon with these settings leaves it.
  void leave_state() const {
    const auto directory = StateDir::open(path, "segmentd", "i1");
    ASSERT_TRUE(directory);
    const RocksEnvironment environment{RocksOptions{}};
    const auto store = RocksStore::open(environment, directory->partition(1));
    ASSERT_TRUE(store) << store.error().what;
    Meta meta;
    meta.txn_seq = 1;
    meta.input_topic = "orders";
    meta.partition = 1;
    meta.next_offset = 77;
    meta.store_uuid = "u";
    meta.writer = "w";
    meta.fingerprint = settings().fingerprint();
    const std::vector<RowWrite> rows{{std::string(kMetaKey), encode_meta(meta)}};
    ASSERT_TRUE((*store)->write(rows, {}));
  }
};

TEST_F(StateCheckTest, NothingIsMadeWhereNothingIs) {
  Findings findings;
  check_state(settings(), 4, findings);
  EXPECT_EQ(findings.problems(), 0U) << findings.text();
  EXPECT_NE(findings.text().find("can be made"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(StateCheckTest, StateThatFitsIsRead) {
  leave_state();
  Findings findings;
  const StateFound found = check_state(settings(), 4, findings);
  EXPECT_EQ(findings.problems(), 0U) << findings.text();
  ASSERT_EQ(found.metas.size(), 1U);
  EXPECT_EQ(found.metas[0].next_offset, 77);
  EXPECT_NE(findings.text().find("instance i1"), std::string::npos);
}

TEST_F(StateCheckTest, NoByteOfTheStateIsChanged) {
  leave_state();
  std::filesystem::create_directory(path + "/partition-2");  // its store was never made
  const auto before = test::picture_of(path);
  Findings findings;
  check_state(settings(), 4, findings);
  EXPECT_EQ(findings.problems(), 0U) << findings.text();
  EXPECT_NE(findings.text().find("partition 2: nothing applied yet"), std::string::npos)
      << findings.text();
  EXPECT_EQ(test::picture_of(path), before);
}

TEST_F(StateCheckTest, ADaemonMayStartWhileItLooks) {
  leave_state();
  std::atomic<bool> done{false};
  std::thread checking([&] {
    while (!done) {
      Findings findings;
      check_state(settings(), 4, findings);
      EXPECT_EQ(findings.problems(), 0U) << findings.text();
    }
  });
  const RocksEnvironment environment{RocksOptions{}};
  for (int i = 0; i < 20; ++i) {
    const auto directory = StateDir::open(path, "segmentd", "i1");
    EXPECT_TRUE(directory) << directory.error().what;
    if (!directory) break;
    const auto store = RocksStore::open(environment, directory->partition(1));
    EXPECT_TRUE(store) << store.error().what;
  }
  done = true;
  checking.join();
}

TEST_F(StateCheckTest, SettingsThatChangedItsMeaningAreNamed) {
  leave_state();
  Findings findings;
  check_state(settings("decimals", "3"), 4, findings);
  EXPECT_EQ(findings.problems(), 1U) << findings.text();
  EXPECT_NE(findings.text().find("decimals is '3', the state was made under '2'"),
            std::string::npos);
  EXPECT_EQ(findings.worst(), Area::kState);
}

TEST_F(StateCheckTest, AnotherTopicAndTooFewPartitionsAreBothNamed) {
  leave_state();
  Findings findings;
  check_state(settings("input.topic", "sales"), 1, findings);
  EXPECT_EQ(findings.problems(), 2U) << findings.text();
}

TEST_F(StateCheckTest, AnotherApplicationsDirectoryIsRefused) {
  leave_state();
  Findings findings;
  check_state(settings("application", "other"), 4, findings);
  EXPECT_NE(findings.text().find("belongs to application 'segmentd'"), std::string::npos)
      << findings.text();
  EXPECT_EQ(findings.worst(), Area::kState);
}

TEST_F(StateCheckTest, DamageIsSaid) {
  leave_state();
  for (const auto& file : std::filesystem::directory_iterator(path + "/partition-1")) {
    if (file.path().filename() == "CURRENT") std::ofstream(file.path()) << "gone";
  }
  Findings findings;
  check_state(settings(), 4, findings);
  EXPECT_EQ(findings.problems(), 1U) << findings.text();
  EXPECT_NE(findings.text().find("state of partition 1: "), std::string::npos);
}

TEST_F(StateCheckTest, ADirectoryInUseIsLeftAlone) {
  leave_state();
  // flock is per open file, so a second one in this process is as good as another process.
  const auto holder = StateDir::open(path, "segmentd", "i1");
  ASSERT_TRUE(holder);
  Findings findings;
  const StateFound found = check_state(settings("decimals", "3"), 4, findings);
  EXPECT_TRUE(found.in_use);
  EXPECT_EQ(findings.problems(), 0U) << findings.text();
  EXPECT_NE(findings.text().find("process " + std::to_string(::getpid())), std::string::npos);
}

TEST_F(StateCheckTest, AFileInItsPlaceIsRefused) {
  temp.file("state", "a file");
  Findings findings;
  check_state(settings(), 4, findings);
  EXPECT_NE(findings.text().find("is no directory"), std::string::npos) << findings.text();
}

/// A broker whose topic holds the offsets 10 to 19.
class TenRecords final : public Broker {
 public:
  Result<std::unique_ptr<LogReader>> open_reader(const std::string& topic,
                                                 std::span<const ReadFrom>, milliseconds) override {
    return Error{Errc::kUnavailable, topic};
  }
  Result<Watermarks> watermarks(const std::string& topic, std::int32_t partition,
                                milliseconds) override {
    if (partition > 2) return Error{Errc::kUnavailable, topic + ": no such partition"};
    return Watermarks{.first = 10, .stable_end = 20, .end = 20};
  }
  Result<std::int32_t> partition_count(const std::string&, milliseconds) override { return 1; }
  Result<std::optional<std::string>> hiding_writer(const std::string&, std::int32_t,
                                                   milliseconds) override {
    return std::optional<std::string>();
  }
  Result<void> fence(const std::string&, milliseconds) override { return {}; }
};

TEST(OffsetCheck, StateMustGoOnWithinTheInput) {
  const auto problem_of = [](std::int32_t partition, std::int64_t next_offset) {
    Meta meta;
    meta.partition = partition;
    meta.next_offset = next_offset;
    TenRecords broker;
    Findings findings;
    check_offsets({meta}, "orders", broker, milliseconds(1), findings);
    return findings.problems() == 0 ? std::string() : findings.all().back().what;
  };
  EXPECT_EQ(problem_of(0, 10), "");
  EXPECT_EQ(problem_of(0, 20), "");
  EXPECT_NE(problem_of(1, 21).find("the topic was made anew"), std::string::npos);
  EXPECT_NE(problem_of(1, 9).find("records are lost"), std::string::npos);
  EXPECT_NE(problem_of(3, 15).find("no such partition"), std::string::npos);
}

}  // namespace
}  // namespace segmentd
