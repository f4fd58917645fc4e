// What an import is told, and how its words are read from a command line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "state/core/instant.hpp"
#include "state/core/result.hpp"

namespace segmentd {

enum class Layout {
  kOnlineRetail,          // raw invoice lines, as UCI publishes them
  kOnlineRetailInvoices,  // one line an invoice: the extract that is shipped
  kOrders,                // one line an order, columns told by the user
};

/// Where the parts of an order stand: a column number from 1, or a name in the header. A word of
/// digits is always a number. Empty = the file has no such column.
struct OrderColumns {
  std::string customer;
  std::string time;
  std::string amount;
  std::string order;
  std::string status;
  std::string currency;
};

/// How far an import is, for a progress bar.
struct Progress {
  enum class Stage {
    kMeasuring,  // the first of two passes, for the newest time; done and total are bytes
    kReading,    // done and total are bytes of the file on disk
    kWriting,    // after sorting; done and total are records
  };
  Stage stage = Stage::kReading;
  std::uint64_t done = 0;
  std::uint64_t total = 0;  // 0 = not known
  std::uint64_t records = 0;
};

struct ImportOptions {
  std::string input;  // a file, plain or .xz; "-" = standard input
  Layout layout = Layout::kOrders;

  // Layout kOrders only.
  OrderColumns columns;
  bool has_header = true;
  char delimiter = ',';  // ',' ';' '\t' or kBlank

  std::string time_format = "rfc3339";  // see TimeReader::make
  std::string time_zone;                // of times without an offset; empty = UTC
  std::string currency;  // three letters A-Z; empty = the layout's; kOrders needs it or a column
  std::optional<int> decimals;  // 0..kDecimalsMax; nullopt = the layout's: 3, of kOrders 2

  /// Records leave in time order, equal times in file order. Holds the whole history in memory.
  bool sort_by_time = false;
  /// Moves all times by the same number of milliseconds, so that the newest record lies here.
  /// Without sort_by_time the file is read twice, which standard input cannot be.
  std::optional<Instant> newest_at;

  /// Called now and then and once at the end of every stage; may be empty.
  std::function<void(const Progress&)> progress;
};

/// `online-retail`, `online-retail-invoices`, `orders`. kMisconfigured on another word, as below.
Result<Layout> parse_layout(std::string_view word);
/// `,` `;` `tab` `blank`.
Result<char> parse_delimiter(std::string_view word);
/// `customer=2,time=3,amount=5,order=order_id`; customer, time and amount must be there.
Result<OrderColumns> parse_columns(std::string_view text);

/// The layout's value where the option leaves it open.
int decimals_of(const ImportOptions& options);
std::string currency_of(const ImportOptions& options);

}  // namespace segmentd
