// The oracle that other tests trust, on histories small enough to work out by hand.
#include "tests/support/rfm_oracle.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace segmentd::test {
namespace {

std::string order(const std::string& id, const std::string& at, const std::string& amount,
                  const std::string& more = "") {
  return R"({"type":"order","customer_id":"c","order_id":")" + id + R"(","ordered_at":")" + at +
         R"(","amount":")" + amount + R"(","currency":"GBP")" + more + "}";
}

std::string refund(const std::string& id, const std::string& amount, const std::string& of = "") {
  return R"({"type":"refund","customer_id":"c","refund_id":")" + id + R"(","amount":")" + amount +
         R"(","refunded_at":"2011-02-01T00:00:00Z","currency":"GBP")" +
         (of.empty() ? "" : R"(,"order_id":")" + of + "\"") + "}";
}

std::string payment(const std::string& id, const std::string& amount, const std::string& of) {
  return R"({"type":"payment","customer_id":"c","payment_id":")" + id + R"(","amount":")" + amount +
         R"(","paid_at":"2011-02-01T00:00:00Z","currency":"GBP","order_id":")" + of + "\"}";
}

std::string cancellation(const std::string& of) {
  return R"({"type":"cancellation","customer_id":"c","cancelled_at":"2011-02-01T00:00:00Z","order_id":")" +
         of + "\"}";
}

OracleCustomer measured(const std::vector<std::string>& records, OracleSettings settings = {}) {
  RfmOracle oracle(std::move(settings));
  for (const std::string& record : records) oracle.add(record);
  return oracle.customers().at("c");
}

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t k2011 = 1'293'840'000'000;

TEST(RfmOracle, OrdersInAnyArrival) {
  std::vector<std::string> records{order("1", "2011-01-01T23:59:59.999Z", "10.50"),
                                   order("2", "2011-01-02T01:00:00+01:00", "0"),
                                   order("3", "2011-01-03T00:00:00Z", "2")};
  std::sort(records.begin(), records.end());
  do {
    const OracleCustomer c = measured(records);
    EXPECT_EQ(c.frequency, 3);
    EXPECT_EQ(c.monetary_minor, 1250);
    EXPECT_EQ(c.first_order_at, k2011 + kDay - 1);
    EXPECT_EQ(c.last_order_at, k2011 + 2 * kDay);
    EXPECT_EQ(c.purchase_days.size(), 3U);
    EXPECT_EQ(c.first_day_minor, 1050);
    EXPECT_TRUE(c.squared_minor == 1050 * 1050 + 200 * 200);
  } while (std::next_permutation(records.begin(), records.end()));
}

TEST(RfmOracle, TheLaterOrderRecordWinsUnlessItsVersionIsLower) {
  EXPECT_EQ(
      measured({order("1", "2011-01-01T00:00:00Z", "1"), order("1", "2011-01-01T00:00:00Z", "2")})
          .monetary_minor,
      200);
  const std::string newer = order("1", "2011-01-02T00:00:00Z", "3", R"(,"version":3)");
  const std::string older = order("1", "2011-01-01T00:00:00Z", "2", R"(,"version":2)");
  EXPECT_EQ(measured({newer, older}).monetary_minor, 300);
  EXPECT_EQ(measured({older, newer}).monetary_minor, 300);
  EXPECT_EQ(measured({older, newer}).frequency, 1);
}

TEST(RfmOracle, AStatusThatDoesNotCountHasNoMoneyWhateverWasRefunded) {
  const OracleCustomer c = measured(
      {order("1", "2011-01-01T00:00:00Z", "5", R"(,"status":"shipped")"), refund("r", "5", "1"),
       order("2", "2011-01-01T00:00:00Z", "7", R"(,"status":"DELIVERED")")});
  EXPECT_EQ(c.frequency, 1);
  EXPECT_EQ(c.monetary_minor, 700);
  EXPECT_EQ(c.refunded_minor, 0);
}

TEST(RfmOracle, RefundsCountOnceAndAWholeOneEndsTheOrder) {
  std::vector<std::string> records{order("1", "2011-01-01T00:00:00Z", "5"),
                                   order("2", "2011-01-03T00:00:00Z", "7"), refund("r1", "4", "2"),
                                   refund("r2", "3.50", "2"), refund("r2", "3.50", "2")};
  std::sort(records.begin(), records.end());
  do {
    const OracleCustomer c = measured(records);
    EXPECT_EQ(c.frequency, 1);
    EXPECT_EQ(c.last_order_at, k2011);
    EXPECT_EQ(c.monetary_minor, 450);
    EXPECT_EQ(c.refunds, 2);
  } while (std::next_permutation(records.begin(), records.end()));
}

TEST(RfmOracle, ARefundOfAnUnknownOrderWaitsAndOneWithoutOrderLowersMoneyOnly) {
  EXPECT_EQ(measured({refund("r", "4", "9")}).monetary_minor, 0);
  const OracleCustomer c =
      measured({refund("r", "9"), refund("r", "9"), order("1", "2011-01-01T00:00:00Z", "5")});
  EXPECT_EQ(c.frequency, 1);
  EXPECT_EQ(c.monetary_minor, -400);
}

TEST(RfmOracle, AZeroPricedOrderCounts) {
  EXPECT_EQ(measured({order("1", "2011-01-01T00:00:00Z", "0")}).frequency, 1);
  EXPECT_EQ(measured({order("1", "2011-01-01T00:00:00Z", "0"), refund("r", "0", "1")}).frequency,
            1);
}

TEST(RfmOracle, ACancellationEndsTheOrderUnlessAHigherVersionComes) {
  const std::string v1 = order("1", "2011-01-01T00:00:00Z", "1", R"(,"version":1)");
  const std::string v2 = order("1", "2011-01-01T00:00:00Z", "2", R"(,"version":2)");
  EXPECT_EQ(measured({v1, cancellation("1")}).frequency, 0);
  EXPECT_EQ(measured({cancellation("1"), v1}).frequency, 0);
  EXPECT_EQ(measured({v1, cancellation("1"), v1}).frequency, 0);
  EXPECT_EQ(measured({v1, cancellation("1"), v2}).monetary_minor, 200);
  EXPECT_EQ(measured({cancellation("1"), v1, v2}).monetary_minor, 200);
  EXPECT_EQ(measured({v1, v2, cancellation("1")}).cancellations, 1);
}

TEST(RfmOracle, PaymentsAreTheMoneyWhereTheyAreToldToBe) {
  const std::vector<std::string> records{payment("p1", "3", "1"),
                                         order("1", "2011-01-01T00:00:00Z", "9"),
                                         payment("p2", "2.50", "1"), payment("p1", "3", "1")};
  EXPECT_EQ(measured(records).monetary_minor, 900);
  EXPECT_EQ(measured(records, {.money_is_payments = true}).monetary_minor, 550);
}

TEST(RfmOracle, NobodyIsNoCustomer) {
  RfmOracle oracle;
  oracle.add(
      R"({"order_id":1,"customer_id":null,"ordered_at":"2011-01-01T00:00:00Z","amount":"3"})");
  oracle.add(
      R"({"order_id":1,"customer_id":17850,"ordered_at":"2011-01-01T00:00:00Z","amount":"3"})");
  EXPECT_EQ(oracle.anonymous().ordered_minor, 300);
  EXPECT_EQ(oracle.customers().size(), 1U);
  EXPECT_EQ(oracle.customers().begin()->first, "17850");
}

TEST(RfmOracle, RefusesWhatIsNoRecord) {
  EXPECT_THROW(measured({"{"}), std::runtime_error);
  EXPECT_THROW(measured({order("1", "2011-01-01", "1")}), std::runtime_error);
  EXPECT_THROW(measured({order("1", "2011-01-01T00:00:00Z", "1.001")}), std::runtime_error);
}

}  // namespace
}  // namespace segmentd::test
