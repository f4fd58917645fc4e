#include "state/core/segment.hpp"

namespace segmentd {
namespace {

constexpr std::array<std::string_view, kSegmentWords> kWords{"none",      "insiders",   "loyal",
                                                             "promising", "occasional", "steady",
                                                             "at_risk",   "lapsed",     "dormant"};
constexpr std::array<std::string_view, kCauses> kCauseWords{"order", "refund",     "silence",
                                                            "model", "definition", "backfill"};

}  // namespace

std::string_view word(Segment segment) {
  return kWords[static_cast<std::size_t>(segment)];
}

std::optional<Segment> segment_of(std::string_view word) {
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (kWords[i] == word) return static_cast<Segment>(i);
  }
  return std::nullopt;
}

std::string_view word(Cause cause) {
  return kCauseWords[static_cast<std::size_t>(cause)];
}

}  // namespace segmentd
