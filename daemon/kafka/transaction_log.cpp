#include "daemon/kafka/transaction_log.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>
#include <utility>

#include <syslog.h>

#include "daemon/kafka/group_offsets.hpp"
#include "daemon/kafka/shown_end.hpp"
#include "daemon/kafka/transactional_producer.hpp"

namespace segmentd::kafka {
namespace {

using Clock = std::chrono::steady_clock;
using Outcome = TransactionResult::Outcome;

// librdkafka 2.0.2 may forget to drop a record that came back to be retried while the abort began,
// and then waits for its time-out (seen: 10 s after "not leader for partition"). A new producer
// ends the transaction sooner.
constexpr milliseconds kAbortPatience{2'000};

// librdkafka 2.0.2 keeps no time-out of send_offsets_to_transaction while the group's coordinator
// is away: it returns when some connection comes up (src/rdkafka_coord.c sets creq_ts_timeout and
// never looks at it; seen: for as long as a broker was gone). So the call is made in a thread that
// is left behind, with its producer, when it does not return in time: a transaction whose commit
// was never asked for, of a writer that its successor has locked out.
constexpr milliseconds kOffsetsGrace{500};  // for the library's own answer
constexpr int kLeftBehindMax = 8;           // then no more offsets are sent until some return

// How long begin() waits for the last transaction's end before its caller does something else.
constexpr milliseconds kShownWait{200};
constexpr milliseconds kShownPause{3};

constexpr milliseconds kQuestion{2'000};  // about an end that was lost
constexpr int kUndoTriesMax = 2;          // of one; then it is not a lost abort that hides it

using GroupMetadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                      Destroy<rd_kafka_consumer_group_metadata_destroy>>;

/// The errors after which a transaction is known not to be committed and the producer is sound.
bool is_definite(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
         code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
         code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

Partitions list_of(const std::string& topic, std::span<const InputOffset> offsets) {
  Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const InputOffset& offset : offsets) {
    auto* entry = rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), offset.partition);
    entry->offset = offset.next_offset;
    if (offset.metadata.empty()) continue;
    entry->metadata = std::malloc(offset.metadata.size());  // the list frees it
    std::memcpy(entry->metadata, offset.metadata.data(), offset.metadata.size());
    entry->metadata_size = offset.metadata.size();
  }
  return list;
}

// The library tells null from empty by the pointer, and copies what it gets.
void* bytes_of(const std::optional<std::string_view>& text) {
  if (!text) return nullptr;
  return const_cast<char*>(text->data() != nullptr ? text->data() : "");
}
std::size_t size_of(const std::optional<std::string_view>& text) {
  return text ? text->size() : 0;
}

class KafkaTransactionLog final : public TransactionLog {
 public:
  KafkaTransactionLog(const ClientSettings& settings, const TransactionLogOptions& options)
      : settings_(settings), options_(options) {}

  Result<void> begin() override;
  Result<void> produce(OutputTopic topic, std::int32_t partition,
                       std::optional<std::string_view> key, std::optional<std::string_view> value,
                       std::span<const Header> headers) override;
  TransactionResult commit(std::span<const InputOffset> offsets, const GroupStamp& group) override;
  TransactionResult abort() override;
  Result<void> reopen() override;
  std::uint64_t replaced() const override { return replaced_; }

 private:
  enum class State {
    kReady,         // begin() may come
    kReplaceFirst,  // nothing is unknown, but this producer must not begin another transaction
    kBroken,        // reopen() must come
    kOpened,        // the same, which has opened a producer and waits for the last one's end
  };

  rd_kafka_resp_err_t enqueue(rd_kafka_topic_t* topic, std::int32_t partition,
                              std::optional<std::string_view> key,
                              std::optional<std::string_view> value,
                              std::span<const Header> headers);
  Result<void> open_producer();
  Result<void> wait_until_shown();
  Result<void> mend_lost_end();
  Result<bool> was_committed();
  Result<void> undo_hidden();
  KafkaError abort_everywhere(const std::vector<Written>& places);
  void expect_end(Outcome outcome);
  void say_what_an_abort_undoes();
  void say(int level, const std::string& what) const;
  KafkaError send_offsets(std::span<const InputOffset> offsets, const GroupStamp& group);
  KafkaError send_in_time(Partitions offsets, GroupMetadata group);
  KafkaError abort_now();
  TransactionResult abort_for(std::string why);
  TransactionResult settle(Outcome outcome, std::string what);
  TransactionResult refused(const rd_kafka_error_t& error);
  TransactionResult undecided(const char* during, const rd_kafka_error_t& error);

  const ClientSettings settings_;
  const TransactionLogOptions options_;
  std::shared_ptr<TransactionalProducer> producer_;
  std::shared_ptr<std::atomic<int>> sending_ = std::make_shared<std::atomic<int>>(0);
  State state_ = State::kBroken;
  ShownEnd last_end_;
  Outcome last_outcome_ = Outcome::kCommitted;  // of the transaction that is expected there
  std::vector<InputOffset> last_offsets_;       // that it was to commit
  int undo_tries_ = 0;                          // of its end
  // One time-out for all steps: the broker gives the transaction no longer, and a shutdown waits.
  Clock::time_point until_{};
  bool opened_once_ = false;
  std::uint64_t replaced_ = 0;
  std::uint32_t produced_ = 0;
};

Result<void> KafkaTransactionLog::reopen() {
  if (state_ != State::kOpened) {
    if (auto opened = open_producer(); !opened) return opened;
    state_ = State::kOpened;
  }
  if (auto known = last_end_.learn_offsets(settings_, options_.topics, kQuestion); !known) {
    return known;
  }
  if (auto shown = wait_until_shown(); !shown) return shown;
  state_ = State::kReady;
  return {};
}

Result<void> KafkaTransactionLog::open_producer() {
  state_ = State::kBroken;
  const milliseconds timeout =
      std::exchange(opened_once_, true) ? options_.reopen_timeout : options_.open_timeout;
  producer_.reset();  // two of one id would fence each other
  auto fresh = std::make_shared<TransactionalProducer>(settings_, options_);
  if (auto opened = fresh->open(Clock::now() + timeout); !opened) return opened;
  producer_ = std::move(fresh);
  return {};
}

Result<void> KafkaTransactionLog::begin() {
  if (state_ == State::kReplaceFirst || state_ == State::kOpened) {
    const bool replaces = state_ == State::kReplaceFirst;
    auto anew = reopen();
    if (state_ == State::kBroken) state_ = State::kReplaceFirst;
    if (replaces && state_ != State::kReplaceFirst) ++replaced_;
    if (!anew) return anew;
  }
  if (state_ != State::kReady) return Error{Errc::kRetry, "begin: the producer must be reopened"};
  if (auto shown = wait_until_shown(); !shown) return shown;
  producer_->forget();
  until_ = Clock::now() + producer_->transaction_timeout();
  KafkaError error(rd_kafka_begin_transaction(producer_->handle()));
  if (!error) return {};
  // No transaction is open: a new producer mends whatever this one has.
  state_ = State::kReplaceFirst;
  return Error{Errc::kRetry, std::string("begin: ") + rd_kafka_error_string(error.get())};
}

Result<void> KafkaTransactionLog::wait_until_shown() {
  for (const auto until = Clock::now() + kShownWait;; std::this_thread::sleep_for(kShownPause)) {
    const auto answer = last_end_.ask(producer_->handle(), options_.topics, kShownWait);
    if (!answer) return answer.error();
    if (*answer == ShownEnd::Answer::kShown) return {};
    if (*answer == ShownEnd::Answer::kOverdue) return mend_lost_end();
    if (Clock::now() < until) continue;
    return Error{Errc::kRetry,
                 last_end_.where() + ": the end of the last transaction is not shown yet"};
  }
}

/// An abort that was lost is written once more. Of a commit nothing can be written that readers
/// would not see: the next one has to show it.
Result<void> KafkaTransactionLog::mend_lost_end() {
  const bool may_undo = last_outcome_ != Outcome::kCommitted && !last_end_.gone();
  if (may_undo && undo_tries_ < kUndoTriesMax) {
    const auto committed = was_committed();
    if (!committed && committed.error().code == Errc::kRetry) return committed.error();
    if (committed && !*committed) return undo_hidden();
  }
  say(LOG_ERR,
      "the brokers do not show the end of a transaction at " + last_end_.where() +
          ": going on without, for if they lost it (KAFKA-20734) the next commit shows it");
  last_end_.give_up();
  return {};
}

/// Of a transaction whose outcome nobody told: what is to be seen of it, if anything. A part of it
/// in a topic that may not be read tells nothing: an error other than kRetry.
Result<bool> KafkaTransactionLog::was_committed() {
  if (last_outcome_ == Outcome::kAborted) return false;
  if (!last_end_.shown().empty()) {
    return is_committed(settings_, options_.topics, last_end_.shown(), kQuestion);
  }
  if (last_offsets_.empty()) return false;
  std::vector<std::int32_t> partitions;
  for (const InputOffset& offset : last_offsets_) partitions.push_back(offset.partition);
  const auto told =
      committed_offsets(settings_, options_.input_topic, partitions, kQuestion, Offsets::kBefore);
  if (!told) return Error{Errc::kRetry, told.error().what};
  for (std::size_t i = 0; i < told->size(); ++i) {
    const CommittedOffset& offset = (*told)[i];
    if (offset.next_offset && offset.metadata == last_offsets_[i].metadata) return true;
  }
  return false;
}

/// A transaction that takes part wherever the last one is hidden, in the group too, and is aborted.
Result<void> KafkaTransactionLog::undo_hidden() {
  ++undo_tries_;
  say(LOG_ERR, "the brokers lost the abort of a transaction at " + last_end_.where() +
                   " (KAFKA-20734): aborting once more");
  until_ = Clock::now() + 2 * kQuestion;
  KafkaError error = abort_everywhere(last_end_.hidden());
  last_end_.be_patient();
  if (error || producer_->stray()) state_ = State::kReplaceFirst;
  return Error{Errc::kRetry, last_end_.where() + ": aborted once more; " +
                                 (error ? rd_kafka_error_string(error.get()) : "not shown yet")};
}

/// The group first: as long as its offsets are not undone, the records are not, which are looked
/// at.
KafkaError KafkaTransactionLog::abort_everywhere(const std::vector<Written>& places) {
  if (KafkaError error(rd_kafka_begin_transaction(producer_->handle())); error) return error;
  const InputOffset any[] = {{places.front().partition, 0, {}}};
  GroupMetadata anybody(rd_kafka_consumer_group_metadata_new(settings_.group.c_str()));
  KafkaError error = send_in_time(list_of(options_.input_topic, any), std::move(anybody));
  for (const Written& w : places) {
    if (error) break;
    rd_kafka_topic_t* topic = producer_->topic(static_cast<std::size_t>(w.topic));
    if (auto err = enqueue(topic, w.partition, "aborted", "aborted", {})) {
      error.reset(rd_kafka_error_new(err, "it takes no record"));
    }
  }
  if (error) return error;
  if (auto err = rd_kafka_flush(producer_->handle(), timeout_ms(kQuestion))) {
    return KafkaError(rd_kafka_error_new(err, "records are not taken"));
  }
  return KafkaError(rd_kafka_abort_transaction(producer_->handle(), timeout_ms(kAbortPatience)));
}

void KafkaTransactionLog::say_what_an_abort_undoes() {
  const std::string undone = last_end_.undone_by_abort(producer_->handle(), options_.topics,
                                                       producer_->written(), kShownWait);
  if (undone.empty()) return;
  say(LOG_EMERG,
      "a transaction that is or may be aborted undoes another in " + undone +
          ", whose end the brokers lost (KAFKA-20734): what that one wrote there will be missing. "
          "Start a "
          "new application id (setting `application`)");
}

void KafkaTransactionLog::say(int level, const std::string& what) const {
  if (settings_.log) settings_.log(level, what);
}

rd_kafka_resp_err_t KafkaTransactionLog::enqueue(rd_kafka_topic_t* topic, std::int32_t partition,
                                                 std::optional<std::string_view> key,
                                                 std::optional<std::string_view> value,
                                                 std::span<const Header> headers) {
  if (headers.empty()) {
    const int queued = rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, bytes_of(value),
                                        size_of(value), bytes_of(key), size_of(key), nullptr);
    return queued == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
  }
  rd_kafka_headers_t* list = rd_kafka_headers_new(headers.size());
  for (const Header& header : headers) {
    rd_kafka_header_add(list, header.name.data(), static_cast<ssize_t>(header.name.size()),
                        header.value.data(), static_cast<ssize_t>(header.value.size()));
  }
  const auto err = rd_kafka_producev(
      producer_->handle(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(bytes_of(value), size_of(value)),
      RD_KAFKA_V_KEY(bytes_of(key), size_of(key)), RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_END);
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_headers_destroy(list);  // else the library's
  return err;
}

Result<void> KafkaTransactionLog::produce(OutputTopic topic, std::int32_t partition,
                                          std::optional<std::string_view> key,
                                          std::optional<std::string_view> value,
                                          std::span<const Header> headers) {
  const auto at = static_cast<std::size_t>(topic);
  const auto where = [&] { return options_.topics[at] + "/" + std::to_string(partition) + ": "; };
  if (state_ != State::kReady) return Error{Errc::kRetry, where() + "no transaction is open"};
  // Delivery reports are taken now and then, lest they pile up until the commit.
  if (++produced_ % 512 == 0) rd_kafka_poll(producer_->handle(), 0);
  for (;;) {
    const auto err = enqueue(producer_->topic(at), partition, key, value, headers);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      producer_->note_queued(at, partition);
      return {};
    }
    if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && Clock::now() < until_) {
      rd_kafka_poll(producer_->handle(), 10);
      continue;
    }
    const auto errc = err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? Errc::kBadInput : errc_of(err);
    return Error{errc, where() + describe(err)};
  }
}

KafkaError KafkaTransactionLog::send_offsets(std::span<const InputOffset> offsets,
                                             const GroupStamp& group) {
  rd_kafka_consumer_group_metadata_t* metadata = nullptr;
  if (KafkaError error(rd_kafka_consumer_group_metadata_read(&metadata, group.metadata.data(),
                                                             group.metadata.size()));
      error) {
    return error;
  }
  return send_in_time(list_of(options_.input_topic, offsets), GroupMetadata(metadata));
}

KafkaError KafkaTransactionLog::send_in_time(Partitions offsets, GroupMetadata group) {
  std::promise<KafkaError> promise;
  std::future<KafkaError> answer = promise.get_future();
  ++*sending_;
  std::thread([producer = producer_, sending = sending_, offsets = std::move(offsets),
               group = std::move(group), promise = std::move(promise),
               timeout = timeout_ms(left_until(until_))]() mutable {
    KafkaError error(rd_kafka_send_offsets_to_transaction(producer->handle(), offsets.get(),
                                                          group.get(), timeout));
    producer.reset();  // whoever hears the answer may replace it
    --*sending;
    promise.set_value(std::move(error));
  }).detach();
  if (answer.wait_until(until_ + kOffsetsGrace) == std::future_status::ready) return answer.get();
  return KafkaError(rd_kafka_error_new(RD_KAFKA_RESP_ERR__TIMED_OUT,
                                       "the group's coordinator does not take the offsets"));
}

TransactionResult KafkaTransactionLog::commit(std::span<const InputOffset> offsets,
                                              const GroupStamp& group) {
  if (state_ != State::kReady) return {Outcome::kUnknown, "the producer must be reopened", {}, -1};
  // The library would skip an empty list and commit unfenced, and the broker takes an empty member
  // unchecked.
  if (offsets.empty() || !group.valid()) {
    return abort_for("not fenced: no offsets, or no valid membership");
  }
  last_offsets_.assign(offsets.begin(), offsets.end());
  if (*sending_ >= kLeftBehindMax) return abort_for("the group's coordinator does not answer");
  // The records first: whoever finds offsets of a transaction that was left open finds its records
  // too, which name their writer. A record that failed is told by the next step.
  if (auto err = rd_kafka_flush(producer_->handle(), timeout_ms(left_until(until_)))) {
    return undecided("flush", *KafkaError(rd_kafka_error_new(err, "records are not taken")));
  }
  if (KafkaError error = send_offsets(offsets, group); error) {
    if (is_definite(rd_kafka_error_code(error.get()))) return refused(*error);
    return undecided("offsets", *error);
  }
  const int timeout = timeout_ms(left_until(until_));
  if (KafkaError error(rd_kafka_commit_transaction(producer_->handle(), timeout)); error) {
    return undecided("commit", *error);
  }
  TransactionResult result = settle(Outcome::kCommitted, {});
  result.written = producer_->written();
  return result;
}

TransactionResult KafkaTransactionLog::abort() {
  if (state_ != State::kReady) return {Outcome::kUnknown, "the producer must be reopened", {}, -1};
  return abort_for({});
}

TransactionResult KafkaTransactionLog::abort_for(std::string why) {
  if (KafkaError error = abort_now(); error) return undecided("abort", *error);
  return settle(Outcome::kAborted, std::move(why));
}

KafkaError KafkaTransactionLog::abort_now() {
  say_what_an_abort_undoes();
  return KafkaError(rd_kafka_abort_transaction(producer_->handle(), timeout_ms(kAbortPatience)));
}

void KafkaTransactionLog::expect_end(Outcome outcome) {
  if (!last_end_.expect(producer_->written(), outcome == Outcome::kUnknown)) return;
  last_outcome_ = outcome;
  undo_tries_ = 0;
}

/// The end of the transaction is known, by an answer of the broker.
TransactionResult KafkaTransactionLog::settle(Outcome outcome, std::string what) {
  expect_end(outcome);
  if (producer_->stray()) state_ = State::kReplaceFirst;
  if (outcome == Outcome::kAborted && what.empty()) what = producer_->delivery_failure();
  return {outcome, std::move(what), {}, producer_->refused_partition()};
}

/// The group's coordinator refused our offsets, so no commit was ever asked for.
TransactionResult KafkaTransactionLog::refused(const rd_kafka_error_t& error) {
  std::string why = describe(rd_kafka_error_code(&error), rd_kafka_error_string(&error));
  if (KafkaError failed = abort_now(); failed) {
    state_ = State::kReplaceFirst;
    expect_end(Outcome::kAborted);
    return {Outcome::kAborted, why + "; abort: " + rd_kafka_error_string(failed.get()), {}, -1};
  }
  return settle(Outcome::kAborted, std::move(why));
}

TransactionResult KafkaTransactionLog::undecided(const char* during,
                                                 const rd_kafka_error_t& error) {
  state_ = State::kBroken;
  say_what_an_abort_undoes();
  expect_end(Outcome::kUnknown);
  const auto code = rd_kafka_error_code(&error);
  std::string what = std::string(during) + ": " + describe(code, rd_kafka_error_string(&error));
  if (!producer_->delivery_failure().empty()) what += "; " + producer_->delivery_failure();
  const auto root = rd_kafka_fatal_error(producer_->handle(), nullptr, 0);
  const std::int32_t refused = producer_->refused_partition();
  if (is_fenced(code) || is_fenced(root)) return {Outcome::kFenced, std::move(what), {}, refused};
  const bool hopeless =
      errc_of(code) == Errc::kMisconfigured || errc_of(root) == Errc::kMisconfigured;
  return {hopeless ? Outcome::kFatal : Outcome::kUnknown, std::move(what), {}, refused};
}

}  // namespace

Result<std::unique_ptr<TransactionLog>> open_transaction_log(const ClientSettings& settings,
                                                             const TransactionLogOptions& options) {
  auto log = std::make_unique<KafkaTransactionLog>(settings, options);
  if (auto opened = log->reopen(); !opened) return opened.error();
  return std::unique_ptr<TransactionLog>(std::move(log));
}

}  // namespace segmentd::kafka
