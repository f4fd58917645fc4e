#include "daemon/wire/partitioner.hpp"

#include <string>

#include <gtest/gtest.h>

namespace segmentd {
namespace {

std::uint32_t hash(std::int32_t signed_value) {
  return static_cast<std::uint32_t>(signed_value);
}

// What Java's org.apache.kafka.common.utils.Utils.murmur2 answers, signed.
TEST(Partitioner, Murmur2IsJavas) {
  EXPECT_EQ(kafka_murmur2("21"), hash(-973932308));
  EXPECT_EQ(kafka_murmur2("foobar"), hash(-790332482));
  EXPECT_EQ(kafka_murmur2("a-little-bit-long-string"), hash(-985981536));
  EXPECT_EQ(kafka_murmur2("a-little-bit-longer-string"), hash(-1486304829));
  EXPECT_EQ(kafka_murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), hash(-58897971));
  EXPECT_EQ(kafka_murmur2("abc"), hash(479470107));
  EXPECT_EQ(kafka_murmur2(""), hash(275646681));
}

TEST(Partitioner, Crc32IsTheUsualOne) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926U);
  EXPECT_EQ(crc32(""), 0U);
}

TEST(Partitioner, ANegativeHashLosesItsSign) {
  // -973932308 & 0x7fffffff = 1173551340
  EXPECT_EQ(partition_of(Partitioner::kMurmur2, "21", 7), 1173551340 % 7);
  EXPECT_EQ(partition_of(Partitioner::kConsistent, "123456789", 7),
            static_cast<std::int32_t>(0xcbf43926U % 7));
}

TEST(Partitioner, HighBytesAreUnsigned) {
  for (std::int32_t count = 1; count < 20; ++count) {
    const std::int32_t p = partition_of(Partitioner::kMurmur2, "\xff\xfe\xfd", count);
    EXPECT_GE(p, 0);
    EXPECT_LT(p, count);
  }
}

TEST(Partitioner, WhichOneFits) {
  constexpr std::int32_t kCount = 1'000'003;
  const std::int32_t java = partition_of(Partitioner::kMurmur2, "21", kCount);
  const std::int32_t crc = partition_of(Partitioner::kConsistent, "21", kCount);
  EXPECT_EQ(partitioner_of("21", java, kCount), Partitioner::kMurmur2);
  EXPECT_EQ(partitioner_of("21", crc, kCount), Partitioner::kConsistent);
  ASSERT_NE(java, crc);
  EXPECT_EQ(partitioner_of("21", (java + 1) % kCount == crc ? java + 2 : java + 1, kCount),
            std::nullopt);
  EXPECT_STREQ(word(Partitioner::kMurmur2), "murmur2");
  EXPECT_STREQ(word(Partitioner::kConsistent), "consistent");
}

}  // namespace
}  // namespace segmentd
