// How far a restore is: told to its caller, on `/metrics` and in the log.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/observe/log.hpp"
#include "tests/worker/worker_fixture.hpp"

namespace segmentd {
namespace {

using test::FakeCluster;
using test::FakeSource;
using namespace std::chrono_literals;

constexpr std::int64_t kBatch = 50;
constexpr milliseconds kBatchTime = 2s;

/// Stands still but where it is told to go on.
class SteppingPace final : public Pace {
 public:
  Time now() const override { return Time(milliseconds(now_ms_)); }
  void sleep(milliseconds duration) override { step(duration); }
  void step(milliseconds duration) { now_ms_ += duration.count(); }

 private:
  std::atomic<std::int64_t> now_ms_{1'000'000};
};

/// Few records at a time, each time taking some, and no further than it may.
class SlowReader final : public LogReader {
 public:
  SlowReader(std::unique_ptr<LogReader> reader, SteppingPace& pace, std::atomic<int>& batches)
      : reader_(std::move(reader)), pace_(pace), batches_(batches) {}
  Result<void> read(std::vector<Message>& out, std::size_t, milliseconds timeout) override {
    if (batches_ == 0) {
      std::this_thread::sleep_for(1ms);
      return {};
    }
    --batches_;
    pace_.step(kBatchTime);
    return reader_->read(out, kBatch, timeout);
  }
  ReadProgress progress(std::int32_t partition) const override {
    return reader_->progress(partition);
  }
  bool complete() const override { return reader_->complete(); }

 private:
  const std::unique_ptr<LogReader> reader_;
  SteppingPace& pace_;
  std::atomic<int>& batches_;
};

class SlowBroker final : public Broker {
 public:
  SlowBroker(FakeCluster& cluster, SteppingPace& pace) : cluster_(cluster), pace_(pace) {}

  Result<std::unique_ptr<LogReader>> open_reader(const std::string& topic,
                                                 std::span<const ReadFrom> from,
                                                 milliseconds timeout) override {
    auto reader = cluster_.open_reader(topic, from, timeout);
    if (!reader || topic != test::kFakeChangelog) return reader;
    return std::unique_ptr<LogReader>(
        std::make_unique<SlowReader>(std::move(*reader), pace_, batches));
  }
  Result<Watermarks> watermarks(const std::string& topic, std::int32_t number,
                                milliseconds timeout) override {
    return cluster_.watermarks(topic, number, timeout);
  }
  Result<std::int32_t> partition_count(const std::string& topic, milliseconds timeout) override {
    return cluster_.partition_count(topic, timeout);
  }
  Result<std::optional<std::string>> hiding_writer(const std::string& topic, std::int32_t number,
                                                   milliseconds timeout) override {
    return cluster_.hiding_writer(topic, number, timeout);
  }
  Result<void> fence(const std::string& transactional_id, milliseconds timeout) override {
    return cluster_.fence(transactional_id, timeout);
  }

  std::atomic<int> batches{std::numeric_limits<int>::max()};  // that may still be read

 private:
  FakeCluster& cluster_;
  SteppingPace& pace_;
};

/// Partition 1 has its changelog, and nothing on the disk.
class WorkerRestoreTest : public test::WorkerTest {
 protected:
  WorkerRestoreTest() {
    run(consume_all());
    stores_.clear();
    rows_ = static_cast<std::int64_t>(cluster_.changelog[1].size());
    EXPECT_GT(rows_, 8 * kBatch);
  }
  /// Restores it in this thread; what was told of it.
  std::vector<RestoreProgress> restore() {
    Epochs epochs;
    std::size_t read = 0;
    read_model(epochs, read);
    const Pipeline pipeline(pipeline_rules_, test::bench_decoder(), epochs);
    std::vector<RestoreProgress> told;
    const Restored restored = restore_partition(
        restore_parts(slow_, pace_, pipeline.partition_rules(), epochs), 1, [] { return false; },
        [&](const RestoreProgress& progress) { told.push_back(progress); });
    EXPECT_TRUE(restored.opened);
    return told;
  }
  std::int64_t batches() const { return (rows_ + kBatch - 1) / kBatch; }
  std::string of_partition_1(const std::string& name) const {
    return metric("segmentd_restore_" + name + "{partition=\"1\"}");
  }

  SteppingPace pace_;
  SlowBroker slow_{cluster_, pace_};
  std::int64_t rows_ = 0;
};

TEST_F(WorkerRestoreTest, TellsWhatRemainsAndHowLongItWillTake) {
  const std::vector<RestoreProgress> told = restore();
  ASSERT_EQ(static_cast<std::int64_t>(told.size()), batches());
  std::int64_t read = 0;
  milliseconds elapsed = 0s;
  for (const RestoreProgress& progress : told) {
    read = std::min(read + kBatch, rows_);
    elapsed += kBatchTime;
    EXPECT_EQ(progress.rows_read, read);
    EXPECT_EQ(progress.rows_remaining, rows_ - read);
    EXPECT_EQ(progress.elapsed, elapsed);
    const double estimate = static_cast<double>(rows_ - read) * 2 / kBatch;
    EXPECT_DOUBLE_EQ(progress.seconds_remaining(), estimate);
  }
  EXPECT_EQ(told.back().rows_remaining, 0);
}

TEST_F(WorkerRestoreTest, TheLogSaysItEveryFewSeconds) {
  std::ostringstream log;
  observe::set_up_log({}, &log);
  restore();
  observe::set_up_log({});
  std::vector<std::string> lines;
  std::istringstream all(log.str());
  for (std::string line; std::getline(all, line);) {
    if (line.find(" restoring ") != std::string::npos) lines.push_back(line);
  }
  ASSERT_EQ(static_cast<std::int64_t>(lines.size()), batches() / 3) << "each 6 s: " << log.str();
  const std::int64_t remaining = rows_ - 3 * kBatch;
  EXPECT_NE(lines[0].find(
                "restoring partition=1 rows_read=150 rows_remaining=" + std::to_string(remaining) +
                " rows_per_second=25 seconds_remaining=" + std::to_string(remaining / 25)),
            std::string::npos)
      << lines[0];
  EXPECT_NE(log.str().find("restored partition=1 rows_read=" + std::to_string(rows_)),
            std::string::npos)
      << log.str();
}

TEST_F(WorkerRestoreTest, TheMetricsShowItWhileItLasts) {
  changelog_ = &slow_;
  restore_pace_ = &pace_;
  slow_.batches = 0;
  const auto remain = [&](std::int64_t rows) {
    return of_partition_1("rows_remaining") == std::to_string(rows);
  };
  std::vector<std::string> seconds;  // after none, one and two batches
  std::string restoring;
  run([&](FakeSource& source) {
    if (source.polls == 1) source.assign({1});
    const auto step = static_cast<std::int64_t>(seconds.size());
    if (step < 3 && remain(rows_ - step * kBatch)) {
      seconds.push_back(of_partition_1("seconds_remaining"));
      restoring = metric("segmentd_partitions{state=\"restoring\",worker=\"0\"}");
      slow_.batches = step < 2 ? 1 : std::numeric_limits<int>::max();
    }
    if (source.active(1) && remain(0)) stop();
  });
  ASSERT_EQ(seconds.size(), 3U);
  EXPECT_EQ(seconds[0], "") << "nothing was read yet";
  EXPECT_DOUBLE_EQ(std::stod(seconds[1]), static_cast<double>(rows_ - kBatch) / 25);
  EXPECT_DOUBLE_EQ(std::stod(seconds[2]), static_cast<double>(rows_ - 2 * kBatch) / 25);
  EXPECT_EQ(restoring, "1");
}

}  // namespace
}  // namespace segmentd
