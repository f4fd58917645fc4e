// What each record does to a customer's row: contract "What a record means", case by case.
#include "state/core/customer.hpp"

#include <gtest/gtest.h>

#include "state/core/money.hpp"
#include "tests/support/records.hpp"

namespace segmentd {
namespace {

using test::cancellation;
using test::day;
using test::order;
using test::payment;
using test::refund;

class CustomerTest : public ::testing::Test {
 protected:
  Applied apply(const Record& record) {
    const Customer before = customer;
    const Applied applied = segmentd::apply(customer, record, rules);
    EXPECT_EQ(check(customer, rules), "");
    const bool same = applied == Applied::kUnchanged || applied == Applied::kStale ||
                      applied == Applied::kTooOld || applied == Applied::kOverflow;
    EXPECT_EQ(same, customer == before);
    if (applied == Applied::kWaiting) {
      EXPECT_EQ(customer.figures, before.figures);
    }
    return applied;
  }
  const Figures& figures() const { return customer.figures; }

  Customer customer = test::nobody();
  Rules rules;
};

// --- orders ---

TEST_F(CustomerTest, AnOrderSetsEveryFigure) {
  EXPECT_EQ(apply(order("a", day(10), 1250)), Applied::kChanged);
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().monetary_minor, 1250);
  EXPECT_EQ(figures().first_order_at, day(10));
  EXPECT_EQ(figures().last_order_at, day(10));
  EXPECT_EQ(figures().gross_minor, 1250);
  EXPECT_EQ(figures().refunded_minor, 0);
  EXPECT_EQ(figures().purchase_days, 1);
  EXPECT_EQ(figures().first_day_minor, 1250);
  EXPECT_EQ(figures().squared_minor, (Sum128{1250 * 1250, 0}));
}

TEST_F(CustomerTest, TheSameOrderAgainChangesNothing) {
  apply(order("a", day(10), 1250));
  EXPECT_EQ(apply(order("a", day(10), 1250)), Applied::kUnchanged);
  apply(order("b", day(11), 5).v(3));
  EXPECT_EQ(apply(order("b", day(11), 5).v(3)), Applied::kUnchanged);
}

TEST_F(CustomerTest, AnOlderOrderNeverMovesRecencyForward) {
  apply(order("a", day(10), 100));
  EXPECT_EQ(apply(order("b", day(5), 100)), Applied::kChanged);
  EXPECT_EQ(figures().last_order_at, day(10));
  EXPECT_EQ(figures().first_order_at, day(5));
  EXPECT_EQ(figures().frequency, 2);
}

TEST_F(CustomerTest, AnOrderIsAnUpsert) {
  apply(order("a", day(10), 100));
  EXPECT_EQ(apply(order("a", day(12), 70)), Applied::kChanged);
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().monetary_minor, 70);
  EXPECT_EQ(figures().last_order_at, day(12));
}

TEST_F(CustomerTest, ALowerVersionIsStale) {
  apply(order("a", day(10), 100).v(5));
  EXPECT_EQ(apply(order("a", day(10), 1).v(4)), Applied::kStale);
  EXPECT_EQ(figures().monetary_minor, 100);
}

TEST_F(CustomerTest, AnEqualVersionTheLaterWins) {
  apply(order("a", day(10), 100).v(5));
  EXPECT_EQ(apply(order("a", day(10), 1).v(5)), Applied::kChanged);
  EXPECT_EQ(figures().monetary_minor, 1);
}

TEST_F(CustomerTest, WithoutVersionTheLaterWinsAndTheHighestVersionStays) {
  apply(order("a", day(10), 100).v(5));
  EXPECT_EQ(apply(order("a", day(10), 40)), Applied::kChanged);
  EXPECT_EQ(figures().monetary_minor, 40);
  EXPECT_EQ(customer.orders[0].version, 5);
  EXPECT_EQ(apply(order("a", day(10), 1).v(4)), Applied::kStale);
}

TEST_F(CustomerTest, AStaleRecordNewerThanItsOrderKeepsTheOrderOpen) {
  apply(order("a", day(10), 100).v(2));
  EXPECT_EQ(apply(order("a", day(20), 7).v(1)), Applied::kChanged);
  EXPECT_EQ(figures().monetary_minor, 100);
  EXPECT_EQ(customer.orders[0].newest, day(20));
  EXPECT_EQ(apply(order("a", day(20), 7).v(1)), Applied::kStale);
}

TEST_F(CustomerTest, AStatusThatDoesNotCountHasNoMoneyAndNoFrequency) {
  EXPECT_EQ(apply(order("a", day(10), 100).not_counting()), Applied::kChanged);
  EXPECT_EQ(figures().frequency, 0);
  EXPECT_EQ(figures().gross_minor, 0);
  EXPECT_EQ(figures().last_order_at, std::nullopt);
  apply(refund("r", "a", day(11), 30));
  EXPECT_EQ(figures().refunded_minor, 0);
  EXPECT_EQ(figures().refunds, 1);
  apply(order("a", day(10), 100));
  EXPECT_EQ(figures().monetary_minor, 70);
}

TEST_F(CustomerTest, WhenTheNewestStopsCountingRecencyGoesBack) {
  apply(order("a", day(10), 100));
  apply(order("b", day(20), 100));
  apply(order("b", day(20), 100).not_counting());
  EXPECT_EQ(figures().last_order_at, day(10));
  EXPECT_EQ(figures().purchase_days, 1);
  apply(order("a", day(10), 100).not_counting());
  EXPECT_EQ(figures().last_order_at, std::nullopt);
  EXPECT_EQ(figures().first_day_minor, 0);
}

TEST_F(CustomerTest, AZeroPricedOrderCounts) {
  apply(order("a", day(10), 0));
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().monetary_minor, 0);
}

// --- payments ---

TEST_F(CustomerTest, PaymentsAreNotKeptWhereAmountIsMoney) {
  apply(order("a", day(10), 100));
  EXPECT_EQ(apply(payment("p", "a", day(10), 60)), Applied::kUnchanged);
  EXPECT_EQ(apply(payment("p", "unknown", day(10), 60)), Applied::kUnchanged);
  EXPECT_EQ(figures().monetary_minor, 100);
}

TEST_F(CustomerTest, WithPaymentsAsMoneyTheAmountIsNot) {
  rules.money_from_payments = true;
  apply(order("a", day(10), 100));
  EXPECT_EQ(figures().monetary_minor, 0);
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(apply(payment("p", "a", day(10), 60)), Applied::kChanged);
  EXPECT_EQ(apply(payment("q", "a", day(11), 15)), Applied::kChanged);
  EXPECT_EQ(apply(payment("p", "a", day(10), 60)), Applied::kUnchanged);
  EXPECT_EQ(figures().monetary_minor, 75);
  EXPECT_EQ(figures().last_order_at, day(10)) << "recency is the order's";
}

TEST_F(CustomerTest, APaymentWaitsForItsOrder) {
  rules.money_from_payments = true;
  EXPECT_EQ(apply(payment("p", "a", day(10), 60)), Applied::kWaiting);
  EXPECT_EQ(apply(payment("p", "a", day(10), 60)), Applied::kUnchanged);
  EXPECT_EQ(figures(), Figures{});
  EXPECT_EQ(apply(order("a", day(9), 1)), Applied::kChanged);
  EXPECT_EQ(figures().monetary_minor, 60);
}

TEST_F(CustomerTest, PaymentAndRefundIdsAreOfTheirOrder) {
  rules.money_from_payments = true;
  apply(order("a", day(10), 0));
  apply(order("b", day(10), 0));
  EXPECT_EQ(apply(payment("x", "a", day(10), 60)), Applied::kChanged);
  EXPECT_EQ(apply(payment("x", "b", day(10), 60)), Applied::kChanged);
  EXPECT_EQ(apply(refund("x", "a", day(11), 10)), Applied::kChanged);
  EXPECT_EQ(apply(refund("x", "b", day(11), 10)), Applied::kChanged);
  EXPECT_EQ(apply(refund("x", "", day(11), 10)), Applied::kChanged);
  EXPECT_EQ(figures().monetary_minor, 90);
}

// --- refunds ---

TEST_F(CustomerTest, ARefundLowersItsOrder) {
  apply(order("a", day(10), 100));
  EXPECT_EQ(apply(refund("r", "a", day(12), 30)), Applied::kChanged);
  EXPECT_EQ(apply(refund("r", "a", day(12), 30)), Applied::kUnchanged);
  EXPECT_EQ(figures().monetary_minor, 70);
  EXPECT_EQ(figures().gross_minor, 100);
  EXPECT_EQ(figures().refunded_minor, 30);
  EXPECT_EQ(figures().refunds, 1);
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().last_order_at, day(10)) << "a refund is no purchase";
  EXPECT_EQ(figures().first_day_minor, 100) << "gross";
  EXPECT_EQ(figures().squared_minor, (Sum128{70 * 70, 0}));
}

TEST_F(CustomerTest, AnOrderRefundedWholeCountsForMoneyOnly) {
  apply(order("a", day(10), 100));
  apply(order("b", day(20), 100));
  apply(refund("r1", "b", day(21), 60));
  EXPECT_EQ(figures().frequency, 2);
  apply(refund("r2", "b", day(21), 40));
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().last_order_at, day(10));
  EXPECT_EQ(figures().purchase_days, 1);
  EXPECT_EQ(figures().squared_minor, (Sum128{100 * 100, 0}));
  EXPECT_EQ(figures().monetary_minor, 100);
  EXPECT_EQ(figures().gross_minor, 200);
  EXPECT_EQ(figures().refunded_minor, 100);
}

TEST_F(CustomerTest, RefundsAreNotCapped) {
  apply(order("a", day(10), 100));
  apply(refund("r", "a", day(11), 250));
  EXPECT_EQ(figures().monetary_minor, -150);
  EXPECT_EQ(figures().frequency, 0);
}

TEST_F(CustomerTest, AZeroPricedOrderWithARefundIsNotRefundedWhole) {
  apply(order("a", day(10), 0));
  apply(refund("r", "a", day(11), 20));
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().monetary_minor, -20);
  EXPECT_EQ(figures().squared_minor, (Sum128{400, 0}));
}

TEST_F(CustomerTest, ARefundOfNothingDoesNotEndAZeroPricedOrder) {
  apply(order("a", day(10), 0));
  apply(refund("r", "a", day(11), 0));
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().refunds, 1);
}

TEST_F(CustomerTest, ARefundWithoutOrderLowersMonetaryOnly) {
  apply(order("a", day(10), 100));
  EXPECT_EQ(apply(refund("r", "", day(12), 100)), Applied::kChanged);
  EXPECT_EQ(apply(refund("r", "", day(12), 100)), Applied::kUnchanged);
  EXPECT_EQ(figures().monetary_minor, 0);
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().last_order_at, day(10));
  EXPECT_EQ(figures().squared_minor, (Sum128{100 * 100, 0}));
}

TEST_F(CustomerTest, RefundsAloneMakeACustomerWithoutOrders) {
  apply(refund("r", "", day(12), 100));
  EXPECT_EQ(figures().monetary_minor, -100);
  EXPECT_EQ(figures().frequency, 0);
  EXPECT_EQ(figures().last_order_at, std::nullopt);
}

TEST_F(CustomerTest, ARefundWaitsForItsOrder) {
  EXPECT_EQ(apply(refund("r", "a", day(12), 30)), Applied::kWaiting);
  EXPECT_EQ(figures().refunds, 0);
  apply(order("a", day(10), 100));
  EXPECT_EQ(figures().monetary_minor, 70);
  EXPECT_EQ(figures().refunds, 1);
}

// --- cancellations ---

TEST_F(CustomerTest, ACancellationEndsItsOrder) {
  apply(order("a", day(10), 100).v(1));
  apply(refund("r", "a", day(10), 40));
  EXPECT_EQ(apply(cancellation("a", day(11))), Applied::kChanged);
  EXPECT_EQ(apply(cancellation("a", day(11))), Applied::kUnchanged);
  EXPECT_EQ(figures().frequency, 0);
  EXPECT_EQ(figures().monetary_minor, 0);
  EXPECT_EQ(figures().cancellations, 1);
  EXPECT_EQ(figures().refunds, 1);
}

TEST_F(CustomerTest, ACancelledOrderStaysEndedWithoutAHigherVersion) {
  apply(order("a", day(10), 100).v(2));
  apply(cancellation("a", day(11)));
  EXPECT_EQ(apply(order("a", day(10), 80).v(2)), Applied::kChanged) << "its fields are taken over";
  EXPECT_EQ(apply(order("a", day(10), 90)), Applied::kChanged);
  EXPECT_EQ(figures().frequency, 0);
  EXPECT_EQ(figures().monetary_minor, 0);
}

TEST_F(CustomerTest, AHigherVersionRevivesACancelledOrder) {
  apply(order("a", day(10), 100).v(2));
  apply(cancellation("a", day(11)));
  EXPECT_EQ(apply(order("a", day(10), 90).v(3)), Applied::kChanged);
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(figures().monetary_minor, 90);
  EXPECT_EQ(figures().cancellations, 0);
}

TEST_F(CustomerTest, AVersionRevivesAnOrderCancelledWithoutOne) {
  apply(order("a", day(10), 100));
  apply(cancellation("a", day(11)));
  EXPECT_EQ(apply(order("a", day(10), 100)), Applied::kUnchanged);
  EXPECT_EQ(figures().frequency, 0);
  apply(order("a", day(10), 100).v(1));
  EXPECT_EQ(figures().frequency, 1);
}

TEST_F(CustomerTest, TheSameCancellationDoesNotEndARevivedOrderAgain) {
  apply(order("a", day(10), 100).v(2));
  apply(cancellation("a", day(11)));
  apply(order("a", day(10), 100).v(3));
  EXPECT_EQ(apply(cancellation("a", day(11))), Applied::kUnchanged);
  EXPECT_EQ(figures().frequency, 1);
  EXPECT_EQ(apply(cancellation("a", day(13))), Applied::kChanged);
  EXPECT_EQ(figures().frequency, 0);
}

TEST_F(CustomerTest, ACancellationWaitsAndEndsTheFirstVersionToCome) {
  EXPECT_EQ(apply(cancellation("a", day(11))), Applied::kWaiting);
  EXPECT_EQ(figures().cancellations, 0);
  EXPECT_EQ(apply(order("a", day(10), 100).v(4)), Applied::kChanged);
  EXPECT_EQ(figures().frequency, 0);
  EXPECT_EQ(figures().cancellations, 1);
  EXPECT_EQ(apply(order("a", day(10), 100).v(4)), Applied::kUnchanged);
  apply(order("a", day(10), 100).v(5));
  EXPECT_EQ(figures().frequency, 1);
}

// --- days ---

TEST_F(CustomerTest, PurchaseDaysAreDistinctLocalDays) {
  apply(order("a", day(10), 100));
  apply(order("b", day(10) + 3 * kMsPerHour, 50));
  apply(order("c", day(12), 7));
  EXPECT_EQ(figures().purchase_days, 2);
  EXPECT_EQ(figures().first_day_minor, 150);
  Record late = order("d", day(10) + 23 * kMsPerHour, 1);
  late.local_day = 11;  // already the next day where the shop is
  apply(late);
  EXPECT_EQ(figures().purchase_days, 3);
  EXPECT_EQ(figures().first_day_minor, 150);
}

TEST_F(CustomerTest, FirstDayMoneyFollowsTheEarliestCountingDay) {
  apply(order("b", day(12), 50));
  apply(order("a", day(10), 100));
  EXPECT_EQ(figures().first_day_minor, 100);
  apply(cancellation("a", day(13)));
  EXPECT_EQ(figures().first_day_minor, 50);
}

// --- folding ---

TEST_F(CustomerTest, TheOldestActivityIsFoldedFirstAndFiguresStay) {
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

TEST_F(CustomerTest, WhatIsNotRememberedAndNotNewerThanTheFoldIsTooOld) {
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

TEST_F(CustomerTest, ARememberedOrderTakesRecordsHoweverOld) {
  rules.remembered_max = 2;
  apply(order("a", day(10), 100));
  apply(order("b", day(20), 100));
  apply(order("c", day(30), 100));
  ASSERT_EQ(customer.folded.until, day(10));
  EXPECT_EQ(apply(order("b", day(3), 70)), Applied::kChanged);
  EXPECT_EQ(figures().monetary_minor, 270);
  EXPECT_EQ(apply(cancellation("b", day(4))), Applied::kChanged);
}

TEST_F(CustomerTest, AnOrderMovedBackInTimeIsNotTakenTwiceOnceFolded) {
  rules.remembered_max = 1;
  apply(order("a", day(20), 100).v(1));
  apply(order("a", day(3), 100).v(2));
  apply(order("b", day(30), 5));
  EXPECT_EQ(customer.folded.until, day(20));
  EXPECT_EQ(apply(order("a", day(20), 100).v(1)), Applied::kTooOld);
  EXPECT_EQ(apply(order("a", day(3), 100).v(2)), Applied::kTooOld);
}

TEST_F(CustomerTest, AFoldedOrderIsNotTakenAgainThroughARefundThatWaits) {
  rules.remembered_max = 3;
  apply(order("a", day(10), 100));
  for (int i = 0; i < 3; ++i) apply(order("b" + std::to_string(i), day(11 + i), 1));
  ASSERT_EQ(customer.folded.until, day(10));
  EXPECT_EQ(apply(refund("r", "a", day(20), 10)), Applied::kWaiting);
  EXPECT_EQ(apply(order("a", day(10), 100)), Applied::kTooOld);
  EXPECT_EQ(figures().frequency, 4);
}

TEST_F(CustomerTest, AWaitingGroupThatIsFoldedIsDroppedAndCounted) {
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

TEST_F(CustomerTest, ALateOrderMayBeFoldedAtOnce) {
  rules.remembered_max = 1;
  apply(order("a", day(10), 100));
  EXPECT_EQ(apply(order("b", day(5), 50)), Applied::kChanged);
  EXPECT_EQ(customer.folded.until, day(5));
  EXPECT_EQ(customer.orders[0].order_id, "a");
  EXPECT_EQ(figures().monetary_minor, 150);
}

TEST_F(CustomerTest, TiesFoldGroupsBeforeRefundsAndThenById) {
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

TEST_F(CustomerTest, DaysAndFirstDayMoneyAreExactOverFolding) {
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

TEST_F(CustomerTest, AnOpenOrderOnAFoldedDayIsNoNewDay) {
  rules.remembered_max = 1;
  apply(order("a", day(10), 100));
  apply(order("b", day(10) + 5, 30));
  EXPECT_EQ(customer.folded.orders, 1);
  EXPECT_EQ(figures().purchase_days, 1);
  EXPECT_EQ(figures().first_day_minor, 130);
  apply(refund("r", "b", day(11), 30));
  EXPECT_EQ(figures().first_day_minor, 100);
}

TEST_F(CustomerTest, TheNextChangeFoldsDownToASmallerLimit) {
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

TEST_F(CustomerTest, AnOrderLargerThanTheLimitIsFoldedWhole) {
  rules.remembered_max = 3;
  apply(order("a", day(10), 100));
  for (int i = 0; i < 3; ++i) apply(refund("r" + std::to_string(i), "a", day(11), 10));
  EXPECT_TRUE(customer.orders.empty());
  EXPECT_EQ(figures().monetary_minor, 70);
  EXPECT_EQ(figures().refunds, 3);
}

// --- overflow ---

TEST_F(CustomerTest, ASumBeyondTheRangeIsRefused) {
  const std::int64_t fitting = kFigureMinorMax / kAmountMinorMax;  // 512 and a bit
  for (int i = 0; i < fitting; ++i) {
    ASSERT_EQ(apply(order("o" + std::to_string(i), day(i), kAmountMinorMax)), Applied::kChanged);
  }
  EXPECT_EQ(apply(order("x", day(600), kAmountMinorMax)), Applied::kOverflow);
  EXPECT_EQ(apply(order("x", day(600), kAmountMinorMax).not_counting()), Applied::kChanged);
  EXPECT_EQ(apply(order("x", day(600), kAmountMinorMax)), Applied::kOverflow) << "an upsert too";
  EXPECT_EQ(apply(order("y", day(601), 1)), Applied::kChanged);
}

TEST_F(CustomerTest, RefundsBeyondTheRangeAreRefused) {
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

TEST_F(CustomerTest, AnOrderThatWouldOverflowThroughWhatWaitsIsRefused) {
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

// --- causes ---

TEST(CauseOf, RefundsAndCancellationsAreRefunds) {
  EXPECT_EQ(cause_of(refund("r", "a", day(1), 5), {}, {}), Cause::kRefund);
  EXPECT_EQ(cause_of(cancellation("a", day(1)), {}, {}), Cause::kRefund);
}

TEST(CauseOf, AnOrderOrPaymentThatLoweredIsARefund) {
  Figures more;
  more.frequency = 2;
  more.monetary_minor = 100;
  Figures less_money = more;
  less_money.monetary_minor = 99;
  Figures less_often = more;
  less_often.frequency = 1;
  const Record o = order("a", day(1), 5);
  const Record p = payment("p", "a", day(1), 5);
  EXPECT_EQ(cause_of(o, more, less_money), Cause::kRefund);
  EXPECT_EQ(cause_of(o, more, less_often), Cause::kRefund);
  EXPECT_EQ(cause_of(p, more, less_money), Cause::kRefund);
  EXPECT_EQ(cause_of(o, less_money, more), Cause::kOrder);
  EXPECT_EQ(cause_of(p, less_often, more), Cause::kOrder);
  EXPECT_EQ(cause_of(o, more, more), Cause::kOrder);
}

// --- check ---

TEST_F(CustomerTest, CheckNamesWhatIsWrong) {
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
