// How a worker commits: the transaction, its outcome, and what to do when that is not known.
#include <algorithm>

#include "daemon/worker/worker.hpp"

namespace segmentd {
namespace {

using observe::LogLevel;

constexpr int kAbortsInARowMax = 3;
constexpr std::size_t kRefusalsMax = 3;
constexpr milliseconds kAbortPause{20};
constexpr milliseconds kFlushLook{500};  // asking RocksDB costs something

/// Writes a transaction's content to Kafka.
class LogSink final : public OutputSink {
 public:
  explicit LogSink(TransactionLog& log) : log_(log) {}

  Result<void> put(OutputTopic topic, std::int32_t partition, std::optional<std::string_view> key,
                   std::optional<std::string_view> value,
                   std::span<const HeaderText> headers) override {
    headers_.clear();
    for (const HeaderText& h : headers) headers_.push_back({h.name, h.value});
    auto produced = log_.produce(topic, partition, key, value, headers_);
    if (!produced) failed_partition = partition;
    return produced;
  }

  std::int32_t failed_partition = -1;

 private:
  TransactionLog& log_;
  std::vector<Header> headers_;
};

}  // namespace

Worker::Commit Worker::commit() {
  const GroupStamp stamp = source_->group();
  if (!stamp.valid() || !stamp.same_member(noted_)) return Commit::kNotNow;  // W2
  const Pace::Time begin = parts_.pace.now();
  if (auto begun = parts_.log.begin(); !begun) {
    ++commit_tally_.transactions[observe::TransactionOutcome::kNotBegun];
    if (begun.error().code != Errc::kRetry) end(WorkerEnd::Kind::kBroker, begun.error().what);
    observe::log_limited(limit_, "begin", parts_.wall(), LogLevel::kWarning,
                         "no transaction can be begun; trying again",
                         {{"what", begun.error().what}});
    return Commit::kNotNow;
  }
  LogSink sink(parts_.log);
  std::vector<InputOffset> offsets;
  if (auto put = parts_.pipeline.put_all(sink, parts_.wall(), offsets); !put) {
    const TransactionResult aborted = parts_.log.abort();
    if (put.error().code == Errc::kBadInput) {
      park(sink.failed_partition, observe::ParkReason::kRepeatedFailure,
           put.error().what +
               ". Raise kafka.message.max.bytes and the topics' max.message.bytes, or lower "
               "orders.remembered");
    }
    return conclude(aborted, offsets);
  }
  const TransactionResult result = parts_.log.commit(offsets, stamp);
  if (result.outcome == TransactionResult::Outcome::kCommitted) {
    const std::chrono::duration<double> took = parts_.pace.now() - begin;
    commit_tally_.commit_duration.observe(took.count());
  }
  return conclude(result, offsets);
}

Worker::Commit Worker::conclude(const TransactionResult& result,
                                const std::vector<InputOffset>& offsets) {
  using Outcome = TransactionResult::Outcome;
  switch (result.outcome) {
    case Outcome::kCommitted:
      ++commit_tally_.transactions[observe::TransactionOutcome::kCommitted];
      store_committed(offsets, result.written);
      return Commit::kDone;
    case Outcome::kAborted:
      ++commit_tally_.transactions[observe::TransactionOutcome::kAborted];
      observe::log_limited(limit_, "aborted", parts_.wall(), LogLevel::kInfo,
                           "transaction aborted; the same goes out again", {{"what", result.what}});
      note_refusal(result);
      park_refused();
      // W4. The first abort is an ordinary rebalance; then give the broker time.
      if (++aborts_in_a_row_ > kAbortsInARowMax) parts_.pace.sleep(kAbortPause);
      return Commit::kAborted;
    case Outcome::kFatal:
      end(WorkerEnd::Kind::kBroker, result.what);
      ++commit_tally_.transactions[observe::TransactionOutcome::kFatal];
      break;
    case Outcome::kFenced:
      ++commit_tally_.transactions[observe::TransactionOutcome::kFenced];
      break;
    case Outcome::kUnknown:
      ++commit_tally_.transactions[observe::TransactionOutcome::kUnknown];
      break;
  }
  observe::log_line(LogLevel::kWarning, "a transaction's outcome is unknown; resolving",
                    {{"what", result.what}});
  for (const InputOffset& offset : offsets) {
    doubts_[offset.partition] = offset_mark(offset.metadata).value_or(OffsetMark{});
  }
  producer_broken_ = true;
  note_refusal(result);
  return Commit::kInDoubt;
}

void Worker::store_committed(const std::vector<InputOffset>& offsets,
                             const std::vector<Written>& written) {
  aborts_in_a_row_ = 0;
  refused_.clear();
  for (const InputOffset& offset : offsets) {
    std::int64_t changelog_offset = -1;
    for (const Written& w : written) {
      if (w.topic == OutputTopic::kChangelog && w.partition == offset.partition) {
        changelog_offset = w.last_offset;
      }
    }
    store_one(offset.partition, changelog_offset);
  }
  parts_.pipeline.settled();
  filling_ = false;
  last_commit_ = parts_.wall();
}

/// P2: the store hears of it only here. Then, and only then, do the counters move.
void Worker::store_one(std::int32_t partition, std::int64_t changelog_offset) {
  Partition* p = parts_.pipeline.find(partition);
  if (p == nullptr) return;
  const Instant now = parts_.wall();
  for (const std::int64_t ms : p->applied_timestamps_ms()) {
    if (ms < 0) continue;
    commit_tally_.order_to_commit.observe(static_cast<double>(now.ms - ms) /
                                          static_cast<double>(kMsPerSecond));
  }
  auto stored = parts_.pipeline.committed(partition, changelog_offset, now);
  parts_.metrics.publish(p->tally());
  say_skipped(partition, p->tally());
  p->tally() = {};
  if (!stored) return give_up(partition, stored.error());
  room_waits_.erase(partition);
}

/// Whatever becomes of the partitions in doubt, nothing can be committed before this was done.
bool Worker::replace_producer() {
  if (!producer_broken_) return true;
  if (auto opened = parts_.log.reopen(); !opened) {
    if (opened.error().code != Errc::kRetry) end(WorkerEnd::Kind::kBroker, opened.error().what);
    observe::log_limited(limit_, "reopen", parts_.wall(), LogLevel::kWarning,
                         "the producer cannot be replaced yet; trying again",
                         {{"what", opened.error().what}});
    return false;
  }
  ++commit_tally_.producer_reopens;
  producer_broken_ = false;
  return true;
}

/// W3. An answer is believed only by a member that the group still knows: one that slept hears
/// first what became of its partitions.
void Worker::resolve() {
  if (!replace_producer()) return;
  const GroupStamp stamp = source_->group();
  if (!stamp.valid() || !stamp.same_member(noted_)) return;
  std::vector<std::int32_t> asked;
  for (const auto& [partition, doubt] : doubts_) asked.push_back(partition);
  if (asked.empty()) return;
  auto committed = source_->committed(asked, kCommittedTimeout);
  if (!committed) {
    observe::log_limited(limit_, "resolve", parts_.wall(), LogLevel::kWarning,
                         "the committed offsets are not known yet; trying again",
                         {{"what", committed.error().what}});
    return;
  }
  bool happened = false;
  for (const CommittedOffset& offset : *committed) {
    const OffsetMark ours = doubts_.at(offset.partition);
    const std::optional<OffsetMark> found = offset_mark(offset.metadata);
    doubts_.erase(offset.partition);
    if (found && *found == ours) {
      ++commit_tally_.resolutions[observe::Resolution::kCommitted];
      happened = true;
      store_one(offset.partition, -1);
    } else if (!offset.next_offset || (found && found->txn_seq == ours.txn_seq - 1)) {
      // Without any offset nobody has committed: neither we nor, before us, another.
      ++commit_tally_.resolutions[observe::Resolution::kNotCommitted];
    } else {
      ++commit_tally_.resolutions[observe::Resolution::kNotOurs];
      // Another owner went on from here: what we decided is worth nothing. The group will tell us.
      parts_.pipeline.remove(offset.partition);
      source_->ignore(offset.partition);
      dropped_[offset.partition] = parts_.pace.now();
      observe::log_line(LogLevel::kWarning, "dropped: another member has gone on with it",
                        {{"partition", offset.partition}, {"transaction", offset.metadata}});
    }
  }
  if (happened) {
    parts_.pipeline.settled();
    last_commit_ = parts_.wall();
  }
  park_refused();
  filling_ = parts_.pipeline.touched();
}

void Worker::note_refusal(const TransactionResult& result) {
  if (result.refused_partition >= 0) refused_[result.refused_partition].push_back(result.what);
}

/// The same record, refused by the broker for what it is over and over.
void Worker::park_refused() {
  for (const auto& [partition, said] : refused_) {
    if (said.size() < kRefusalsMax) continue;
    park(partition, observe::ParkReason::kRepeatedFailure,
         said.back() + ". Raise max.message.bytes of that topic and start again");
  }
  std::erase_if(refused_, [](const auto& r) { return r.second.size() >= kRefusalsMax; });
}

void Worker::flush_stores() {
  const Pace::Time now = parts_.pace.now();
  if (in_doubt() || now - flush_looked_at_ < kFlushLook) return;
  flush_looked_at_ = now;
  const Instant wall = parts_.wall();
  for (const auto& [number, partition] : parts_.pipeline.partitions()) {
    if (auto known = partition->note_complete(wall); !known) {
      give_up(number, known.error());
      return;  // the map changed
    }
    Pace::Time& flushed = flushed_at_[number];
    const std::uint64_t unflushed = partition->store().statistics().unflushed_rows;
    if (unflushed == 0) {
      flushed = now;
      continue;
    }
    if (now - flushed < rules_.flush_interval && unflushed < rules_.flush_rows) continue;
    flushed = now;
    if (auto ok = partition->store().flush(); !ok) {
      give_up(number, ok.error());
      return;  // the map changed
    }
  }
}

}  // namespace segmentd
