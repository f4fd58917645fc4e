#include "state/core/segmenter.hpp"

#include <algorithm>
#include <utility>

#include "state/core/wide.hpp"

namespace segmentd {

Segmenter::Segmenter(SegmenterRules rules) : rules_(rules) {}

// --- the roster ---

Segmenter::Entry& Segmenter::entry_of(const Customer& customer) {
  const auto found = index_.find(customer.id);
  if (found != index_.end()) return roster_[found->second];
  roster_.emplace_back();
  Entry& entry = roster_.back();
  entry.id = customer.id;
  index_.emplace(entry.id, roster_.size() - 1);
  return entry;
}

Point Segmenter::point(const Entry& entry) {
  return {entry.last_order_at, entry.frequency, entry.monetary_minor};
}

/// Requires that the entry stands in no sums.
void Segmenter::set_figures(Entry& entry, const Figures& figures) {
  const bool was_placed = placed(entry);
  revenue_minor_ += Int128{figures.monetary_minor} - entry.monetary_minor;
  const std::optional<Point> place = point_of(figures);
  entry.frequency = place ? place->frequency : 0;
  entry.last_order_at = place ? place->last_order_at : Instant{};
  entry.first_order_at = figures.first_order_at.value_or(Instant{});
  entry.monetary_minor = figures.monetary_minor;
  placed_ += (placed(entry) ? 1 : 0) - (was_placed ? 1 : 0);
  cache_features(entry);
}

void Segmenter::cache_features(Entry& entry) const {
  if (model_ == nullptr || !placed(entry)) return;
  entry.frequency_feature = frequency_feature(entry.frequency);
  entry.monetary_feature = monetary_feature(model_->epoch().features, entry.monetary_minor);
}

void Segmenter::note_row(Entry& entry, const Customer& customer) {
  entry.row_cluster = static_cast<std::int16_t>(customer.cluster);
  entry.row_segment = customer.segment;
  entry.row_provisional = customer.provisional;
}

bool Segmenter::behind(const Entry& entry) const {
  if (entry.row_cluster != entry.cluster) return true;
  if (entry.cluster < 0) return false;
  return entry.row_segment != model_->segment(entry.cluster) ||
         entry.row_provisional != model_->epoch().provisional();
}

// --- clusters and sums ---

int Segmenter::raw_cluster(const Entry& entry, Instant at) const {
  if (model_ == nullptr || !placed(entry)) return -1;
  const double recency = recency_feature(model_->epoch().features, at - entry.last_order_at);
  return model_
      ->place(model_->standardised({recency, entry.frequency_feature, entry.monetary_feature}))
      .cluster;
}

Contribution Segmenter::contribution(const Entry& entry) const {
  return contribution_of(model_->epoch().features, point(entry), origin_, pass_);
}

void Segmenter::leave_sums(Entry& entry) {
  if (entry.cluster >= 0) sums_[static_cast<std::size_t>(entry.cluster)].remove(entry.contribution);
  entry.cluster = -1;
}

void Segmenter::enter_sums(Entry& entry, int cluster) {
  entry.cluster = static_cast<std::int16_t>(cluster);
  if (cluster < 0) return;
  entry.contribution = contribution(entry);
  sums_[static_cast<std::size_t>(cluster)].add(entry.contribution);
}

Instant Segmenter::origin_for(Instant evaluated_upto) const {
  const Epoch& epoch = model_->epoch();
  const std::int64_t elapsed = std::max<std::int64_t>(0, evaluated_upto - epoch.instant);
  return epoch.instant + elapsed / epoch.features.tau_ms * epoch.features.tau_ms;
}

Instant Segmenter::pass_for(std::optional<Instant> evaluated_upto) const {
  const Instant instant = model_->epoch().instant;
  return std::max(evaluated_upto.value_or(instant), instant);
}

// --- opening ---

void Segmenter::restore(const Customer& customer) {
  Entry& entry = entry_of(customer);
  set_figures(entry, customer.figures);
  note_row(entry, customer);
}

void Segmenter::resume(std::shared_ptr<const Model> model, std::optional<Instant> evaluated_upto,
                       std::optional<Instant> sweeping_as_of) {
  model_ = std::move(model);
  sums_.assign(model_ == nullptr ? 0 : static_cast<std::size_t>(model_->k()), {});
  if (model_ == nullptr) return;
  pass_ = pass_for(evaluated_upto);
  origin_ = origin_for(pass_);
  const Instant as_of = sweeping_as_of.value_or(pass_);
  for (Entry& entry : roster_) {
    cache_features(entry);
    const bool as_the_row_says = !sweeping_as_of && placed(entry) && entry.row_cluster >= 0;
    enter_sums(entry, as_the_row_says ? entry.row_cluster : raw_cluster(entry, as_of));
  }
}

// --- the steps ---

Step Segmenter::take(Customer& customer, const Record& record, Instant now) {
  Step step;
  const Figures before = customer.figures;
  step.applied = apply(customer, record, rules_.customers);
  step.row_changed = step.applied == Applied::kChanged || step.applied == Applied::kWaiting;
  if (!step.row_changed) return step;
  customer.updated_at = now;
  Entry& entry = entry_of(customer);
  if (customer.figures == before) return step;  // nothing that a segment could follow from
  leave_sums(entry);
  set_figures(entry, customer.figures);
  enter_sums(entry, raw_cluster(entry, now));
  const Cause cause = cause_of(record, before, customer.figures);
  step.change = settle(customer, entry.cluster, cause, record.at, true);
  note_row(entry, customer);
  if (step.change) {
    step.change->trigger = Trigger{
        record.type, record.own_id.empty() ? record.order_id : record.own_id, record.order_id};
    describe(*step.change, customer, before, now);
  }
  return step;
}

void Segmenter::age_to(Instant at) {
  if (model_ == nullptr) return;
  const Instant origin = origin_for(at);
  const bool recount_all = origin != origin_ || model_->epoch().features.recency == Recency::kLog;
  origin_ = origin;
  pass_ = at;
  for (Entry& entry : roster_) {
    if (!placed(entry)) continue;
    const int cluster = raw_cluster(entry, at);
    if (cluster == entry.cluster && !recount_all) continue;
    leave_sums(entry);
    enter_sums(entry, cluster);
  }
}

void Segmenter::rebase(Instant at) {
  if (model_ == nullptr || origin_for(at) == origin_) return;
  origin_ = origin_for(at);
  for (Entry& entry : roster_) {
    const int cluster = entry.cluster;
    leave_sums(entry);
    enter_sums(entry, cluster);
  }
}

void Segmenter::adopt(std::shared_ptr<const Model> model, Instant as_of,
                      std::optional<Instant> evaluated_upto) {
  model_ = std::move(model);
  sums_.assign(static_cast<std::size_t>(model_->k()), {});
  pass_ = pass_for(evaluated_upto);  // as resume() has it: a restart must find the same sums
  origin_ = origin_for(pass_);
  for (Entry& entry : roster_) {
    cache_features(entry);
    enter_sums(entry, raw_cluster(entry, as_of));
  }
}

std::vector<std::string> Segmenter::movers() const {
  std::vector<std::string> ids;
  for (const Entry& entry : roster_) {
    if (behind(entry)) ids.push_back(entry.id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::optional<SegmentChange> Segmenter::move(Customer& customer, const SweepContext& sweep,
                                             Instant now) {
  Entry& entry = entry_of(customer);
  if (!behind(entry)) return std::nullopt;
  const Segment to = entry.cluster < 0 ? Segment::kNone : model_->segment(entry.cluster);
  Cause cause = Cause::kSilence;
  Instant at = sweep.as_of;
  bool speaks = true;
  if (sweep.relabel) {
    cause = Cause::kModel;
    at = model_->epoch().instant;
    if (sweep.before != nullptr && placed(entry)) {  // would it have moved without the new epoch?
      const int aged = sweep.before->place(point(entry), sweep.as_of).cluster;
      if (sweep.before->segment(aged) == to) {
        cause = Cause::kSilence;
        at = lapsed_at(*sweep.before, entry, aged, customer.segment_since, sweep.as_of);
      }
    }
    speaks = rules_.announce_first_fit || model_->epoch().kind != EpochKind::kFirstFit;
  } else {
    at = lapsed_at(*model_, entry, entry.cluster, customer.segment_since, sweep.as_of);
  }
  std::optional<SegmentChange> change = settle(customer, entry.cluster, cause, at, speaks);
  customer.updated_at = now;
  note_row(entry, customer);
  if (change) describe(*change, customer, customer.figures, now);
  return change;
}

Instant Segmenter::lapsed_at(const Model& model, const Entry& entry, int to, Instant since,
                             Instant as_of) {
  int cluster = entry.row_cluster;
  if (cluster < 0 || to < 0) return as_of;
  Instant at = std::min(as_of, std::max({since, entry.last_order_at, model.epoch().instant}));
  // Silence leads through at most k clusters before it ends.
  for (int hops = 0; hops < model.k() && cluster != to; ++hops) {
    const std::optional<Crossing> next = model.next_crossing(point(entry), cluster, at);
    if (!next || next->at > as_of) return as_of;
    at = next->at;
    cluster = next->cluster;
  }
  return cluster == to ? at : as_of;
}

std::optional<SegmentChange> Segmenter::settle(Customer& customer, int cluster, Cause cause,
                                               Instant at, bool speaks) const {
  const Segment to = cluster < 0 ? Segment::kNone : model_->segment(cluster);
  customer.cluster = cluster;
  customer.epoch = model_ == nullptr ? 0 : model_->epoch().number;
  customer.provisional = model_ != nullptr && model_->epoch().provisional();
  if (to == customer.segment) return std::nullopt;
  customer.segment = to;
  customer.segment_since = at;
  Announced& told = customer.announced;
  if (!speaks || told.segment == to) return std::nullopt;
  SegmentChange change;
  change.customer_id = customer.id;
  change.sequence = told.sequence + 1;
  change.from = told.segment;
  change.to = to;
  if (told.segment != Segment::kNone) change.from_since = told.since;
  change.cause = cause;
  change.at = at;
  told = {to, at, change.sequence};
  return change;
}

void Segmenter::describe(SegmentChange& change, const Customer& customer, const Figures& before,
                         Instant now) const {
  const auto snapshot = [&](const Figures& figures) {
    Snapshot s;
    s.last_order_at = figures.last_order_at;
    if (s.last_order_at) s.recency_ms = now - *s.last_order_at;
    s.frequency = figures.frequency;
    s.monetary_minor = figures.monetary_minor;
    return s;
  };
  change.before = snapshot(before);
  change.after = snapshot(customer.figures);
  change.decided_at = now;
  change.epoch = customer.epoch;
  change.provisional = customer.provisional;
  const std::optional<Point> place = point_of(customer.figures);
  if (model_ == nullptr || !place || customer.cluster < 0) return;
  change.confidence = model_->place(*place, now).confidence();
  const auto next = model_->next_crossing(*place, customer.cluster, now);
  if (next) change.next = Lapse{model_->segment(next->cluster), next->at};
}

// --- what it knows ---

std::optional<Instant> Segmenter::first_order_at() const {
  std::optional<Instant> first;
  for (const Entry& entry : roster_) {
    if (placed(entry) && (!first || entry.first_order_at < *first)) first = entry.first_order_at;
  }
  return first;
}

std::vector<Sampled> Segmenter::sample() const {
  std::vector<Sampled> sample;
  for (const Entry& entry : roster_) {
    if (placed(entry)) sample.push_back({sample_hash(rules_.sample_salt, entry.id), point(entry)});
  }
  trim_sample(sample, rules_.sample_max);
  return sample;
}

std::vector<Segmenter::Tally> Segmenter::by_segment() const {
  std::vector<Tally> tallies(kSegmentWords);
  Int128 revenue_placed = 0;
  std::int64_t in_a_cluster = 0;
  for (std::size_t j = 0; j < sums_.size(); ++j) {
    Tally& tally = tallies[static_cast<std::size_t>(model_->segment(static_cast<int>(j)))];
    tally.customers = sums_[j].customers;
    tally.revenue_minor = clamped(sums_[j].revenue_minor);
    revenue_placed += sums_[j].revenue_minor;
    in_a_cluster += sums_[j].customers;
  }
  tallies[0].customers = customers() - in_a_cluster;
  tallies[0].revenue_minor = clamped(revenue_minor_ - revenue_placed);
  return tallies;
}

std::int64_t Segmenter::overdue(Instant now) const {
  return std::count_if(roster_.begin(), roster_.end(), [&](const Entry& entry) {
    return placed(entry) && raw_cluster(entry, now) != entry.cluster;
  });
}

std::vector<ClusterSums> Segmenter::recount() const {
  std::vector<ClusterSums> sums(sums_.size());
  for (const Entry& entry : roster_) {
    if (entry.cluster >= 0) sums[static_cast<std::size_t>(entry.cluster)].add(contribution(entry));
  }
  return sums;
}

}  // namespace segmentd
