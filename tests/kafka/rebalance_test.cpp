// What a member must neither hide nor miss while others come and go, on a real broker. Two ways of
// using librdkafka 2.0.2 would break it without an error: incremental_unassign outside the
// callback of a revoke, and rd_kafka_consume_batch_queue.
#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "tests/kafka/test_broker.hpp"

namespace segmentd::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr milliseconds kQueued{500};  // in which a revoke reaches the queue of its member
constexpr milliseconds kStep{10};
constexpr milliseconds kRead{20};  // a call that waits for more is at it when a rebalance begins
constexpr int kReadAtOnce = 300;
constexpr int kGuests = 8;
constexpr int kRecordsAtOnce = 8;
constexpr milliseconds kVisit{500};

/// Writes to all partitions, evenly, as long as it lives.
class Feed {
 public:
  explicit Feed(const Scene& scene) : thread_([this, &scene] { work(scene); }) {}
  ~Feed() {
    stop_ = true;
    thread_.join();
  }
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

 private:
  void work(const Scene& scene) {
    const auto player = kafka::Player::open(scene.settings, scene.input);
    ASSERT_TRUE(player);
    while (!stop_) {
      for (int n = 0; n < kRecordsAtOnce; ++n) {
        for (std::int32_t p = 0; p < scene.partitions; ++p)
          ASSERT_TRUE((*player)->play("k", "", p));
      }
      ASSERT_TRUE((*player)->flush(kPatience));
      std::this_thread::sleep_for(kStep);
    }
  }

  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// By partition the next offset to read, whoever reads it; and what was passed over.
struct Progress {
  std::map<std::int32_t, std::int64_t> next;
  std::vector<std::string> gaps;
};

/// Takes up what it is assigned where the last one was.
class Guest {
 public:
  Guest(const Scene& scene, const std::string& instance, Progress& progress)
      : progress_(progress), source_(scene.member(instance, heard_)) {}

  void read() {
    for (int n = 0; n < kReadAtOnce && read_one(); ++n) {
    }
  }
  std::size_t owned() const { return heard_.owned.size(); }
  void leave() { source_->leave(kPatience); }

 private:
  /// False: nothing came in time.
  bool read_one() {
    const Polled polled = source_->poll(kRead);
    std::erase_if(active_, [&](std::int32_t p) { return !heard_.owned.contains(p); });
    for (const std::int32_t p : heard_.owned) {
      if (!active_.insert(p).second) continue;
      EXPECT_TRUE(source_->activate(p, progress_.next[p]));
    }
    const auto* record = std::get_if<Message>(&polled);
    if (record == nullptr) return false;
    std::int64_t& next = progress_.next[record->partition];
    if (record->offset != next) {
      progress_.gaps.push_back(std::to_string(record->partition) + ": " + std::to_string(next) +
                               " to " + std::to_string(record->offset));
    }
    next = record->offset + 1;
    return true;
  }

  Progress& progress_;
  RecordingListener heard_;
  std::set<std::int32_t> active_;
  std::unique_ptr<Source> source_;
};

// The group would give the partition away while its owner, not having heard of it, still commits.
TEST(Rebalance, ARevokeInTheQueueIsAnsweredByItsCallbackOnly) {
  const Scene scene(2);
  RecordingListener first_heard;
  RecordingListener second_heard;
  const auto first = scene.member("one", first_heard);
  ASSERT_TRUE(poll_until_owned(*first, first_heard, 2));
  ASSERT_TRUE(first->activate(0, 0));
  const std::int32_t generation = first->group().generation;
  const auto second = scene.member("two", second_heard);
  // Their threads do that by themselves: only polling tells the first of the revoke.
  poll_until(*second, [&] { return first->group().generation > generation; });
  ASSERT_GT(first->group().generation, generation);
  std::this_thread::sleep_for(kQueued);
  first->ignore(0);  // as a worker does that drops or parks one and takes up another
  std::this_thread::sleep_for(kQueued);
  ASSERT_TRUE(first->activate(1, 0));
  const auto until = Clock::now() + milliseconds(2'000);
  while (Clock::now() < until) (void)second->poll(milliseconds(20));
  EXPECT_EQ(second_heard.owned.size(), 0U);
  EXPECT_EQ(first_heard.heard, std::vector<std::string>{"assigned 0 1"});
  poll_until(*first, [&] {
    (void)second->poll(milliseconds(10));
    return first_heard.owned.size() == 1 && second_heard.owned.size() == 1;
  });
  EXPECT_EQ(first_heard.heard.at(1).substr(0, 7), "revoked");
  EXPECT_EQ(second_heard.owned.size(), 1U);
}

TEST(Rebalance, NoRecordIsPassedOverWhileOthersComeAndGo) {
  const Scene scene(6);
  Progress progress;
  Guest host(scene, "host", progress);
  const Feed feed(scene);
  const auto read_both = [&](Guest& other, const auto& enough) {
    const auto until = Clock::now() + kPatience;
    while (!enough() && Clock::now() < until) {
      host.read();
      other.read();
    }
  };
  for (int n = 0; n < kGuests; ++n) {
    Guest guest(scene, "guest-" + std::to_string(n), progress);
    read_both(guest, [&] { return guest.owned() == 3 && host.owned() == 3; });
    EXPECT_EQ(guest.owned(), 3U);
    const auto until = Clock::now() + kVisit;
    read_both(guest, [&] { return Clock::now() >= until; });
    guest.leave();
  }
  EXPECT_EQ(progress.gaps, std::vector<std::string>());
  for (std::int32_t p = 0; p < scene.partitions; ++p) {
    EXPECT_GT(progress.next[p], kGuests * kRecordsAtOnce) << p;
  }
}

}  // namespace
}  // namespace segmentd::test
