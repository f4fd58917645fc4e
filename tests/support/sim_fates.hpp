// What chance and fate do to the cluster in memory: the seeded generator, and the question that
// every call to it begins with.
#pragma once

#include <cstddef>
#include <cstdint>

namespace segmentd::test {

/// A small seeded generator (splitmix64): cheap to make, since a simulation makes thousands.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }
  /// 0 .. n-1; 0 for n = 0.
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class Container>
  void shuffle(Container& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t state_;
};

/// Every call through the ports, and the moments inside a commit at which others may act or the
/// caller may die.
enum class Door : std::uint8_t {
  kOpenSource,
  kPoll,
  kActivate,
  kIgnore,
  kRejoin,
  kGroup,
  kCommitted,
  kAssignment,
  kLeave,
  kStay,
  kBegin,
  kProduce,
  kCommit,          // nothing of it has been sent
  kWriteRecord,     // some records are in their logs
  kSendOffsets,     // all are
  kEndTransaction,  // offsets are pending
  kAnswer,          // decided; some markers may be written
  kAbort,
  kReopen,
  kOpenReader,
  kRead,
  kWatermarks,
  kPartitionCount,
  kHidingWriter,
  kFence,
  kOpenStore,
  kGet,
  kMultiGet,
  kScan,
  kWrite,
  kFlush,
  kSetAside,
  kSleep,
};
inline constexpr std::size_t kDoors = static_cast<std::size_t>(Door::kSleep) + 1;
const char* word(Door door);

/// Asked at every door. It may let others act and time pass before it answers; and it may throw,
/// which the callers pass on: their process dies there.
class Fates {
 public:
  Fates() = default;
  Fates(const Fates&) = delete;
  Fates& operator=(const Fates&) = delete;
  virtual ~Fates() = default;

  /// 0 = it goes well; 1 .. `ways` = in which of its ways it goes wrong. `process` is who calls.
  virtual unsigned at(Door door, int process, unsigned ways) = 0;
};

/// Nothing goes wrong and nobody else acts.
class CalmFates final : public Fates {
 public:
  unsigned at(Door, int, unsigned) override { return 0; }
};

}  // namespace segmentd::test
