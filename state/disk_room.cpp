#include "state/disk_room.hpp"

#include <string>
#include <system_error>

namespace segmentd {
namespace {

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string(bytes >> 20U) + " MiB";
}

}  // namespace

Result<void> require_room(const std::filesystem::path& directory, std::uint64_t free_bytes) {
  if (free_bytes == 0) return {};
  std::error_code failed;
  const auto space = std::filesystem::space(directory, failed);
  if (failed || space.available >= free_bytes) return {};
  return Error{Errc::kUnavailable, "the disk of " + directory.string() + " has " +
                                       mebibytes(space.available) + " free, less than the " +
                                       mebibytes(free_bytes) +
                                       " that have to stay free (limits.disk_free_bytes)"};
}

}  // namespace segmentd
