#include "daemon/pipeline/pipeline.hpp"

#include <algorithm>
#include <utility>

#include "daemon/observe/log.hpp"
#include "daemon/wire/epoch_json.hpp"
#include "daemon/wire/reject_text.hpp"

namespace segmentd {
namespace {

observe::RecordType type_of(std::optional<RecordType> type) {
  return type ? static_cast<observe::RecordType>(*type) : observe::RecordType::kUnknown;
}

/// Customers looked at by evaluations before the worker polls again: about a second.
constexpr std::int64_t kAgedMax = 10'000'000;

void add_clusters(Population& population, const Segmenter& part) {
  population.origin = part.origin();
  population.clusters.resize(part.sums().size());
  for (std::size_t j = 0; j < part.sums().size(); ++j) population.clusters[j].add(part.sums()[j]);
}

/// Said once: the records after it are counted by the metric.
void tell_of_stray(const Message& message, Partitioner configured, std::int32_t count) {
  const std::optional<Partitioner> fits = partitioner_of(*message.key, message.partition, count);
  const std::string way_out =
      fits ? std::string("its producer may use input.partitioner = ") + word(*fits)
           : "no known partitioner puts it there: merge sources of several kinds upstream, or set "
             "input.partitioner = unchecked if a customer's records are always in one partition";
  observe::log_line(observe::LogLevel::kWarning,
                    "first record in a partition its key does not hash to: rejected",
                    {{"partition", message.partition},
                     {"offset", message.offset},
                     {"partitioner", word(configured)},
                     {"would_fit", fits ? word(*fits) : "none"},
                     {"what", way_out}});
}

}  // namespace

Pipeline::Pipeline(PipelineRules rules, Decoder decoder, Epochs& epochs)
    : rules_(std::move(rules)), decoder_(std::move(decoder)), epochs_(epochs) {}

// --- partitions ---

void Pipeline::add(std::unique_ptr<Partition> partition) {
  const std::int32_t number = partition->number();
  // What was judged and not committed before partition 0 went away has to be judged again.
  if (number == 0) judged_upto_ = partition->meta().evaluated_upto.value_or(kFirstInstant);
  partitions_[number] = std::move(partition);
  share_cache();
}

void Pipeline::share_cache() {
  for (auto& [number, partition] : partitions_) {
    partition->set_cache_bounds(rules_.cache_rows_max / partitions_.size(),
                                rules_.cache_bytes_max / partitions_.size());
  }
}

std::unique_ptr<Partition> Pipeline::remove(std::int32_t partition) {
  const auto it = partitions_.find(partition);
  if (it == partitions_.end()) return nullptr;
  std::unique_ptr<Partition> removed = std::move(it->second);
  partitions_.erase(it);
  share_cache();
  if (partition == 0) publication_.reset();  // who owns partition 0 next judges again
  return removed;
}

Partition* Pipeline::find(std::int32_t partition) {
  const auto it = partitions_.find(partition);
  return it == partitions_.end() ? nullptr : it->second.get();
}

// --- records in ---

void Pipeline::hold(Message message) {
  Partition* partition = find(message.partition);
  if (partition == nullptr || message.offset < partition->next_expected_offset()) return;
  Held held{std::move(message), {}, observe::RecordType::kUnknown};
  if (rules_.skipped.contains({held.message.partition, held.message.offset})) {
    held.decoded = reject_skipped();
  } else {
    decode(held);
  }
  partition->set_at_end(false);
  partition->hold(std::move(held));
}

void Pipeline::decode(Held& held) {
  DecodedRecord decoded = decoder_.decode(held.message.key, held.message.value);
  held.type = type_of(decoder_.last_type());
  if (auto* record = std::get_if<Record>(&decoded); record != nullptr) {
    if (auto refused = check_partition(held.message, *record)) decoded = std::move(*refused);
  }
  held.decoded = std::move(decoded);
}

std::optional<Reject> Pipeline::check_partition(const Message& message, const Record& record) {
  if (!rules_.partitioner || record.customer_id.empty() || !message.key) return std::nullopt;
  const std::int32_t expected =
      partition_of(*rules_.partitioner, *message.key, rules_.partition_count);
  if (expected == message.partition) return std::nullopt;
  if (!std::exchange(told_of_stray_, true)) {
    tell_of_stray(message, *rules_.partitioner, rules_.partition_count);
  }
  return reject_wrong_partition(message.partition, expected, word(*rules_.partitioner));
}

void Pipeline::reached_end(std::int32_t partition, bool at_end) {
  if (Partition* p = find(partition); p != nullptr) p->set_at_end(at_end);
}

std::size_t Pipeline::held_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [number, partition] : partitions_) bytes += partition->held_bytes();
  return bytes;
}

void Pipeline::tick(Instant wall) {
  if (rules_.partition.event_clock) return;
  for (auto& [number, partition] : partitions_) {
    if (partition->at_end()) partition->wish_clock(wall);
  }
}

// --- decisions ---

/// P3: what an aborted transaction left counts too, for it goes out again in the next one.
Budget Pipeline::budget_left() const {
  Budget left{rules_.transaction_records_max, rules_.relabel_per_transaction_max,
              rules_.transaction_bytes_max, rules_.overlay_rows_max};
  for (const auto& [number, partition] : partitions_) left -= partition->pending();
  return left;
}

Result<Pipeline::Next> Pipeline::advance(Instant wall) {
  Budget budget = budget_left();
  std::int64_t aged = 0;
  while (true) {
    if (publication_) return Next::kCommit;
    catch_up();
    bool spent = false;
    bool awaiting = false;
    for (auto& [number, partition] : partitions_) {
      auto state = partition->advance(budget, wall);
      if (!state) {
        failed_partition_ = number;
        return state.error().within("partition " + std::to_string(number));
      }
      spent = spent || *state == Partition::State::kSpent;
      awaiting = awaiting || *state == Partition::State::kAwaiting;
    }
    if (spent) return Next::kCommit;
    if (!awaiting) return Next::kIdle;
    if (any_behind_newest()) continue;
    if (!evaluate(wall)) return Next::kContinue;
    for (const auto& [number, partition] : partitions_) aged += partition->segmenter().customers();
    if (aged > kAgedMax) return Next::kCommit;
  }
}

std::optional<Instant> Pipeline::first_awaiting() const {
  std::optional<Instant> first;
  for (const auto& [number, partition] : partitions_) {
    const std::optional<Instant> at = partition->awaiting();
    if (at && (!first || *at < *first)) first = at;
  }
  return first;
}

/// One whose sweep has just ended may have a newer epoch to adopt before anything is judged.
bool Pipeline::any_behind_newest() const {
  const auto newest = epochs_.newest();
  return newest != nullptr &&
         std::any_of(partitions_.begin(), partitions_.end(), [&](const auto& p) {
           return !p.second->sweeping() && p.second->meta().epoch < newest->epoch().number;
         });
}

/// Every partition of ours is here and stands at an evaluation instant, or has nothing more to read
/// now. Beyond the bound of held records a slower one is not waited for: the judgement takes it as
/// it is. One that is being restored is, for that needs no reading.
bool Pipeline::all_have_met() const {
  const bool here = std::all_of(expected_.begin(), expected_.end(), [this](std::int32_t expected) {
    return partitions_.contains(expected);
  });
  const bool met = std::all_of(partitions_.begin(), partitions_.end(), [](const auto& p) {
    return p.second->awaiting() || p.second->at_end();
  });
  return here && (met || held_bytes() > rules_.held_bytes_max);
}

/// In service one partition that is behind must not hold up the events of the others for long. Over
/// history (more than one interval behind the wall clock) it may: a judgement over customers of
/// different times would be wrong for good.
bool Pipeline::patience_is_over(Instant at, Instant wall) {
  if (!waiting_ || waiting_->at != at || wall < waiting_->since) waiting_ = Wait{at, wall};
  if (rules_.partition.event_clock) return false;
  const bool history = waiting_->since - at > rules_.partition.evaluate_every_ms;
  return wall - waiting_->since >= (history ? rules_.history_patience_ms : rules_.meet_patience_ms);
}

/// Judges the first instant that somebody stands at, if it is ours to judge, and lets them go on.
/// False = somebody has to read on, or be restored, first.
bool Pipeline::evaluate(Instant wall) {
  const std::optional<Instant> at = first_awaiting();
  if (!at) return true;
  const auto newest = epochs_.newest();
  // A partition that comes late to an instant: epochs never go back in time.
  const bool judged = newest != nullptr && *at <= std::max(judged_upto_, newest->epoch().instant);
  const bool ours = find(0) != nullptr || expected_.contains(0);
  if (!judged && rules_.own_epochs && ours) {
    if (!all_have_met() && !patience_is_over(*at, wall)) return false;
    if (find(0) != nullptr) judge_at(*at);
  }
  waiting_.reset();
  for (auto& [number, partition] : partitions_) {
    if (partition->awaiting() == at) partition->pass_evaluation();
  }
  return true;
}

/// Partitions that missed an epoch adopt the newest one as soon as no sweep is under way.
void Pipeline::catch_up() {
  const std::shared_ptr<const Model> newest = epochs_.newest();
  if (newest == nullptr) return;
  for (auto& [number, partition] : partitions_) {
    if (newest->epoch().number > partition->meta().epoch && !partition->sweeping()) {
      partition->adopt(newest);
    }
  }
}

Population Pipeline::population(Instant at) {
  Population population;
  for (auto& [number, partition] : partitions_) {
    partition->rebase_sums(at);
    const Segmenter& segmenter = partition->segmenter();
    add_clusters(population, segmenter);  // all stand in the same epoch: catch_up()
    population.customers += segmenter.placed();
    const auto first = segmenter.first_order_at();
    if (first && (!population.first_order_at || *first < *population.first_order_at)) {
      population.first_order_at = first;
    }
  }
  population.sample = [this] {
    std::vector<Sampled> sample;
    for (const auto& [number, partition] : partitions_) {
      const std::vector<Sampled> part = partition->segmenter().sample();
      sample.insert(sample.end(), part.begin(), part.end());
    }
    trim_sample(sample, rules_.model.sample_max);
    return sample;
  };
  return population;
}

Quality Pipeline::quality() const {
  const std::shared_ptr<const Model> newest = epochs_.newest();
  if (newest == nullptr) return {};
  Population here;
  std::optional<Instant> now;
  for (const auto& [number, partition] : partitions_) {
    const Segmenter& segmenter = partition->segmenter();
    const std::optional<Instant> clock = partition->meta().clock;
    if (segmenter.model() != newest.get() || !clock) continue;
    // Another origin moves on at its next evaluation.
    if (!here.clusters.empty() && segmenter.origin() != here.origin) continue;
    add_clusters(here, segmenter);
    now = now ? std::max(*now, *clock) : *clock;
  }
  return now ? quality_of(*newest, here, *now) : Quality{};
}

void Pipeline::judge_at(Instant at) {
  judged_upto_ = at;
  const std::shared_ptr<const Model> incumbent = epochs_.newest();
  const Population everybody = population(at);
  std::optional<Epoch> epoch = judge(rules_.model, incumbent.get(), everybody, at);
  if (!epoch) return;
  publication_ = Publication{*epoch, epoch_key(epoch->number), {}};
  append_epoch(publication_->json, *epoch);
  published_ = false;
  partitions_.at(0)->touch();
}

// --- the transaction ---

bool Pipeline::touched() const {
  return std::any_of(partitions_.begin(), partitions_.end(),
                     [](const auto& p) { return p.second->touched(); });
}

Result<void> Pipeline::put_all(OutputSink& sink, Instant wall, std::vector<InputOffset>& offsets) {
  for (auto& [number, partition] : partitions_) {
    if (!partition->touched()) continue;
    if (number == 0 && publication_) {
      if (auto ok = sink.put(OutputTopic::kModel, 0, publication_->key, publication_->json, {});
          !ok) {
        return ok;
      }
    }
    if (auto ok = partition->put_all(sink, wall); !ok) return ok;
    offsets.push_back(partition->offset());
  }
  return {};
}

Result<void> Pipeline::committed(std::int32_t partition, std::int64_t changelog_offset,
                                 Instant wall) {
  Partition* p = find(partition);
  if (p == nullptr) return {};
  if (partition == 0 && publication_) {
    published_ = true;
    p->tally().output_bytes += publication_->key.size() + publication_->json.size();
  }
  if (auto ok = p->committed(changelog_offset, wall); !ok) {
    return ok.error().within("partition " + std::to_string(partition));
  }
  return {};
}

void Pipeline::settled() {
  if (!publication_ || !published_) return;
  const Epoch epoch = std::move(publication_->epoch);
  publication_.reset();
  adopt(epoch);
}

void Pipeline::adopt(const Epoch& epoch) {
  epochs_.add(epoch);
  catch_up();
}

}  // namespace segmentd
