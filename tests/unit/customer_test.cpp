// What each record does to a customer's row: contract "What a record means", case by case.
#include "state/core/customer.hpp"

#include <gtest/gtest.h>

#include "tests/support/customer_fixture.hpp"
#include "tests/support/records.hpp"

namespace segmentd {
namespace {

using test::cancellation;
using test::day;
using test::order;
using test::payment;
using test::refund;

using CustomerTest = test::CustomerTest;

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

}  // namespace
}  // namespace segmentd
