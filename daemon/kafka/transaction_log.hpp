// The transactional producer over librdkafka.
#pragma once

#include <memory>
#include <string>

#include "daemon/kafka/client.hpp"
#include "daemon/ports.hpp"

namespace segmentd::kafka {

struct TransactionLogOptions {
  std::string transactional_id;  // stable over restarts, unique: its next owner aborts what it left
  std::string input_topic;       // whose offsets are committed, for the group of ClientSettings
  OutputTopicNames topics;       // exist
  std::int64_t queue_bytes = 64 << 20;  // on their way to the brokers, at most about this
  milliseconds open_timeout{30'000};    // connect, metadata, end of what was left
  milliseconds reopen_timeout{10'000};  // the same; then the caller polls the group and asks again
};

/// Returns when the producer can write without delay: the topics' metadata is there, and a
/// transaction left open under this id is decided. kUnavailable: a topic is missing;
/// kMisconfigured: a property or permission; kRetry: not reached in time.
Result<std::unique_ptr<TransactionLog>> open_transaction_log(const ClientSettings& settings,
                                                             const TransactionLogOptions& options);

}  // namespace segmentd::kafka
