// Which partition a keyed record belongs to, as the usual producers decide it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace segmentd {

enum class Partitioner : std::uint8_t {
  kMurmur2,     // Java's clients and everything built on them
  kConsistent,  // librdkafka's default: CRC-32
};

/// As the setting input.partitioner has it.
const char* word(Partitioner partitioner);

/// 0 .. count-1. REQUIRES: count > 0. Keyless records have no partition of their own: do not ask.
std::int32_t partition_of(Partitioner partitioner, std::string_view key, std::int32_t count);

/// The known partitioner that puts the key there; nullopt = none does. With few partitions it may
/// be by chance.
std::optional<Partitioner> partitioner_of(std::string_view key, std::int32_t partition,
                                          std::int32_t count);

/// MurmurHash2, 32 bits, with the seed Kafka uses; the same for every byte order.
std::uint32_t kafka_murmur2(std::string_view bytes);

/// CRC-32 as in zip and Ethernet.
std::uint32_t crc32(std::string_view bytes);

}  // namespace segmentd
