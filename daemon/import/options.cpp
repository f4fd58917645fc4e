#include "daemon/import/options.hpp"

#include "daemon/import/delimited_reader.hpp"

namespace segmentd {
namespace {

Error misconfigured(std::string what) {
  return {Errc::kMisconfigured, std::move(what)};
}

std::string* column_named(OrderColumns& columns, std::string_view name) {
  if (name == "customer") return &columns.customer;
  if (name == "time") return &columns.time;
  if (name == "amount") return &columns.amount;
  if (name == "order") return &columns.order;
  if (name == "status") return &columns.status;
  if (name == "currency") return &columns.currency;
  return nullptr;
}

}  // namespace

Result<Layout> parse_layout(std::string_view word) {
  if (word == "online-retail") return Layout::kOnlineRetail;
  if (word == "online-retail-invoices") return Layout::kOnlineRetailInvoices;
  if (word == "orders") return Layout::kOrders;
  return misconfigured("layout '" + std::string(word) +
                       "' is none of online-retail, online-retail-invoices, orders");
}

Result<char> parse_delimiter(std::string_view word) {
  if (word == "," || word == ";") return word.front();
  if (word == "tab") return '\t';
  if (word == "blank") return kBlank;
  return misconfigured("delimiter '" + std::string(word) + "' is none of , ; tab blank");
}

Result<OrderColumns> parse_columns(std::string_view text) {
  OrderColumns columns;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    std::string* const column = column_named(columns, name);
    if (column == nullptr) {
      return misconfigured("column '" + std::string(name) +
                           "' is none of customer, time, amount, order, status, currency");
    }
    if (equals == std::string_view::npos || equals + 1 == part.size()) {
      return misconfigured("column '" + std::string(name) + "' needs =NUMBER or =NAME");
    }
    if (!column->empty()) return misconfigured("column '" + std::string(name) + "' is given twice");
    *column = part.substr(equals + 1);
  }
  if (columns.customer.empty() || columns.time.empty() || columns.amount.empty()) {
    return misconfigured("columns must tell customer, time and amount: customer=2,time=3,amount=5");
  }
  return columns;
}

int decimals_of(const ImportOptions& options) {
  return options.decimals.value_or(options.layout == Layout::kOrders ? 2 : 3);
}

std::string currency_of(const ImportOptions& options) {
  if (!options.currency.empty() || options.layout == Layout::kOrders) return options.currency;
  return "GBP";
}

}  // namespace segmentd
