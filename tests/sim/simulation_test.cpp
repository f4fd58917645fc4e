// The worker in a world where everything fails: at every call, in every way the ports allow, with
// others acting in between. After each schedule P1-P4 hold, or its seed is printed.
//
//   SEGMENTD_TEST_SEED=7          only this random schedule
//   SEGMENTD_TEST_SCHEDULES=N     so many random schedules instead of the suite's
//   SEGMENTD_TEST_STRIKE=2:164:-1 only this one of EveryCallInTurn: daemons, call, way
//   SEGMENTD_TEST_VERBOSE=1       every call, and the daemons' own log
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <ostream>
#include <streambuf>
#include <utility>

#include <gtest/gtest.h>

#include "daemon/observe/log.hpp"
#include "tests/sim/simulation.hpp"

namespace segmentd::test {
namespace {

constexpr std::uint64_t kSchedules = 4'000;
constexpr int kFailuresShown = 5;

class Silence final : public std::streambuf {
  int overflow(int c) override { return c; }
};

void be_silent() {
  static Silence silence;
  static std::ostream nowhere(&silence);
  const char* verbose = std::getenv("SEGMENTD_TEST_VERBOSE");
  static bool done = false;
  if (std::exchange(done, true)) return;
  observe::set_up_log({verbose != nullptr ? observe::LogLevel::kDebug : observe::LogLevel::kError},
                      verbose != nullptr ? nullptr : &nowhere);
}

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

ScheduleResult run(SchedulePlan plan) {
  if (std::getenv("SEGMENTD_TEST_VERBOSE") != nullptr) plan.tell = &std::cerr;
  return Simulation(plan).run();
}

/// What many schedules did, to be sure that they did something.
struct Sum {
  std::uint64_t schedules = 0, failed = 0, calls = 0, faults = 0, crashes = 0, interludes = 0,
                rebalances = 0, commits = 0, changes = 0;

  void add(const SchedulePlan& plan, const ScheduleResult& result, const std::string& how) {
    ++schedules;
    calls += result.calls;
    faults += result.faults;
    crashes += result.crashes;
    interludes += result.interludes;
    rebalances += result.rebalances;
    commits += result.commits;
    changes += result.changes;
    if (result.breaches.empty()) return;
    if (++failed > kFailuresShown) return;
    std::string all;
    for (const std::string& breach : result.breaches) all += "\n  " + breach;
    ADD_FAILURE() << "seed " << plan.seed << how << all;
  }
  void print(double seconds) const {
    std::cout << schedules << " schedules, " << failed << " failed; " << calls << " calls, "
              << faults << " faults, " << crashes << " crashes, " << interludes << " interludes, "
              << rebalances << " rebalances, " << commits << " transactions of a partition, "
              << changes << " changes; "
              << static_cast<std::uint64_t>(static_cast<double>(schedules) / seconds)
              << " schedules/s\n";
  }
};

class Timer {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

SchedulePlan rough_plan(std::uint64_t seed) {
  Chance chance(seed);
  SchedulePlan plan;
  plan.seed = seed;
  plan.workload = static_cast<std::int32_t>(chance.below(kWorkloads));
  plan.daemons = 1 + static_cast<int>(chance.below(3));
  plan.rough = true;
  return plan;
}

void run_rough(bool own_epochs, std::uint64_t schedules) {
  be_silent();
  const std::uint64_t only = number_of("SEGMENTD_TEST_SEED", 0);
  const std::uint64_t count = number_of("SEGMENTD_TEST_SCHEDULES", schedules);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : count;
  Sum sum;
  const Timer timer;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SchedulePlan plan = rough_plan(seed);
    plan.own_epochs = own_epochs;
    sum.add(plan, run(plan), own_epochs ? " (own epochs)" : "");
  }
  sum.print(timer.seconds());
  if (only != 0) return;
  EXPECT_GT(sum.faults, count);
  EXPECT_GT(sum.crashes, count / 2);
  EXPECT_GT(sum.interludes, count);
}

TEST(Simulation, WithoutTroubleItIsTheStraightPipeline) {
  be_silent();
  for (std::int32_t w = 0; w < kWorkloads; ++w) {
    for (int daemons = 1; daemons <= 3; ++daemons) {
      SchedulePlan plan;
      plan.workload = w;
      plan.daemons = daemons;
      const ScheduleResult result = run(plan);
      EXPECT_TRUE(result.breaches.empty()) << "workload " << w << ": " << result.breaches.front();
      EXPECT_GT(result.changes, 3U) << "workload " << w;
      EXPECT_GT(result.calls, 200U);
    }
  }
}

TEST(Simulation, RandomSchedules) { run_rough(false, kSchedules); }

TEST(Simulation, RandomSchedulesWithAModelOfTheirOwn) { run_rough(true, kSchedules / 4); }

/// For every call of a run: the caller dies there; it sleeps there while its partitions move; it
/// fails in each of its ways.
TEST(Simulation, EveryCallInTurn) {
  be_silent();
  const char* only = std::getenv("SEGMENTD_TEST_STRIKE");
  Sum sum;
  const Timer timer;
  for (int daemons = 1; daemons <= 2; ++daemons) {
    SchedulePlan plan;
    plan.workload = 4 + daemons;
    plan.daemons = daemons;
    const ScheduleResult base = Simulation(plan).run();
    ASSERT_TRUE(base.breaches.empty()) << base.breaches.front();
    for (std::uint64_t call = 1; call <= base.calls; ++call) {
      for (int way = -2; way <= base.ways[call - 1]; ++way) {
        if (way == 0) continue;
        const std::string strike = std::to_string(daemons) + ":" + std::to_string(call) + ":" +
                                   std::to_string(way);
        if (only != nullptr && strike != only) continue;
        plan.strike = SchedulePlan::Strike{call, way};
        sum.add(plan, run(plan), ", SEGMENTD_TEST_STRIKE=" + strike);
      }
    }
    plan.strike.reset();
  }
  sum.print(timer.seconds());
}

}  // namespace
}  // namespace segmentd::test
