// Random records against an oracle that recomputes everything from all records it was ever told,
// and the properties that make re-sent and re-ordered input harmless. A failure prints its seed.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/core/customer.hpp"
#include "state/core/wide.hpp"
#include "tests/support/records.hpp"

namespace segmentd {
namespace {

using test::cancellation;
using test::day;
using test::order;
using test::payment;
using test::refund;

/// Keeps every record of an order and works out from their sequence what the order is now.
class Oracle {
 public:
  explicit Oracle(bool payments) : payments_(payments) {}

  void tell(const Record& record) { told_[record.order_id].push_back(record); }

  Figures figures() const {
    Figures f;
    std::map<std::int32_t, std::int64_t> money_of_day;
    std::set<Instant> times;
    Unsigned128 squares = 0;
    for (const auto& [id, records] : told_) {
      const std::map<std::string, std::int64_t> refunds =
          first_of_each(records, RecordType::kRefund);
      const std::int64_t back = sum(refunds);
      if (id.empty()) {
        f.refunds += static_cast<std::int64_t>(refunds.size());
        f.refunded_minor += back;
        continue;
      }
      const Now now = now_of(records);
      if (!now.order) continue;
      f.refunds += static_cast<std::int64_t>(refunds.size());
      if (now.ended) ++f.cancellations;
      if (now.ended || !now.order->counts) continue;
      const std::int64_t money =
          payments_ ? sum(first_of_each(records, RecordType::kPayment)) : now.order->amount_minor;
      f.gross_minor += money;
      f.refunded_minor += back;
      if (!refunds.empty() && money > 0 && back >= money) continue;
      ++f.frequency;
      times.insert(now.order->at);
      money_of_day[now.order->local_day] += money;
      squares += static_cast<Unsigned128>(static_cast<Int128>(money - back) * (money - back));
    }
    f.monetary_minor = f.gross_minor - f.refunded_minor;
    f.squared_minor = halves(squares);
    f.purchase_days = static_cast<std::int64_t>(money_of_day.size());
    if (times.empty()) return f;
    f.first_order_at = *times.begin();
    f.last_order_at = *times.rbegin();
    f.first_day_minor = money_of_day.begin()->second;
    return f;
  }

 private:
  struct Now {
    const Record* order = nullptr;
    bool ended = false;
  };

  static std::map<std::string, std::int64_t> first_of_each(const std::vector<Record>& records,
                                                           RecordType type) {
    std::map<std::string, std::int64_t> amounts;
    for (const Record& r : records) {
      if (r.type == type) amounts.emplace(r.own_id, r.amount_minor);
    }
    return amounts;
  }

  static std::int64_t sum(const std::map<std::string, std::int64_t>& amounts) {
    std::int64_t total = 0;
    for (const auto& [id, amount] : amounts) total += amount;
    return total;
  }

  static Now now_of(const std::vector<Record>& records) {
    constexpr std::int64_t kNoVersion = -1;
    Now now;
    std::int64_t highest = kNoVersion;
    std::int64_t ended_at_version = kNoVersion;
    bool ended = false;
    Instant newest_cancellation{INT64_MIN};
    for (const Record& r : records) {
      if (r.type == RecordType::kCancellation && r.at > newest_cancellation) {
        newest_cancellation = r.at;
        if (!ended) ended_at_version = highest;
        ended = true;
      }
      if (r.type != RecordType::kOrder) continue;
      const std::int64_t version = r.version.value_or(kNoVersion);
      if (r.version && version < highest) continue;
      if (now.order == nullptr && ended) {
        ended_at_version = version;
      } else if (r.version && version > ended_at_version) {
        ended = false;
      }
      now.order = &r;
      highest = std::max(highest, version);
    }
    now.ended = ended;
    return now;
  }

  bool payments_;
  std::map<std::string, std::vector<Record>> told_;  // by order id; "" = refunds without order
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  bool one_in(std::int64_t n) { return below(n) == 0; }
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<std::int64_t>(i)))]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

std::string named(const char* prefix, std::int64_t n) {
  return prefix + std::to_string(n);
}

/// Any record about one of `orders` orders: colliding ids, equal days, zero amounts, whole refunds.
Record any_record(Random& random, std::int64_t orders) {
  const std::string id = named("o", random.below(orders));
  const Instant at = day(random.below(40)) + random.below(3) * 1000;
  const std::int64_t amount = random.below(5) * 100;
  switch (random.below(8)) {
    case 0:
      return refund(named("r", random.below(6)), random.one_in(3) ? "" : id, at, amount);
    case 1:
      return cancellation(id, at);
    case 2:
    case 3:
      return payment(named("p", random.below(6)), id, at, amount);
    default:
      break;
  }
  test::OrderRecord made = order(id, at, amount);
  if (random.one_in(2)) made = made.v(random.below(4));
  if (random.one_in(6)) made = made.not_counting();
  return made;
}

constexpr int kSeeds = 20;

class CustomerRandomTest : public ::testing::TestWithParam<bool> {
 protected:
  Rules rules(int remembered_max) const { return {GetParam(), remembered_max}; }
};

TEST_P(CustomerRandomTest, EveryRecordLeavesTheFiguresOfTheOracle) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(seed));
    const std::int64_t orders = 1 + random.below(40);
    Customer customer = test::nobody();
    Oracle oracle(GetParam());
    for (int i = 0; i < 300; ++i) {
      const Record record = any_record(random, orders);
      oracle.tell(record);
      const Applied applied = apply(customer, record, rules(1 << 20));
      ASSERT_NE(applied, Applied::kTooOld);
      ASSERT_EQ(customer.figures, oracle.figures());
      ASSERT_EQ(check(customer, rules(1 << 20)), "");
    }
  }
}

/// Records that mean the same in any order: an order id has one order record, or several of
/// ascending versions and no cancellation; an id of a part has one amount.
std::vector<Record> commuting_records(Random& random, std::int64_t orders) {
  std::vector<Record> records;
  for (std::int64_t i = 0; i < orders; ++i) {
    const std::string id = named("o", i);
    const Instant at = day(random.below(60));
    const std::int64_t versions = random.below(3);
    for (std::int64_t v = 0; v <= versions; ++v) {
      records.push_back(order(id, at, random.below(4) * 50).v(v));
    }
    if (versions == 0 && random.one_in(4)) records.push_back(cancellation(id, at + kMsPerHour));
    for (std::int64_t r = random.below(3); r > 0; --r) {
      records.push_back(refund(named("r", r), id, at + r * kMsPerDay, random.below(4) * 50));
      records.push_back(payment(named("p", r), id, at + r * kMsPerMinute, random.below(4) * 50));
    }
    if (random.one_in(5)) records.push_back(refund(named("loose", i), "", at, 10));
  }
  return records;
}

TEST_P(CustomerRandomTest, AnyArrivalOrderGivesTheSameFigures) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(seed));
    std::vector<Record> records = commuting_records(random, 1 + random.below(30));
    Customer first = test::nobody();
    for (const Record& record : records) apply(first, record, rules(1 << 20));
    for (int again = 0; again < 5; ++again) {
      random.shuffle(records);
      Customer other = test::nobody();
      for (const Record& record : records) apply(other, record, rules(1 << 20));
      ASSERT_EQ(other, first) << "not the figures alone: the whole row";
    }
  }
}

TEST_P(CustomerRandomTest, FoldingChangesNoFigure) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(seed));
    const int max = 1 + static_cast<int>(random.below(25));
    Customer customer = test::nobody();
    for (int i = 0; i < 400; ++i) {
      Record record = any_record(random, 60);
      record.at = record.at + i * (kMsPerDay / 4);  // time goes on, records of any age among them
      Customer unfolded = customer;
      const Applied expected = apply(unfolded, record, rules(1 << 20));
      ASSERT_EQ(apply(customer, record, rules(max)), expected);
      ASSERT_EQ(customer.figures, unfolded.figures);
      ASSERT_EQ(check(customer, rules(max)), "");
      ASSERT_LE(entries(customer), max);
    }
    ASSERT_TRUE(customer.folded.until);
    ASSERT_GT(customer.folded.orders, 0);
  }
}

TEST_P(CustomerRandomTest, EverythingSentAgainChangesNothing) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(seed));
    std::vector<Record> records = commuting_records(random, 40);
    random.shuffle(records);
    for (const int max : {1, 2, 8, 20, 1000}) {
      Customer customer = test::nobody();
      for (const Record& record : records) apply(customer, record, rules(max));
      const Customer once = customer;
      for (int again = 0; again < 2; ++again) {
        for (const Record& record : records) {
          const Applied applied = apply(customer, record, rules(max));
          ASSERT_NE(applied, Applied::kChanged);
          ASSERT_NE(applied, Applied::kWaiting);
        }
      }
      ASSERT_EQ(customer, once);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Money, CustomerRandomTest, ::testing::Values(false, true),
                         [](const auto& money) {
                           return money.param ? "FromPayments" : "FromAmounts";
                         });

}  // namespace
}  // namespace segmentd
