// A worker over a cluster in memory: what the tests of tests/worker run, and what they look at.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/worker/restore_threads.hpp"
#include "daemon/worker/worker.hpp"
#include "state/memory_store.hpp"
#include "tests/support/fake_kafka.hpp"
#include "tests/support/pipeline_bench.hpp"

namespace segmentd::test {

inline constexpr std::int32_t kPartitions = 2;
inline constexpr std::size_t kRecords = 600;
inline constexpr const char* kWriter = "bench-0";

class WorkerTest : public testing::Test {
 protected:
  WorkerTest();

  /// Runs a worker until `script` says stop(), or for too long. Everything but stores and cluster
  /// is new each time, as after a restart.
  WorkerEnd run(FakeSource::Script script);
  /// What restores work with: `changelog` is where they read.
  RestoreParts restore_parts(Broker& changelog, Pace& pace, const PartitionRules& rules,
                             const Epochs& epochs);
  /// Takes in the epochs of the model topic from the `read`th on.
  void read_model(Epochs& epochs, std::size_t& read) const;

  void stop() { stop_ = true; }
  bool consumed(std::int32_t p) const;
  bool all_consumed() const;
  /// Assigns everything at the first poll, does `more`, and stops when all is consumed.
  FakeSource::Script consume_all(FakeSource::Script more = [](FakeSource&) {});
  /// Runs until so many transactions are committed, in all.
  void consume_until(int commits);
  /// Runs until both partitions are at work.
  WorkerEnd take_up();
  /// Runs until partition 0 is consumed, whatever becomes of the other; what `/readyz` said last.
  std::string said_while_0_goes_on();
  std::string not_ready() const;
  /// What `/metrics` says of a series; empty = it has none.
  std::string metric(const std::string& series) const;

  /// Everything that readers see of a run that met no trouble.
  struct Seen {
    std::vector<std::vector<std::string>> changes;
    std::vector<std::map<std::string, std::string>> rows;  // the changelog without META, compacted
  };
  Seen seen() const;
  static const Seen& calm();
  void expect_calm() const;

  FakeCluster cluster_;
  FakeLog log_;
  WorkerRules rules_;
  PipelineRules pipeline_rules_;
  observe::Metrics metrics_{{"GBP", 3, "test"}};
  http::HealthBoard health_{1, milliseconds(100'000), std::chrono::steady_clock::now()};
  std::mutex restoring_;  // over what the restoring threads use
  std::map<std::int32_t, std::shared_ptr<MemoryStore>> stores_;
  std::map<std::int32_t, int> opened_;
  std::map<std::int32_t, Error> open_trouble_;
  std::optional<Error> write_trouble_;
  std::map<std::int32_t, int> set_aside_;
  std::vector<std::pair<std::int32_t, GivenUp>> given_up_;  // by the restorer
  std::set<std::int32_t> left_;
  bool room_ = true;
  std::string new_uuid_ = "uuid";
  Instant wall_ = kWall;
  std::atomic<bool> stop_{false};
  int rejoins_ = 0;  // that the source saw
  Broker* changelog_ = &cluster_;
  Pace* restore_pace_ = &steady_pace();

 private:
  Result<std::unique_ptr<Store>> open_store(std::int32_t p);
  Result<void> give_up_store(std::int32_t p, GivenUp how);
  Result<void> set_aside(std::int32_t p);
};

}  // namespace segmentd::test
