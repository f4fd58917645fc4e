#include "daemon/replay/report.hpp"

#include <array>
#include <cmath>
#include <utility>

#include "daemon/observe/words.hpp"
#include "daemon/wire/json_writer.hpp"
#include "state/codec.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

RowExtras extras_of(const Model* model, const Customer& customer, Instant now,
                    std::array<double, kSegmentsMax>& distances) {
  RowExtras extras;
  const std::optional<Point> point = point_of(customer.figures);
  if (!point) return extras;
  extras.recency_ms = now - point->last_order_at;
  if (model == nullptr) return extras;
  const Features z = model->standardised(features_of(model->epoch().features, *point, now));
  const Place place = model->place(z);
  extras.raw_segment = model->segment(place.cluster);
  const auto lapse = [&](int cluster) -> std::optional<Lapse> {
    const auto next = model->next_crossing(*point, cluster, now);
    if (!next) return std::nullopt;
    return Lapse{model->segment(next->cluster), next->at};
  };
  extras.raw_next = lapse(place.cluster);
  if (customer.cluster >= 0) extras.next = lapse(customer.cluster);
  for (int j = 0; j < model->k(); ++j) {
    distances[static_cast<std::size_t>(j)] = std::sqrt(model->squared_distance(z, j));
  }
  extras.distances =
      std::span<const double>(distances.data(), static_cast<std::size_t>(model->k()));
  return extras;
}

void write_counts(JsonWriter& json, const observe::Tally& tally) {
  using namespace observe;
  json.begin_object("records");
  for (std::size_t t = 0; t < kWordCount<observe::RecordType>; ++t) {
    const auto type = static_cast<observe::RecordType>(t);
    json.begin_object(observe::word(type));
    for (std::size_t o = 0; o < kWordCount<Outcome>; ++o) {
      const auto outcome = static_cast<Outcome>(o);
      json.integer(observe::word(outcome), static_cast<std::int64_t>(tally.records[type][outcome]));
    }
    json.end_object();
  }
  json.end_object();
  json.begin_object("rejected");
  for (std::size_t r = 0; r < kWordCount<observe::RejectReason>; ++r) {
    const auto reason = static_cast<observe::RejectReason>(r);
    json.integer(observe::word(reason), static_cast<std::int64_t>(tally.rejected[reason]));
  }
  json.end_object();
}

void write_anonymous(JsonWriter& json, const Anonymous& a, int decimals) {
  json.begin_object("anonymous");
  json.integer("orders", a.orders);
  json.text("ordered", format_amount(a.orders_minor, decimals));
  json.integer("ordered_minor", a.orders_minor);
  json.integer("refunds", a.refunds);
  json.text("refunded", format_amount(a.refunds_minor, decimals));
  json.integer("refunded_minor", a.refunds_minor);
  json.integer("others", a.others);
  json.end_object();
}

void write_features(JsonWriter& json, std::string_view name, const Features& f) {
  json.begin_object(name);
  json.number("recency", f[kRecencyFeature]);
  json.number("frequency", f[kFrequencyFeature]);
  json.number("monetary", f[kMonetaryFeature]);
  json.end_object();
}

/// A centroid as a person reads it: days, orders, money.
void write_natural(JsonWriter& json, const FeatureRules& rules, const Features& f) {
  json.begin_object("natural");
  json.number("recency_days",
              recency_age_ms(rules, f[kRecencyFeature]) / static_cast<double>(kMsPerDay));
  json.number("frequency", std::exp(f[kFrequencyFeature]));
  json.number("monetary", std::expm1(f[kMonetaryFeature]));
  json.end_object();
}

void write_segments(JsonWriter& json, const Segmenter& segmenter, Instant now, int decimals) {
  const Model* model = segmenter.model();
  const auto tallies = segmenter.by_segment();
  json.begin_object("segments");
  for (std::size_t s = 0; s < tallies.size(); ++s) {
    const auto segment = static_cast<Segment>(s);
    const int cluster = model == nullptr ? -1 : model->cluster_of(segment);
    if (segment != Segment::kNone && cluster < 0) continue;
    json.begin_object(word(segment));
    json.integer("customers", tallies[s].customers);
    json.text("revenue", format_amount(tallies[s].revenue_minor, decimals));
    json.integer("revenue_minor", tallies[s].revenue_minor);
    if (cluster >= 0) {
      const Epoch& epoch = model->epoch();
      const Moments moments =
          moments_of(epoch.features, segmenter.sums()[static_cast<std::size_t>(cluster)],
                     segmenter.origin(), now);
      json.integer("cluster", cluster);
      json.number("inertia",
                  inertia_about(moments, epoch.mean, epoch.scale, model->centroid(cluster)));
    }
    json.end_object();
  }
  json.end_object();
}

void write_model(JsonWriter& json, const Model* model) {
  if (model == nullptr) {
    json.null("model");
    return;
  }
  const Epoch& epoch = model->epoch();
  json.begin_object("model");
  json.integer("epoch", epoch.number);
  json.text("kind", word(epoch.kind));
  json.time("instant", epoch.instant);
  json.text("recency", word(epoch.features.recency));
  json.number("tau_days",
              static_cast<double>(epoch.features.tau_ms) / static_cast<double>(kMsPerDay));
  json.integer("floor_minor", epoch.features.floor_minor);
  write_features(json, "mean", epoch.mean);
  write_features(json, "scale", epoch.scale);
  json.begin_array("centroids");
  for (int j = 0; j < model->k(); ++j) {
    const Features& at = epoch.centroids[static_cast<std::size_t>(j)].at;
    json.begin_object();
    json.text("segment", word(model->segment(j)));
    write_features(json, "features", at);
    write_features(json, "standardised", model->centroid(j));
    write_natural(json, epoch.features, at);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_effects(JsonWriter& json, const std::vector<EpochEffect>& effects) {
  json.begin_array("epochs");
  for (const EpochEffect& e : effects) {
    json.begin_object();
    json.integer("epoch", e.epoch);
    json.text("kind", e.kind);
    json.time("instant", e.instant);
    json.integer("input_offset", e.input_offset);
    json.time("clock", e.clock);
    json.end_object();
  }
  json.end_array();
}

void write_moves(JsonWriter& json, const observe::Tally& tally) {
  using namespace observe;
  json.begin_array("moves");
  for (std::size_t f = 0; f < kWordCount<SegmentWord>; ++f) {
    for (std::size_t t = 0; t < kWordCount<SegmentWord>; ++t) {
      for (std::size_t c = 0; c < kWordCount<ChangeCause>; ++c) {
        const auto from = static_cast<SegmentWord>(f);
        const auto to = static_cast<SegmentWord>(t);
        const auto cause = static_cast<ChangeCause>(c);
        const std::uint64_t n = tally.segment_changes[from][to][cause];
        if (n == 0) continue;
        json.begin_object();
        json.text_or_null("from", from == SegmentWord::kNone ? "" : observe::word(from));
        json.text_or_null("to", to == SegmentWord::kNone ? "" : observe::word(to));
        json.text("cause", observe::word(cause));
        json.integer("count", static_cast<std::int64_t>(n));
        json.end_object();
      }
    }
  }
  json.end_array();
}

}  // namespace

Result<void> write_table(Partition& partition, const EncodeContext& context, FileSink& out) {
  const Model* model = partition.segmenter().model();
  const Instant now = partition.meta().clock.value_or(Instant{});
  std::string line;
  std::array<double, kSegmentsMax> distances{};
  auto ok = partition.store().scan(kRowPrefix, [&](std::string_view key, std::string_view value) {
    auto customer = decode_row(customer_of(key).value_or(""), value, partition.customer_rules());
    if (!customer) return Result<void>(customer.error());
    const RowExtras extras = extras_of(model, *customer, now, distances);
    line.clear();
    append_row(line, *customer, context, &extras);
    return out.put_line(line);
  });
  if (!ok) return ok;
  return out.finish();
}

std::string summary_json(const Partition& partition, const ReplayTotals& totals,
                         const std::vector<EpochEffect>& effects, const EncodeContext& context) {
  std::string text;
  JsonWriter json(text);
  const Instant now = partition.meta().clock.value_or(Instant{});
  json.begin_object();
  json.text("application", context.application);
  json.text("currency", context.currency);
  json.time("clock", partition.meta().clock);
  write_counts(json, totals.tally);
  write_anonymous(json, partition.meta().anonymous, context.decimals);
  json.integer("customers", partition.segmenter().customers());
  json.integer("placed", partition.segmenter().placed());
  write_segments(json, partition.segmenter(), now, context.decimals);
  write_model(json, partition.segmenter().model());
  write_effects(json, effects);
  write_moves(json, totals.tally);
  json.integer("records_read", static_cast<std::int64_t>(totals.records));
  json.number("duration_seconds", totals.seconds);
  json.number("records_per_second",
              totals.seconds > 0 ? static_cast<double>(totals.records) / totals.seconds : 0);
  json.end_object();
  return text;
}

std::string describe(const ReplayTotals& totals) {
  using namespace observe;
  std::string text = std::to_string(totals.records) + " records";
  const char* separator = ": ";
  for (std::size_t o = 0; o < kWordCount<Outcome>; ++o) {
    const auto outcome = static_cast<Outcome>(o);
    std::uint64_t count = 0;
    for (std::size_t t = 0; t < kWordCount<observe::RecordType>; ++t) {
      count += totals.tally.records[static_cast<observe::RecordType>(t)][outcome];
    }
    if (count == 0) continue;
    text += std::exchange(separator, ", ") + std::to_string(count) + " ";
    text += observe::word(outcome);
  }
  text += "\n";
  for (std::size_t r = 0; r < kWordCount<observe::RejectReason>; ++r) {
    const auto reason = static_cast<observe::RejectReason>(r);
    const std::uint64_t count = totals.tally.rejected[reason];
    if (count == 0) continue;
    text += "rejected " + std::to_string(count) + " " + std::string(observe::word(reason)) + "\n";
  }
  return text;
}

}  // namespace segmentd
