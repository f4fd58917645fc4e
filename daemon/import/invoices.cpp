#include "daemon/import/invoices.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/import/columns.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

template <std::size_t N>
using Places = std::array<std::size_t, N>;

template <std::size_t N>
Result<Places<N>> read_header(DelimitedReader& reader,
                              const std::array<std::string_view, N>& names) {
  Row header;
  const Result<bool> got = reader.next(header);
  if (!got) return got.error();
  if (!*got) return Error{Errc::kBadInput, "the file is empty: a header is missing"};
  Places<N> places{};
  for (std::size_t i = 0; i < N; ++i) {
    const Result<std::size_t> place = find_name(names[i], header.fields);
    if (!place) return place.error();
    places[i] = *place;
  }
  return places;
}

/// The fields at `places`, or why the row cannot be used.
template <std::size_t N>
std::optional<SkipReason> take_fields(const Row& row, const Places<N>& places,
                                      std::array<std::string_view, N>& fields) {
  if (row.malformed) return SkipReason::kMalformedLine;
  for (std::size_t i = 0; i < N; ++i) {
    if (places[i] >= row.fields.size()) return SkipReason::kMissingColumn;
    fields[i] = row.fields[places[i]];
  }
  return std::nullopt;
}

/// `17850` out of `17850.0`, as a spreadsheet that took ids for numbers writes them.
std::string_view without_point_zero(std::string_view id) {
  if (!id.ends_with(".0")) return id;
  const std::string_view digits = id.substr(0, id.size() - 2);
  const bool whole =
      !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  return whole ? digits : id;
}

/// What both forms have: number, customer and time.
std::optional<SkipReason> take_identity(std::string_view number, std::string_view customer,
                                        std::string_view time, TimeReader& times,
                                        Invoice& invoice) {
  if (!is_valid_id(number)) return SkipReason::kBadId;
  if (!customer.empty() && !is_valid_id(customer)) return SkipReason::kBadId;
  const std::optional<Instant> at = times.read(time);
  if (!at) return SkipReason::kBadTime;
  invoice.number = number;
  if (!customer.empty()) invoice.customer = customer;
  invoice.at = *at;
  return std::nullopt;
}

enum LineField : std::size_t { kNumber, kQuantity, kTime, kPrice, kCustomer };
constexpr std::array<std::string_view, 5> kLineNames{"InvoiceNo", "Quantity", "InvoiceDate",
                                                     "UnitPrice", "CustomerID"};

std::optional<SkipReason> take_line(const std::array<std::string_view, 5>& fields,
                                    TimeReader& times, int decimals, Invoice& line) {
  const auto identity = take_identity(fields[kNumber], without_point_zero(fields[kCustomer]),
                                      fields[kTime], times, line);
  if (identity) return identity;
  const ParsedAmount quantity = parse_amount(fields[kQuantity], 0);
  const ParsedAmount price = parse_amount(fields[kPrice], decimals);
  for (const ParsedAmount& amount : {quantity, price}) {
    if (amount.problem != AmountProblem::kNone) return reason_of(amount.problem);
  }
  line.overflow = __builtin_mul_overflow(quantity.minor, price.minor, &line.amount_minor);
  return std::nullopt;
}

constexpr std::array<std::string_view, 4> kInvoiceNames{"invoice", "customer", "time", "amount"};

std::optional<SkipReason> take_invoice(const std::array<std::string_view, 4>& fields,
                                       TimeReader& times, int decimals, Invoice& invoice) {
  const auto identity = take_identity(fields[0], fields[1], fields[2], times, invoice);
  if (identity) return identity;
  const ParsedAmount amount = parse_amount(fields[3], decimals);
  if (amount.problem != AmountProblem::kNone) return reason_of(amount.problem);
  invoice.amount_minor = amount.minor;
  return std::nullopt;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

}  // namespace

InvoiceWindow::Added InvoiceWindow::add(Invoice line) {
  const auto known = index_of_.find(line.number);
  if (known == index_of_.end()) {
    index_of_.emplace(line.number, front_index_ + open_.size());
    open_.push_back({std::move(line), row_});
    return Added::kTaken;
  }
  Open& open = open_[known->second - front_index_];
  open.last_row = row_;
  Invoice& invoice = open.invoice;
  if (invoice.customer != line.customer) return Added::kMixedCustomer;
  invoice.at = std::min(invoice.at, line.at);
  invoice.overflow |=
      line.overflow ||
      __builtin_add_overflow(invoice.amount_minor, line.amount_minor, &invoice.amount_minor);
  return Added::kTaken;
}

Result<void> InvoiceWindow::row_passed() {
  ++row_;
  while (!open_.empty() && row_ > open_.front().last_row + kResumeRows + 1) {
    Result<void> released = release_front();
    if (!released) return released;
  }
  return {};
}

Result<void> InvoiceWindow::finish() {
  while (!open_.empty()) {
    Result<void> released = release_front();
    if (!released) return released;
  }
  return {};
}

Result<void> InvoiceWindow::release_front() {
  const Invoice invoice = std::move(open_.front().invoice);
  open_.pop_front();
  ++front_index_;
  index_of_.erase(invoice.number);
  return consumer_(invoice);
}

Result<void> read_invoice_lines(DelimitedReader& reader, TimeReader& times, int decimals,
                                ImportSummary& summary, const InvoiceConsumer& consumer) {
  const auto places = read_header(reader, kLineNames);
  if (!places) return places.error();
  InvoiceWindow window(consumer);
  Row row;
  for (;;) {
    const Result<bool> got = reader.next(row);
    if (!got) return got.error();
    if (!*got) return window.finish();
    ++summary.rows;
    std::array<std::string_view, 5> fields;
    Invoice line;
    line.line = row.line;
    auto problem = take_fields(row, *places, fields);
    if (!problem) problem = take_line(fields, times, decimals, line);
    if (!problem && window.add(std::move(line)) == InvoiceWindow::Added::kMixedCustomer) {
      problem = SkipReason::kMixedCustomer;
    }
    if (problem) summary.skip(*problem, row.line);
    Result<void> passed = window.row_passed();
    if (!passed) return passed;
  }
}

Result<void> read_invoices(DelimitedReader& reader, TimeReader& times, int decimals,
                           ImportSummary& summary, const InvoiceConsumer& consumer) {
  const auto places = read_header(reader, kInvoiceNames);
  if (!places) return places.error();
  Row row;
  for (;;) {
    const Result<bool> got = reader.next(row);
    if (!got) return got.error();
    if (!*got) return {};
    ++summary.rows;
    std::array<std::string_view, 4> fields;
    Invoice invoice;
    invoice.line = row.line;
    auto problem = take_fields(row, *places, fields);
    if (!problem) problem = take_invoice(fields, times, decimals, invoice);
    if (problem) {
      summary.skip(*problem, row.line);
      continue;
    }
    Result<void> consumed = consumer(invoice);
    if (!consumed) return consumed;
  }
}

std::string extract_line(const Invoice& invoice, int decimals) {
  return csv_field(invoice.number) + ',' + csv_field(invoice.customer.value_or("")) + ',' +
         format_rfc3339_short(invoice.at) + ',' + format_amount(invoice.amount_minor, decimals);
}

std::optional<HistoryRecord> to_record(const Invoice& invoice, const std::string& currency,
                                       ImportSummary& summary) {
  const auto skip = [&](SkipReason reason) {
    summary.skip(reason, invoice.line);
    return std::nullopt;
  };
  if (invoice.number.starts_with('A')) return skip(SkipReason::kAdjustment);
  if (invoice.overflow || invoice.amount_minor > kAmountMinorMax ||
      invoice.amount_minor < -kAmountMinorMax) {
    return skip(SkipReason::kOverflow);
  }
  const bool gives_back = invoice.number.starts_with('C');
  const std::int64_t amount = gives_back ? -invoice.amount_minor : invoice.amount_minor;
  if (amount < 0) return skip(SkipReason::kNegativeAmount);
  HistoryRecord record;
  record.type = gives_back ? HistoryRecord::Type::kRefund : HistoryRecord::Type::kOrder;
  record.id = invoice.number;
  record.customer = invoice.customer;
  record.at = invoice.at;
  record.amount_minor = amount;
  record.currency = currency;
  return record;
}

}  // namespace segmentd
