// Whose transaction committed an input offset: the offset's metadata string.
//
// The transaction's number alone does not tell: a member that slept while another took its
// partition over finds the other's transaction under the very number of its own, which was aborted.
// Hence the writer stands beside it; and the process, for a copy of a process that was frozen for a
// while finds those of its successor under its own name. And the partition count, so that a
// partition that was added, which has no state to tell, does not begin where the others cannot go
// on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace segmentd {

struct OffsetMark {
  std::int64_t txn_seq = 0;     // META's
  std::string writer;           // transactional.id; empty = not said
  std::string process = {};     // of those that bore this id one after the other; empty = not said
  std::int32_t partitions = 0;  // of the input, as that process saw it; 0 = not said
  bool operator==(const OffsetMark&) const = default;
};

/// `<txn_seq>/<writer>`, and `#<process>/<partitions>` where it is said; neither a writer nor a
/// process has a '#' in it.
std::string offset_metadata(const OffsetMark& mark);
/// nullopt = no metadata of ours: the offset was set by hand, or by another program.
std::optional<OffsetMark> offset_mark(std::string_view metadata);

}  // namespace segmentd
