// The worker in a world where everything fails: at every call, in every way the ports allow, with
// others acting in between. After each schedule P1-P4 hold, or its seed is printed.
//
//   SEGMENTD_TEST_SEED=7          only this random schedule
//   SEGMENTD_TEST_SCHEDULES=N     so many random schedules instead of the suite's
//   SEGMENTD_TEST_STRIKE=2:164:-1 only this one of those struck on purpose: daemons, call, way
//                                 (2o: own epochs, 2d: after a writer died)
//   SEGMENTD_TEST_VERBOSE=1       every call, and the daemons' own log
#include "tests/sim/simulation.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <ostream>
#include <streambuf>
#include <utility>

#include <gtest/gtest.h>

#include "daemon/observe/log.hpp"

namespace segmentd::test {
namespace {

constexpr std::uint64_t kSchedules = 6'000;
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
                rebalances = 0, commits = 0, changes = 0, fences = 0, compactions = 0,
                left_open = 0, expired = 0, ended = 0;
  std::array<std::uint64_t, kDoors> struck{};
  bool quiet = false;  // breaches are what is wanted

  void add(const SchedulePlan& plan, const ScheduleResult& result, const std::string& how) {
    ++schedules;
    calls += result.calls;
    faults += result.faults;
    crashes += result.crashes;
    interludes += result.interludes;
    rebalances += result.rebalances;
    commits += result.commits;
    changes += result.changes;
    fences += result.fences;
    compactions += result.compactions;
    left_open += result.left_open;
    expired += result.expired;
    ended += result.ended;
    for (std::size_t d = 0; d < kDoors; ++d) struck[d] += result.struck[d];
    if (result.breaches.empty()) return;
    if (++failed > kFailuresShown || quiet) return;
    std::string all;
    for (const std::string& breach : result.breaches) all += "\n  " + breach;
    ADD_FAILURE() << "seed " << plan.seed << how << all;
  }
  void print(double seconds) const {
    if (std::getenv("SEGMENTD_TEST_STRIKE") == nullptr) {
      EXPECT_GT(schedules, 0U) << "nothing was tried";
    }
    std::cout << schedules << " schedules, " << failed << " failed; " << calls << " calls, "
              << faults << " faults, " << crashes << " crashes, " << interludes << " interludes, "
              << rebalances << " rebalances, " << commits << " transactions of a partition, "
              << changes << " changes, " << fences << " fences, " << compactions << " compactions, "
              << left_open << " transactions left open in the input, " << expired
              << " offsets expired, " << ended << " workers ended; "
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
  const std::uint64_t count = only != 0 ? 1 : number_of("SEGMENTD_TEST_SCHEDULES", schedules);
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
  if (own_epochs || count < schedules) return;
  EXPECT_GT(sum.faults, count);
  EXPECT_GT(sum.crashes, count / 2);
  EXPECT_GT(sum.interludes, count);
  EXPECT_GT(sum.fences, 0U);
  EXPECT_GT(sum.compactions, count);
  EXPECT_GT(sum.left_open, count);
  EXPECT_GT(sum.expired, count / 20);
  for (std::size_t d = 0; d < kDoors; ++d) {
    EXPECT_GT(sum.struck[d], 0U) << "nothing ever happened at " << word(static_cast<Door>(d));
  }
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

TEST(Simulation, RandomSchedules) {
  run_rough(false, kSchedules);
}

TEST(Simulation, RandomSchedulesWithAModelOfTheirOwn) {
  run_rough(true, kSchedules / 6);
}

std::string told(const SchedulePlan& plan) {
  std::string text =
      std::to_string(plan.daemons) + (plan.own_epochs ? "o" : "") + (plan.dead_writer ? "d" : "");
  for (const auto& strike : plan.strikes) {
    text += ":" + std::to_string(strike.call) + ":" + std::to_string(strike.way);
  }
  return text;
}

/// Runs one after the other, or only the one that SEGMENTD_TEST_STRIKE names.
void run_struck(const SchedulePlan& plan, Sum& sum) {
  const char* only = std::getenv("SEGMENTD_TEST_STRIKE");
  const std::string how = told(plan);
  if (only == nullptr || how == only) {
    sum.add(plan, run(plan), ", SEGMENTD_TEST_STRIKE=" + how);
  }
}

SchedulePlan struck_plan(int daemons, bool own_epochs) {
  SchedulePlan plan;
  plan.workload = 4 + daemons;
  plan.daemons = daemons;
  plan.own_epochs = own_epochs;
  return plan;
}

/// For every call of a run: the caller dies there; it sleeps there while its partitions move; the
/// changelog is compacted; it fails in each of its ways. Returns the calls by door.
std::array<std::uint64_t, kDoors> strike_every_call(SchedulePlan plan, Sum& sum) {
  std::array<std::uint64_t, kDoors> called{};
  const ScheduleResult base = run(plan);
  EXPECT_TRUE(base.breaches.empty()) << base.breaches.front();
  for (std::uint64_t call = 1; call <= base.calls; ++call) {
    const ScheduleResult::Call& struck = base.called[call - 1];
    ++called[static_cast<std::size_t>(struck.door)];
    std::vector<int> ways = {SchedulePlan::kDies};
    if (!plan.own_epochs) ways.push_back(SchedulePlan::kCompacts);  // the same, and slow
    // Alone nobody can take its partitions while it sleeps.
    if (plan.daemons > 1)
      ways.insert(ways.end(), {SchedulePlan::kSleeps, SchedulePlan::kSleepsAndJoins});
    for (int way = 1; way <= struck.ways; ++way) ways.push_back(way);
    for (const int way : ways) {
      plan.strikes = {{call, way}};
      run_struck(plan, sum);
    }
  }
  return called;
}

TEST(Simulation, EveryCallInTurn) {
  be_silent();
  Sum sum;
  const Timer timer;
  const std::pair<int, bool> runs[] = {{1, false}, {2, false}, {1, true}};
  for (const auto& [daemons, own_epochs] : runs) {
    strike_every_call(struck_plan(daemons, own_epochs), sum);
  }
  sum.print(timer.seconds());
}

/// A member dies in the middle of a commit. Another takes its partitions over, has to abort a
/// transaction and to set a store aside, which makes it join the group again.
SchedulePlan dead_writers_plan() {
  constexpr int kFails = 1;
  SchedulePlan plan = struck_plan(2, false);
  plan.dead_writer = true;
  plan.happens = {{Door::kEndTransaction, 3, SchedulePlan::kDies},
                  {Door::kProduce, 60, kFails},
                  {Door::kMultiGet, 4, kFails}};
  return plan;
}

/// What does not occur where nothing goes wrong: taking over from a writer that died, and so on.
TEST(Simulation, EveryCallInTurnAfterAWriterDied) {
  be_silent();
  Sum sum;
  const Timer timer;
  const auto called = strike_every_call(dead_writers_plan(), sum);
  for (const Door door :
       {Door::kHidingWriter, Door::kFence, Door::kAbort, Door::kRejoin, Door::kSetAside}) {
    EXPECT_GT(called[static_cast<std::size_t>(door)], 0U) << word(door) << " does not occur";
  }
  sum.print(timer.seconds());
}

/// The writer dies before it knows that its commit was asked for, and the request arrives at any
/// later call: before it is fenced the transaction is committed, afterwards nothing comes of it,
/// also where it was fenced and the answer was lost.
TEST(Simulation, ADeadWritersCommitArrivesAtAnyMoment) {
  constexpr int kLater = 2;
  be_silent();
  Sum sum;
  const Timer timer;
  SchedulePlan plan = dead_writers_plan();
  plan.happens = {{Door::kEndTransaction, 4, kLater}, {Door::kReopen, 2, SchedulePlan::kDies}};
  const ScheduleResult base = run(plan);
  EXPECT_TRUE(base.breaches.empty()) << base.breaches.front();
  std::uint64_t fence = 1;
  while (fence < base.calls && base.called[fence - 1].door != Door::kFence) ++fence;
  ASSERT_LT(fence, base.calls) << "nobody is fenced";
  for (int way = 0; way <= base.called[fence - 1].ways; ++way) {
    for (std::uint64_t call = 1; call <= base.calls; ++call) {
      plan.strikes = {{call, SchedulePlan::kStray}};
      if (way > 0) plan.strikes.push_back({fence, way});
      run_struck(plan, sum);
    }
  }
  sum.print(timer.seconds());
}

/// A right that is taken away comes back by no waiting: whoever begins a transaction without it, or
/// opens its producer anew, ends and says so.
TEST(Simulation, ARightTakenAwayEndsTheWorker) {
  constexpr int kTimedOut = 1;
  constexpr int kNotAllowed = 2;
  be_silent();
  Sum sum;
  const Timer timer;
  SchedulePlan plan = struck_plan(1, false);
  plan.happens = {{Door::kEndTransaction, 3, kTimedOut}};
  const ScheduleResult base = Simulation(plan).run();
  int reopened = 0;  // as the process starts, by the worker, as it starts again
  for (std::uint64_t call = 1; call <= base.calls; ++call) {
    const Door door = base.called[call - 1].door;
    if (door != Door::kBegin && (door != Door::kReopen || ++reopened != 2)) continue;
    plan.strikes = {{call, kNotAllowed}};
    const std::uint64_t ended = sum.ended;
    run_struck(plan, sum);
    EXPECT_EQ(sum.ended, ended + 1) << word(door) << ", call " << call;
  }
  EXPECT_GE(reopened, 2);
  EXPECT_GT(sum.schedules, 5U);
  sum.print(timer.seconds());
}

bool inside_a_commit(Door door) {
  return door == Door::kCommit || door == Door::kWriteRecord || door == Door::kSendOffsets ||
         door == Door::kEndTransaction;
}

/// W3: a commit fails in each of its ways, and at each of the next calls, until the outcome is
/// known, the member falls asleep, another takes its partitions over and commits.
TEST(Simulation, SleepingWhileAnOutcomeIsUnknown) {
  constexpr std::uint64_t kCalls = 9;
  be_silent();
  Sum sum;
  const Timer timer;
  SchedulePlan plan = struck_plan(2, false);
  const ScheduleResult base = Simulation(plan).run();
  ASSERT_TRUE(base.breaches.empty()) << base.breaches.front();
  for (std::uint64_t call = 1; call <= base.calls; ++call) {
    if (!inside_a_commit(base.called[call - 1].door)) continue;
    for (int way = 1; way <= base.called[call - 1].ways; ++way) {
      for (std::uint64_t next = call + 1; next <= call + kCalls; ++next) {
        for (const int sleeps : {SchedulePlan::kSleeps, SchedulePlan::kSleepsAndJoins}) {
          plan.strikes = {{call, way}, {next, sleeps}};
          run_struck(plan, sum);
        }
      }
    }
  }
  sum.print(timer.seconds());
}

/// R2: the brokers lose the end of a committed transaction; then its writer loses its partitions
/// before it begins another one, and finds them again.
TEST(Simulation, ALostEndIsShownByTheWritersNextTransaction) {
  be_silent();
  Sum sum;
  const Timer timer;
  SchedulePlan plan = struck_plan(1, false);
  plan.stores_keep = true;
  const ScheduleResult base = Simulation(plan).run();
  const auto door = [&](std::uint64_t call) { return base.called[call - 1].door; };
  for (std::uint64_t call = 1; call <= base.calls; ++call) {
    if (door(call) != Door::kAnswer) continue;
    std::uint64_t next = call + 1;
    while (next < base.calls && door(next) == Door::kWrite) ++next;
    for (; next + 1 < base.calls && door(next) != Door::kGroup; ++next) {  // of the next commit
      plan.strikes = {{call, SchedulePlan::kForgets}, {next, SchedulePlan::kSleeps}};
      run_struck(plan, sum);
    }
  }
  sum.print(timer.seconds());
}

/// A transaction is left open, its writer ends it by opening its producer anew, and the brokers
/// lose that end: TransactionLog::reopen() promises to write it once more. Else what was aborted
/// would hide for ever what its writer does not write to again, or be shown by what it commits
/// there.
TEST(Simulation, AnAbortThatWasLostIsWrittenOnceMore) {
  constexpr int kTimedOut = 1;
  constexpr std::uint64_t kCalls = 8;
  be_silent();
  Sum sum;
  const Timer timer;
  SchedulePlan plan = struck_plan(1, false);
  plan.reopen_slow = true;
  const ScheduleResult base = Simulation(plan).run();
  for (std::uint64_t call = 1; call <= base.calls; ++call) {
    if (base.called[call - 1].door != Door::kEndTransaction) continue;
    for (std::uint64_t forgets = call + 1; forgets <= call + kCalls; ++forgets) {
      for (std::uint64_t sleeps = call + 1; sleeps <= forgets + 2; ++sleeps) {
        plan.strikes = {
            {call, kTimedOut}, {sleeps, SchedulePlan::kSleeps}, {forgets, SchedulePlan::kForgets}};
        run_struck(plan, sum);
      }
    }
  }
  sum.print(timer.seconds());
}

/// A commit's last request went out twice; the copy arrives at any of the next calls, and then the
/// process dies. TransactionLog::begin() promises that nothing comes of it: without the promise the
/// next transaction is torn.
void run_strays(SchedulePlan plan, Sum& sum) {
  constexpr int kSentTwice = 5;
  constexpr std::uint64_t kCalls = 40;
  const ScheduleResult base = Simulation(plan).run();
  for (std::uint64_t call = 1; call <= base.calls; ++call) {
    if (base.called[call - 1].door != Door::kEndTransaction) continue;
    for (std::uint64_t next = call + 1; next <= call + kCalls; ++next) {
      plan.strikes = {
          {call, kSentTwice}, {next, SchedulePlan::kStray}, {next + 1, SchedulePlan::kDies}};
      run_struck(plan, sum);
    }
  }
}

TEST(Simulation, AStrayRequestTearsNothing) {
  be_silent();
  Sum sum;
  const Timer timer;
  run_strays(struck_plan(2, false), sum);
  sum.print(timer.seconds());
}

TEST(Simulation, WithoutTheProducersReplacementItWould) {
  be_silent();
  SchedulePlan plan = struck_plan(2, false);
  plan.keep_producer_with_stray = true;
  Sum sum;
  sum.quiet = true;
  run_strays(plan, sum);
  EXPECT_GT(sum.failed, 0U);
}

}  // namespace
}  // namespace segmentd::test
