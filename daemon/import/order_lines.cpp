#include "daemon/import/order_lines.hpp"

#include <optional>
#include <string_view>
#include <utility>

#include "daemon/import/columns.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

/// Where the columns lie, from 0; nullopt = the file has none.
struct OrderPlaces {
  std::optional<std::size_t> customer, time, amount, order, status, currency;
};

Result<OrderPlaces> find_places(const OrderColumns& columns,
                                const std::vector<std::string_view>& header) {
  OrderPlaces places;
  const std::pair<const std::string&, std::optional<std::size_t>&> wanted[] = {
      {columns.customer, places.customer}, {columns.time, places.time},
      {columns.amount, places.amount},     {columns.order, places.order},
      {columns.status, places.status},     {columns.currency, places.currency}};
  for (const auto& [word, place] : wanted) {
    if (word.empty()) continue;
    const Result<std::size_t> found = find_column(word, header);
    if (!found) return found.error();
    place = *found;
  }
  return places;
}

/// One row as an order. Holds references; lives for one reading.
class OrderRow {
 public:
  OrderRow(const OrderPlaces& places, const ImportOptions& options, TimeReader& times)
      : places_(places),
        times_(times),
        id_name_(id_name_of(options.input)),
        currency_(currency_of(options)),
        decimals_(decimals_of(options)) {}

  std::optional<SkipReason> read(const Row& row, HistoryRecord& order) {
    if (row.malformed) return SkipReason::kMalformedLine;
    if (!has_all_columns(row)) return SkipReason::kMissingColumn;
    if (const auto problem = read_ids(row, order)) return problem;
    if (const auto problem = read_texts(row, order)) return problem;
    const std::optional<Instant> at = times_.read(row.fields[*places_.time]);
    if (!at) return SkipReason::kBadTime;
    order.at = *at;
    const ParsedAmount amount = parse_amount(row.fields[*places_.amount], decimals_);
    if (amount.problem != AmountProblem::kNone) return reason_of(amount.problem);
    if (amount.minor < 0) return SkipReason::kNegativeAmount;
    order.amount_minor = amount.minor;
    return std::nullopt;
  }

 private:
  bool has_all_columns(const Row& row) const {
    for (const auto& place : {places_.customer, places_.time, places_.amount, places_.order,
                              places_.status, places_.currency}) {
      if (place && *place >= row.fields.size()) return false;
    }
    return true;
  }

  std::optional<SkipReason> read_ids(const Row& row, HistoryRecord& order) const {
    order.id = places_.order ? std::string(row.fields[*places_.order])
                             : id_name_ + ":" + std::to_string(row.line);
    if (!is_valid_id(order.id)) return SkipReason::kBadId;
    const std::string_view customer = row.fields[*places_.customer];
    if (customer.empty()) return std::nullopt;
    if (!is_valid_id(customer)) return SkipReason::kBadId;
    order.customer = customer;
    return std::nullopt;
  }

  std::optional<SkipReason> read_texts(const Row& row, HistoryRecord& order) const {
    const std::string_view currency =
        places_.currency ? row.fields[*places_.currency] : std::string_view{};
    order.currency = currency.empty() ? currency_ : std::string(currency);
    if (order.currency.empty()) return SkipReason::kMissingColumn;
    if (!is_valid_id(order.currency)) return SkipReason::kBadText;
    if (!places_.status || row.fields[*places_.status].empty()) return std::nullopt;
    order.status = row.fields[*places_.status];
    if (!is_valid_id(*order.status)) return SkipReason::kBadText;
    return std::nullopt;
  }

  const OrderPlaces& places_;
  TimeReader& times_;
  std::string id_name_;
  std::string currency_;
  int decimals_;
};

}  // namespace

std::string id_name_of(const std::string& input) {
  if (input == "-") return "stdin";
  std::string name = input.substr(input.find_last_of('/') + 1);
  if (name.ends_with(".xz")) name.resize(name.size() - 3);
  return name;
}

Result<void> read_order_lines(DelimitedReader& reader, TimeReader& times,
                              const ImportOptions& options, ImportSummary& summary,
                              const RecordConsumer& consumer) {
  Row row;
  if (options.has_header) {
    const Result<bool> got = reader.next(row);
    if (!got) return got.error();
    if (!*got) return Error{Errc::kBadInput, "the file is empty: a header is missing"};
  }
  const Result<OrderPlaces> places = find_places(options.columns, row.fields);
  if (!places) return places.error();
  OrderRow reads(*places, options, times);
  for (;;) {
    const Result<bool> got = reader.next(row);
    if (!got) return got.error();
    if (!*got) return {};
    ++summary.rows;
    HistoryRecord order;
    if (const auto problem = reads.read(row, order)) {
      summary.skip(*problem, row.line);
      continue;
    }
    Result<void> consumed = consumer(std::move(order));
    if (!consumed) return consumed;
  }
}

}  // namespace segmentd
