// P3: what is kept in memory and what goes into a transaction stays within the limits, whatever the
// input does and however long no commit succeeds.
#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "daemon/pipeline/pipeline.hpp"
#include "state/codec.hpp"
#include "state/memory_store.hpp"
#include "tests/support/pipeline_bench.hpp"

namespace segmentd {
namespace {

constexpr Instant kFirst{1'300'000'000'000};
constexpr std::int64_t kKiB = 1 << 10;

/// What one record may add to a transaction at most: a customer's row of 512 remembered orders, its
/// table row and an event.
constexpr std::int64_t kOneRecordBytes = 64 * kKiB;
/// A move of a sweep: an event and the rows.
constexpr std::int64_t kOneMoveBytes = 4 * kKiB;

/// Adds up what is put, and forgets it.
class CountingSink final : public OutputSink {
 public:
  Result<void> put(OutputTopic topic, std::int32_t /*partition*/,
                   std::optional<std::string_view> key, std::optional<std::string_view> value,
                   std::span<const HeaderText> headers) override {
    const auto size = static_cast<std::int64_t>(value.value_or("").size());
    largest = std::max(largest, size);
    bytes += size + static_cast<std::int64_t>(key.value_or("").size());
    for (const HeaderText& h : headers) {
      bytes += static_cast<std::int64_t>(h.name.size() + h.value.size());
    }
    if (topic == OutputTopic::kChanges) ++events;
    if (topic == OutputTopic::kChangelog) ++rows;
    return {};
  }

  std::int64_t bytes = 0;
  std::int64_t largest = 0;  // value
  std::int64_t rows = 0;     // of the changelog, META included
  std::int64_t events = 0;
};

/// One partition whose limits are looked at after every decision and in every transaction.
class Watched {
 public:
  explicit Watched(const PipelineRules& rules)
      : rules_(rules), pipeline_(rules, test::bench_decoder(), epochs_) {
    auto opened = Partition::open(pipeline_.partition_rules(), 0, std::make_unique<MemoryStore>(),
                                  epochs_, "uuid");
    EXPECT_TRUE(opened);
    pipeline_.add(std::move(*opened));
  }

  Pipeline& pipeline() { return pipeline_; }
  Partition& partition() { return *pipeline_.find(0); }

  void order(const std::string& customer, std::int64_t number, Instant at) {
    const std::string json = R"({"order_id":"order-)" + std::to_string(number) +
                             R"(","customer_id":")" + customer + R"(","ordered_at":")" +
                             format_rfc3339(at) + R"(","amount":"12.345","currency":"GBP"})";
    pipeline_.hold(Message::copy_of(0, next_offset_++, 0, customer, json));
  }

  /// Decides as much as one transaction takes, without committing.
  Pipeline::Next decide() {
    const auto next = pipeline_.advance(test::kWall);
    EXPECT_TRUE(next) << next.error().what;
    const Budget pending = partition().pending();
    EXPECT_LE(pending.records, rules_.transaction_records_max);
    EXPECT_LE(pending.moves, rules_.relabel_per_transaction_max);
    EXPECT_LE(pending.rows, rules_.overlay_rows_max);
    EXPECT_LE(pending.bytes, rules_.transaction_bytes_max + overshoot_);
    return next ? *next : Pipeline::Next::kIdle;
  }
  void commit() {
    CountingSink sink;
    std::vector<InputOffset> offsets;
    EXPECT_TRUE(pipeline_.put_all(sink, test::kWall, offsets));
    largest_transaction_ = std::max(largest_transaction_, sink.bytes);
    largest_record_ = std::max(largest_record_, sink.largest);
    most_events_ = std::max(most_events_, sink.events);
    most_rows_ = std::max(most_rows_, sink.rows);
    EXPECT_TRUE(pipeline_.committed(0, -1, test::kWall));
    pipeline_.settled();
    partition().tally() = {};
    ++commits_;
    // Twice: the rows of the transaction, which are kept over it, and those that were there.
    EXPECT_LE(partition().rows().size(),
              rules_.cache_rows_max + static_cast<std::size_t>(rules_.transaction_records_max));
  }
  /// Decides and commits all that is held.
  void settle() {
    while (decide() == Pipeline::Next::kCommit) commit();
    if (pipeline_.touched()) commit();
    EXPECT_EQ(pipeline_.held_bytes(), 0U);
  }

  /// A slice of a sweep is decided before it is counted: it may go beyond by that much.
  void allow_slices() { overshoot_ += rules_.relabel_per_transaction_max * kOneMoveBytes; }

  std::int64_t largest_transaction() const { return largest_transaction_; }
  std::int64_t largest_record() const { return largest_record_; }
  std::int64_t most_events() const { return most_events_; }
  std::int64_t most_rows() const { return most_rows_; }
  std::int64_t commits() const { return commits_; }

 private:
  PipelineRules rules_;
  Epochs epochs_;
  Pipeline pipeline_;
  std::int64_t next_offset_ = 0;
  std::int64_t overshoot_ = kOneRecordBytes;
  std::int64_t largest_transaction_ = 0;
  std::int64_t largest_record_ = 0;
  std::int64_t most_events_ = 0;
  std::int64_t most_rows_ = 0;
  std::int64_t commits_ = 0;
};

/// Small enough that every test meets them.
PipelineRules tight() {
  PipelineRules rules = test::bench_rules();
  rules.transaction_records_max = 1'000;
  rules.transaction_bytes_max = 256 * kKiB;
  rules.overlay_rows_max = 700;
  rules.relabel_per_transaction_max = 100;
  rules.cache_rows_max = 1'000;
  return rules;
}

/// Every customer is in cluster `nearest` of two.
Epoch epoch_of(std::int64_t number, std::size_t nearest) {
  Epoch epoch;
  epoch.number = number;
  epoch.predecessor = number - 1;
  epoch.kind = EpochKind::kFirstFit;
  epoch.instant = kFirst;
  epoch.features.decimals = 3;
  epoch.currency = "GBP";
  epoch.mean = {0.5, 1, 1};
  epoch.scale = {0.5, 1, 1};
  epoch.centroids.resize(2);
  epoch.centroids[0].segment = Segment::kInsiders;
  epoch.centroids[1].segment = Segment::kOccasional;
  for (std::size_t c = 0; c < 2; ++c) epoch.centroids[c].at = {0.5, c == nearest ? 0. : 50., 2.5};
  return epoch;
}

TEST(PipelineBounds, ABurstOfNewCustomers) {
  Watched watched(tight());
  for (std::int64_t n = 0; n < 50'000; ++n) {
    watched.order("customer-" + std::to_string(n), n, kFirst + n);
  }
  EXPECT_GT(watched.pipeline().held_bytes(), 50'000 * sizeof(Held)) << "what the worker bounds";
  watched.settle();
  EXPECT_EQ(watched.partition().segmenter().customers(), 50'000);
  EXPECT_GE(watched.commits(), 50'000 / 700);
  EXPECT_LE(watched.most_rows(), 700 + 1);
}

TEST(PipelineBounds, AHotKey) {
  Watched watched(tight());
  for (std::int64_t n = 0; n < 20'000; ++n) watched.order("hot", n, kFirst + n);
  watched.settle();
  EXPECT_EQ(watched.most_rows(), 2) << "its row and META, once a transaction";
  EXPECT_EQ(watched.commits(), 20) << "of 1,000 records each";
  EXPECT_LE(watched.largest_transaction(), kOneRecordBytes);
}

TEST(PipelineBounds, ACustomerOfVeryManyOrders) {
  constexpr std::int64_t kOrders = 200'000;
  constexpr std::int64_t kChunk = 20'000;  // held at a time
  Watched watched(tight());
  for (std::int64_t n = 0; n < kOrders; ++n) {
    // Over eleven years, on every second day: no two days make a run.
    watched.order("many", n, kFirst + n / 100 * 2 * kMsPerDay + n % 100 * kMsPerMinute);
    if ((n + 1) % kChunk == 0) watched.settle();
  }
  const Rules& customers = tight().partition.segmenter.customers;
  EXPECT_LE(watched.largest_record(), kOneRecordBytes);
  EXPECT_LE(watched.partition().rows().bytes(), static_cast<std::size_t>(256 * kKiB));
  std::size_t seen = 0;
  ASSERT_TRUE(watched.partition().store().scan(
      kRowPrefix, [&](std::string_view key, std::string_view value) {
        const std::string id(customer_of(key).value_or(""));
        const auto row = decode_row(id, value, customers);
        EXPECT_TRUE(row);
        EXPECT_EQ(row->figures.frequency, kOrders);
        EXPECT_EQ(row->figures.purchase_days, kOrders / 100);
        EXPECT_LE(entries(*row), customers.remembered_max);
        ++seen;
        return Result<void>();
      }));
  EXPECT_EQ(seen, 1U);
}

TEST(PipelineBounds, ARelabellingOfEverybody) {
  constexpr std::int64_t kCustomers = 5'000;
  PipelineRules rules = tight();
  rules.own_epochs = false;
  Watched watched(rules);
  watched.pipeline().adopt(epoch_of(1, 0));
  for (std::int64_t n = 0; n < kCustomers; ++n) {
    watched.order("customer-" + std::to_string(n), n, kFirst + n);
  }
  watched.settle();
  const std::int64_t before = watched.commits();
  watched.allow_slices();
  watched.pipeline().adopt(epoch_of(2, 1));
  watched.settle();
  EXPECT_GE(watched.commits() - before, kCustomers / 100);
  EXPECT_EQ(watched.partition().segmenter().movers().size(), 0U);
  const auto by_segment = watched.partition().segmenter().by_segment();
  EXPECT_EQ(by_segment[static_cast<std::size_t>(Segment::kOccasional)].customers, kCustomers);
}

TEST(PipelineBounds, ABrokerThatIsAway) {
  Watched watched(tight());
  for (std::int64_t n = 0; n < 5'000; ++n) {
    watched.order("customer-" + std::to_string(n % 3'000), n, kFirst + n);
  }
  ASSERT_EQ(watched.decide(), Pipeline::Next::kCommit);
  const Budget pending = watched.partition().pending();
  const std::size_t held = watched.pipeline().held_bytes();
  const std::size_t rows = watched.partition().rows().size();
  std::int64_t bytes = -1;
  for (int attempt = 0; attempt < 200; ++attempt) {  // each is aborted, or never begun
    CountingSink sink;
    std::vector<InputOffset> offsets;
    ASSERT_TRUE(watched.pipeline().put_all(sink, test::kWall, offsets));
    EXPECT_TRUE(bytes < 0 || sink.bytes == bytes) << "the same goes out again";
    bytes = sink.bytes;
    EXPECT_EQ(watched.decide(), Pipeline::Next::kCommit);
  }
  EXPECT_EQ(watched.partition().pending().bytes, pending.bytes);
  EXPECT_EQ(watched.partition().pending().records, pending.records);
  EXPECT_EQ(watched.pipeline().held_bytes(), held);
  EXPECT_EQ(watched.partition().rows().size(), rows);
  watched.settle();  // it is back
  EXPECT_EQ(watched.partition().segmenter().customers(), 3'000);
}

TEST(PipelineBounds, RowsInMemoryAreBoundedByTheirSizeToo) {
  PipelineRules rules = tight();
  rules.cache_rows_max = 1'000'000;
  rules.cache_bytes_max = static_cast<std::size_t>(1'024 * kKiB);
  Watched watched(rules);
  watched.allow_slices();
  std::int64_t number = 0;
  std::size_t most = 0;
  for (int round = 0; round < 10; ++round) {
    for (int n = 0; n < 1'000; ++n) {  // ten orders of each, and of one in ten a hundred
      const int orders = n % 10 == 0 ? 100 : 10;
      for (int i = 0; i < orders; ++i) {
        ++number;
        watched.order("customer-" + std::to_string(round) + "-" + std::to_string(n), number,
                      kFirst + number * kMsPerMinute);
      }
    }
    watched.settle();
    most = std::max(most, watched.partition().rows().bytes());
  }
  EXPECT_EQ(watched.partition().segmenter().customers(), 10'000);
  // The bound, and the rows of the transaction that went beyond it.
  EXPECT_LE(most, rules.cache_bytes_max + 512 * static_cast<std::size_t>(kKiB));
  EXPECT_GE(most, rules.cache_bytes_max / 2) << "it is used";
  EXPECT_LT(watched.partition().rows().size(), 1'000U);
}

}  // namespace
}  // namespace segmentd
