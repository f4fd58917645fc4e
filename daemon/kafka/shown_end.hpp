// Whether readers see the end of the last transaction. For transaction_log.cpp only.
//
// A commit is answered before its markers are written, and a coordinator that cannot reach a
// partition's leader may never write them (KAFKA-20734, open: seen with Kafka 4.3 on a single
// broker that stops; the transaction is CompleteCommit, and stays open in that partition). Then the
// next transaction of the same producer decides for both: its commit shows the lost end, its abort
// undoes what was called committed. So none is begun before the last one's end is seen. When
// brokers that answer hide it for longer than a coordinator takes to move, the next one, which is
// more likely to be committed than not, is what is left to show it.
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
    kOverdue  // for kEndPatience; it is not waited for any longer
  };
  /// About as long as another broker takes to become coordinator and to write what is missing.
  static constexpr milliseconds kEndPatience{8'000};
  /// What one answer adds to that at most: a process may have been stopped in between.
  static constexpr milliseconds kAnswerLasts{500};

  /// What a transaction that ended, in whatever way, has written.
  void expect(std::vector<Written> written);
  /// Asks each partition's leader. `names` are by OutputTopic. kRetry: they do not answer.
  Result<Answer> ask(rd_kafka_t* client, const OutputTopicNames& names, milliseconds timeout);
  /// Where it is hidden, as last asked: "<topic>/<partition>".
  const std::string& where() const { return where_; }
  /// Before a transaction is aborted that has `written`: where that undoes an end that was overdue
  /// and is hidden still, "<topic>/<partition>" and more of them. Empty where the brokers do not
  /// answer.
  std::string undone_by_abort(rd_kafka_t* client, const OutputTopicNames& names,
                              const std::vector<Written>& written, milliseconds timeout);

 private:
  using Clock = std::chrono::steady_clock;
  bool is_overdue();

  std::vector<Written> expected_;
  std::vector<Written> overdue_;
  std::optional<Clock::time_point> hidden_at_;  // when that was answered last, in a row
  milliseconds hidden_for_{0};
  std::string where_;
};

}  // namespace segmentd::kafka
