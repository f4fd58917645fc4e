// Whether what was found of a partition's state fits together. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/inspect/found.hpp"

namespace segmentd {

struct Remark {
  enum class Grade : std::uint8_t {
    kFine,    // looked at and right
    kNote,    // a person should know; nothing has to be done
    kUnsafe,  // the daemon would park it, set it aside, or lose something
  };
  Grade grade = Grade::kFine;
  std::string what;  // a sentence; where unsafe, what to do with it
};

/// Whose directory it is.
struct DirectoryOwner {
  bool at_work = false;  // meanwhile, so that a store of its partitions is as of its last flush
  std::string writers;   // what the names of its writers begin with; empty = there is no state yet
};

std::vector<Remark> judge_partition(const PartitionFound& found, const DirectoryOwner& owner);

/// `1 record`, `2 records`.
std::string count_text(std::int64_t number, const char* what);

bool is_safe(const std::vector<Remark>& remarks);

/// Why the changelog could not give back what partition has now, if its store went away; nullopt =
/// it can. REQUIRES: changelog and group were asked.
std::optional<std::string> loss_of_rebuilding(const PartitionFound& found);

}  // namespace segmentd
