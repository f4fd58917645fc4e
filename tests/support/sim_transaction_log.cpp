#include "tests/support/sim_transaction_log.hpp"

#include <algorithm>

namespace segmentd::test {
namespace {

using Outcome = TransactionResult::Outcome;
using Answer = SimTransactions::Answer;

std::optional<std::string> text_of(std::optional<std::string_view> text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

}  // namespace

Result<void> SimTransactionLog::reopen() {
  const unsigned way = at(Door::kReopen, 3);
  state_ = State::kBroken;
  if (way == 1) return Error{Errc::kRetry, "no broker answers"};
  if (way == 2) return Error{Errc::kMisconfigured, "authorisation failed"};
  // The answer may come after the time given, though older epochs are fenced already.
  const bool waits = way != 3 && !(cluster_.reopen_slow && epoch_ >= 0);
  if (!cluster_.transactions().init(id_, cluster_.now_ms(), waits, producer_, epoch_)) {
    return Error{Errc::kRetry, "the transaction left behind is not decided yet"};
  }
  if (way == 3) return Error{Errc::kRetry, "the answer came too late"};
  if (!wait_until_shown()) return Error{Errc::kRetry, "reopen: the last end is not shown yet"};
  state_ = State::kReady;
  queue_.clear();
  return {};
}

Result<void> SimTransactionLog::begin() {
  const unsigned way = at(Door::kBegin, 2);
  if (way == 2) {  // a right was taken away
    state_ = State::kBroken;
    return Error{Errc::kMisconfigured, "authorisation failed"};
  }
  if (state_ == State::kReplaceFirst) {
    if (cluster_.keep_producer_with_stray) {
      state_ = State::kReady;
    } else {
      auto anew = reopen();
      if (!anew) {
        state_ = State::kReplaceFirst;
        return anew;
      }
      ++replaced_;
    }
  }
  if (state_ == State::kBroken) return Error{Errc::kRetry, "the producer must be reopened"};
  if (!wait_until_shown()) return Error{Errc::kRetry, "begin: the last end is not shown yet"};
  queue_.clear();
  written_.clear();
  if (way == 0) return {};
  state_ = State::kReplaceFirst;
  return Error{Errc::kRetry, "begin: not now"};
}

bool SimTransactionLog::last_end_hidden() const {
  return std::any_of(written_.begin(), written_.end(), [&](const Written& w) {
    return cluster_.output(w.topic, w.partition).stable_end() <= w.last_offset;
  });
}

bool SimTransactionLog::wait_until_shown() {
  constexpr std::int64_t kWaitMs = 200;
  constexpr std::int64_t kPatienceMs = 8'000;
  for (std::int64_t waited = 0; last_end_hidden(); waited += kWaitMs / 4) {
    if (hidden_since_ms_ < 0) hidden_since_ms_ = cluster_.now_ms();
    if (cluster_.now_ms() - hidden_since_ms_ >= kPatienceMs) {
      if (last_outcome_ != Outcome::kCommitted && !was_committed()) undo_hidden();
      break;
    }
    if (waited >= kWaitMs) return false;
    cluster_.pass(kWaitMs / 4);
  }
  hidden_since_ms_ = -1;
  return true;
}

/// By what is to be seen of it.
bool SimTransactionLog::was_committed() const {
  return std::any_of(written_.begin(), written_.end(),
                     [&](const Written& w) {
                       const SimLog& log = cluster_.output(w.topic, w.partition);
                       return log.stable_end() > w.last_offset && log.at(w.last_offset).decided;
                     }) ||
         std::any_of(offsets_.begin(), offsets_.end(), [&](const InputOffset& offset) {
           return cluster_.group().committed(offset.partition).metadata == offset.metadata;
         });
}

void SimTransactionLog::undo_hidden() {
  SimTransactions& all = cluster_.transactions();
  (void)all.add_offsets(producer_, epoch_, {}, cluster_.now_ms());
  for (const Written& w : written_) {
    (void)all.add(producer_, epoch_, cluster_.output(w.topic, w.partition), cluster_.now_ms());
  }
  (void)all.end(producer_, epoch_, false, cluster_.now_ms());
  all.write_markers(producer_, cluster_.now_ms());
}

Result<void> SimTransactionLog::produce(OutputTopic topic, std::int32_t partition,
                                        std::optional<std::string_view> key,
                                        std::optional<std::string_view> value,
                                        std::span<const Header> headers) {
  const unsigned way = at(Door::kProduce, 1);
  if (way == 1) return Error{Errc::kRetry, "the queue is full"};
  if (key && value && key->size() + value->size() > 1'000'000) {
    return Error{Errc::kBadInput, "message too large"};
  }
  std::string writer;
  for (const Header& header : headers) {
    if (header.name == kWriterHeader) writer = header.value;
  }
  queue_.push_back({topic, partition, text_of(key), text_of(value), std::move(writer)});
  // The library sends when it likes.
  if (cluster_.chance().one_in(8)) (void)send_first();
  return {};
}

/// Does nothing where the library's thread was quicker.
Answer SimTransactionLog::send_first() {
  if (queue_.empty()) return Answer::kOk;
  Queued& first = queue_.front();
  SimLog& log = cluster_.output(first.topic, first.partition);
  const Answer answer = cluster_.transactions().add(producer_, epoch_, log, cluster_.now_ms());
  if (answer != Answer::kOk) return answer;
  SimRecord record;
  record.key = std::move(first.key);
  record.value = std::move(first.value);
  record.writer = std::move(first.writer);
  record.timestamp_ms = cluster_.now_ms();
  record.producer = producer_;
  const std::int64_t offset = log.append(std::move(record));
  auto it = std::find_if(written_.begin(), written_.end(), [&](const Written& w) {
    return w.topic == first.topic && w.partition == first.partition;
  });
  if (it == written_.end()) {
    it = written_.insert(written_.end(), {first.topic, first.partition, -1});
  }
  it->last_offset = offset;
  queue_.erase(queue_.begin());
  return Answer::kOk;
}

void SimTransactionLog::background() {
  if (!process_.alive || process_.frozen || state_ != State::kReady) return;
  while (!queue_.empty() && send_first() == Answer::kOk) {
  }
}

TransactionResult SimTransactionLog::undecided(const char* what, Outcome outcome) {
  state_ = State::kBroken;
  last_outcome_ = Outcome::kUnknown;
  return {outcome, what, {}, -1};
}

TransactionResult SimTransactionLog::answer_to(Answer answer) {
  return answer == Answer::kFenced ? undecided("fenced", Outcome::kFenced)
                                   : undecided("invalid transaction state");
}

Answer SimTransactionLog::send_offsets(std::span<const InputOffset> offsets) {
  return cluster_.transactions().add_offsets(producer_, epoch_, offsets, cluster_.now_ms());
}

TransactionResult SimTransactionLog::commit(std::span<const InputOffset> offsets,
                                            const GroupStamp& group) {
  if (at(Door::kCommit, 1) == 1) return undecided("timed out");
  if (state_ != State::kReady) return undecided("the producer must be reopened");
  if (offsets.empty() || !group.valid()) return refused("no offsets, or no valid membership");
  offsets_.assign(offsets.begin(), offsets.end());
  while (!queue_.empty()) {
    if (cluster_.chance().one_in(6) && at(Door::kWriteRecord, 1) == 1) {
      return undecided("a record was not delivered");
    }
    if (const Answer answer = send_first(); answer != Answer::kOk) return answer_to(answer);
  }
  switch (at(Door::kSendOffsets, 3)) {
    case 1:
      return undecided("offsets: timed out");
    case 2:
      if (cluster_.group().check_commit(group.generation, group.member_id) ==
          SimGroup::Answer::kOk) {
        (void)send_offsets(offsets);
      }
      return undecided("offsets: the answer was lost");
    case 3:
      return refused("UNKNOWN_MEMBER_ID");
    default:
      break;
  }
  switch (cluster_.group().check_commit(group.generation, group.member_id)) {
    case SimGroup::Answer::kOk:
      break;
    case SimGroup::Answer::kIllegalGeneration:
      return refused("ILLEGAL_GENERATION");
    default:
      return refused("UNKNOWN_MEMBER_ID");
  }
  if (const Answer answer = send_offsets(offsets); answer != Answer::kOk) return answer_to(answer);
  return end();
}

TransactionResult SimTransactionLog::end() {
  const unsigned way = at(Door::kEndTransaction, 5);
  const SimCluster::Stray request{producer_, epoch_, true};
  if (way == 1) return undecided("commit: timed out");
  if (way == 2) {  // decided later, if nothing fences it before
    cluster_.add_stray(request);
    return undecided("commit: timed out");
  }
  if (way == 3) return undecided("authorisation failed", Outcome::kFatal);
  const Answer answer = cluster_.transactions().end(producer_, epoch_, true, cluster_.now_ms());
  if (answer != Answer::kOk) return answer_to(answer);
  for (std::uint64_t n = cluster_.chance().below(4); n > 0; --n) {
    (void)cluster_.transactions().write_a_marker(cluster_.now_ms());
  }
  if (way == 4) return undecided("commit: the answer was lost");  // and yet it was committed
  if (way == 5) {  // the request went out twice; the second copy is under way
    cluster_.add_stray(request);
    state_ = State::kReplaceFirst;
  }
  (void)at(Door::kAnswer, 0);
  last_outcome_ = Outcome::kCommitted;
  return {Outcome::kCommitted, {}, written_, -1};
}

/// By the group's coordinator: no commit was ever asked for.
TransactionResult SimTransactionLog::refused(const char* why) {
  queue_.clear();
  (void)cluster_.transactions().end(producer_, epoch_, false, cluster_.now_ms());
  last_outcome_ = Outcome::kAborted;
  return {Outcome::kAborted, why, {}, -1};
}

TransactionResult SimTransactionLog::abort() {
  const unsigned way = at(Door::kAbort, 2);
  if (state_ != State::kReady) return undecided("the producer must be reopened");
  queue_.clear();
  if (way == 1) return undecided("abort: timed out");
  const bool opened = !written_.empty();
  const Answer answer = cluster_.transactions().end(producer_, epoch_, false, cluster_.now_ms());
  if (opened && answer == Answer::kFenced) return answer_to(answer);
  if (way == 2) return undecided("abort: the answer was lost");
  last_outcome_ = Outcome::kAborted;
  return {Outcome::kAborted, {}, {}, -1};
}

std::unique_ptr<TransactionLog> SimCluster::open_transactions(const SimProcess& process,
                                                              const std::string& id) {
  return std::make_unique<SimTransactionLog>(*this, process, id);
}

}  // namespace segmentd::test
