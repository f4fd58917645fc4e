#include "state/core/evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "state/core/kmeans.hpp"
#include "state/core/money.hpp"
#include "state/core/naming.hpp"
#include "state/core/wide.hpp"

namespace segmentd {
namespace {

/// The 1st percentile (nearest rank) of positive spend: customers who gave nothing, or got more
/// back than they paid, lie there instead of far outside.
std::int64_t spend_floor(const std::vector<Sampled>& sample) {
  std::vector<std::int64_t> positive;
  for (const Sampled& s : sample) {
    if (s.point.monetary_minor > 0) positive.push_back(s.point.monetary_minor);
  }
  if (positive.empty()) return 0;
  const std::size_t rank = (positive.size() + 99) / 100;
  std::nth_element(positive.begin(), positive.begin() + static_cast<std::ptrdiff_t>(rank - 1),
                   positive.end());
  return positive[rank - 1];
}

/// The sample in the scale of its own moments.
struct ScaledSample {
  FeatureRules features;
  Features mean{};
  Features scale{};
  std::vector<Features> points;
};

ScaledSample scaled(const ModelRules& rules, const std::vector<Sampled>& sample, Instant at) {
  ScaledSample out;
  out.features = rules.features;
  out.features.floor_minor = spend_floor(sample);
  ClusterSums sums;
  for (const Sampled& s : sample) {
    sums.add(contribution_of(out.features, s.point, at, at));
    out.points.push_back(features_of(out.features, s.point, at));
  }
  const Moments moments = moments_of(out.features, sums, at, at);
  out.mean = moments.mean();
  out.scale = moments.scale();
  for (Features& z : out.points) {
    for (std::size_t f = 0; f < z.size(); ++f) z[f] = (z[f] - out.mean[f]) / out.scale[f];
  }
  return out;
}

/// Cold start: customers in order of zF + zM - zR, cut into k equal groups; centroids = groups'
/// means.
std::optional<std::vector<Features>> group_means(const std::vector<Features>& points, int k) {
  const auto groups = static_cast<std::size_t>(k);
  if (points.size() < groups) return std::nullopt;
  const auto score = [&](std::size_t i) {
    const Features& z = points[i];
    return z[kFrequencyFeature] + z[kMonetaryFeature] - z[kRecencyFeature];
  };
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return score(a) < score(b); });
  std::vector<Features> means(groups, Features{});
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t begin = g * points.size() / groups;
    const std::size_t end = (g + 1) * points.size() / groups;
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t f = 0; f < means[g].size(); ++f) means[g][f] += points[order[i]][f];
    }
    for (double& m : means[g]) m /= static_cast<double>(end - begin);
  }
  return means;
}

/// An epoch around standardised centroids; clusters in the order of their words, so that index 0 is
/// always insiders after a fit.
Epoch epoch_from(const ModelRules& rules, const ScaledSample& sample,
                 const std::vector<Features>& centroids, EpochKind kind, Instant at) {
  Epoch epoch;
  epoch.kind = kind;
  epoch.instant = at;
  epoch.features = sample.features;
  epoch.mean = sample.mean;
  epoch.scale = sample.scale;
  epoch.currency = rules.currency;
  const std::vector<Segment> names = names_of(centroids);
  for (const Segment segment : segments_of(rules.k)) {
    const auto j =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), segment) - names.begin());
    Centroid c;
    c.segment = segment;
    for (std::size_t f = 0; f < c.at.size(); ++f) {
      c.at[f] = sample.mean[f] + sample.scale[f] * centroids[j][f];
    }
    epoch.centroids.push_back(c);
  }
  return epoch;
}

/// Members, their revenue and the inertia, where the sample is everyone.
void count_members(Epoch& epoch, const ScaledSample& scaled_sample,
                   const std::vector<Sampled>& sample, const Population& population) {
  if (static_cast<std::size_t>(population.customers) != sample.size()) return;
  const Model model(epoch);
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const Place place = model.place(scaled_sample.points[i]);
    Centroid& c = epoch.centroids[static_cast<std::size_t>(place.cluster)];
    ++c.customers;
    c.revenue_minor = add_saturated(c.revenue_minor, sample[i].point.monetary_minor);
    epoch.inertia += place.nearest;
  }
}

void number(Epoch& epoch, const ModelRules& rules, const Model* incumbent) {
  epoch.predecessor = incumbent == nullptr ? 0 : incumbent->epoch().number;
  epoch.number = epoch.predecessor + 1;
  epoch.seed = rules.seed + static_cast<std::uint64_t>(epoch.number);
}

bool enough_history(const ModelRules& rules, const Population& population, Instant at) {
  return population.first_order_at &&
         at - *population.first_order_at >= rules.min_days * kMsPerDay &&
         population.customers >= rules.min_customers * rules.k;
}

/// The cold-start epoch or, with enough history, the first fit. nullopt = fewer customers, or fewer
/// distinct ones, than k: what is in force stays.
std::optional<Epoch> first_epoch(const ModelRules& rules, const Model* incumbent,
                                 const Population& population, Instant at) {
  const std::vector<Sampled> sample = population.sample();
  const ScaledSample in_scale = scaled(rules, sample, at);
  Epoch numbered;
  number(numbered, rules, incumbent);
  const bool fits = enough_history(rules, population, at);
  std::optional<std::vector<Features>> centroids;
  if (fits) {
    std::optional<Fit> fit = fit_kmeans(in_scale.points, rules.k, rules.fit_starts, numbered.seed);
    if (fit) centroids = std::move(fit->centroids);
  } else {
    centroids = group_means(in_scale.points, rules.k);
  }
  if (!centroids) return std::nullopt;
  Epoch epoch = epoch_from(rules, in_scale, *centroids,
                           fits ? EpochKind::kFirstFit : EpochKind::kProvisional, at);
  number(epoch, rules, incumbent);
  count_members(epoch, in_scale, sample, population);
  return epoch;
}

Moments total_moments(const Model& model, const Population& population, Instant at) {
  ClusterSums total;
  for (const ClusterSums& sums : population.clusters) total.add(sums);
  return moments_of(model.epoch().features, total, population.origin, at);
}

/// The live centroids in fresh moments; identities and words stay.
Epoch republished(const ModelRules& rules, const Model& incumbent, const Population& population,
                  const Quality& quality, Instant at) {
  const std::vector<Features> live =
      live_centroids(incumbent, population.clusters, population.origin, at);
  const Moments total = total_moments(incumbent, population, at);
  Epoch epoch = incumbent.epoch();
  epoch.kind = EpochKind::kMeans;
  epoch.instant = at;
  epoch.mean = total.mean();
  epoch.scale = total.scale();
  epoch.excess_before = quality.excess;
  for (std::size_t j = 0; j < live.size(); ++j) {
    epoch.centroids[j].at = live[j];
    epoch.centroids[j].customers = population.clusters[j].customers;
    epoch.centroids[j].revenue_minor = clamped(population.clusters[j].revenue_minor);
  }
  number(epoch, rules, &incumbent);
  epoch.inertia = quality_of(Model(epoch), population, at).inertia;
  return epoch;
}

}  // namespace

std::uint64_t sample_hash(std::uint64_t salt, std::string_view customer_id) {
  // FNV-1a over the bytes, then a full mix so that the smallest hashes are a fair sample.
  std::uint64_t h = 0xcbf29ce484222325ULL ^ SplitMix64(salt).next();
  for (const char c : customer_id) {
    h ^= static_cast<unsigned char>(c);
    h *= 0x100000001b3ULL;
  }
  return SplitMix64(h).next();
}

void trim_sample(std::vector<Sampled>& sample, std::size_t max) {
  const auto by_hash = [](const Sampled& a, const Sampled& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    if (a.point.last_order_at != b.point.last_order_at) {
      return a.point.last_order_at < b.point.last_order_at;
    }
    if (a.point.frequency != b.point.frequency) return a.point.frequency < b.point.frequency;
    return a.point.monetary_minor < b.point.monetary_minor;
  };
  if (sample.size() > max) {
    std::nth_element(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(max),
                     sample.end(), by_hash);
    sample.resize(max);
  }
  std::sort(sample.begin(), sample.end(), by_hash);
}

std::vector<Features> live_centroids(const Model& model, const std::vector<ClusterSums>& clusters,
                                     Instant origin, Instant at) {
  std::vector<Features> live;
  for (std::size_t j = 0; j < clusters.size(); ++j) {
    const Moments m = moments_of(model.epoch().features, clusters[j], origin, at);
    live.push_back(m.customers > 0 ? m.mean() : model.epoch().centroids[j].at);
  }
  return live;
}

Quality quality_of(const Model& model, const Population& population, Instant at) {
  Quality quality;
  const Epoch& epoch = model.epoch();
  double exact = 0;
  for (std::size_t j = 0; j < population.clusters.size(); ++j) {
    const Moments m = moments_of(epoch.features, population.clusters[j], population.origin, at);
    if (m.customers == 0) continue;
    quality.inertia +=
        inertia_about(m, epoch.mean, epoch.scale, model.centroid(static_cast<int>(j)));
    exact += inertia_about(m, epoch.mean, epoch.scale, model.standardised(m.mean()));
  }
  if (exact > 0) quality.excess = std::max(0.0, quality.inertia / exact - 1);
  const Moments total = total_moments(model, population, at);
  if (total.customers > 0) {
    const Features scale = total.scale();
    for (std::size_t f = 0; f < scale.size(); ++f) {
      quality.drift = std::max(quality.drift, std::abs(std::log(scale[f] / epoch.scale[f])));
    }
  }
  return quality;
}

std::optional<Epoch> judge(const ModelRules& rules, const Model* incumbent,
                           const Population& population, Instant at) {
  if (population.customers == 0) return std::nullopt;
  if (incumbent == nullptr || incumbent->epoch().provisional()) {
    return first_epoch(rules, incumbent, population, at);
  }
  const Quality quality = quality_of(*incumbent, population, at);
  if (quality.excess <= rules.excess_max && quality.drift <= rules.drift_max) return std::nullopt;
  return republished(rules, *incumbent, population, quality, at);
}

Instant last_evaluation(Instant clock, std::int64_t every_ms) {
  std::int64_t steps = clock.ms / every_ms;
  if (clock.ms < 0 && clock.ms % every_ms != 0) --steps;
  return {steps * every_ms};
}

Instant next_evaluation(Instant clock, std::int64_t every_ms) {
  return last_evaluation(clock, every_ms) + every_ms;
}

}  // namespace segmentd
