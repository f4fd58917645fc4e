// The workers of a process, each in a thread of its own with everything that is its own: producer,
// member of the group, pipeline, restoring threads. They end together.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/settings.hpp"
#include "daemon/http/health.hpp"
#include "daemon/kafka/client.hpp"
#include "daemon/observe/metrics.hpp"
#include "daemon/pipeline/epochs.hpp"
#include "daemon/ports.hpp"
#include "daemon/worker/holdings.hpp"
#include "daemon/worker/model_reader.hpp"
#include "state/core/result.hpp"
#include "state/partition_stores.hpp"

namespace segmentd {

/// The last word of a run, where all others were: a log reader finds it. Returns `code`.
int fail_logged(const Error& error, int code);

/// What the workers have in common; all outlive them.
struct CrewParts {
  const config::Settings& settings;
  const kafka::ClientSettings& client;
  Broker& broker;
  Epochs& epochs;
  const ModelReader& model_reader;
  PartitionStores& stores;
  observe::Metrics& metrics;
  http::HealthBoard& health;
  std::string process;  // `<process>-<worker>` is a worker's group.instance.id and transactional.id
  std::int32_t partitions;      // of the input
  milliseconds deletions_kept;  // by the changelog
  std::function<std::string()> new_uuid;
  std::function<bool()> has_room;
};

class Crew {
 public:
  /// Starts them. They end when `stop` is set, which the first does that cannot go on; `working` is
  /// set when something is open that has to be closed.
  Crew(CrewParts parts, std::atomic<bool>& stop, std::atomic<bool>& working);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Whether the group knows every worker: what it gave to others, others have.
  bool all_are_members() const { return holdings_.all_are_members(); }
  /// True once all have ended.
  bool wait(milliseconds timeout);
  /// Of the first that could not go on, or clean. REQUIRES: wait() returned true.
  int code() const { return code_; }

 private:
  void begin(int worker);
  int work(int worker);

  const CrewParts parts_;
  std::atomic<bool>& stop_;
  std::atomic<bool>& working_;
  Holdings holdings_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int at_work_;                       // guarded by mutex_
  int code_ = 0;                      // guarded by mutex_ while any is at work
  std::vector<std::thread> threads_;  // last: use all of the above
};

}  // namespace segmentd
