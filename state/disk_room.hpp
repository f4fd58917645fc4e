// Room on a disk.
#pragma once

#include <cstdint>
#include <filesystem>

#include "state/core/result.hpp"

namespace segmentd {

/// kUnavailable, with both figures: less than `free_bytes` are free on the disk of `directory`,
/// which exists. 0 asks for nothing. A disk that cannot be asked has room: what is written to it
/// will tell.
Result<void> require_room(const std::filesystem::path& directory, std::uint64_t free_bytes);

}  // namespace segmentd
