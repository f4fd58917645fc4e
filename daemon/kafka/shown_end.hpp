// Whether readers see the end of the last transaction. For transaction_log.cpp only.
//
// A commit is answered before its markers are written, and a coordinator that cannot reach a
// partition's leader may never write them (KAFKA-20734, open: seen with Kafka 4.3 on a single
// broker that stops, and with three of which two are away; the transaction is CompleteCommit, and
// stays open in that partition). Then the next transaction of the same producer decides for both:
// its commit shows the lost end, its abort undoes what was called committed. So none is begun
// before the last one's end is seen; and when brokers that answer do not show it for long, the next
// one, which is more likely to be committed than not, is what is left to show it.
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
    kLost     // brokers that answer have hidden it for kEndPatience; it is not asked for again
  };
  static constexpr milliseconds kEndPatience{5'000};
  /// What one answer adds to that at most: a process may have been stopped in between.
  static constexpr milliseconds kAnswerLasts{500};

  /// What a transaction that ended has written. If it was or may have been aborted: where it undid
  /// a lost end, "<topic>/<partition>" and more of them; else empty.
  std::string expect(std::vector<Written> written, bool committed, const OutputTopicNames& names);
  /// Asks each partition's leader. `names` are by OutputTopic. kRetry: they do not answer.
  Result<Answer> ask(rd_kafka_t* client, const OutputTopicNames& names, milliseconds timeout);
  /// Where it is hidden, as last asked: "<topic>/<partition>".
  const std::string& where() const { return where_; }

 private:
  using Clock = std::chrono::steady_clock;
  bool is_lost();

  std::vector<Written> expected_;
  std::vector<Written> lost_;
  std::optional<Clock::time_point> hidden_at_;  // when that was answered last, in a row
  milliseconds hidden_for_{0};
  std::string where_;
};

}  // namespace segmentd::kafka
