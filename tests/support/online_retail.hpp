// The shipped extract and what importing Online Retail must give, from whichever form.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "daemon/import/import.hpp"
#include "state/core/instant.hpp"

namespace segmentd::test {

inline const std::string kExtract =
    std::string(SEGMENTD_SOURCE_DIR) + "/deploy/data/online-retail-invoices.csv.xz";

inline ImportSummary import_into(const ImportOptions& options, RecordSink& sink) {
  Result<ImportSummary> summary = run_import(options, sink);
  if (!summary) {
    ADD_FAILURE() << summary.error().what;
    return {};
  }
  return *summary;
}

inline ImportOptions extract_options() {
  ImportOptions options;
  options.input = kExtract;
  options.layout = Layout::kOnlineRetailInvoices;
  return options;
}

inline void expect_online_retail(const ImportSummary& summary) {
  EXPECT_EQ(summary.records, 25'897U);
  const CurrencyTotals& money = summary.totals.at("GBP");
  EXPECT_EQ(money.identified.orders, 18'536U);
  EXPECT_EQ(money.identified.refunds, 3'654U);
  EXPECT_EQ(money.identified.ordered_minor, 8'911'407'904);
  EXPECT_EQ(money.identified.ordered_minor - money.identified.refunded_minor, 8'300'065'814);
  EXPECT_EQ(money.anonymous.orders, 3'525U);
  EXPECT_EQ(money.anonymous.refunds, 182U);
  ASSERT_EQ(summary.skipped.size(), 1U);
  EXPECT_EQ(summary.skipped.at(SkipReason::kAdjustment).count, 3U);
  EXPECT_EQ(summary.out_of_order, 0U);
  EXPECT_EQ(format_rfc3339(*summary.first_at), "2010-12-01T08:26:00.000Z");
  EXPECT_EQ(format_rfc3339(*summary.last_at), "2011-12-09T12:50:00.000Z");
}

}  // namespace segmentd::test
