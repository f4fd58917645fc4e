#include "daemon/watch/sentence.hpp"

#include <algorithm>

#include "state/core/money.hpp"

namespace segmentd {
namespace {

bool is_decimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos &&
         std::count(text.begin(), text.end(), '.') <= 1;
}

std::string label_or(const std::string& label, Segment segment) {
  return label.empty() ? std::string(word(segment)) : label;
}

int decimals_of(std::string_view amount) {
  const std::size_t point = amount.find('.');
  return point == std::string_view::npos ? 0 : static_cast<int>(amount.size() - point - 1);
}

std::string money(const ReadEvent& event, std::int64_t minor) {
  const int decimals = decimals_of(event.monetary_after);
  return readable_amount(format_amount(minor, decimals)) + " " + event.currency;
}

std::string move(const ReadEvent& event) {
  const SegmentChange& change = event.change;
  const std::string who = "Customer " + change.customer_id;
  const std::string to = label_or(event.to_label, change.to);
  if (change.from == change.to) return who + " is in " + to;
  if (change.from == Segment::kNone) return who + " starts in " + to;
  const std::string from = label_or(event.from_label, change.from);
  if (change.to == Segment::kNone) return who + " leaves " + from + " and is in no segment";
  return who + " moves from " + from + " to " + to;
}

std::string because_of_trigger(const ReadEvent& event, const Trigger& trigger) {
  const Snapshot& before = event.change.before;
  const Snapshot& after = event.change.after;
  const std::int64_t gained = after.monetary_minor - before.monetary_minor;
  const std::string lost = money(event, -gained);
  switch (trigger.type) {
    case RecordType::kOrder:
      if (event.change.cause == Cause::kOrder) {
        return "order " + trigger.id + " brought " + money(event, gained);
      }
      return after.frequency < before.frequency
                 ? "order " + trigger.id + " does not count any more, " + lost + " less"
                 : "order " + trigger.id + " became smaller by " + lost;
    case RecordType::kPayment:
      return "payment " + trigger.id + " of order " + trigger.order_id + " brought " +
             money(event, gained);
    case RecordType::kRefund:
      return "refund " + trigger.id + " gave back " + lost;
    case RecordType::kCancellation:
      return "order " + trigger.order_id + " was cancelled, " + lost + " less";
  }
  return "a record came";
}

std::string silence(const SegmentChange& change) {
  const std::int64_t age = change.after.recency_ms;
  const bool in_days = age >= kMsPerDay;
  const std::int64_t count = age / (in_days ? kMsPerDay : kMsPerHour);
  return "no order for " + readable_count(count) + (in_days ? " day" : " hour") +
         (count == 1 ? "" : "s");
}

std::string reason(const ReadEvent& event) {
  const SegmentChange& change = event.change;
  switch (change.cause) {
    case Cause::kOrder:
    case Cause::kRefund:
      return change.trigger ? because_of_trigger(event, *change.trigger) : "a record came";
    case Cause::kSilence:
      return silence(change);
    case Cause::kModel:
      return "the segments were drawn anew (epoch " + std::to_string(change.epoch) + ")";
    case Cause::kDefinition:
      return "the segments were defined anew";
    case Cause::kBackfill:
      return "this is the starting point";
  }
  return "";
}

std::string worth(const ReadEvent& event) {
  const std::int64_t orders = event.change.after.frequency;
  const std::string counted = orders == 0   ? "No order that counts"
                              : orders == 1 ? "1 order"
                                            : readable_count(orders) + " orders";
  return counted + ", " + money(event, event.change.after.monetary_minor) + " net so far";
}

}  // namespace

std::string grouped(std::string_view decimal) {
  std::string text(decimal);
  if (!is_decimal(decimal)) return text;
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  for (std::size_t at = std::min(text.find('.'), text.size()); at > first + 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string readable_amount(std::string_view decimal) {
  const std::size_t point = decimal.find('.');
  if (is_decimal(decimal) && point != std::string_view::npos) {
    while (decimal.size() > point + 3 && decimal.ends_with('0')) decimal.remove_suffix(1);
  }
  return grouped(decimal);
}

std::string readable_count(std::int64_t count) {
  return grouped(std::to_string(count));
}

std::string sentence(const ReadEvent& event) {
  std::string at = format_rfc3339(event.change.at).substr(0, 16);  // to the minute
  at[10] = ' ';
  std::string line = at + "  " + move(event) + ": " + reason(event) + ". " + worth(event) + ".";
  if (event.change.provisional) line += " (still learning)";
  return line;
}

}  // namespace segmentd
