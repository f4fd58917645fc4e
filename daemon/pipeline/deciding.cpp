// How a partition decides: evaluation instants, sweeps, records, and what they leave to be written.
#include <algorithm>
#include <utility>

#include <xxhash.h>

#include "daemon/pipeline/partition.hpp"
#include "daemon/wire/epoch_json.hpp"
#include "daemon/wire/reject_text.hpp"
#include "daemon/wire/rejected.hpp"
#include "state/codec.hpp"
#include "state/core/money.hpp"

namespace segmentd {
namespace {

observe::Outcome outcome_of(Applied applied) {
  switch (applied) {
    case Applied::kChanged:
      return observe::Outcome::kApplied;
    case Applied::kUnchanged:
      return observe::Outcome::kUnchanged;
    case Applied::kStale:
      return observe::Outcome::kStale;
    case Applied::kWaiting:
      return observe::Outcome::kWaiting;
    case Applied::kTooOld:
    case Applied::kOverflow:
      return observe::Outcome::kRejected;
  }
  return observe::Outcome::kRejected;
}

constexpr std::size_t kTableRowBytesAbout = 600;

}  // namespace

std::uint64_t record_hash(const Message& message) {
  const std::string_view key = message.key.value_or(std::string_view{});
  const std::string_view value = message.value.value_or(std::string_view{});
  return XXH3_64bits_withSeed(value.data(), value.size(), XXH3_64bits(key.data(), key.size()));
}

observe::SegmentWord segment_word(Segment segment) {
  switch (segment) {
    case Segment::kNone:
      return observe::SegmentWord::kNone;
    case Segment::kInsiders:
      return observe::SegmentWord::kInsiders;
    case Segment::kLoyal:
      return observe::SegmentWord::kLoyal;
    case Segment::kPromising:
      return observe::SegmentWord::kPromising;
    case Segment::kOccasional:
      return observe::SegmentWord::kOccasional;
    case Segment::kSteady:
      return observe::SegmentWord::kSteady;
    case Segment::kAtRisk:
      return observe::SegmentWord::kAtRisk;
    case Segment::kLapsed:
      return observe::SegmentWord::kLapsed;
    case Segment::kDormant:
      return observe::SegmentWord::kDormant;
  }
  return observe::SegmentWord::kNone;
}

Result<Partition::State> Partition::advance(Budget& budget, Instant wall) {
  while (true) {
    if (sweep_) {
      if (auto swept = continue_sweep(budget); !swept) return swept.error();
      if (sweep_) return State::kSpent;
    }
    if (aged_at_) return State::kAwaiting;
    if (budget.spent()) return State::kSpent;
    if (!held_.empty()) {
      if (prefetched_ == 0) {
        if (auto fetched = prefetch(); !fetched) return fetched.error();
      }
      if (auto taken = take_first(budget, wall); !taken) return taken.error();
      continue;
    }
    if (!wished_clock_) return State::kIdle;
    if (begin_evaluation_before(*wished_clock_)) continue;
    if (!meta_.clock || *meta_.clock < *wished_clock_) meta_.clock = wished_clock_;
    wished_clock_.reset();
  }
}

/// A2: true = an evaluation instant <= `clock` was not decided yet, and now is under way.
bool Partition::begin_evaluation_before(Instant clock) {
  if (!meta_.evaluated_upto) {  // the first clock this partition has
    meta_.evaluated_upto = last_evaluation(clock, rules_.evaluate_every_ms);
    meta_.timers_fired_upto = *meta_.evaluated_upto;
    return false;
  }
  Instant next = next_evaluation(*meta_.evaluated_upto, rules_.evaluate_every_ms);
  if (meta_.clock && next < *meta_.clock) {  // the grid is finer than it was before a restart
    next = next_evaluation(*meta_.clock - 1, rules_.evaluate_every_ms);
  }
  if (clock < next) return false;
  meta_.clock = next;
  segmenter_.age_to(next);
  aged_at_ = next;
  const std::vector<std::string> ids = segmenter_.movers();
  if (!ids.empty()) {
    sweep_ = Sweep{Sweep::Kind::kSilence, next, meta_.epoch};
    movers_.assign(ids.begin(), ids.end());
  }
  return true;
}

void Partition::pass_evaluation() {
  meta_.evaluated_upto = aged_at_;
  meta_.timers_fired_upto = *aged_at_;  // until there are timers, silence is decided at evaluations
  aged_at_.reset();
  touched_ = true;
}

void Partition::adopt(std::shared_ptr<const Model> model) {
  const std::int64_t number = model->epoch().number;
  const Instant as_of = meta_.clock.value_or(model->epoch().instant);
  sweep_ = Sweep{Sweep::Kind::kRelabel, as_of, meta_.epoch};
  meta_.epoch = number;
  segmenter_.adopt(std::move(model), as_of, aged_at_ ? aged_at_ : meta_.evaluated_upto);
  const std::vector<std::string> ids = segmenter_.movers();
  movers_.assign(ids.begin(), ids.end());
  const AppliedEpoch applied{number_, number, meta_.next_offset, meta_.clock};
  OutputRecord record;
  record.topic = OutputTopic::kStatistics;
  record.key = applied_key(applied);
  append_applied(record.value.emplace(), applied);
  emit(std::move(record));
}

/// Takes from `budget` what was decided since `before` was pending.
void Partition::spend(Budget& budget, const Budget& before) const {
  Budget used = pending();
  used -= before;
  budget -= used;
}

Result<void> Partition::continue_sweep(Budget& budget) {
  const std::shared_ptr<const Model> before = epochs_.find(sweep_->from_epoch);
  const SweepContext context{sweep_->kind == Sweep::Kind::kRelabel, sweep_->as_of, before.get()};
  const Instant now = meta_.clock.value_or(sweep_->as_of);
  while (!movers_.empty() && !budget.spent()) {
    const Budget before_slice = pending();
    const auto slice = static_cast<std::size_t>(std::min<std::int64_t>(
        {static_cast<std::int64_t>(movers_.size()), budget.moves, budget.rows}));
    std::vector<std::string> ids(movers_.begin(),
                                 movers_.begin() + static_cast<std::ptrdiff_t>(slice));
    std::vector<std::string> missing;
    for (const std::string& id : ids) {
      if (rows_.find(id) == nullptr) missing.push_back(id);
    }
    if (auto loaded = load_rows(std::move(missing)); !loaded) return loaded;
    for (const std::string& id : ids) {
      CachedRow& row = *rows_.find(id);
      const Segment segment_before = row.customer.segment;
      const auto change = segmenter_.move(row.customer, context, now);
      this->change(row, segment_before, rules_.table_on_every_order);
      if (change) publish(*change);
    }
    movers_.erase(movers_.begin(), movers_.begin() + static_cast<std::ptrdiff_t>(slice));
    pending_moves_ += static_cast<std::int64_t>(slice);
    spend(budget, before_slice);
    touched_ = true;
  }
  if (movers_.empty()) {
    sweep_.reset();
    touched_ = true;
  }
  return {};
}

Instant Partition::clock_with(const Record& record, Instant wall) const {
  const Instant own = rules_.event_clock ? record.at : std::min(record.at, wall);
  return meta_.clock ? std::max(*meta_.clock, own) : own;
}

std::optional<Reject> Partition::refuse(const Record& record, Instant wall) const {
  if (record.at - wall > rules_.future_tolerance_ms) {
    return reject_future(record.at, wall, rules_.future_tolerance_ms);
  }
  if (rules_.event_clock && meta_.clock && record.at - *meta_.clock > rules_.clock_step_max_ms) {
    return reject_clock_jump(record.at, *meta_.clock, rules_.clock_step_max_ms);
  }
  return std::nullopt;
}

Result<bool> Partition::take_first(Budget& budget, Instant wall) {
  Held& held = held_.front();
  if (auto* record = std::get_if<Record>(&held.decoded); record != nullptr) {
    if (auto refused = refuse(*record, wall)) {
      held.decoded = std::move(*refused);
    } else if (begin_evaluation_before(clock_with(*record, wall))) {
      return false;
    }
  }
  const Budget before = pending();
  if (const auto* record = std::get_if<Record>(&held.decoded); record != nullptr) {
    const Instant now = clock_with(*record, wall);
    if (auto applied = apply(held, *record, now); !applied) return applied.error();
    meta_.clock = now;
  } else {
    reject(held, std::get<Reject>(held.decoded));
  }
  note_applied(held);
  held_bytes_ -= held.bytes();
  held_.pop_front();
  if (prefetched_ > 0) --prefetched_;
  ++pending_records_;
  spend(budget, before);
  return true;
}

Result<void> Partition::apply(Held& held, const Record& record, Instant now) {
  if (record.customer_id.empty()) {
    count_anonymous(record);
    ++tally_.records[held.type][observe::Outcome::kAnonymous];
    return {};
  }
  auto found = row_of(record.customer_id);
  if (!found) return found.error();
  CachedRow& row = **found;
  const Segment segment_before = row.customer.segment;
  // A customer's first row is always written.
  const bool shows_anyway = rules_.table_on_every_order || !segmenter_.knows(record.customer_id);
  Step step = segmenter_.take(row.customer, record, now);
  if (step.applied == Applied::kTooOld) {
    reject(held, reject_too_old(record.at, row.customer.folded.until));
    return {};
  }
  if (step.applied == Applied::kOverflow) {
    reject(held, make_reject(RejectReason::kOverflow,
                             "this customer's totals would leave the range that is kept exactly"));
    return {};
  }
  ++tally_.records[held.type][outcome_of(step.applied)];
  if (!step.row_changed) return {};
  change(row, segment_before, shows_anyway);
  if (step.change) publish(*step.change);
  return {};
}

/// Nobody's order is not remembered: what a later record says of it is added up as it comes.
void Partition::count_anonymous(const Record& record) {
  const bool by_payments = rules_.segmenter.customers.money_from_payments;
  Anonymous& a = meta_.anonymous;
  std::int64_t brought = 0;
  switch (record.type) {
    case RecordType::kOrder:
      ++(record.counts ? a.orders : a.others);
      tally_.anonymous_orders += record.counts ? 1 : 0;
      if (record.counts && !by_payments) brought = record.amount_minor;
      break;
    case RecordType::kPayment:
      ++a.others;
      if (by_payments) brought = record.amount_minor;
      break;
    case RecordType::kRefund:
      ++a.refunds;
      a.refunds_minor = add_saturated(a.refunds_minor, record.amount_minor);
      tally_.anonymous_minor = add_saturated(tally_.anonymous_minor, -record.amount_minor);
      break;
    case RecordType::kCancellation:
      ++a.others;
      break;
  }
  a.orders_minor = add_saturated(a.orders_minor, brought);
  tally_.anonymous_minor = add_saturated(tally_.anonymous_minor, brought);
}

void Partition::reject(const Held& held, const Reject& reject) {
  const Message& m = held.message;
  const RejectedBytes bytes = fit_rejected(m.key, m.value, rules_.rejected_bytes_max);
  OutputRecord record;
  record.topic = OutputTopic::kRejected;
  if (bytes.key) record.key = std::string(*bytes.key);
  if (bytes.value) record.value = std::string(*bytes.value);
  record.headers = rejected_headers(reject, {rules_.input_topic, number_, m.offset, m.timestamp_ms},
                                    bytes.truncated);
  emit(std::move(record));
  ++tally_.records[held.type][observe::Outcome::kRejected];
  ++tally_.rejected[static_cast<observe::RejectReason>(reject.reason)];
}

/// Any change of a row shows, at least in its updated_at. What a table row says must not depend on
/// what else its transaction holds (A3), but for its figures with table.on = segment, which are as
/// of the commit.
void Partition::change(CachedRow& row, Segment segment_before, bool shows_anyway) {
  if (!row.dirty) dirty_bytes_ += row_bytes_about(row.customer) + kTableRowBytesAbout;
  rows_.touch(row);
  row.table_dirty = row.table_dirty || shows_anyway || row.customer.segment != segment_before;
}

void Partition::publish(const SegmentChange& change) {
  OutputRecord record;
  record.topic = OutputTopic::kChanges;
  record.key = change.customer_id;
  append_event(record.value.emplace(), change, encode_);
  record.headers = event_headers(change, encode_);
  emit(std::move(record));
  ++tally_.segment_changes[segment_word(change.from)][segment_word(change.to)]
                          [static_cast<observe::ChangeCause>(change.cause)];
}

void Partition::emit(OutputRecord record) {
  output_bytes_ += record.bytes();
  outputs_.push_back(std::move(record));
  touched_ = true;
}

void Partition::note_applied(const Held& held) {
  const Message& m = held.message;
  meta_.last_applied = {m.offset, m.timestamp_ms, record_hash(m)};
  meta_.next_offset = m.offset + 1;
  tally_.input_bytes += m.bytes();
  applied_timestamps_ms_.push_back(m.timestamp_ms);
  touched_ = true;
}

}  // namespace segmentd
