// The two forms of the Online Retail history: raw lines, and one line an invoice.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/import/delimited_reader.hpp"
#include "daemon/import/history_record.hpp"
#include "daemon/import/summary.hpp"
#include "daemon/import/time_reader.hpp"
#include "state/core/instant.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// One basket. Numbers beginning with `C` give back money, those with `A` adjust bad debt.
struct Invoice {
  std::string number;
  std::optional<std::string> customer;  // nullopt = not identified
  Instant at;                           // of the earliest line
  std::int64_t amount_minor = 0;        // sum of quantity * price; of a `C` invoice <= 0
  bool overflow = false;                // the sum is not known: it does not fit
  std::uint64_t line = 0;               // of the file, where it begins
};

using InvoiceConsumer = std::function<Result<void>(const Invoice&)>;

/// Groups lines into invoices that leave in the order of their first lines. Lines of an invoice
/// need not stand together: one that goes on after at most kResumeRows other rows is still the
/// same. One that goes on later may become two. Memory: what the last kResumeRows rows touched,
/// plus what waits behind an invoice that has not ended.
class InvoiceWindow {
 public:
  static constexpr std::uint64_t kResumeRows = 1000;

  explicit InvoiceWindow(InvoiceConsumer consumer) : consumer_(std::move(consumer)) {}

  enum class Added { kTaken, kMixedCustomer };
  /// `line`: an invoice of one line. A line of another customer than its invoice's is not taken.
  Added add(Invoice line);
  /// To call once after every row, whether it was added or not: lets out what has ended.
  Result<void> row_passed();
  /// Lets out everything.
  Result<void> finish();

 private:
  struct Open {
    Invoice invoice;
    std::uint64_t last_row;
  };
  Result<void> release_front();

  InvoiceConsumer consumer_;
  std::deque<Open> open_;          // by first line
  std::uint64_t front_index_ = 0;  // of open_.front(), counted from the first invoice of the file
  std::unordered_map<std::string, std::uint64_t> index_of_;
  std::uint64_t row_ = 0;
};

/// Reads raw lines: columns InvoiceNo, Quantity, InvoiceDate, UnitPrice, CustomerID by header.
/// Lines that cannot be read go to `summary` as skipped; their invoice goes without them.
Result<void> read_invoice_lines(DelimitedReader& reader, TimeReader& times, int decimals,
                                ImportSummary& summary, const InvoiceConsumer& consumer);

/// Reads the extract: columns invoice, customer, time, amount by header.
Result<void> read_invoices(DelimitedReader& reader, TimeReader& times, int decimals,
                           ImportSummary& summary, const InvoiceConsumer& consumer);

inline constexpr std::string_view kExtractHeader = "invoice,customer,time,amount";
/// An invoice as a line of the extract, without line end.
std::string extract_line(const Invoice& invoice, int decimals);

/// The record an invoice becomes; nullopt when it becomes none, which `summary` then knows as
/// skipped.
std::optional<HistoryRecord> to_record(const Invoice& invoice, const std::string& currency,
                                       ImportSummary& summary);

}  // namespace segmentd
