// Whether readers see the end of the last transaction. For transaction_log.cpp only.
//
// An end is called complete before its markers are there for sure: a coordinator that cannot reach
// a partition's leader leaves them out (KAFKA-20734, open: seen with Kafka 4.3 on a single broker,
// at its stop as "CompleteCommit", and at its start, where it aborts what was open when it died).
// That partition stays open then, and the next transaction of the same producer decides for both:
// its commit shows what was lost, or what was aborted; its abort undoes it. So none is begun before
// the last one's end is seen.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/kafka/client.hpp"
#include "daemon/ports.hpp"

namespace segmentd::kafka {

class ShownEnd {
 public:
  enum class Answer {
    kShown,
    kHidden,  // yet
    kOverdue  // for kEndPatience: undo it, or give it up
  };
  /// About as long as another broker takes to become coordinator and to write what is missing.
  static constexpr milliseconds kEndPatience{8'000};
  /// What one answer adds to that at most: a process may have been stopped in between.
  static constexpr milliseconds kAnswerLasts{500};

  /// What a transaction that ended, in whatever way, has written. `unknown`: nobody told how, nor
  /// of all records where they are; then learn_offsets() comes first.
  /// False: it left no trace, and what was expected before still is.
  bool expect(std::vector<Written> written, bool unknown);
  /// Once nothing more of it can be written: it is in the logs as they are now. kRetry: they do not
  /// answer.
  Result<void> learn_offsets(const ClientSettings& settings, const OutputTopicNames& names,
                             milliseconds timeout);
  /// Asks each partition's leader. `names` are by OutputTopic. kRetry: they do not answer.
  Result<Answer> ask(rd_kafka_t* client, const OutputTopicNames& names, milliseconds timeout);
  /// After kOverdue: where it is hidden, as last asked, and where it was seen.
  const std::vector<Written>& hidden() const { return expected_; }
  const std::vector<Written>& shown() const { return shown_; }
  /// The last question had no answer but that a topic is gone, or must not be seen.
  bool gone() const { return gone_; }
  /// The first that is hidden: "<topic>/<partition>".
  const std::string& where() const { return where_; }
  /// The wait begins anew: something was done about it.
  void be_patient() { hidden_at_.reset(); }
  /// It is not waited for any longer.
  void give_up();
  /// Before a transaction is aborted that has `written`: where that undoes an end that was given up
  /// and is hidden still, "<topic>/<partition>" and more of them. Empty where the brokers do not
  /// answer.
  std::string undone_by_abort(rd_kafka_t* client, const OutputTopicNames& names,
                              const std::vector<Written>& written, milliseconds timeout);

 private:
  using Clock = std::chrono::steady_clock;
  bool is_overdue();

  std::vector<Written> expected_;
  std::vector<Written> shown_;
  std::vector<Written> given_up_;
  std::optional<Clock::time_point> hidden_at_;  // when that was answered last, in a row
  milliseconds hidden_for_{0};
  bool gone_ = false;
  std::string where_;
};

/// Whether records that are shown to be decided were committed. An error other than kRetry: their
/// topics must not be read.
Result<bool> is_committed(const ClientSettings& settings, const OutputTopicNames& names,
                          const std::vector<Written>& records, milliseconds timeout);

}  // namespace segmentd::kafka
