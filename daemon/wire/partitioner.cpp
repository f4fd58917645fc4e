#include "daemon/wire/partitioner.hpp"

#include <array>
#include <cassert>
#include <cstddef>

namespace segmentd {
namespace {

constexpr std::uint32_t kSeed = 0x9747b28c;
constexpr std::uint32_t kMix = 0x5bd1e995;

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xedb88320U ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr auto kCrcTable = crc_table();

}  // namespace

std::uint32_t kafka_murmur2(std::string_view bytes) {
  std::uint32_t h = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t k = byte_at(bytes, at) | byte_at(bytes, at + 1) << 8 |
                      byte_at(bytes, at + 2) << 16 | byte_at(bytes, at + 3) << 24;
    k *= kMix;
    k ^= k >> 24;
    k *= kMix;
    h = (h * kMix) ^ k;
  }
  if (at < bytes.size()) {
    for (std::size_t i = bytes.size(); i-- > at;) h ^= byte_at(bytes, i) << 8 * (i - at);
    h *= kMix;
  }
  h ^= h >> 13;
  h *= kMix;
  h ^= h >> 15;
  return h;
}

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t c = 0xffffffffU;
  for (const char byte : bytes)
    c = kCrcTable[(c ^ static_cast<unsigned char>(byte)) & 0xff] ^ (c >> 8);
  return ~c;
}

const char* word(Partitioner partitioner) {
  return partitioner == Partitioner::kMurmur2 ? "murmur2" : "consistent";
}

std::optional<Partitioner> partitioner_of(std::string_view key, std::int32_t partition,
                                          std::int32_t count) {
  for (const Partitioner known : {Partitioner::kMurmur2, Partitioner::kConsistent}) {
    if (partition_of(known, key, count) == partition) return known;
  }
  return std::nullopt;
}

std::int32_t partition_of(Partitioner partitioner, std::string_view key, std::int32_t count) {
  assert(count > 0);
  const auto n = static_cast<std::uint32_t>(count);
  // Java clears the sign of the hash instead of taking its absolute value.
  const std::uint32_t hash =
      partitioner == Partitioner::kMurmur2 ? kafka_murmur2(key) & 0x7fffffffU : crc32(key);
  return static_cast<std::int32_t>(hash % n);
}

}  // namespace segmentd
