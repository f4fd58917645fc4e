// The customers of one partition against the model: who moves, when, why, and what is told (G1-G3).
#include "state/core/segmenter.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/random_models.hpp"
#include "tests/support/records.hpp"

namespace segmentd {
namespace {

using test::kRecencies;
using test::kToday;
using test::Random;
using test::random_epoch;
using test::whole_between;

/// A segmenter with its customers' rows, driven as a partition drives it.
class Shop {
 public:
  explicit Shop(SegmenterRules rules = {}) : rules_(rules), segmenter_(rules) {}

  std::optional<SegmentChange> take(const std::string& id, Record record, Instant now) {
    record.customer_id = id;
    clock_ = now;
    auto [it, fresh] = rows.try_emplace(id, test::nobody(id));
    Step step = segmenter_.take(it->second, record, now);
    if (fresh && !step.row_changed) rows.erase(it);
    if (step.change) told.push_back(*step.change);
    return step.change;
  }
  void begin_evaluation(Instant at) {
    clock_ = at;
    segmenter_.age_to(at);
    sweep_ = SweepContext{false, at, nullptr};
  }
  void begin_epoch(const Epoch& epoch) {
    before_ = model_;
    model_ = std::make_shared<const Model>(epoch);
    segmenter_.adopt(model_, epoch.instant, evaluated_upto_);
    clock_ = epoch.instant;
    sweep_ = SweepContext{true, epoch.instant, before_.get()};
  }
  /// Moves the next `n` of those that are behind.
  void sweep(std::size_t n = SIZE_MAX) {
    for (const std::string& id : segmenter_.movers()) {
      if (n-- == 0) return;
      const Instant since = rows.at(id).segment_since;
      auto change = segmenter_.move(rows.at(id), *sweep_, clock_);
      if (!change) continue;
      if (!sweep_->relabel) expect_deadline(*change, since);
      told.push_back(*change);
    }
    if (!sweep_->relabel) evaluated_upto_ = sweep_->as_of;
    sweep_.reset();
  }
  void evaluate(Instant at) {
    begin_evaluation(at);
    sweep();
  }
  void adopt(const Epoch& epoch) {
    evaluated_upto_ = epoch.instant;
    begin_epoch(epoch);
    sweep();
  }
  /// As after a crash: a new segmenter made from the rows and what META keeps.
  void reopen() {
    segmenter_ = Segmenter(rules_);
    for (const auto& [id, row] : rows) segmenter_.restore(row);
    const bool ageing = sweep_ && !sweep_->relabel;
    segmenter_.resume(model_, ageing ? sweep_->as_of : evaluated_upto_,
                      sweep_ ? std::optional<Instant>(sweep_->as_of) : std::nullopt);
  }
  const Segmenter& segmenter() const { return segmenter_; }

  std::map<std::string, Customer> rows;
  std::vector<SegmentChange> told;

 private:
  /// A silent move is told as of the first millisecond at which the new place is the nearest one.
  void expect_deadline(const SegmentChange& change, Instant since) const {
    const Point point = *point_of(rows.at(change.customer_id).figures);
    const auto nearest = [&](Instant at) {
      return model_->segment(model_->place(point, at).cluster);
    };
    EXPECT_EQ(change.cause, Cause::kSilence);
    EXPECT_LE(change.at, sweep_->as_of);
    EXPECT_EQ(nearest(change.at), change.to);
    const Instant begin = std::max({since, point.last_order_at, model_->epoch().instant});
    if (change.at > begin) {
      EXPECT_NE(nearest(change.at - 1), change.to);
    }
  }

  SegmenterRules rules_;
  Segmenter segmenter_;
  std::shared_ptr<const Model> model_, before_;
  std::optional<SweepContext> sweep_;
  std::optional<Instant> evaluated_upto_;
  Instant clock_;
};

/// G1 to G3 as they stand in the header.
void expect_sound(const Shop& shop) {
  const Segmenter& s = shop.segmenter();
  EXPECT_TRUE(s.sums() == s.recount());
  std::int64_t placed = 0, customers = 0, revenue = 0;
  for (const auto& [id, row] : shop.rows) {
    placed += row.figures.last_order_at ? 1 : 0;
    const Segment expected =
        row.cluster < 0 || s.model() == nullptr ? Segment::kNone : s.model()->segment(row.cluster);
    EXPECT_EQ(row.segment, expected) << id;
    EXPECT_EQ(row.cluster >= 0, s.model() != nullptr && row.figures.last_order_at) << id;
  }
  EXPECT_EQ(s.placed(), placed);
  EXPECT_TRUE(s.movers().empty());
  for (const Segmenter::Tally& t : s.by_segment()) {
    customers += t.customers;
    revenue += t.revenue_minor;
  }
  for (const auto& [id, row] : shop.rows) revenue -= row.figures.monetary_minor;
  EXPECT_EQ(customers, static_cast<std::int64_t>(shop.rows.size()));
  EXPECT_EQ(revenue, 0);
  std::map<std::string, const SegmentChange*> last;
  for (const SegmentChange& change : shop.told) {
    const SegmentChange* before = last[change.customer_id];
    EXPECT_EQ(change.sequence, before == nullptr ? 1 : before->sequence + 1);
    EXPECT_EQ(change.from, before == nullptr ? Segment::kNone : before->to);
    EXPECT_NE(change.from, change.to);
    EXPECT_EQ(change.from_since.has_value(), change.from != Segment::kNone);
    EXPECT_EQ(change.from_since.value_or(Instant{}),
              change.from == Segment::kNone ? Instant{} : before->at);
    last[change.customer_id] = &change;
  }
  for (const auto& [id, change] : last) {
    EXPECT_EQ(shop.rows.at(id).announced.sequence, change->sequence);
    EXPECT_EQ(shop.rows.at(id).announced.segment, change->to);
  }
}

/// Two clusters that differ in recency alone, with the border 30 days after an order.
Epoch thirty_days(std::int64_t number = 1, EpochKind kind = EpochKind::kMeans,
                  double border_days = 30) {
  Epoch epoch;
  epoch.number = number;
  epoch.predecessor = number - 1;
  epoch.kind = kind;
  epoch.instant = kToday;
  epoch.features.recency = Recency::kLinear;
  epoch.scale = {10, 1, 1};
  epoch.centroids = {{{0, 0, 5}, Segment::kInsiders},
                     {{2 * border_days, 0, 5}, Segment::kOccasional}};
  return epoch;
}

TEST(Segmenter, WithoutAnEpochNobodyIsInASegment) {
  Shop shop;
  EXPECT_FALSE(shop.take("a", test::order("1", kToday, 500), kToday));
  shop.evaluate(kToday + kMsPerDay);
  EXPECT_EQ(shop.rows.at("a").segment, Segment::kNone);
  EXPECT_EQ(shop.segmenter().placed(), 1);
  EXPECT_EQ(shop.segmenter().first_order_at(), kToday);
  shop.adopt(thirty_days());
  ASSERT_EQ(shop.told.size(), 1U);
  EXPECT_EQ(shop.told[0].cause, Cause::kModel);
  EXPECT_EQ(shop.told[0].at, kToday) << "the epoch's instant";
  expect_sound(shop);
}

TEST(Segmenter, SilenceMovesAtTheExactDeadline) {
  Shop shop;
  shop.adopt(thirty_days());
  const Instant ordered = kToday + 5 * kMsPerHour;
  const auto first = shop.take("a", test::order("1", ordered, 500), ordered);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->cause, Cause::kOrder);
  EXPECT_EQ(first->at, ordered);
  ASSERT_TRUE(first->next);
  const Instant deadline = ordered + 30 * kMsPerDay + 1;
  EXPECT_EQ(first->next->at, deadline);
  EXPECT_EQ(first->next->segment, Segment::kOccasional);
  shop.evaluate(kToday + 30 * kMsPerDay);
  EXPECT_EQ(shop.told.size(), 1U);
  shop.evaluate(kToday + 31 * kMsPerDay);
  ASSERT_EQ(shop.told.size(), 2U);
  const SegmentChange& lapse = shop.told.back();
  EXPECT_EQ(lapse.cause, Cause::kSilence);
  EXPECT_EQ(lapse.at, deadline);
  EXPECT_EQ(lapse.decided_at, kToday + 31 * kMsPerDay);
  EXPECT_EQ(lapse.after.recency_ms, 31 * kMsPerDay - 5 * kMsPerHour);
  EXPECT_FALSE(lapse.trigger);
  EXPECT_FALSE(lapse.next);
  expect_sound(shop);
}

TEST(Segmenter, TheLastCountingOrderLostIsARefundToNoSegment) {
  Shop shop;
  shop.adopt(thirty_days());
  shop.take("a", test::order("1", kToday, 500), kToday);
  const Instant later = kToday + kMsPerHour;
  const auto lost = shop.take("a", test::refund("r1", "1", later, 500), later);
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->to, Segment::kNone);
  EXPECT_EQ(lost->cause, Cause::kRefund);
  EXPECT_EQ(lost->at, later);
  EXPECT_EQ(lost->confidence, std::nullopt);
  EXPECT_FALSE(lost->next);
  ASSERT_TRUE(lost->trigger);
  EXPECT_EQ(lost->trigger->id, "r1");
  EXPECT_EQ(lost->trigger->order_id, "1");
  EXPECT_EQ(lost->before.frequency, 1);
  EXPECT_EQ(lost->after.frequency, 0);
  EXPECT_EQ(shop.segmenter().placed(), 0);
  const auto back = shop.take("a", test::order("2", later, 700), later);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->from, Segment::kNone);
  EXPECT_EQ(back->sequence, 3);
  expect_sound(shop);
}

TEST(Segmenter, ARecordThatChangesNothingIsNoTouch) {
  Shop shop;
  shop.adopt(thirty_days());
  shop.take("a", test::order("1", kToday, 500), kToday);
  const Customer before = shop.rows.at("a");
  EXPECT_FALSE(shop.take("a", test::order("1", kToday, 500), kToday + 40 * kMsPerDay));
  EXPECT_EQ(shop.rows.at("a"), before) << "even though silence would have moved it";
}

TEST(Segmenter, ANewEpochIsTheCauseUnlessSilenceWouldHaveDoneIt) {
  Shop shop;
  shop.adopt(thirty_days());
  const Instant today = kToday + 20 * kMsPerDay;
  shop.take("fresh", test::order("1", today, 500), today);
  shop.take("old", test::order("1", kToday - 15 * kMsPerDay, 500), today);    // 35 days: occasional
  shop.take("middle", test::order("1", kToday + 5 * kMsPerDay, 500), today);  // 15 days
  shop.take("lapsing", test::order("1", kToday - 9 * kMsPerDay, 500), today);  // 29 days
  shop.told.clear();
  Epoch next = thirty_days(2, EpochKind::kMeans, 10);
  next.instant = today + 2 * kMsPerDay;  // no evaluation in between: `lapsing` is 31 days
  shop.adopt(next);
  ASSERT_EQ(shop.told.size(), 2U);
  EXPECT_EQ(shop.told[0].customer_id, "lapsing");
  EXPECT_EQ(shop.told[0].cause, Cause::kSilence);
  EXPECT_EQ(shop.told[0].at, kToday + 21 * kMsPerDay + 1)
      << "when it happened, not when it was seen";
  EXPECT_EQ(shop.told[1].customer_id, "middle");
  EXPECT_EQ(shop.told[1].cause, Cause::kModel);
  EXPECT_EQ(shop.told[1].at, next.instant);
  EXPECT_EQ(shop.told[1].epoch, 2);
}

TEST(Segmenter, ASilentFirstFitTakesNoSequence) {
  for (const bool announce : {false, true}) {
    SegmenterRules rules;
    rules.announce_first_fit = announce;
    Shop shop(rules);
    shop.adopt(thirty_days(1, EpochKind::kProvisional));
    shop.take("a", test::order("1", kToday, 500), kToday);  // insiders
    Epoch fit = thirty_days(2, EpochKind::kFirstFit);
    std::swap(fit.centroids[0].segment, fit.centroids[1].segment);
    shop.adopt(fit);
    EXPECT_EQ(shop.rows.at("a").segment, Segment::kOccasional);
    EXPECT_FALSE(shop.rows.at("a").provisional);
    EXPECT_EQ(shop.told.size(), announce ? 2U : 1U);
    shop.evaluate(kToday + 31 * kMsPerDay);  // silence leads to what is insiders now
    EXPECT_EQ(shop.rows.at("a").segment, Segment::kInsiders);
    EXPECT_EQ(shop.told.size(), announce ? 3U : 1U) << "silently: they were told insiders already";
    shop.take("a", test::order("2", kToday + 31 * kMsPerDay, 5), kToday + 31 * kMsPerDay);
    EXPECT_EQ(shop.told.back().to, Segment::kOccasional);
    EXPECT_EQ(shop.told.back().sequence, announce ? 4 : 2);
    EXPECT_EQ(shop.told.back().from, Segment::kInsiders);
    const Instant told_since = announce ? kToday + 30 * kMsPerDay + 1 : kToday;
    EXPECT_EQ(shop.told.back().from_since, told_since);
  }
}

TEST(Segmenter, WhoStaysWhereTheyAreIsNoLongerProvisional) {
  Shop shop;
  shop.adopt(thirty_days(1, EpochKind::kProvisional));
  shop.take("a", test::order("1", kToday, 500), kToday);
  EXPECT_TRUE(shop.rows.at("a").provisional);
  shop.adopt(thirty_days(2, EpochKind::kFirstFit));
  EXPECT_FALSE(shop.rows.at("a").provisional);
  EXPECT_EQ(shop.told.size(), 1U);
  EXPECT_EQ(shop.rows.at("a").segment_since, kToday);
  expect_sound(shop);
}

/// What a random customer might send next.
Record random_record(Random& random, Instant now) {
  const std::string order = "o" + std::to_string(random() % 6);
  const Instant at = now - whole_between(random, 0, 3) * whole_between(random, 0, 20 * kMsPerDay);
  const std::int64_t amount = whole_between(random, 0, 90'000);
  switch (random() % 8) {
    case 0:
      return test::refund("r" + std::to_string(random() % 4), order, at, amount);
    case 1:
      return test::refund("l" + std::to_string(random() % 4), "", at, amount);
    case 2:
      return test::cancellation(order, at);
    default:
      return test::order(order, at, amount);
  }
}

class History {
 public:
  History(Recency recency, std::uint64_t seed) : recency_(recency), random_(seed) {}

  /// One step of a random history; the same steps for the same seed, whatever the shop is.
  void step(Shop& shop, bool restarts) {
    if (evaluating_ > 0) {
      shop.sweep(--evaluating_ > 0 ? random_() % 3 : SIZE_MAX);
    } else if (random_() % 12 == 0) {
      now_ = last_evaluation(now_, kMsPerDay) + whole_between(random_, 1, 9) * kMsPerDay;
      evaluating_ = 1 + random_() % 3;
      shop.begin_evaluation(now_);
    } else if (random_() % 40 == 0) {
      Epoch epoch = random_epoch(random_, recency_, 4);
      epoch.predecessor = epochs_;
      epoch.number = ++epochs_;
      epoch.instant = now_ = next_evaluation(now_, kMsPerDay);
      epoch.features.tau_ms = 15 * kMsPerDay;  // so that the sums' origin moves often
      if (epochs_ < 3) epoch.kind = EpochKind::kProvisional;
      shop.evaluate(now_);
      shop.begin_epoch(epoch);
      evaluating_ = 1 + random_() % 3;
    } else {
      now_ =
          now_ + whole_between(random_, 0, last_evaluation(now_, kMsPerDay) + kMsPerDay - now_ - 1);
      const std::string id = "c" + std::to_string(random_() % 40);
      shop.take(id, random_record(random_, now_), now_);
    }
    if (restarts) shop.reopen();
  }
  bool sweeping() const { return evaluating_ > 0; }

 private:
  Recency recency_;
  Random random_;
  Instant now_ = kToday;
  std::int64_t epochs_ = 0;
  std::size_t evaluating_ = 0;
};

bool same(const SegmentChange& a, const SegmentChange& b) {
  return a.customer_id == b.customer_id && a.sequence == b.sequence && a.from == b.from &&
         a.to == b.to && a.from_since == b.from_since && a.cause == b.cause && a.at == b.at &&
         a.decided_at == b.decided_at && a.epoch == b.epoch && a.provisional == b.provisional &&
         a.confidence == b.confidence && a.next.has_value() == b.next.has_value() &&
         (!a.next || (a.next->at == b.next->at && a.next->segment == b.next->segment));
}

TEST(Segmenter, InvariantsHoldThroughRandomHistories) {
  std::size_t told = 0;
  for (const Recency recency : kRecencies) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      SCOPED_TRACE(std::string(word(recency)) + " seed " + std::to_string(seed));
      Shop shop;
      History history(recency, seed);
      for (int i = 0; i < 400; ++i) {
        history.step(shop, false);
        ASSERT_TRUE(shop.segmenter().sums() == shop.segmenter().recount()) << i;
        if (!history.sweeping() && i % 10 == 0) expect_sound(shop);
        if (testing::Test::HasFailure()) return;
      }
      told += shop.told.size();
    }
  }
  EXPECT_GT(told, 1'000U);
}

TEST(Segmenter, ARestartAtAnyPointChangesNothing) {
  for (const Recency recency : kRecencies) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      SCOPED_TRACE(std::string(word(recency)) + " seed " + std::to_string(seed));
      Shop going, restarted;
      History one(recency, seed), other(recency, seed);
      for (int i = 0; i < 300; ++i) {
        one.step(going, false);
        other.step(restarted, true);
        ASSERT_EQ(going.segmenter().movers(), restarted.segmenter().movers()) << i;
        ASSERT_TRUE(going.segmenter().sums() == restarted.segmenter().sums()) << i;
        ASSERT_EQ(going.segmenter().origin(), restarted.segmenter().origin()) << i;
      }
      EXPECT_EQ(going.rows, restarted.rows);
      EXPECT_TRUE(std::equal(going.told.begin(), going.told.end(), restarted.told.begin(),
                             restarted.told.end(), same));
    }
  }
}

}  // namespace
}  // namespace segmentd
