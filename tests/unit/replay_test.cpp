// The pipeline over files: the same events as over messages, given epochs, state that is taken up
// again.
#include "daemon/replay/replay.hpp"

#include <algorithm>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "daemon/replay/report.hpp"
#include "daemon/wire/epoch_json.hpp"
#include "state/memory_store.hpp"
#include "state/rocks_store.hpp"
#include "tests/support/pipeline_bench.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

using test::Bench;
using test::bench_rules;
using test::content_of;
using test::Input;
using test::TempDirectory;

constexpr std::size_t kRecords = 3'000;

std::string ndjson(const Input& input, std::size_t from = 0, std::size_t to = SIZE_MAX) {
  std::string lines;
  for (std::size_t i = from; i < std::min(to, input.size()); ++i) lines += input[i].json + "\n";
  return lines;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The whole input through a pipeline over messages.
struct Reference {
  Input input = test::first_records(kRecords);
  std::vector<std::string> events;
  std::string epochs;  // an epochs file: what the model and statistics topics hold
};
const Reference& reference() {
  static const Reference made = [] {
    Reference r;
    Bench bench(bench_rules());
    bench.feed(r.input);
    r.events = bench.values(OutputTopic::kChanges);
    for (const OutputTopic topic : {OutputTopic::kStatistics, OutputTopic::kModel}) {
      for (const std::string& line : bench.values(topic)) r.epochs += line + "\n";
    }
    return r;
  }();
  return made;
}

class Replaying : public testing::Test {
 protected:
  Replaying() {
    options_.wall = test::kWall;
    options_.events = directory_.path("events");
    options_.table = directory_.path("table");
    options_.summary = directory_.path("summary");
  }
  Result<ReplayTotals> attempt(std::unique_ptr<Store> store = std::make_unique<MemoryStore>(),
                               PipelineRules rules = bench_rules()) {
    DecodeRules decode;
    decode.key = KeyMode::kNone;
    decode.currency = "GBP";
    decode.decimals = 3;
    return replay(options_, std::move(rules), std::move(*Decoder::create(std::move(decode))),
                  std::move(store), "uuid");
  }
  ReplayTotals run(std::unique_ptr<Store> store = std::make_unique<MemoryStore>()) {
    auto totals = attempt(std::move(store));
    EXPECT_TRUE(totals) << totals.error().what;
    return totals ? *totals : ReplayTotals{};
  }
  std::unique_ptr<Store> disk() {
    auto store = RocksStore::open(environment_, directory_.path("state"));
    EXPECT_TRUE(store);
    return std::move(*store);
  }
  std::vector<std::string> events() const { return lines_of(options_.events); }
  void give_epochs() {
    auto given = read_given_epochs(directory_.file("epochs", reference().epochs));
    ASSERT_TRUE(given) << given.error().what;
    options_.epochs = std::move(*given);
    options_.given_epochs = true;
  }

  TempDirectory directory_;
  ReplayOptions options_;
  RocksEnvironment environment_{RocksOptions{}};
};

TEST_F(Replaying, GivesTheEventsOfTheDaemonsPipeline) {
  options_.inputs = {directory_.file("in", ndjson(reference().input))};
  const ReplayTotals totals = run();
  EXPECT_EQ(totals.records, kRecords);
  EXPECT_EQ(events(), reference().events);
}

TEST_F(Replaying, SeveralFilesAreOneInput) {
  std::string rest = ndjson(reference().input, 700);
  rest.pop_back();  // the last line may lack its end; empty lines and CRLF do not matter
  options_.inputs = {directory_.file("a", ndjson(reference().input, 0, 699) + "\n\r\n"),
                     directory_.file("b", reference().input[699].json + "\r\n"),
                     directory_.file("c", rest)};
  EXPECT_EQ(run().records, kRecords);
  EXPECT_EQ(events(), reference().events);
}

TEST_F(Replaying, GivenEpochsReproduceTheEvents) {
  give_epochs();
  ASSERT_GT(options_.epochs.size(), 20U);
  options_.inputs = {directory_.file("in", ndjson(reference().input))};
  run();
  EXPECT_EQ(events(), reference().events);
  for (GivenEpoch& given : options_.epochs) {  // it is these that decide, none is made
    for (Centroid& c : given.epoch.centroids) c.at[kMonetaryFeature] += 1;
  }
  run();
  EXPECT_NE(events(), reference().events);
}

TEST_F(Replaying, ForPeopleItIsSaidInBrief) {
  options_.inputs = {directory_.file("in", ndjson(reference().input, 0, 10) + "{}\n{\n{\n")};
  const std::string text = describe(run());
  EXPECT_TRUE(text.starts_with("13 records: ")) << text;
  EXPECT_NE(text.find(", 3 rejected\nrejected 2 malformed_json\nrejected 1 missing_field\n"),
            std::string::npos)
      << text;
}

TEST_F(Replaying, StateIsTakenUpWhereItEnded) {
  for (const bool given : {false, true}) {
    if (given) {
      std::filesystem::remove_all(directory_.path("state"));
      give_epochs();
    }
    options_.inputs = {directory_.file("in", ndjson(reference().input, 0, 1'800))};
    run(disk());
    std::vector<std::string> all = events();
    ASSERT_GT(all.size(), 100U);
    ASSERT_LT(all.size(), reference().events.size());
    options_.inputs = {directory_.file("rest", ndjson(reference().input, 1'800))};
    EXPECT_EQ(run(disk()).records, kRecords - 1'800);
    const std::vector<std::string> rest = events();
    all.insert(all.end(), rest.begin(), rest.end());
    EXPECT_EQ(all, reference().events) << given;
    options_.inputs = {directory_.file("in", ndjson(reference().input))};
    run(disk());
    EXPECT_TRUE(events().empty()) << "orders sent again are known by their ids";
  }
}

TEST_F(Replaying, UntilMovesTheClockOn) {
  options_.inputs = {directory_.file("in", ndjson(reference().input))};
  options_.until =
      parse_rfc3339("2011-09-01") ? instant_of_utc(parse_rfc3339("2011-09-01")->civil) : Instant{};
  run();
  const std::vector<std::string> all = events();
  ASSERT_GT(all.size(), reference().events.size() + 100);
  EXPECT_TRUE(std::equal(reference().events.begin(), reference().events.end(), all.begin()));
  for (std::size_t i = reference().events.size(); i < all.size(); ++i) {
    EXPECT_TRUE(all[i].find(R"("cause":"silence")") != std::string::npos ||
                all[i].find(R"("cause":"model")") != std::string::npos)
        << all[i];
  }
}

TEST_F(Replaying, TheTableHasEverybodyAsOfTheEnd) {
  options_.inputs = {directory_.file("in", ndjson(reference().input))};
  run();
  Bench bench(bench_rules());
  bench.feed(reference().input);
  const auto rows = bench.rows();
  const std::vector<std::string> lines = lines_of(options_.table);
  ASSERT_EQ(lines.size(), rows.size());
  const Model& model = *bench.partition().segmenter().model();
  const Instant now = *bench.partition().meta().clock;
  simdjson::dom::parser parser;
  for (const std::string& line : lines) {
    const simdjson::dom::element row = parser.parse(line);
    const Customer& customer = rows.at(std::string(row["customer_id"].get_string().value()));
    EXPECT_EQ(row["monetary_minor"].get_int64().value(), customer.figures.monetary_minor);
    if (!customer.figures.last_order_at) {
      EXPECT_TRUE(row["segment"].is_null() && row["recency_days"].is_null() &&
                  row["raw_segment"].is_null());
      continue;
    }
    const Point point = *point_of(customer.figures);
    EXPECT_NEAR(row["recency_days"].get_double().value(),
                static_cast<double>(now - point.last_order_at) / static_cast<double>(kMsPerDay),
                1e-6);
    const int raw = model.place(point, now).cluster;
    EXPECT_EQ(row["raw_segment"].get_string().value(), word(model.segment(raw)));
    const auto next = model.next_crossing(point, raw, now);
    ASSERT_EQ(row["raw_next_at"].is_null(), !next.has_value());
    if (next) {
      EXPECT_EQ(row["raw_next_at"].get_string().value(), format_rfc3339(next->at));
    }
  }
}

TEST_F(Replaying, TheSummaryAddsUp) {
  options_.inputs = {directory_.file("in", ndjson(test::online_retail()))};
  run();
  simdjson::dom::parser parser;
  const simdjson::dom::element s = parser.load(options_.summary);
  EXPECT_EQ(s["customers"].get_int64().value(), 4'372);
  EXPECT_EQ(s["placed"].get_int64().value(), 4'339);
  EXPECT_EQ(s["records_read"].get_int64().value(), 25'897);
  EXPECT_EQ(s["anonymous"]["orders"].get_int64().value(), 3'525);
  EXPECT_EQ(s["anonymous"]["refunds"].get_int64().value(), 182);
  EXPECT_EQ(s["records"]["order"]["applied"].get_int64().value(), 18'536);
  EXPECT_EQ(s["records"]["order"]["anonymous"].get_int64().value(), 3'525);
  EXPECT_EQ(s["records"]["refund"]["applied"].get_int64().value(), 3'654);
  EXPECT_EQ(s["clock"].get_string().value(), "2011-12-09T12:50:00.000Z");
  std::int64_t customers = 0, minor = 0, moves = 0;
  double inertia = 0;
  for (const auto segment : s["segments"].get_object()) {
    customers += segment.value["customers"].get_int64().value();
    minor += segment.value["revenue_minor"].get_int64().value();
    if (segment.key != "none") inertia += segment.value["inertia"].get_double().value();
  }
  EXPECT_EQ(customers, 4'372);
  EXPECT_EQ(minor, 8'300'065'814);
  EXPECT_EQ(s["segments"]["none"]["customers"].get_int64().value(), 33);
  EXPECT_EQ(s["segments"]["none"]["revenue_minor"].get_int64().value(), -10'411'240);
  EXPECT_GT(inertia, 1'000);
  for (const auto move : s["moves"].get_array()) moves += move["count"].get_int64().value();
  EXPECT_EQ(moves, static_cast<std::int64_t>(lines_of(options_.events).size()));
  EXPECT_EQ(s["model"]["centroids"].get_array().size(), 4U);
  EXPECT_GT(s["epochs"].get_array().size(), 50U);
}

TEST_F(Replaying, AnEpochsFileIsRefusedWithItsLine) {
  const auto problem = [&](const std::string& text) {
    auto given = read_given_epochs(directory_.file("epochs", text));
    return given ? std::string("(none)") : given.error().what;
  };
  EXPECT_NE(problem(reference().epochs + "{}\n").find("line "), std::string::npos);
  EXPECT_NE(problem(R"({"partition":0,"epoch":9,"input_offset":5,"clock":null})"
                    "\n")
                .find("epoch 9 was applied but is not here"),
            std::string::npos);
  EXPECT_FALSE(read_given_epochs(directory_.path("nowhere")));
}

TEST_F(Replaying, AnEpochsFileThatAppliesNothingIsRefused) {
  std::string epochs;  // without where they were applied
  for (const std::string& line : lines_of(directory_.file("both", reference().epochs))) {
    if (decode_epoch(line)) epochs += line + "\n";
  }
  ASSERT_NE(epochs, "");
  for (const std::string& text : {std::string(), epochs}) {
    const auto given = read_given_epochs(directory_.file("epochs", text));
    ASSERT_FALSE(given);
    EXPECT_EQ(given.error().code, Errc::kBadInput);
    EXPECT_NE(given.error().what.find("applied/<partition>/<n>"), std::string::npos)
        << given.error().what;
  }
}

TEST_F(Replaying, StateThatIsNotSafeToGoOnFromIsRefusedBeforeAnythingIsWritten) {
  options_.inputs = {directory_.file("in", ndjson(reference().input, 0, 100))};
  run(disk());
  directory_.file("events", "of before");
  PipelineRules other = bench_rules();
  other.partition.fingerprint += "decimals=7\n";
  const auto refused = attempt(disk(), other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kCorrupt);
  EXPECT_NE(refused.error().what.find("decimals"), std::string::npos) << refused.error().what;
  EXPECT_EQ(content_of(options_.events), "of before");
}

TEST_F(Replaying, FilesThatCannotBeAreFoundBeforeTheFirstRecord) {
  const std::string input = directory_.file("in", ndjson(reference().input, 0, 100));
  directory_.file("events", "of before");
  const ReplayOptions sound = options_;
  const auto code_with = [&](auto change) {
    options_ = sound;
    options_.inputs = {input};
    change(options_);
    const auto done = attempt(disk());
    return done ? std::nullopt : std::optional(done.error().code);
  };
  const std::string absent = directory_.path("absent/file");
  EXPECT_EQ(code_with([&](auto& o) { o.inputs.push_back(absent); }), Errc::kUnavailable);
  EXPECT_EQ(code_with([&](auto& o) { o.inputs.push_back(directory_.path("state")); }),
            Errc::kUnavailable)
      << "a directory";
  EXPECT_EQ(content_of(options_.events), "of before");
  EXPECT_EQ(code_with([&](auto& o) { o.table = absent; }), Errc::kUnavailable);
  EXPECT_EQ(code_with([&](auto& o) { o.summary = absent; }), Errc::kUnavailable);
  EXPECT_EQ(disk()->position(), std::nullopt) << "nothing was replayed";
  EXPECT_EQ(code_with([](auto&) {}), std::nullopt);
}

TEST_F(Replaying, NoFileIsReadAndWrittenOrWrittenTwice) {
  const std::string content = ndjson(reference().input, 0, 100);
  options_.inputs = {directory_.file("in", content)};
  std::filesystem::create_hard_link(directory_.path("in"), directory_.path("other-name"));
  for (const std::string& output : {directory_.path("in"), directory_.path("other-name")}) {
    options_.table = output;
    const auto refused = attempt();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kMisconfigured);
    EXPECT_EQ(content_of(directory_.path("in")), content);
  }
  options_.table = directory_.path("./summary");
  const auto twice = attempt();
  ASSERT_FALSE(twice);
  EXPECT_NE(twice.error().what.find("two outputs"), std::string::npos) << twice.error().what;
  options_.table = options_.summary = "/dev/null";
  EXPECT_TRUE(attempt());
}

/// The beginnings of keys that the first table of state/FORMAT.md tells.
std::vector<std::string> told_keys() {
  std::vector<std::string> keys;
  std::istringstream page(content_of(SEGMENTD_SOURCE_DIR "/state/FORMAT.md"));
  for (std::string line; std::getline(page, line) && line != "## Words";) {
    if (!line.starts_with("| `")) continue;
    const std::string key = line.substr(3, line.find('`', 3) - 3);
    keys.push_back(key.substr(0, key.find('<')));
  }
  return keys;
}

TEST_F(Replaying, StateHoldsNoOtherKeysThanItsFormatTells) {
  options_.inputs = {directory_.file("in", ndjson(reference().input))};
  run(disk());
  const std::vector<std::string> told = told_keys();
  std::set<std::string> seen;
  ASSERT_TRUE(disk()->scan("", [&](std::string_view key, std::string_view) {
    const auto found =
        std::find_if(told.begin(), told.end(), [&](const auto& t) { return key.starts_with(t); });
    seen.insert(found == told.end() ? "untold: " + std::string(key) : *found);
    return Result<void>();
  }));
  EXPECT_EQ(seen, (std::set<std::string>{"META", "c/", "epoch/"}));
}

}  // namespace
}  // namespace segmentd
