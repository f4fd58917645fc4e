// Imports of histories that are not shipped, against figures that were worked out elsewhere. They
// lie in the folder that SEGMENTD_DATA names; without it all of this is skipped.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/import/byte_source.hpp"
#include "daemon/import/delimited_reader.hpp"
#include "daemon/import/import.hpp"
#include "state/core/money.hpp"
#include "tests/support/collecting_sink.hpp"
#include "tests/support/online_retail.hpp"
#include "tests/support/rfm_oracle.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

using test::CollectingSink;
using test::expect_online_retail;
using test::extract_options;
using test::import_into;
using test::kExtract;
using test::RfmOracle;
using test::TempDirectory;

/// Where `name` lies in the folder SEGMENTD_DATA; empty = not there.
std::string data_file(const std::string& name) {
  const char* const folder = std::getenv("SEGMENTD_DATA");
  if (folder == nullptr) return "";
  const std::string path = std::string(folder) + "/" + name;
  return std::filesystem::exists(path) ? path : "";
}

#define SKIP_WITHOUT(path, name) \
  if ((path).empty())            \
  GTEST_SKIP() << "SEGMENTD_DATA names no folder with " << (name) << ": nothing to import"

TEST(OnlineRetail, RawFileGivesTheSameBytesAsTheExtract) {
  const std::string raw = data_file("online_retail.csv.xz");
  SKIP_WITHOUT(raw, "online_retail.csv.xz");
  CollectingSink of_extract;
  import_into(extract_options(), of_extract);
  ImportOptions options;
  options.input = raw;
  options.layout = Layout::kOnlineRetail;
  CollectingSink of_raw;
  const ImportSummary summary = import_into(options, of_raw);
  EXPECT_EQ(summary.rows, 541'909U);
  expect_online_retail(summary);
  EXPECT_TRUE(of_raw.ndjson() == of_extract.ndjson());
}

TEST(OnlineRetail, TheExtractCanBeMadeAgainFromTheRawFile) {
  const std::string raw = data_file("online_retail.csv.xz");
  SKIP_WITHOUT(raw, "online_retail.csv.xz");
  const TempDirectory directory;
  ImportOptions options;
  options.input = raw;
  options.layout = Layout::kOnlineRetail;
  auto sink = FileSink::open(directory.path("extract.csv"));
  ASSERT_TRUE(sink);
  const Result<ImportSummary> summary = write_extract(options, **sink);
  ASSERT_TRUE(summary);
  expect_online_retail(*summary);
  Result<ByteSource> shipped = ByteSource::open(kExtract);
  ASSERT_TRUE(shipped);
  std::string bytes(2'000'000, '\0');
  std::size_t used = 0;
  for (;;) {
    const auto got = shipped->read(std::span<char>(bytes).subspan(used));
    ASSERT_TRUE(got);
    if (*got == 0) break;
    used += *got;
  }
  bytes.resize(used);
  EXPECT_TRUE(test::content_of(directory.path("extract.csv")) == bytes);
}

TEST(Cdnow, LinesBecomeOrdersOfTheirOwnAlsoWhereTheyAreEqual) {
  ImportOptions options;
  options.input = data_file("cdnow-sample/CDNOW_sample.txt");
  SKIP_WITHOUT(options.input, "cdnow-sample/CDNOW_sample.txt");
  options.columns = *parse_columns("customer=2,time=3,amount=5");
  options.has_header = false;
  options.delimiter = *parse_delimiter("blank");
  options.time_format = "%Y%m%d";
  options.sort_by_time = true;
  options.currency = "USD";
  options.decimals = 2;
  CollectingSink sink;
  const ImportSummary summary = import_into(options, sink);
  EXPECT_EQ(summary.records, 6'919U);
  EXPECT_EQ(summary.out_of_order, 0U);
  EXPECT_TRUE(summary.skipped.empty());
  EXPECT_EQ(summary.totals.at("USD").identified.ordered_minor, 24'409'194);
  RfmOracle oracle;
  oracle.add_lines(sink.ndjson());
  const auto customers = oracle.customers();
  EXPECT_EQ(customers.size(), 2'357U);
  std::int64_t orders = 0;
  std::size_t days = 0;
  for (const auto& [id, customer] : customers) {
    orders += customer.frequency;
    days += customer.purchase_days.size();
  }
  EXPECT_EQ(orders, 6'919);
  EXPECT_EQ(days, 6'696U);
  EXPECT_EQ(customers.at("1901").frequency, 56);
  EXPECT_EQ(customers.at("1901").monetary_minor, 655'270);
}

/// Rows of a CSV file, by column name.
std::vector<std::map<std::string, std::string>> table_of(const std::string& path) {
  std::vector<std::map<std::string, std::string>> table;
  Result<ByteSource> source = ByteSource::open(path);
  if (!source) return table;
  DelimitedReader reader(*source, ',');
  std::vector<std::string> names;
  Row row;
  for (Result<bool> got = reader.next(row); got && *got; got = reader.next(row)) {
    if (names.empty()) {
      names.assign(row.fields.begin(), row.fields.end());
      continue;
    }
    auto& cells = table.emplace_back();
    for (std::size_t i = 0; i < names.size(); ++i) cells[names[i]] = row.fields.at(i);
  }
  return table;
}

TEST(Olist, ThreeTablesJoinedImportByHeaderNames) {
  const std::string orders = data_file("olist-sample/olist_orders_dataset.csv");
  SKIP_WITHOUT(orders, "olist-sample/olist_orders_dataset.csv");
  std::map<std::string, std::string> person;
  for (auto& row : table_of(data_file("olist-sample/olist_customers_dataset.csv"))) {
    person[row["customer_id"]] = row["customer_unique_id"];
  }
  std::map<std::string, std::int64_t> paid;
  for (auto& row : table_of(data_file("olist-sample/olist_order_payments_dataset.csv"))) {
    paid[row["order_id"]] += parse_amount(row["payment_value"], 2).minor;
  }
  std::string joined = "\"order, the\",status,\"a \"\"person\"\"\",at,paid\n";
  for (auto& row : table_of(orders)) {
    joined += '"' + row["order_id"] + "\"," + row["order_status"] + ",\"" +
              person[row["customer_id"]] + "\"," + row["order_purchase_timestamp"] + "," +
              format_amount(paid[row["order_id"]], 2) + "\n";
  }
  const TempDirectory directory;
  ImportOptions options;
  options.input = directory.file("joined.csv", joined);
  options.columns = {"a \"person\"", "at", "paid", "order, the", "status", ""};
  options.time_zone = "America/Sao_Paulo";
  options.currency = "BRL";
  CollectingSink sink;
  const ImportSummary summary = import_into(options, sink);
  EXPECT_EQ(summary.records, 2'446U);
  EXPECT_EQ(summary.out_of_order > 0, true);
  EXPECT_EQ(summary.totals.at("BRL").identified.ordered_minor, 39'987'035);
  EXPECT_EQ(format_rfc3339(*summary.first_at), "2016-10-04T16:15:52.000Z");
  EXPECT_EQ(format_rfc3339(*summary.last_at), "2018-08-28T13:00:01.000Z");
  RfmOracle oracle;  // counts `delivered` only
  oracle.add_lines(sink.ndjson());
  std::size_t delivered_to = 0;
  std::int64_t orders_delivered = 0, money = 0;
  for (const auto& [id, customer] : oracle.customers()) {
    if (customer.frequency > 0) ++delivered_to;
    orders_delivered += customer.frequency;
    money += customer.monetary_minor;
  }
  EXPECT_EQ(oracle.customers().size(), 2'366U);
  EXPECT_EQ(delivered_to, 2'301U);
  EXPECT_EQ(orders_delivered, 2'381);
  EXPECT_EQ(money, 38'879'169);
}

}  // namespace
}  // namespace segmentd
