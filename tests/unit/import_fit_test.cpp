// An application is told before anything is sent what it would not take of an import.
#include "daemon/commands/import_fit.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "config/load.hpp"

namespace segmentd {
namespace {

config::Settings settings_with(const std::vector<std::pair<std::string, std::string>>& sets) {
  config::Settings settings;
  EXPECT_EQ(settings.set("currency", "GBP"), "");
  for (const auto& [key, value] : sets) EXPECT_EQ(settings.set(key, value), "") << key;
  return settings;
}

ImportOptions orders() {
  ImportOptions options;
  options.columns = *parse_columns("customer=1,time=2,amount=3");
  return options;
}

ImportOptions retail() {
  ImportOptions options;
  options.layout = Layout::kOnlineRetailInvoices;
  return options;
}

/// The problems of an import into an application with these settings.
std::string misfits_with(const std::vector<std::pair<std::string, std::string>>& sets,
                         ImportOptions options = orders()) {
  const config::Settings settings = settings_with(sets);
  complete_by(settings, options);
  return config::problems_text(misfits(settings, options));
}

TEST(ImportFit, WhatIsNotToldIsTakenFromTheSettings) {
  const auto settings =
      settings_with({{"currency", "EUR"}, {"decimals", "4"}, {"time_zone", "Europe/Berlin"}});
  ImportOptions options = orders();
  complete_by(settings, options);
  EXPECT_EQ(currency_of(options), "EUR");
  EXPECT_EQ(decimals_of(options), 4);
  EXPECT_EQ(options.time_zone, "Europe/Berlin");
  EXPECT_TRUE(misfits(settings, options).empty());

  ImportOptions told = orders();
  told.currency = "USD";
  told.decimals = 0;
  told.time_zone = "UTC";
  complete_by(settings, told);
  EXPECT_EQ(currency_of(told), "USD");
  EXPECT_EQ(decimals_of(told), 0);
  EXPECT_EQ(told.time_zone, "UTC");

  ImportOptions layouts_own = retail();
  complete_by(settings, layouts_own);
  EXPECT_EQ(currency_of(layouts_own), "GBP");
  EXPECT_EQ(decimals_of(layouts_own), 3);
  EXPECT_EQ(layouts_own.time_zone, "");
}

TEST(ImportFit, EverySettingThatDoesNotFitIsNamedAtOnce) {
  EXPECT_EQ(
      misfits_with({{"currency", "EUR"},
                    {"input.partitioner", "consistent"},
                    {"input.time_format", "ms"},
                    {"input.money", "payments"},
                    {"input.field.amount", "/payload/amount"},
                    {"input.field.refund_id", "/id"}},
                   retail()),
      "currency = 'EUR' (set): import would write GBP\n"
      "decimals = '2' (default): import would write 3 (--decimals may say less)\n"
      "input.partitioner = 'consistent' (set): import would write where murmur2 puts the key\n"
      "input.time_format = 'ms' (set): import would write rfc3339\n"
      "input.money = 'payments' (set): import would write orders without payments, which "
      "would be worth nothing\n"
      "input.field.amount = '/payload/amount' (set): import would write it at /amount\n"
      "input.field.refund_id = '/id' (set): import would write it at /refund_id\n");
}

TEST(ImportFit, WhatMakesNoDifferenceIsNoMisfit) {
  EXPECT_EQ(misfits_with({{"decimals", "3"}}, retail()), "");
  EXPECT_EQ(misfits_with({{"input.partitioner", "unchecked"}, {"input.key", "json"}}), "");
  EXPECT_EQ(misfits_with({{"input.field.paid_at", "/paid"}, {"input.field.refund_id", "/id"}}), "")
      << "orders have no such fields";
  ImportOptions fewer = retail();
  fewer.decimals = 2;
  EXPECT_EQ(misfits_with({}, fewer), "");
}

TEST(ImportFit, AnotherFieldFoundWhereOneIsWrittenIsAMisfit) {
  EXPECT_EQ(misfits_with({{"input.field.status", "/type"}}),
            "input.field.status = '/type' (set): import would write something else there\n");
  ImportOptions with_status = orders();
  with_status.columns.status = "4";
  EXPECT_EQ(misfits_with({{"input.field.status", "/state"}}, with_status),
            "input.field.status = '/state' (set): import would write it at /status\n");
  EXPECT_EQ(misfits_with({{"input.field.status", "/state"}}), "");
}

TEST(ImportFit, ACurrencyInAColumnIsNotKnownBefore) {
  ImportOptions options = orders();
  options.columns.currency = "4";
  EXPECT_EQ(misfits_with({}, options), "");
}

}  // namespace
}  // namespace segmentd
