// Customer rows, META and the store's position as bytes; the formats are told in state/FORMAT.md.
//
// The same value always gives the same bytes. Decoding is total and strict: any bytes give a sound
// value or kCorrupt with what is wrong; no repair, no guess. Pure functions, from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/core/customer.hpp"
#include "state/core/result.hpp"
#include "state/meta.hpp"
#include "state/position.hpp"

namespace segmentd {

/// The format rows are written in. This one and the one before it are read.
inline constexpr std::uint8_t kRowVersion = 2;
inline constexpr std::uint8_t kMetaVersion = 1;
inline constexpr std::uint8_t kPositionVersion = 1;

// --- keys, the same in the store and on the changelog topic ---
inline constexpr std::string_view kMetaKey = "META";
inline constexpr std::string_view kRowPrefix = "c/";
/// Only in the store.
inline constexpr std::string_view kPositionKey = "POSITION";

/// `c/<customer id>`.
std::string row_key(std::string_view customer_id);
/// The customer id of a row's key, a view into it; nullopt = another kind of key.
std::optional<std::string_view> customer_of(std::string_view key);

// --- values ---
/// Requires a sound customer (check()). The id is not in the bytes: it is the key, and the checksum
/// covers it, so that a row found under another customer's key is refused.
std::string encode_row(const Customer& customer);
/// About how long encode_row() will be; for bounds, without encoding.
std::size_t row_bytes_about(const Customer& customer);
/// The row as written, figures recomputed.
Result<Customer> decode_row(std::string_view customer_id, std::string_view bytes,
                            const Rules& rules);

std::string encode_meta(const Meta& meta);
Result<Meta> decode_meta(std::string_view bytes);

std::string encode_position(const Position& position);
Result<Position> decode_position(std::string_view bytes);

/// What stands in the last four bytes of every value: the low 32 bits of XXH3-64 of `bytes` (all
/// before the checksum), seeded with XXH3-64 of the subject: a row's customer id, else the key.
std::uint32_t checksum(std::string_view subject, std::string_view bytes);

}  // namespace segmentd
