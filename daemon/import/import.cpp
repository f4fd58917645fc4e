#include "daemon/import/import.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/import/byte_source.hpp"
#include "daemon/import/delimited_reader.hpp"
#include "daemon/import/files.hpp"
#include "daemon/import/history_record.hpp"
#include "daemon/import/invoices.hpp"
#include "daemon/import/order_lines.hpp"
#include "daemon/import/time_reader.hpp"

namespace segmentd {
namespace {

constexpr std::uint64_t kRecordsPerReport = 256;

/// The codes that `currency` takes, which alone the daemon knows.
bool is_currency_code(std::string_view text) {
  return text.size() == 3 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

Result<TimeReader> time_reader_of(const ImportOptions& options) {
  return TimeReader::make(options.time_format,
                          options.time_zone.empty() ? "UTC" : options.time_zone);
}

Result<void> check_columns(const OrderColumns& columns) {
  if (!columns.customer.empty() && !columns.time.empty() && !columns.amount.empty()) return {};
  return Error{Errc::kMisconfigured,
               "columns must tell customer, time and amount: customer=2,time=3,amount=5"};
}

Result<void> check_options(const ImportOptions& options) {
  const auto wrong = [](std::string what) { return Error{Errc::kMisconfigured, std::move(what)}; };
  const int decimals = decimals_of(options);
  if (decimals < 0 || decimals > kDecimalsMax) {
    return wrong("decimals must be 0 to " + std::to_string(kDecimalsMax));
  }
  const std::string currency = currency_of(options);
  if (!currency.empty() && !is_currency_code(currency)) {
    return wrong("currency '" + currency + "' is not three letters A-Z, as ISO 4217 has them");
  }
  if (currency.empty() && options.columns.currency.empty()) {
    return wrong("tell the currency, or the column it stands in");
  }
  if (options.layout == Layout::kOrders) {
    if (auto ok = check_columns(options.columns); !ok) return ok;
  }
  if (auto times = time_reader_of(options); !times) return times.error();
  if (options.newest_at && !options.sort_by_time) {
    std::error_code ignored;
    if (options.input == "-" || std::filesystem::is_fifo(options.input, ignored)) {
      return wrong("moving the times reads the input twice: it must be a file, or be sorted");
    }
  }
  return {};
}

void report(const ImportOptions& options, const Progress& progress) {
  if (options.progress) options.progress(progress);
}

/// One pass over the file. `consumer` gets its invoices or, of kOrders, its orders.
struct Consumer {
  InvoiceConsumer invoice;
  RecordConsumer record;
};

Result<void> read_layout(const ImportOptions& options, DelimitedReader& reader, TimeReader& times,
                         ImportSummary& summary, const Consumer& consumer) {
  const int decimals = decimals_of(options);
  switch (options.layout) {
    case Layout::kOnlineRetail:
      return read_invoice_lines(reader, times, decimals, summary, consumer.invoice);
    case Layout::kOnlineRetailInvoices:
      return read_invoices(reader, times, decimals, summary, consumer.invoice);
    case Layout::kOrders:
      break;
  }
  return read_order_lines(reader, times, options, summary, consumer.record);
}

Result<void> pass_over(const ImportOptions& options, Progress::Stage stage, ImportSummary& summary,
                       const Consumer& consumer) {
  Result<TimeReader> times = time_reader_of(options);
  if (!times) return times.error();
  Result<ByteSource> source = ByteSource::open(options.input);
  if (!source) return source.error();
  DelimitedReader reader(*source, options.layout == Layout::kOrders ? options.delimiter : ',');
  std::uint64_t seen = 0;
  const auto progress = [&] {
    report(options, {stage, source->bytes_done(), source->bytes_total(), seen});
  };
  const auto count = [&] {
    if (++seen % kRecordsPerReport == 0) progress();
  };
  const Consumer counting{[&](const Invoice& invoice) {
                            count();
                            return consumer.invoice(invoice);
                          },
                          [&](HistoryRecord record) {
                            count();
                            return consumer.record(std::move(record));
                          }};
  Result<void> read = read_layout(options, reader, *times, summary, counting);
  if (!read) return read;
  progress();
  return {};
}

/// One pass that gives records, whatever the layout.
Result<void> read_records(const ImportOptions& options, Progress::Stage stage,
                          ImportSummary& summary, const RecordConsumer& consumer) {
  const std::string currency = currency_of(options);
  const auto take_invoice = [&](const Invoice& invoice) -> Result<void> {
    std::optional<HistoryRecord> record = to_record(invoice, currency, summary);
    if (!record) return {};
    return consumer(std::move(*record));
  };
  return pass_over(options, stage, summary, {take_invoice, consumer});
}

Result<std::optional<Instant>> newest_time(const ImportOptions& options) {
  ImportSummary unused;
  std::optional<Instant> newest;
  const Result<void> read = read_records(options, Progress::Stage::kMeasuring, unused,
                                         [&](const HistoryRecord& record) -> Result<void> {
                                           newest =
                                               newest ? std::max(*newest, record.at) : record.at;
                                           return {};
                                         });
  if (!read) return read.error();
  return newest;
}

/// The last step of every record: its time moved, its JSON written, sent and counted.
class Sender {
 public:
  Sender(int decimals, RecordSink& sink, ImportSummary& summary)
      : decimals_(decimals), sink_(sink), summary_(summary) {}

  void move_newest(std::optional<Instant> newest, std::optional<Instant> to) {
    if (newest && to) summary_.shifted_ms = *to - *newest;
  }

  Result<void> send(HistoryRecord record) {
    record.at = record.at + summary_.shifted_ms;
    write_json(record, decimals_, json_);
    std::optional<std::string_view> key;
    if (record.customer) key = *record.customer;
    Result<void> put = sink_.put(key, json_);
    if (!put) return put;
    summary_.count(record);
    return {};
  }

 private:
  int decimals_;
  RecordSink& sink_;
  ImportSummary& summary_;
  std::string json_;
};

Result<void> send_in_file_order(const ImportOptions& options, ImportSummary& summary,
                                Sender& sender) {
  if (options.newest_at) {
    const Result<std::optional<Instant>> newest = newest_time(options);
    if (!newest) return newest.error();
    sender.move_newest(*newest, options.newest_at);
  }
  return read_records(options, Progress::Stage::kReading, summary,
                      [&](HistoryRecord record) { return sender.send(std::move(record)); });
}

Result<void> send_in_time_order(const ImportOptions& options, ImportSummary& summary,
                                Sender& sender) {
  std::vector<HistoryRecord> records;
  Result<void> read = read_records(options, Progress::Stage::kReading, summary,
                                   [&](HistoryRecord record) -> Result<void> {
                                     records.push_back(std::move(record));
                                     return {};
                                   });
  if (!read) return read;
  std::stable_sort(records.begin(), records.end(),
                   [](const HistoryRecord& a, const HistoryRecord& b) { return a.at < b.at; });
  if (!records.empty()) sender.move_newest(records.back().at, options.newest_at);
  std::uint64_t sent = 0;
  for (HistoryRecord& record : records) {
    Result<void> done = sender.send(std::move(record));
    if (!done) return done;
    if (++sent % kRecordsPerReport == 0 || sent == records.size()) {
      report(options, {Progress::Stage::kWriting, sent, records.size(), sent});
    }
  }
  return {};
}

/// Of a file with rows: rather a wrong option than a history without orders.
Error nothing_read(const ImportSummary& summary, const ImportOptions& options) {
  std::string said = describe(summary, decimals_of(options));
  said.pop_back();
  return {Errc::kBadInput, "no row became a record, so nothing was written: " + said};
}

}  // namespace

Result<void> check_import(const ImportOptions& options) {
  if (auto ok = check_options(options); !ok) return ok;
  return check_readable(options.input);
}

Result<ImportSummary> run_import(const ImportOptions& options, RecordSink& sink) {
  const Result<void> checked = check_import(options);
  if (!checked) return checked.error();
  ImportSummary summary;
  Sender sender(decimals_of(options), sink, summary);
  const Result<void> sent = options.sort_by_time ? send_in_time_order(options, summary, sender)
                                                 : send_in_file_order(options, summary, sender);
  if (!sent) return sent.error();
  if (summary.rows > 0 && summary.records == 0) return nothing_read(summary, options);
  const Result<void> finished = sink.finish();
  if (!finished) return finished.error();
  return summary;
}

Result<ImportSummary> write_extract(const ImportOptions& options, FileSink& sink) {
  const Result<void> checked = check_import(options);
  if (!checked) return checked.error();
  if (options.layout != Layout::kOnlineRetail || options.sort_by_time || options.newest_at) {
    return Error{Errc::kMisconfigured,
                 "an extract is made of layout online-retail, neither sorted nor moved in time"};
  }
  ImportSummary summary;
  bool headed = false;  // not before the input's own header is known to be good
  const auto head = [&]() -> Result<void> {
    return std::exchange(headed, true) ? Result<void>() : sink.put_line(kExtractHeader);
  };
  const auto write = [&](const Invoice& invoice) -> Result<void> {
    if (auto ok = head(); !ok) return ok;
    const auto record = to_record(invoice, currency_of(options), summary);
    if (invoice.overflow) return {};
    if (record) summary.count(*record);
    return sink.put_line(extract_line(invoice, decimals_of(options)));
  };
  const Result<void> read = pass_over(options, Progress::Stage::kReading, summary, {write, {}});
  if (!read) return read.error();
  if (auto ok = head(); !ok) return ok.error();
  const Result<void> finished = sink.finish();
  if (!finished) return finished.error();
  return summary;
}

}  // namespace segmentd
