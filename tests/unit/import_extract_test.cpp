// The shipped extract against figures that were worked out elsewhere.
#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "daemon/import/import.hpp"
#include "tests/support/collecting_sink.hpp"
#include "tests/support/online_retail.hpp"
#include "tests/support/rfm_oracle.hpp"

namespace segmentd {
namespace {

using test::CollectingSink;
using test::expect_online_retail;
using test::extract_options;
using test::import_into;
using test::OracleCustomer;
using test::RfmOracle;

TEST(OnlineRetail, TheExtractHasItsPublishedFigures) {
  CollectingSink sink;
  const ImportSummary summary = import_into(extract_options(), sink);
  expect_online_retail(summary);
  std::size_t without_key = 0;
  for (const auto& put : sink.puts) {
    if (!put.key) ++without_key;
    EXPECT_EQ(!put.key, put.json.find(R"("customer_id":null)") != std::string::npos) << put.json;
  }
  EXPECT_EQ(without_key, 3'707U);
}

TEST(OnlineRetail, CustomersOfTheExtractHaveTheirPublishedFigures) {
  CollectingSink sink;
  import_into(extract_options(), sink);
  RfmOracle oracle({.decimals = 3});
  oracle.add_lines(sink.ndjson());
  EXPECT_EQ(oracle.anonymous().orders, 3'525);
  EXPECT_EQ(oracle.anonymous().refunds, 182);
  const std::map<std::string, OracleCustomer> customers = oracle.customers();
  EXPECT_EQ(customers.size(), 4'372U);
  std::int64_t orders = 0, most = 0, money_with_order = 0, money_without_order = 0;
  std::size_t with_order = 0;
  for (const auto& [id, customer] : customers) {
    orders += customer.frequency;
    most = std::max(most, customer.frequency);
    (customer.frequency > 0 ? money_with_order : money_without_order) += customer.monetary_minor;
    if (customer.frequency > 0) ++with_order;
    EXPECT_EQ(customer.last_order_at.has_value(), customer.frequency > 0) << id;
  }
  EXPECT_EQ(orders, 18'536);
  EXPECT_EQ(with_order, 4'339U);
  EXPECT_EQ(money_with_order, 8'310'477'054);
  EXPECT_EQ(money_without_order, -10'411'240);
  EXPECT_EQ(customers.at("14646").frequency, 74);
  EXPECT_EQ(customers.at("14646").monetary_minor, 279'489'020);
  EXPECT_EQ(customers.at("12748").frequency, 210);
  EXPECT_EQ(most, 210);
  EXPECT_EQ(customers.at("13256").frequency, 1);
  EXPECT_EQ(customers.at("13256").monetary_minor, 0);
  EXPECT_EQ(customers.at("12346").frequency, 1);
  EXPECT_EQ(customers.at("12346").monetary_minor, 0);
}

TEST(OnlineRetail, FourSalesToCustomersCostNothing) {
  CollectingSink sink;
  import_into(extract_options(), sink);
  int free = 0;
  for (const auto& put : sink.puts) {
    if (put.key && put.json.find(R"("type":"order")") != std::string::npos &&
        put.json.find(R"("amount":"0.000")") != std::string::npos) {
      ++free;
    }
  }
  EXPECT_EQ(free, 4);
}

}  // namespace
}  // namespace segmentd
