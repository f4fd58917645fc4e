#include "daemon/wire/epoch_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "daemon/wire/json_object.hpp"
#include "daemon/wire/json_writer.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

namespace dom = simdjson::dom;

/// The first version of the document; members may be added to it.
constexpr std::int64_t kFormat = 1;
constexpr std::string_view kEpochKeyPrefix = "epoch/";

void write_features(JsonWriter& json, std::string_view name, const Features& features) {
  json.begin_array(name);
  for (const double feature : features) json.number(feature);
  json.end_array();
}

Features standardised(const Epoch& epoch, const Centroid& centroid) {
  Features z{};
  for (std::size_t i = 0; i < z.size(); ++i) {
    z[i] = (centroid.at[i] - epoch.mean[i]) / epoch.scale[i];
  }
  return z;
}

void write_centroid(JsonWriter& json, const Epoch& epoch, std::size_t cluster) {
  const Centroid& centroid = epoch.centroids[cluster];
  json.begin_object();
  json.integer("cluster", static_cast<std::int64_t>(cluster));
  json.text("segment", word(centroid.segment));
  json.integer("customers", centroid.customers);
  json.text("revenue", format_amount(centroid.revenue_minor, epoch.features.decimals));
  json.integer("revenue_minor", centroid.revenue_minor);
  write_features(json, "at", centroid.at);
  write_features(json, "standardised", standardised(epoch, centroid));
  json.end_object();
}

template <class Enum>
Enum enum_of(const JsonObject& json, std::string_view name, std::initializer_list<Enum> all) {
  const std::string text = json.text(name);
  for (const Enum one : all) {
    if (text == word(one)) return one;
  }
  json.complain(name, "is not one of the known words");
  return *all.begin();
}

Features read_features(const JsonObject& json, std::string_view name) {
  const std::vector<double> numbers = json.numbers(name);
  Features features{};
  if (numbers.size() == features.size()) {
    std::copy(numbers.begin(), numbers.end(), features.begin());
  } else {
    json.complain(name, "does not hold one number per feature");
  }
  return features;
}

std::uint64_t read_seed(const JsonObject& json) {
  const std::string text = json.text("seed");
  std::uint64_t seed = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, seed);
  if (problem != std::errc{} || stop != end) json.complain("seed", "is not a number of 64 bits");
  return seed;
}

FeatureRules read_rules(const JsonObject& json) {
  FeatureRules rules;
  rules.recency = enum_of(json, "recency", {Recency::kSaturating, Recency::kLinear, Recency::kLog});
  rules.tau_ms = json.integer("tau_ms");
  rules.floor_minor = json.integer("floor_minor");
  const std::int64_t decimals = json.integer("decimals");
  if (rules.tau_ms <= 0) json.complain("tau_ms", "is not above 0");
  if (rules.floor_minor < 0) json.complain("floor_minor", "is below 0");
  if (decimals < 0 || decimals > kDecimalsMax) json.complain("decimals", "is out of range");
  rules.decimals = static_cast<int>(std::clamp<std::int64_t>(decimals, 0, kDecimalsMax));
  return rules;
}

std::vector<Centroid> read_centroids(const JsonObject& json, JsonComplaint& complaint) {
  std::vector<Centroid> centroids;
  std::array<bool, kSegmentWords> named{};
  for (const dom::element element : json.array("centroids")) {
    const JsonObject entry(element, "centroid", complaint);
    if (entry.integer("cluster") != static_cast<std::int64_t>(centroids.size())) {
      entry.complain("cluster", "is not its place in the list");
    }
    Centroid centroid;
    centroid.segment = entry.segment_or_null("segment");
    if (centroid.segment == Segment::kNone) entry.complain("segment", "is null");
    bool& taken = named[static_cast<std::size_t>(centroid.segment)];
    if (taken) entry.complain("segment", "is named twice");
    taken = true;
    centroid.customers = entry.integer("customers");
    if (centroid.customers < 0) entry.complain("customers", "is below 0");
    centroid.revenue_minor = entry.integer("revenue_minor");
    centroid.at = read_features(entry, "at");
    centroids.push_back(centroid);
  }
  if (centroids.size() < kSegmentsMin || centroids.size() > kSegmentsMax) {
    json.complain("centroids", "are not 2 to 8");
  }
  return centroids;
}

Epoch read_epoch(const JsonObject& json, JsonComplaint& complaint) {
  Epoch epoch;
  if (json.integer("format") != kFormat) json.complain("format", "is not 1");
  epoch.number = json.integer("epoch");
  epoch.predecessor = json.integer("predecessor");
  if (epoch.number < 1) json.complain("epoch", "is below 1");
  if (epoch.predecessor < 0 || epoch.predecessor >= epoch.number) {
    json.complain("predecessor", "is not an earlier epoch");
  }
  epoch.kind = enum_of(
      json, "kind",
      {EpochKind::kProvisional, EpochKind::kFirstFit, EpochKind::kMeans, EpochKind::kAdopted});
  epoch.instant = json.time("instant");
  epoch.currency = json.text("currency");
  epoch.features = read_rules(json.object("features"));
  epoch.mean = read_features(json, "mean");
  epoch.scale = read_features(json, "scale");
  if (std::any_of(epoch.scale.begin(), epoch.scale.end(), [](double s) { return !(s > 0); })) {
    json.complain("scale", "is not above 0");
  }
  epoch.seed = read_seed(json);
  epoch.inertia = json.number("inertia");
  epoch.excess_before = json.number("excess_before");
  epoch.centroids = read_centroids(json, complaint);
  return epoch;
}

}  // namespace

std::string epoch_key(std::int64_t number) {
  return std::string(kEpochKeyPrefix) + std::to_string(number);
}

std::optional<std::int64_t> epoch_of_key(std::string_view key) {
  if (!key.starts_with(kEpochKeyPrefix)) return std::nullopt;
  key.remove_prefix(kEpochKeyPrefix.size());
  std::int64_t number = 0;
  const auto [stop, problem] = std::from_chars(key.data(), key.data() + key.size(), number);
  if (problem != std::errc{} || stop != key.data() + key.size() || number < 1) return std::nullopt;
  return number;
}

void append_epoch(std::string& out, const Epoch& epoch) {
  JsonWriter json(out);
  json.begin_object();
  json.integer("format", kFormat);
  json.integer("epoch", epoch.number);
  json.integer("predecessor", epoch.predecessor);
  json.text("kind", word(epoch.kind));
  json.boolean("provisional", epoch.provisional());
  json.time("instant", epoch.instant);
  json.text("currency", epoch.currency);
  json.begin_object("features");
  json.text("recency", word(epoch.features.recency));
  json.integer("tau_ms", epoch.features.tau_ms);
  json.integer("decimals", epoch.features.decimals);
  json.text("floor", format_amount(epoch.features.floor_minor, epoch.features.decimals));
  json.integer("floor_minor", epoch.features.floor_minor);
  json.end_object();
  write_features(json, "mean", epoch.mean);
  write_features(json, "scale", epoch.scale);
  // As text: many JSON readers keep only 53 bits of a number.
  json.text("seed", std::to_string(epoch.seed));
  json.number("inertia", epoch.inertia);
  json.number("excess_before", epoch.excess_before);
  json.begin_array("centroids");
  for (std::size_t i = 0; i < epoch.centroids.size(); ++i) write_centroid(json, epoch, i);
  json.end_array();
  json.end_object();
}

Result<Epoch> decode_epoch(std::string_view json) {
  dom::parser parser;
  dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) {
    return Error{Errc::kBadInput, "epoch: is not JSON"};
  }
  JsonComplaint complaint;
  Epoch epoch = read_epoch(JsonObject(document, "epoch", complaint), complaint);
  if (complaint.any()) return complaint.error();
  return epoch;
}

std::string applied_key(const AppliedEpoch& applied) {
  return "applied/" + std::to_string(applied.partition) + "/" + std::to_string(applied.epoch);
}

void append_applied(std::string& out, const AppliedEpoch& applied) {
  JsonWriter json(out);
  json.begin_object();
  json.integer("partition", applied.partition);
  json.integer("epoch", applied.epoch);
  json.integer("input_offset", applied.input_offset);
  json.time("clock", applied.clock);
  json.end_object();
}

Result<AppliedEpoch> decode_applied(std::string_view json) {
  dom::parser parser;
  dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) {
    return Error{Errc::kBadInput, "applied epoch: is not JSON"};
  }
  JsonComplaint complaint;
  const JsonObject object(document, "applied epoch", complaint);
  const std::int64_t partition = object.integer("partition");
  if (partition < 0 || partition > std::numeric_limits<std::int32_t>::max()) {
    object.complain("partition", "is out of range");
  }
  AppliedEpoch applied;
  applied.partition = static_cast<std::int32_t>(partition);
  applied.epoch = object.integer("epoch");
  applied.input_offset = object.integer("input_offset");
  applied.clock = object.time_or_null("clock");
  if (applied.epoch < 1) object.complain("epoch", "is below 1");
  if (applied.input_offset < 0) object.complain("input_offset", "is below 0");
  if (complaint.any()) return complaint.error();
  return applied;
}

}  // namespace segmentd
