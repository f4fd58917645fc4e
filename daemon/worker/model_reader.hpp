// Reads the model topic to its end and then on, so that every process knows every epoch.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "daemon/pipeline/epochs.hpp"
#include "daemon/ports.hpp"
#include "state/core/result.hpp"

namespace segmentd {

class ModelReader {
 public:
  /// Opens the topic and starts reading in a thread of its own. `broker` and `epochs` outlive it.
  static Result<std::unique_ptr<ModelReader>> start(Broker& broker, const std::string& topic,
                                                    Epochs& epochs);
  ~ModelReader();
  ModelReader(const ModelReader&) = delete;
  ModelReader& operator=(const ModelReader&) = delete;

  /// Returns when everything that was on the topic is known. kRetry: not in time. kCorrupt: an
  /// epoch on the topic cannot be read.
  Result<void> wait_until_complete(milliseconds timeout);
  /// Why it cannot go on; nullopt = it does. kCorrupt as above; kMisconfigured: the right to read
  /// the topic was taken away. Any thread.
  std::optional<Error> failed() const;
  /// Every epoch below this offset of the topic is known. Any thread.
  std::int64_t position() const { return position_; }

 private:
  ModelReader(std::unique_ptr<LogReader> reader, Epochs& epochs);
  void work();
  void take(const Message& record);
  void fail(Error error);

  std::unique_ptr<LogReader> reader_;
  Epochs& epochs_;
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> position_{0};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool complete_ = false;        // guarded by mutex_
  std::optional<Error> failed_;  // guarded by mutex_
  std::thread thread_;           // last: uses all of the above
};

}  // namespace segmentd
