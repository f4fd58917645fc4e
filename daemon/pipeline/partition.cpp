#include "daemon/pipeline/partition.hpp"

#include <algorithm>
#include <utility>

#include <xxhash.h>

#include "daemon/pipeline/fingerprint.hpp"
#include "daemon/wire/epoch_json.hpp"
#include "daemon/wire/reject_text.hpp"
#include "daemon/wire/rejected.hpp"
#include "state/codec.hpp"

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

std::uint64_t hash_of(const Message& message) {
  const std::string_view key = message.key.value_or(std::string_view{});
  const std::string_view value = message.value.value_or(std::string_view{});
  return XXH3_64bits_withSeed(value.data(), value.size(), XXH3_64bits(key.data(), key.size()));
}

std::size_t bytes_of(const Message& message) {
  return (message.key ? message.key->size() : 0) + (message.value ? message.value->size() : 0);
}

}  // namespace

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

Partition::Partition(const PartitionRules& rules, std::int32_t number, std::unique_ptr<Store> store,
                     const Epochs& epochs)
    : rules_(rules),
      number_(number),
      store_(std::move(store)),
      epochs_(epochs),
      encode_(rules.encode),
      segmenter_(rules.segmenter),
      rows_(rules.cache_rows_max) {}

// --- opening ---

Result<std::unique_ptr<Partition>> Partition::open(const PartitionRules& rules, std::int32_t number,
                                                   std::unique_ptr<Store> store,
                                                   const Epochs& epochs,
                                                   const std::string& new_uuid) {
  std::unique_ptr<Partition> partition(new Partition(rules, number, std::move(store), epochs));
  if (auto restored = partition->restore(new_uuid); !restored) {
    return restored.error().within("partition " + std::to_string(number));
  }
  return partition;
}

Result<void> Partition::restore(const std::string& new_uuid) {
  auto bytes = store_->get(kMetaKey);
  if (!bytes) return bytes.error();
  if (bytes->has_value()) {
    auto meta = decode_meta(**bytes);
    if (!meta) return meta.error();
    meta_ = std::move(*meta);
    if (auto same = check_fingerprint(meta_.fingerprint, rules_.fingerprint); !same) return same;
  } else {
    meta_.partition = number_;
    meta_.store_uuid = new_uuid;
  }
  meta_.input_topic = rules_.input_topic;
  meta_.fingerprint = rules_.fingerprint;
  meta_.writer = rules_.writer;
  encode_.store_uuid = meta_.store_uuid;
  next_to_hold_ = meta_.next_offset;
  meta_.first_offset = meta_.next_offset;
  if (auto scanned = scan_rows(); !scanned) return scanned;
  std::shared_ptr<const Model> model = epochs_.find(meta_.epoch);
  if (meta_.epoch > 0 && model == nullptr) {
    return Error{Errc::kUnavailable,
                 "epoch " + std::to_string(meta_.epoch) + " is not on the model topic"};
  }
  sweep_ = meta_.sweep;
  segmenter_.resume(std::move(model), meta_.evaluated_upto,
                    sweep_ ? std::optional<Instant>(sweep_->as_of) : std::nullopt);
  if (sweep_) {
    const std::vector<std::string> ids = segmenter_.movers();
    movers_.assign(ids.begin(), ids.end());
    if (sweep_->kind == Sweep::Kind::kSilence) aged_at_ = sweep_->as_of;
  }
  return {};
}

Result<void> Partition::scan_rows() {
  return store_->scan(kRowPrefix, [this](std::string_view key, std::string_view value) {
    const std::optional<std::string_view> id = customer_of(key);
    if (!id) return Result<void>(Error{Errc::kCorrupt, "a row's key names no customer"});
    auto customer = decode_row(*id, value, rules_.segmenter.customers);
    if (!customer) return Result<void>(customer.error().within("a customer's row"));
    segmenter_.restore(*customer);
    return Result<void>();
  });
}

// --- input ---

void Partition::start_at(std::int64_t next_offset) {
  meta_.first_offset = meta_.next_offset = next_to_hold_ = next_offset;
}

void Partition::hold(Held held) {
  next_to_hold_ = held.message.offset + 1;
  held_bytes_ += bytes_of(held.message);
  held_.push_back(std::move(held));
}

void Partition::wish_clock(Instant to) {
  if (!wished_clock_ || *wished_clock_ < to) wished_clock_ = to;
}

Result<void> Partition::load_rows(std::vector<std::string> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (ids.empty()) return {};
  std::vector<std::string> keys;
  keys.reserve(ids.size());
  for (const std::string& id : ids) keys.push_back(row_key(id));
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  std::vector<std::optional<std::string>> values;
  if (auto read = store_->multi_get(views, values); !read) return read;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!values[i]) {
      return Error{Errc::kCorrupt, "a customer of the roster has no row in the store"};
    }
    auto customer = decode_row(ids[i], *values[i], rules_.segmenter.customers);
    if (!customer) return customer.error();
    rows_.insert(std::move(*customer));
  }
  return {};
}

/// Reads the rows that the next held records need, together, so that the store sees sorted batches.
Result<void> Partition::prefetch() {
  std::vector<std::string> missing;
  const std::size_t end = std::min(held_.size(), rules_.prefetch_records);
  for (; prefetched_ < end; ++prefetched_) {
    const auto* record = std::get_if<Record>(&held_[prefetched_].decoded);
    if (record == nullptr || record->customer_id.empty()) continue;
    if (rows_.find(record->customer_id) != nullptr) {
      ++tally_.cache_hits;
    } else if (segmenter_.knows(record->customer_id)) {
      ++tally_.cache_misses;
      missing.push_back(record->customer_id);
    }
  }
  return load_rows(std::move(missing));
}

Result<CachedRow*> Partition::row_of(const std::string& customer_id) {
  if (CachedRow* row = rows_.find(customer_id); row != nullptr) return row;
  if (segmenter_.knows(customer_id)) {  // new since prefetch(), or dropped again by a commit
    ++tally_.cache_misses;
    if (auto loaded = load_rows({customer_id}); !loaded) return loaded.error();
    return rows_.find(customer_id);
  }
  Customer customer;
  customer.id = customer_id;
  return &rows_.insert(std::move(customer));
}

// --- deciding ---

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
  aged_at_.reset();
  touched_ = true;
}

void Partition::adopt(std::shared_ptr<const Model> model) {
  const std::int64_t number = model->epoch().number;
  const Instant as_of = meta_.clock.value_or(model->epoch().instant);
  sweep_ = Sweep{Sweep::Kind::kRelabel, as_of, meta_.epoch};
  meta_.epoch = number;
  segmenter_.adopt(std::move(model), as_of);
  const std::vector<std::string> ids = segmenter_.movers();
  movers_.assign(ids.begin(), ids.end());
  const AppliedEpoch applied{number_, number, meta_.next_offset, as_of};
  OutputRecord record;
  record.topic = OutputTopic::kStatistics;
  record.key = applied_key(applied);
  append_applied(record.value.emplace(), applied);
  emit(std::move(record));
}

Result<void> Partition::continue_sweep(Budget& budget) {
  const std::shared_ptr<const Model> before = epochs_.find(sweep_->from_epoch);
  const SweepContext context{sweep_->kind == Sweep::Kind::kRelabel, sweep_->as_of, before.get()};
  const Instant now = meta_.clock.value_or(sweep_->as_of);
  while (!movers_.empty() && !budget.spent()) {
    const auto slice = static_cast<std::size_t>(std::min<std::int64_t>(
        {static_cast<std::int64_t>(movers_.size()), budget.records, budget.rows}));
    std::vector<std::string> ids(movers_.begin(),
                                 movers_.begin() + static_cast<std::ptrdiff_t>(slice));
    std::vector<std::string> missing;
    for (const std::string& id : ids) {
      if (rows_.find(id) == nullptr) missing.push_back(id);
    }
    if (auto loaded = load_rows(std::move(missing)); !loaded) return loaded;
    for (const std::string& id : ids) {
      CachedRow& row = *rows_.find(id);
      const auto change = segmenter_.move(row.customer, context, now);
      rows_.touch(row);
      row.table_dirty = true;
      if (change) publish(*change);
    }
    movers_.erase(movers_.begin(), movers_.begin() + static_cast<std::ptrdiff_t>(slice));
    budget.records -= static_cast<std::int64_t>(slice);
    budget.rows -= static_cast<std::int64_t>(slice);
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
  const std::size_t output_before = output_bytes_;
  const std::size_t dirty_before = rows_.dirty().size();
  if (const auto* record = std::get_if<Record>(&held.decoded); record != nullptr) {
    const Instant now = clock_with(*record, wall);
    if (auto applied = apply(held, *record, now); !applied) return applied.error();
    meta_.clock = now;
  } else {
    reject(held, std::get<Reject>(held.decoded));
  }
  note_applied(held);
  held_bytes_ -= bytes_of(held.message);
  held_.pop_front();
  if (prefetched_ > 0) --prefetched_;
  budget.records -= 1;
  budget.bytes -= static_cast<std::int64_t>(output_bytes_ - output_before);
  budget.rows -= static_cast<std::int64_t>(rows_.dirty().size() - dirty_before);
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
  rows_.touch(row);
  // Any change of a row shows, at least in its updated_at. What a table row says must not depend on
  // what else its transaction holds (A3).
  row.table_dirty =
      row.table_dirty || rules_.table_on_every_order || row.customer.segment != segment_before;
  if (step.change) publish(*step.change);
  return {};
}

void Partition::count_anonymous(const Record& record) {
  Anonymous& a = meta_.anonymous;
  switch (record.type) {
    case RecordType::kOrder:
      ++a.orders;
      a.orders_minor += record.amount_minor;
      ++tally_.anonymous_orders;
      tally_.anonymous_minor += record.amount_minor;
      break;
    case RecordType::kRefund:
      ++a.refunds;
      a.refunds_minor += record.amount_minor;
      tally_.anonymous_minor -= record.amount_minor;
      break;
    case RecordType::kPayment:
    case RecordType::kCancellation:
      ++a.others;
      break;
  }
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
  meta_.last_applied = {m.offset, m.timestamp_ms, hash_of(m)};
  meta_.next_offset = m.offset + 1;
  tally_.input_bytes += bytes_of(m);
  applied_timestamps_ms_.push_back(m.timestamp_ms);
  touched_ = true;
}

// --- committing ---

InputOffset Partition::offset() const {
  return {number_, meta_.next_offset, std::to_string(meta_.txn_seq + 1)};
}

Result<void> Partition::put_all(OutputSink& sink, Instant wall) {
  const auto put = [&](OutputTopic topic, std::optional<std::string_view> key,
                       std::optional<std::string_view> value, std::span<const HeaderText> headers) {
    put_bytes_ += (key ? key->size() : 0) + (value ? value->size() : 0);
    return sink.put(topic, number_, key, value, headers);
  };
  put_bytes_ = 0;
  for (const OutputRecord& record : outputs_) {
    if (auto ok = put(record.topic, record.key, record.value, record.headers); !ok) return ok;
  }
  row_writes_.clear();
  std::string text;
  for (const CachedRow* row : rows_.dirty()) {
    if (row->table_dirty) {
      text.clear();
      append_row(text, row->customer, encode_);
      if (auto ok = put(OutputTopic::kTable, row->customer.id, text, {}); !ok) return ok;
    }
    row_writes_.push_back({row_key(row->customer.id), encode_row(row->customer)});
    const RowWrite& write = row_writes_.back();
    if (auto ok = put(OutputTopic::kChangelog, write.key, write.value, {}); !ok) return ok;
  }
  Meta meta = meta_;
  meta.txn_seq = meta_.txn_seq + 1;
  meta.now = rules_.event_clock ? meta_.clock.value_or(wall) : wall;
  meta.sweep = sweep_;
  row_writes_.push_back({std::string(kMetaKey), encode_meta(meta)});
  if (auto ok = put(OutputTopic::kChangelog, kMetaKey, row_writes_.back().value, {}); !ok)
    return ok;
  return {};
}

Result<void> Partition::committed(std::int64_t changelog_offset, Instant wall) {
  Position position = store_->position().value_or(Position{});
  if (changelog_offset >= 0) position.next_offset = changelog_offset + 1;
  position.complete_at = wall;
  if (auto written = store_->write(row_writes_, position); !written) return written;
  tally_.output_bytes += put_bytes_;
  ++meta_.txn_seq;
  meta_.first_offset = meta_.next_offset;
  row_writes_.clear();
  outputs_.clear();
  output_bytes_ = 0;
  rows_.clean();
  applied_timestamps_ms_.clear();
  touched_ = false;
  return {};
}

}  // namespace segmentd
