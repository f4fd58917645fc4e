#include "daemon/pipeline/partition.hpp"

#include <algorithm>
#include <utility>

#include "daemon/pipeline/fingerprint.hpp"
#include "state/codec.hpp"

namespace segmentd {
namespace {

constexpr std::size_t kRowsBetweenLooks = 4'096;
constexpr std::int64_t kCompleteEveryMs = kMsPerHour;

}  // namespace

Partition::Partition(const PartitionRules& rules, std::int32_t number, std::unique_ptr<Store> store,
                     const Epochs& epochs)
    : rules_(rules),
      number_(number),
      store_(std::move(store)),
      epochs_(epochs),
      encode_(rules.encode),
      segmenter_(rules.segmenter) {}

// --- opening ---

Result<std::unique_ptr<Partition>> Partition::open(const PartitionRules& rules, std::int32_t number,
                                                   std::unique_ptr<Store> store,
                                                   const Epochs& epochs,
                                                   const std::string& new_uuid,
                                                   const std::function<bool()>& cancelled) {
  std::unique_ptr<Partition> partition(new Partition(rules, number, std::move(store), epochs));
  if (auto restored = partition->restore(new_uuid, cancelled); !restored) {
    return restored.error().within("partition " + std::to_string(number));
  }
  return partition;
}

Result<void> Partition::restore(const std::string& new_uuid,
                                const std::function<bool()>& cancelled) {
  auto bytes = store_->get(kMetaKey);
  if (!bytes) return bytes.error();
  if (bytes->has_value()) {
    auto meta = decode_meta(**bytes);
    if (!meta) return meta.error();
    meta_ = std::move(*meta);
    if (auto same = check_fingerprint(meta_.fingerprint, rules_.fingerprint); !same) return same;
    if (meta_.input_topic != rules_.input_topic) {
      return Error{Errc::kMisconfigured,
                   "input.topic is '" + rules_.input_topic + "', the state was made from '" +
                       meta_.input_topic +
                       "'. Set it back, or start a new application id (setting `application`)"};
    }
  } else {
    meta_.partition = number_;
    meta_.store_uuid = new_uuid;
  }
  meta_.input_topic = rules_.input_topic;
  meta_.fingerprint = rules_.fingerprint;
  restored_mark_ = {meta_.txn_seq, meta_.writer, {}, 0};
  meta_.writer = rules_.writer;
  encode_.store_uuid = meta_.store_uuid;
  next_to_hold_ = meta_.next_offset;
  meta_.first_offset = meta_.next_offset;
  if (auto scanned = scan_rows(cancelled); !scanned) return scanned;
  std::shared_ptr<const Model> model = epochs_.find(meta_.epoch);
  if (meta_.epoch > 0 && model == nullptr) {
    return Error{Errc::kUnavailable,
                 "epoch " + std::to_string(meta_.epoch) + " is not on the model topic"};
  }
  sweep_ = meta_.sweep;
  if (sweep_ && sweep_->kind == Sweep::Kind::kSilence) aged_at_ = sweep_->as_of;
  segmenter_.resume(std::move(model), aged_at_ ? aged_at_ : meta_.evaluated_upto,
                    sweep_ ? std::optional<Instant>(sweep_->as_of) : std::nullopt);
  if (sweep_) {
    const std::vector<std::string> ids = segmenter_.movers();
    movers_.assign(ids.begin(), ids.end());
  }
  return {};
}

Result<void> Partition::scan_rows(const std::function<bool()>& cancelled) {
  std::size_t rows = 0;
  return store_->scan(kRowPrefix, [&](std::string_view key, std::string_view value) {
    if (cancelled && ++rows % kRowsBetweenLooks == 0 && cancelled()) {
      return Result<void>(Error{Errc::kRetry, "taken away while its rows were read"});
    }
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
  held_bytes_ += held.bytes();
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

// --- committing ---

InputOffset Partition::offset() const {
  return {number_, meta_.next_offset,
          offset_metadata({meta_.txn_seq + 1, meta_.writer, rules_.process, rules_.partitions})};
}

Result<void> Partition::put_all(OutputSink& sink, Instant wall) {
  const auto put = [&](OutputTopic topic, std::optional<std::string_view> key,
                       std::optional<std::string_view> value, std::span<const HeaderText> headers) {
    put_bytes_ += (key ? key->size() : 0) + (value ? value->size() : 0);
    return sink.put(topic, number_, key, value, headers);
  };
  const HeaderText writer[] = {{kWriterHeader, meta_.writer}};
  std::span<const HeaderText> told = writer;  // with the first only
  const auto put_row = [&](const RowWrite& write) {
    auto ok = put(OutputTopic::kChangelog, write.key, write.value, told);
    told = {};
    return ok;
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
    if (auto ok = put_row(row_writes_.back()); !ok) return ok;
  }
  Meta meta = meta_;
  meta.txn_seq = meta_.txn_seq + 1;
  meta.now = rules_.event_clock ? meta_.clock.value_or(wall) : wall;
  meta.sweep = sweep_;
  row_writes_.push_back({std::string(kMetaKey), encode_meta(meta)});
  return put_row(row_writes_.back());
}

Result<void> Partition::note_complete(Instant wall) {
  Position position = store_->position().value_or(Position{});
  if (position.complete_at && wall - *position.complete_at < kCompleteEveryMs) return {};
  position.complete_at = wall;
  return store_->write({}, position);
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
  dirty_bytes_ = 0;
  rows_.clean();
  applied_timestamps_ms_.clear();
  pending_records_ = 0;
  pending_moves_ = 0;
  touched_ = false;
  return {};
}

}  // namespace segmentd
