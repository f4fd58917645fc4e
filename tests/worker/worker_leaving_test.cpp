// How a worker parts from its group: it leaves, or stays a member and comes back.
#include <chrono>

#include <gtest/gtest.h>

#include "tests/worker/worker_fixture.hpp"

namespace segmentd {
namespace {

using test::FakeSource;
using namespace std::chrono_literals;

class WorkerLeavingTest : public test::WorkerTest {
 protected:
  /// Stops with decisions that are not committed yet; how many commits went out then.
  int stop_in_the_middle() {
    rules_.commit_interval = 10s;  // nothing else commits
    rules_.poll_records_max = 1;
    pipeline_rules_.transaction_records_max = 10'000;
    pipeline_rules_.partition.evaluate_every_ms = 300 * kMsPerDay;
    int before = -1;
    run([&](FakeSource& source) {
      if (source.polls == 1) source.assign({0, 1});
      if (!source.active(0) || !source.active(1) || source.polls < 60) return;
      before = log_.committed;
      stop();
    });
    return log_.committed - before;
  }
};

TEST_F(WorkerLeavingTest, OnStopLeaveGivesThePartitionsToTheOthers) {
  rules_.leave_on_stop = true;
  EXPECT_EQ(stop_in_the_middle(), 1) << "what was decided is committed";
  EXPECT_EQ(cluster_.members_left, 1);
  EXPECT_EQ(cluster_.members_stayed, 0);
}

TEST_F(WorkerLeavingTest, OnStopStayKeepsThePartitions) {
  rules_.leave_on_stop = false;
  EXPECT_EQ(stop_in_the_middle(), 1) << "what was decided is committed";
  EXPECT_EQ(cluster_.members_left, 0);
  EXPECT_EQ(cluster_.members_stayed, 1);
  EXPECT_EQ(metric("segmentd_rebalances_total{kind=\"revoked\"}"), "0");
}

TEST_F(WorkerLeavingTest, AMemberWhoseNameAnotherTookDoesNotMakeThatOneLeave) {
  rules_.leave_on_stop = true;
  const WorkerEnd end = run(consume_all([&](FakeSource& source) {
    if (source.polls == 60) source.trouble = SourceTrouble{SourceTrouble::Kind::kFenced, -1, ""};
  }));
  EXPECT_EQ(end.kind, WorkerEnd::Kind::kFenced);
  EXPECT_EQ(cluster_.members_left, 0);
  EXPECT_EQ(cluster_.members_stayed, 2) << "each of the two sources";
}

}  // namespace
}  // namespace segmentd
