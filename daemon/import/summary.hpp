// What an import brought in and what it left out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/import/history_record.hpp"
#include "state/core/instant.hpp"
#include "state/core/money.hpp"

namespace segmentd {

/// Why something of the file did not become a record.
enum class SkipReason {
  kMalformedLine,    // a quote not closed or followed by text, or a line over kRowBytesMax
  kMissingColumn,    // fewer fields than the columns asked for, or no currency
  kBadId,            // a customer, order or invoice that is no valid id
  kBadText,          // a status or currency that is not clean UTF-8
  kBadTime,          // not of the format, no such date, or outside the accepted years
  kBadAmount,        // no number
  kTooManyDecimals,  // more digits than `decimals` keeps
  kOverflow,         // beyond kAmountMinorMax
  kNegativeAmount,   // an order that gives back money, or a `C` invoice that charges
  kMixedCustomer,    // an invoice line with another customer than the invoice's first
  kAdjustment,       // an `A` invoice: bad debt, no sale
};

/// The word for users: `malformed_line`, ...
std::string_view name_of(SkipReason reason);
SkipReason reason_of(AmountProblem problem);  // not kNone

struct Skipped {
  static constexpr std::size_t kLinesKept = 5;
  std::uint64_t count = 0;
  std::vector<std::uint64_t> first_lines;  // line numbers from 1, at most kLinesKept
};

/// Amounts in minor units; sums stay at the limits of 64 bits instead of wrapping.
struct Totals {
  std::uint64_t orders = 0;
  std::uint64_t refunds = 0;
  std::int64_t ordered_minor = 0;
  std::int64_t refunded_minor = 0;
};

struct CurrencyTotals {
  Totals identified;
  Totals anonymous;  // records without customer
};

struct ImportSummary {
  std::uint64_t rows = 0;  // of data: header and empty lines do not count
  std::uint64_t records = 0;
  std::map<std::string, CurrencyTotals> totals;  // by currency
  std::map<SkipReason, Skipped> skipped;
  std::optional<Instant> first_at;  // the earliest and the latest time, after shifting
  std::optional<Instant> last_at;
  std::uint64_t out_of_order = 0;  // records earlier than one that left before them
  std::int64_t shifted_ms = 0;     // what was added to every time

  void count(const HistoryRecord& record);
  void skip(SkipReason reason, std::uint64_t line);
};

/// The summary in a few lines for people, each ending in LF.
std::string describe(const ImportSummary& summary, int decimals);

}  // namespace segmentd
