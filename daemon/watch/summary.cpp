#include "daemon/watch/summary.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "daemon/watch/sentence.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

struct SegmentTotal {
  std::string label;
  std::int64_t customers = 0;
  std::int64_t revenue_minor = 0;
};

struct Totals {
  std::array<SegmentTotal, kSegmentWords> segments;
  SegmentTotal all{"all"};
  std::string currency;
  int decimals = 0;
};

Totals totals_of(const CustomerTable& table) {
  Totals totals;
  for (const auto& [customer_id, entry] : table.entries()) {
    const ReadRow& row = entry.row;
    SegmentTotal& segment = totals.segments[static_cast<std::size_t>(row.segment)];
    segment.label = row.segment == Segment::kNone ? "in no segment" : row.label;
    for (SegmentTotal* total : {&segment, &totals.all}) {
      total->customers += 1;
      total->revenue_minor += row.monetary_minor;
    }
    totals.currency = row.currency;
    const std::size_t point = row.monetary.find('.');
    totals.decimals =
        point == std::string::npos ? 0 : static_cast<int>(row.monetary.size() - point - 1);
  }
  return totals;
}

constexpr std::size_t kLabelWidth = 16;
constexpr std::size_t kCountWidth = 12;
constexpr std::size_t kShareWidth = 10;
constexpr std::size_t kMoneyWidth = 20;

/// Widens by characters as shown, not by bytes: labels may be of any language.
std::string left_in(std::size_t width, std::string text) {
  const auto shown = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
  if (shown < width) text.append(width - shown, ' ');
  return text;
}

std::string right_in(std::size_t width, const std::string& text) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return "";
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  const auto tenths = static_cast<std::int64_t>(percent * 10 + (percent < 0 ? -0.5 : 0.5));
  return format_amount(tenths, 1) + " %";
}

std::string table_line(const SegmentTotal& total, const Totals& totals) {
  return "  " + left_in(kLabelWidth, total.label) +
         right_in(kCountWidth, readable_count(total.customers)) +
         right_in(kShareWidth, share(total.customers, totals.all.customers)) +
         right_in(kMoneyWidth,
                  readable_amount(format_amount(total.revenue_minor, totals.decimals))) +
         right_in(kShareWidth, share(total.revenue_minor, totals.all.revenue_minor)) + "\n";
}

std::string_view in_words(Cause cause) {
  switch (cause) {
    case Cause::kOrder:
      return "an order";
    case Cause::kRefund:
      return "a refund or cancellation";
    case Cause::kSilence:
      return "silence";
    case Cause::kModel:
      return "segments drawn anew";
    case Cause::kDefinition:
      return "segments defined anew";
    case Cause::kBackfill:
      return "the starting point";
  }
  return "";
}

}  // namespace

void MoveCounts::add(const SegmentChange& change) {
  ++all_;
  ++by_cause_[static_cast<std::size_t>(change.cause)];
  if (!crosses(change)) return;
  ++(change.to == watched_ ? entered_ : left_);
}

std::string summary_text(const CustomerTable& table, const MoveCounts& moves) {
  const Totals totals = totals_of(table);
  std::string text = "  " + left_in(kLabelWidth, "segment") + right_in(kCountWidth, "customers") +
                     right_in(kShareWidth, "") +
                     right_in(kMoneyWidth, "revenue " + totals.currency) + "\n";
  for (std::size_t s = 1; s < totals.segments.size(); ++s) {
    if (totals.segments[s].customers > 0) text += table_line(totals.segments[s], totals);
  }
  const SegmentTotal& none = totals.segments[static_cast<std::size_t>(Segment::kNone)];
  if (none.customers > 0) text += table_line(none, totals);
  text += table_line(totals.all, totals);

  text += "\n  " + readable_count(moves.all()) + " moves";
  std::string_view before = ": ";
  for (int c = 0; c < kCauses; ++c) {
    const auto cause = static_cast<Cause>(c);
    if (moves.by(cause) == 0) continue;
    text += std::string(before) + readable_count(moves.by(cause)) + " by " +
            std::string(in_words(cause));
    before = ", ";
  }
  const SegmentTotal& watched = totals.segments[static_cast<std::size_t>(moves.watched())];
  if (none.customers == totals.all.customers && moves.all() == 0) {
    text +=
        "\n  Nobody is in a segment yet: they are drawn at the first evaluation "
        "(model.evaluate_every, midnight UTC by default)";
  }
  std::string label = watched.label.empty() ? std::string(word(moves.watched())) : watched.label;
  if (watched.label.empty()) label[0] = static_cast<char>(std::toupper(label[0]));
  text += "\n  " + label + ": entered " + readable_count(moves.entered()) + " times, left " +
          readable_count(moves.left()) + " times\n";
  return text;
}

}  // namespace segmentd
