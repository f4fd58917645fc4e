// What happens at a row's limits: folding beyond the remembered, sums beyond the range, unsound
// rows.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "state/core/customer.hpp"
#include "state/core/money.hpp"
#include "tests/support/customer_fixture.hpp"
#include "tests/support/records.hpp"

namespace segmentd {
namespace {

using test::cancellation;
using test::day;
using test::order;
using test::payment;
using test::refund;

using CustomerFoldTest = test::CustomerTest;

// --- folding ---

TEST_F(CustomerFoldTest, TheOldestActivityIsFoldedFirstAndFiguresStay) {
  rules.remembered_max = 2;
  apply(order("a", day(10), 100));
  apply(order("b", day(5), 50));
  apply(refund("r", "b", day(20), 10));  // b is active on day 20: a goes
  ASSERT_EQ(customer.orders.size(), 1U);
  EXPECT_EQ(customer.orders[0].order_id, "b");
  EXPECT_EQ(customer.folded.until, day(10));
  EXPECT_EQ(figures().frequency, 2);
  EXPECT_EQ(figures().monetary_minor, 140);
  EXPECT_EQ(figures().first_order_at, day(5));
  EXPECT_EQ(figures().last_order_at, day(10));
}

TEST_F(CustomerFoldTest, WhatIsNotRememberedAndNotNewerThanTheFoldIsTooOld) {
  rules.money_from_payments = true;
  rules.remembered_max = 1;
  apply(order("a", day(10), 0));
  apply(order("b", day(20), 0));
  EXPECT_EQ(apply(order("a", day(10), 0)), Applied::kTooOld);
  EXPECT_EQ(apply(order("new", day(10), 0)), Applied::kTooOld);
  EXPECT_EQ(apply(payment("p", "a", day(9), 1)), Applied::kTooOld);
  EXPECT_EQ(apply(refund("r", "a", day(10), 1)), Applied::kTooOld);
  EXPECT_EQ(apply(refund("r", "", day(10), 1)), Applied::kTooOld);
  EXPECT_EQ(apply(cancellation("a", day(8))), Applied::kTooOld);
  EXPECT_EQ(apply(order("new", day(10) + 1, 0)), Applied::kChanged);
}

TEST_F(CustomerFoldTest, ARememberedOrderTakesRecordsHoweverOld) {
  rules.remembered_max = 2;
  apply(order("a", day(10), 100));
  apply(order("b", day(20), 100));
  apply(order("c", day(30), 100));
  ASSERT_EQ(customer.folded.until, day(10));
  EXPECT_EQ(apply(order("b", day(3), 70)), Applied::kChanged);
  EXPECT_EQ(figures().monetary_minor, 270);
  EXPECT_EQ(apply(cancellation("b", day(4))), Applied::kChanged);
}

TEST_F(CustomerFoldTest, AnOrderMovedBackInTimeIsNotTakenTwiceOnceFolded) {
  rules.remembered_max = 1;
  apply(order("a", day(20), 100).v(1));
  apply(order("a", day(3), 100).v(2));
  apply(order("b", day(30), 5));
  EXPECT_EQ(customer.folded.until, day(20));
  EXPECT_EQ(apply(order("a", day(20), 100).v(1)), Applied::kTooOld);
  EXPECT_EQ(apply(order("a", day(3), 100).v(2)), Applied::kTooOld);
}

TEST_F(CustomerFoldTest, AFoldedOrderIsNotTakenAgainThroughARefundThatWaits) {
  rules.remembered_max = 3;
  apply(order("a", day(10), 100));
  for (int i = 0; i < 3; ++i) apply(order("b" + std::to_string(i), day(11 + i), 1));
  ASSERT_EQ(customer.folded.until, day(10));
  EXPECT_EQ(apply(refund("r", "a", day(20), 10)), Applied::kWaiting);
  EXPECT_EQ(apply(order("a", day(10), 100)), Applied::kTooOld);
  EXPECT_EQ(figures().frequency, 4);
}

TEST_F(CustomerFoldTest, AWaitingGroupThatIsFoldedIsDroppedAndCounted) {
  rules.money_from_payments = true;
  rules.remembered_max = 4;
  apply(payment("p", "x", day(1), 10));
  apply(refund("r", "x", day(1), 10));
  apply(cancellation("x", day(2)));
  EXPECT_EQ(entries(customer), 3);
  apply(order("a", day(10), 0));
  apply(order("b", day(10), 0));
  EXPECT_EQ(customer.folded.dropped_waiting, 3);
  EXPECT_EQ(figures().refunds, 0);
  EXPECT_EQ(figures().cancellations, 0);
  EXPECT_EQ(customer.folded.until, day(2));
}

TEST_F(CustomerFoldTest, ALateOrderMayBeFoldedAtOnce) {
  rules.remembered_max = 1;
  apply(order("a", day(10), 100));
  EXPECT_EQ(apply(order("b", day(5), 50)), Applied::kChanged);
  EXPECT_EQ(customer.folded.until, day(5));
  EXPECT_EQ(customer.orders[0].order_id, "a");
  EXPECT_EQ(figures().monetary_minor, 150);
}

TEST_F(CustomerFoldTest, TiesFoldGroupsBeforeRefundsAndThenById) {
  rules.remembered_max = 3;
  apply(refund("0", "", day(10), 1));
  apply(order("b", day(10), 1));
  apply(order("a", day(10), 1));
  apply(order("c", day(11), 1));
  EXPECT_EQ(customer.orders[0].order_id, "b");
  apply(order("d", day(12), 1));
  EXPECT_EQ(customer.orders[0].order_id, "c");
  EXPECT_EQ(customer.loose_refunds.size(), 1U);
  apply(order("e", day(13), 1));
  EXPECT_TRUE(customer.loose_refunds.empty());
  EXPECT_EQ(figures().refunds, 1);
  EXPECT_EQ(figures().monetary_minor, 4);
}

TEST_F(CustomerFoldTest, DaysAndFirstDayMoneyAreExactOverFolding) {
  int number = 0;
  for (const int d : {10, 12, 11, 14, 10, 9, 20}) {
    apply(order("o" + std::to_string(++number), day(d), 100 + d));
  }
  EXPECT_EQ(figures().purchase_days, 6);
  rules.remembered_max = 1;
  apply(order("last", day(30), 1));
  EXPECT_EQ(customer.orders.size(), 1U);
  EXPECT_EQ(figures().purchase_days, 7);
  EXPECT_EQ(figures().first_day_minor, 109);
  const std::vector<DayRun> runs{{9, 4}, {14, 1}, {20, 1}};
  EXPECT_EQ(customer.folded.days, runs);
}

TEST_F(CustomerFoldTest, AnOpenOrderOnAFoldedDayIsNoNewDay) {
  rules.remembered_max = 1;
  apply(order("a", day(10), 100));
  apply(order("b", day(10) + 5, 30));
  EXPECT_EQ(customer.folded.orders, 1);
  EXPECT_EQ(figures().purchase_days, 1);
  EXPECT_EQ(figures().first_day_minor, 130);
  apply(refund("r", "b", day(11), 30));
  EXPECT_EQ(figures().first_day_minor, 100);
}

TEST_F(CustomerFoldTest, TheNextChangeFoldsDownToASmallerLimit) {
  for (int i = 0; i < 50; ++i) apply(order("o" + std::to_string(i), day(i), 10));
  const Figures before = figures();
  rules.remembered_max = 8;
  EXPECT_EQ(apply(order("o49", day(49), 10)), Applied::kUnchanged);
  EXPECT_EQ(apply(order("o49", day(49), 11)), Applied::kChanged);
  EXPECT_EQ(entries(customer), 8);
  EXPECT_EQ(figures().frequency, before.frequency);
  EXPECT_EQ(figures().monetary_minor, before.monetary_minor + 1);
  EXPECT_EQ(customer.folded.until, day(41));
}

TEST_F(CustomerFoldTest, AnOrderLargerThanTheLimitIsFoldedWhole) {
  rules.remembered_max = 3;
  apply(order("a", day(10), 100));
  for (int i = 0; i < 3; ++i) apply(refund("r" + std::to_string(i), "a", day(11), 10));
  EXPECT_TRUE(customer.orders.empty());
  EXPECT_EQ(figures().monetary_minor, 70);
  EXPECT_EQ(figures().refunds, 3);
}

// --- overflow ---

TEST_F(CustomerFoldTest, ASumBeyondTheRangeIsRefused) {
  const std::int64_t fitting = kFigureMinorMax / kAmountMinorMax;  // 512 and a bit
  for (int i = 0; i < fitting; ++i) {
    ASSERT_EQ(apply(order("o" + std::to_string(i), day(i), kAmountMinorMax)), Applied::kChanged);
  }
  EXPECT_EQ(apply(order("x", day(600), kAmountMinorMax)), Applied::kOverflow);
  EXPECT_EQ(apply(order("x", day(600), kAmountMinorMax).not_counting()), Applied::kChanged);
  EXPECT_EQ(apply(order("x", day(600), kAmountMinorMax)), Applied::kOverflow) << "an upsert too";
  EXPECT_EQ(apply(order("y", day(601), 1)), Applied::kChanged);
}

TEST_F(CustomerFoldTest, RefundsBeyondTheRangeAreRefused) {
  rules.remembered_max = 4;
  apply(order("a", day(0), 0));
  const std::int64_t fitting = kFigureMinorMax / kAmountMinorMax;
  for (int i = 0; i < fitting; ++i) {
    const std::string id = "r" + std::to_string(i);
    ASSERT_EQ(apply(refund(id, "", day(i + 1), kAmountMinorMax)), Applied::kChanged);
  }
  EXPECT_EQ(apply(refund("x", "", day(600), kAmountMinorMax)), Applied::kOverflow);
  apply(order("b", day(600), 5));
  EXPECT_EQ(apply(refund("x", "b", day(600), kAmountMinorMax)), Applied::kOverflow);
}

TEST_F(CustomerFoldTest, AnOrderThatWouldOverflowThroughWhatWaitsIsRefused) {
  rules.money_from_payments = true;
  rules.remembered_max = 2000;
  const std::int64_t beyond = kFigureMinorMax / kAmountMinorMax + 1;
  for (int i = 0; i < beyond; ++i) {
    const std::string id = "p" + std::to_string(i);
    ASSERT_EQ(segmentd::apply(customer, payment(id, "a", day(1), kAmountMinorMax), rules),
              Applied::kWaiting);
  }
  EXPECT_EQ(apply(order("a", day(1), 0)), Applied::kOverflow);
}

// --- check ---

TEST_F(CustomerFoldTest, CheckNamesWhatIsWrong) {
  rules.remembered_max = 2;
  for (int i = 0; i < 4; ++i) apply(order("o" + std::to_string(i), day(i), 10));
  const auto wrong = [this](auto&& spoil) {
    Customer spoilt = customer;
    spoil(spoilt);
    return check(spoilt, rules);
  };
  EXPECT_NE(wrong([](Customer& c) { c.figures.frequency += 1; }), "");                      // C1
  EXPECT_NE(wrong([](Customer& c) { c.orders[0].newest = c.orders[0].at = day(0); }), "");  // C2
  EXPECT_NE(wrong([](Customer& c) { c.figures.monetary_minor += 1; }), "");                 // C4
  EXPECT_NE(wrong([](Customer& c) { std::swap(c.orders[0], c.orders[1]); }), "");
  EXPECT_NE(wrong([](Customer& c) { c.orders[0].order_id.clear(); }), "");
  EXPECT_NE(wrong([](Customer& c) { c.orders[0].amount_minor = -1; }), "");
  EXPECT_NE(wrong([](Customer& c) { c.folded.days.push_back({1, 1}); }), "");
  EXPECT_NE(wrong([](Customer& c) { c.folded.until.reset(); }), "");
  EXPECT_NE(wrong([](Customer& c) { c.orders[1].known = false; }), "");
  EXPECT_NE(wrong([](Customer& c) { c.updated_at = kLastInstant + 1; }), "");
}

}  // namespace
}  // namespace segmentd
