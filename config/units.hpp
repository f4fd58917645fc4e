// Durations and sizes as a person writes them: `500ms`, `24h`, `64MiB`, `900kB`.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace segmentd::config {

inline constexpr const char* kDurationForm = "a whole number and ms, s, m, h or d";
inline constexpr const char* kBytesForm =
    "a whole number and B, kB, MB, GB, KiB, MiB or GiB (none means bytes)";

/// Reads `500ms`, `10s`, `5m`, `24h`, `400d`. A day is 24 hours. No sign, no blanks, no fraction.
/// nullopt = not of this form, or more milliseconds than 63 bits hold.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// With the largest unit that divides it: 86,400,000 ms is `1d`, 90 s is `90s`. Not negative.
std::string format_duration(std::chrono::milliseconds duration);

/// Reads `64MiB`, `900kB`, `1048576`. nullopt = not of this form, or more than 63 bits hold.
std::optional<std::int64_t> parse_bytes(std::string_view text);
/// With the largest unit that divides it, powers of 1024 first: 1,048,576 is `1MiB`, 900,000
/// `900kB`.
std::string format_bytes(std::int64_t bytes);

}  // namespace segmentd::config
