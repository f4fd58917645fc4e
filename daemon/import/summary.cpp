#include "daemon/import/summary.hpp"

#include <algorithm>
#include <limits>

#include "daemon/import/time_reader.hpp"

namespace segmentd {
namespace {

void add_to(std::int64_t& sum, std::int64_t amount) {
  if (!__builtin_add_overflow(sum, amount, &sum)) return;
  sum = amount > 0 ? std::numeric_limits<std::int64_t>::max()
                   : std::numeric_limits<std::int64_t>::min();
}

/// Digits in groups of three, up to the decimal point: `8911407.904` -> `8,911,407.904`.
std::string grouped(std::string digits) {
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  const std::size_t point = std::min(digits.find('.'), digits.size());
  for (std::size_t at = point; at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string counted(std::uint64_t count, const std::string& one) {
  return grouped(std::to_string(count)) + " " + one + (count == 1 ? "" : "s");
}

std::string line_of(const std::string& who, const std::string& currency, const Totals& totals,
                    int decimals) {
  return who + ": " + counted(totals.orders, "order") + " of " +
         grouped(format_amount(totals.ordered_minor, decimals)) + " " + currency + ", " +
         counted(totals.refunds, "refund") + " of " +
         grouped(format_amount(totals.refunded_minor, decimals)) + " " + currency + "\n";
}

std::string line_of(SkipReason reason, const Skipped& skipped) {
  std::string line = "skipped " + grouped(std::to_string(skipped.count)) + " " +
                     std::string(name_of(reason)) + ", at line ";
  for (std::size_t i = 0; i < skipped.first_lines.size(); ++i) {
    line += (i == 0 ? "" : ", ") + std::to_string(skipped.first_lines[i]);
  }
  return line + (skipped.count > skipped.first_lines.size() ? ", ...\n" : "\n");
}

}  // namespace

std::string_view name_of(SkipReason reason) {
  switch (reason) {
    case SkipReason::kMalformedLine:
      return "malformed_line";
    case SkipReason::kMissingColumn:
      return "missing_column";
    case SkipReason::kBadId:
      return "bad_id";
    case SkipReason::kBadText:
      return "bad_text";
    case SkipReason::kBadTime:
      return "bad_time";
    case SkipReason::kBadAmount:
      return "bad_amount";
    case SkipReason::kTooManyDecimals:
      return "too_many_decimals";
    case SkipReason::kOverflow:
      return "overflow";
    case SkipReason::kNegativeAmount:
      return "negative_amount";
    case SkipReason::kMixedCustomer:
      return "mixed_customer";
    case SkipReason::kAdjustment:
      return "adjustment";
  }
  return "unknown";
}

SkipReason reason_of(AmountProblem problem) {
  if (problem == AmountProblem::kTooManyDecimals) return SkipReason::kTooManyDecimals;
  if (problem == AmountProblem::kOverflow) return SkipReason::kOverflow;
  return SkipReason::kBadAmount;
}

void ImportSummary::count(const HistoryRecord& record) {
  ++records;
  CurrencyTotals& money = totals[record.currency];
  Totals& side = record.customer ? money.identified : money.anonymous;
  if (record.type == HistoryRecord::Type::kOrder) {
    ++side.orders;
    add_to(side.ordered_minor, record.amount_minor);
  } else {
    ++side.refunds;
    add_to(side.refunded_minor, record.amount_minor);
  }
  if (last_at && record.at < *last_at) ++out_of_order;
  first_at = first_at ? std::min(*first_at, record.at) : record.at;
  last_at = last_at ? std::max(*last_at, record.at) : record.at;
}

void ImportSummary::skip(SkipReason reason, std::uint64_t line) {
  Skipped& entry = skipped[reason];
  ++entry.count;
  if (entry.first_lines.size() < Skipped::kLinesKept) entry.first_lines.push_back(line);
}

std::string describe(const ImportSummary& summary, int decimals) {
  std::string text = counted(summary.records, "record") + " from " + counted(summary.rows, "row");
  if (summary.first_at) {
    text += ", " + format_rfc3339_short(*summary.first_at) + " to " +
            format_rfc3339_short(*summary.last_at);
  }
  if (summary.shifted_ms != 0) text += " after moving all times";
  text += "\n";
  for (const auto& [currency, money] : summary.totals) {
    text += line_of("customers", currency, money.identified, decimals);
    if (money.anonymous.orders + money.anonymous.refunds > 0) {
      text += line_of("without customer", currency, money.anonymous, decimals);
    }
  }
  for (const auto& [reason, skipped] : summary.skipped) text += line_of(reason, skipped);
  if (summary.out_of_order > 0) {
    text += counted(summary.out_of_order, "record") +
            " earlier than one before: --sort time puts them in order\n";
  }
  return text;
}

}  // namespace segmentd
