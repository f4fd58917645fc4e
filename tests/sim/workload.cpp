#include "tests/sim/workload.hpp"

#include <array>
#include <memory>
#include <random>
#include <stdexcept>

#include "daemon/wire/epoch_json.hpp"
#include "state/codec.hpp"
#include "state/memory_store.hpp"
#include "tests/support/random_models.hpp"
#include "tests/support/sim_fates.hpp"

namespace segmentd::test {
namespace {

constexpr Instant kSimWall{1'700'000'000'000};
constexpr std::int64_t kFirstOrderMs = 1'300'000'000'000;

std::string time_text(std::int64_t ms) {
  return std::to_string(ms);
}

/// Orders, refunds, cancellations and what is wrong with some of them.
class Shop {
 public:
  Shop(std::uint64_t seed, std::int32_t customers, std::int32_t partitions)
      : chance_(seed), customers_(customers), partitions_(partitions) {}

  WorkRecord next() {
    now_ms_ += chance_.between(0, 40) * kMsPerHour;
    const auto customer =
        static_cast<std::int32_t>(chance_.below(static_cast<std::uint64_t>(customers_)));
    const std::string id = "c" + std::to_string(customer);
    WorkRecord record{customer % partitions_, id, {}};
    const std::uint64_t kind = chance_.below(20);
    if (kind == 0) {
      record.value = "no JSON";
    } else if (kind == 1) {
      record.value = last_;  // of whoever it was: another's key
      if (last_.empty()) record.value = order(id);
    } else if (kind == 2) {
      record.key.reset();
      record.value = order("");
    } else if (kind < 6 && orders_ > 0) {
      record.value = refund(id);
    } else if (kind < 8 && orders_ > 0) {
      record.value = cancellation(id);
    } else {
      record.value = order(id);
      last_ = record.value;
    }
    return record;
  }

 private:
  std::string money() { return std::to_string(chance_.between(1, 400)) + ".250"; }
  std::string some_order() { return "o" + std::to_string(chance_.below(orders_ + 1)); }
  std::string order(const std::string& customer) {
    return R"({"type":"order","order_id":"o)" + std::to_string(++orders_) + R"(","customer_id":")" +
           customer + R"(","ordered_at":)" + time_text(now_ms_) + R"(,"amount":")" + money() +
           R"(","currency":"GBP"})";
  }
  std::string refund(const std::string& customer) {
    return R"({"type":"refund","refund_id":"r)" + std::to_string(++refunds_) + R"(","order_id":")" +
           some_order() + R"(","customer_id":")" + customer + R"(","refunded_at":)" +
           time_text(now_ms_) + R"(,"amount":")" + money() + R"(","currency":"GBP"})";
  }
  std::string cancellation(const std::string& customer) {
    return R"({"type":"cancellation","order_id":")" + some_order() + R"(","customer_id":")" +
           customer + R"(","cancelled_at":)" + time_text(now_ms_) + "}";
  }

  Chance chance_;
  std::int32_t customers_;
  std::int32_t partitions_;
  std::int64_t now_ms_ = kFirstOrderMs;
  std::uint64_t orders_ = 0;
  std::uint64_t refunds_ = 0;
  std::string last_;
};

/// Keeps what a transaction holds until it is committed.
class KeptOutput final : public OutputSink {
 public:
  Result<void> put(OutputTopic topic, std::int32_t, std::optional<std::string_view> key,
                   std::optional<std::string_view> value, std::span<const HeaderText>) override {
    const std::string k(key.value_or(""));
    const std::string v(value.value_or(""));
    if (topic == OutputTopic::kChanges) seen.changes.push_back(v);
    if (topic == OutputTopic::kRejected) seen.rejected.push_back(v);
    if (topic == OutputTopic::kTable) seen.table[k] = v;
    if (topic == OutputTopic::kChangelog && k != kMetaKey) seen.rows[k] = v;
    return {};
  }
  SeenPartition seen;
};

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what);
  return std::move(*result);
}
void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().what);
}

class Straight {
 public:
  Straight() : pipeline_(rules(), simulation_decoder(), epochs_) {
    pipeline_.add(must(Partition::open(pipeline_.partition_rules(), 0,
                                       std::make_unique<MemoryStore>(), epochs_, "uuid")));
  }
  void force(const ForcedEpoch& forced) {
    settle();
    if (forced.clock) pipeline_.find(0)->wish_clock(*forced.clock);
    settle();
    pipeline_.adopt(forced.epoch);
    settle();
  }
  void take(const PlacedRecord& record) {
    pipeline_.hold(
        Message::copy_of(0, record.offset, record.timestamp_ms, record.key, record.value));
  }
  SeenPartition end() {
    settle();
    return std::move(output_.seen);
  }

 private:
  static PipelineRules rules() {
    PipelineRules rules = simulation_rules(1);
    rules.own_epochs = false;
    rules.transaction_records_max = 1'000'000;
    rules.overlay_rows_max = 1'000'000;
    rules.relabel_per_transaction_max = 1'000'000;
    return rules;
  }
  void settle() {
    while (true) {
      const auto next = must(pipeline_.advance(kSimWall));
      if (pipeline_.touched()) {
        std::vector<InputOffset> offsets;
        must(pipeline_.put_all(output_, kSimWall, offsets));
        must(pipeline_.committed(0, -1, kSimWall));
        pipeline_.settled();
      }
      if (next != Pipeline::Next::kCommit) return;
    }
  }

  Epochs epochs_;
  Pipeline pipeline_;
  KeptOutput output_;
};

Workload make(std::int32_t number) {
  Workload made;
  made.partitions = 2 + number % 2;
  const auto seed = static_cast<std::uint64_t>(number) + 77;
  const bool many = number % 8 == 4;  // customers, more than are kept in memory
  Shop shop(seed, made.partitions * (many ? 24 : 3), made.partitions);
  const std::size_t count = many ? 100 : 24 + seed % 5 * 9;
  for (std::size_t i = 0; i < count; ++i) made.records.push_back(shop.next());
  Random random(seed);
  made.epoch = random_epoch(random, Recency::kSaturating, 4);
  made.epoch.instant = {kFirstOrderMs - kMsPerDay};
  made.epoch.features.decimals = 3;
  // Where these customers are: days since an order, few orders, a few hundred pounds.
  made.epoch.mean = {0.02, 0.6, 6.0};
  made.epoch.scale = {0.02, 0.6, 1.0};
  const std::array<Features, 4> at = {
      {{0.01, 1.2, 7.2}, {0.01, 0.3, 5.2}, {0.04, 0.9, 6.2}, {0.06, 0.2, 5.0}}};
  for (std::size_t j = 0; j < at.size(); ++j) made.epoch.centroids[j].at = at[j];
  for (std::int32_t p = 0; p < made.partitions; ++p) {
    std::vector<PlacedRecord> placed;
    for (const WorkRecord& record : made.records) {
      if (record.partition != p) continue;
      placed.push_back({static_cast<std::int64_t>(placed.size()), 0, record.key, record.value});
    }
    made.seen.push_back(straight(placed, {{made.epoch, 0, std::nullopt}}));
  }
  return made;
}

}  // namespace

PipelineRules simulation_rules(std::int32_t partitions) {
  PipelineRules rules;
  PartitionRules& p = rules.partition;
  p.event_clock = true;
  p.input_topic = "orders";
  p.fingerprint = "currency=GBP\n";
  p.writer = "straight";
  p.encode.application = "sim";
  p.encode.currency = "GBP";
  p.encode.decimals = 3;
  p.prefetch_records = 4;
  rules.model.features.decimals = 3;
  rules.model.currency = "GBP";
  rules.model.min_days = 4;
  rules.model.min_customers = 8;
  rules.model.fit_starts = 2;
  rules.partition_count = partitions;
  rules.partition.partitions = partitions;
  rules.own_epochs = false;
  rules.cache_rows_max = 2 * kCachedRows;
  return rules;
}

Decoder simulation_decoder() {
  DecodeRules rules;
  rules.currency = "GBP";
  rules.decimals = 3;
  rules.time_format = TimeFormat::kMilliseconds;
  return must(Decoder::create(std::move(rules)));
}

SeenPartition straight(const std::vector<PlacedRecord>& records,
                       const std::vector<ForcedEpoch>& epochs) {
  Straight run;
  std::size_t next = 0;
  for (const PlacedRecord& record : records) {
    while (next < epochs.size() && epochs[next].input_offset <= record.offset) {
      run.force(epochs[next++]);
    }
    run.take(record);
  }
  while (next < epochs.size()) run.force(epochs[next++]);
  return run.end();
}

const Workload& workload(std::int32_t number) {
  static std::array<std::unique_ptr<Workload>, kWorkloads> made;
  auto& slot = made[static_cast<std::size_t>(number)];
  if (slot == nullptr) slot = std::make_unique<Workload>(make(number));
  return *slot;
}

}  // namespace segmentd::test
