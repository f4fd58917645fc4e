#include "daemon/watch/suggestion.hpp"

#include <array>
#include <tuple>

#include "daemon/wire/json_writer.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

constexpr std::int64_t kUsualOrdersMax = 10;

/// The clock may be later than the newest row tells: the move has to hold a day later too.
constexpr std::array<std::int64_t, 2> kAges{0, kMsPerDay};

bool would_be_in(const Model& model, int cluster, const ReadRow& row, Instant ordered_at,
                 std::int64_t amount_minor) {
  const Point point{ordered_at, row.frequency + 1, row.monetary_minor + amount_minor};
  for (const std::int64_t age : kAges) {
    if (model.place(point, ordered_at + age).cluster != cluster) return false;
  }
  return true;
}

/// The smallest of 1, 1.5, 2, 3, 4, 5, 7.5 times a power of ten (in major units from 10 on) that is
/// not below half of a usual order and moves the customer; 0 = none up to ten usual orders.
std::int64_t smallest_amount(const Model& model, int cluster, const ReadRow& row, Instant at) {
  const std::int64_t usual = row.monetary_minor / row.frequency;
  std::int64_t ten = 10;
  for (int i = 0; i < model.epoch().features.decimals; ++i) ten *= 10;
  for (std::int64_t power = ten; power <= kUsualOrdersMax * usual; power *= 10) {
    for (const std::int64_t tenths : {10, 15, 20, 30, 40, 50, 75}) {
      const std::int64_t amount = power / 10 * tenths;
      if (amount < usual / 2 || amount > kUsualOrdersMax * usual) continue;
      if (would_be_in(model, cluster, row, at, amount)) return amount;
    }
  }
  return 0;
}

/// Squared standardised distance between two centroids, for "which segment is nearest".
double apart(const Model& model, int a, int b) {
  return model.squared_distance(model.centroid(a), b);
}

}  // namespace

std::optional<Suggestion> suggest_order(const CustomerTable& table, const Model& model,
                                        Segment to) {
  const int cluster = model.cluster_of(to);
  if (cluster < 0) return std::nullopt;
  using Rank = std::tuple<double, double>;  // the smaller the more likely
  std::optional<Rank> best;
  Suggestion suggestion;
  for (const auto& [customer_id, entry] : table.entries()) {
    const ReadRow& row = entry.row;
    const int from = row.segment == Segment::kNone ? -1 : model.cluster_of(row.segment);
    if (from < 0 || row.segment == to || row.frequency < 1 || row.monetary_minor <= 0) continue;
    const std::optional<Instant> at = table.clock(entry.partition);
    if (!at) continue;
    const std::int64_t amount = smallest_amount(model, cluster, row, *at);
    if (amount == 0) continue;
    const double usual =
        static_cast<double>(row.monetary_minor) / static_cast<double>(row.frequency);
    const Rank rank{apart(model, cluster, from), static_cast<double>(amount) / usual};
    if (best && !(rank < *best)) continue;
    best = rank;
    const std::string order_id =
        "extra-" + customer_id.substr(0, 200) + "-" + std::to_string(row.frequency + 1);
    suggestion = {customer_id, row.segment, order_id, amount, *at, row.currency};
  }
  return best ? std::optional(suggestion) : std::nullopt;
}

std::string suggestion_json(const Suggestion& suggestion, Segment to, int decimals) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.text("customer_id", suggestion.customer_id);
  json.text("from_segment", word(suggestion.from));
  json.text("to_segment", word(to));
  json.text("order_id", suggestion.order_id);
  json.time("ordered_at", suggestion.ordered_at);
  json.text("amount", format_amount(suggestion.amount_minor, decimals));
  json.text("currency", suggestion.currency);
  json.end_object();
  return text;
}

}  // namespace segmentd
