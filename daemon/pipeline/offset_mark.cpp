#include "daemon/pipeline/offset_mark.hpp"

#include <charconv>

namespace segmentd {

std::string offset_metadata(const OffsetMark& mark) {
  std::string text = std::to_string(mark.txn_seq) + "/" + mark.writer;
  if (!mark.process.empty()) text += "#" + mark.process + "/" + std::to_string(mark.partitions);
  return text;
}

std::optional<OffsetMark> offset_mark(std::string_view metadata) {
  OffsetMark mark;
  const char* const end = metadata.data() + metadata.size();
  const auto [stop, problem] = std::from_chars(metadata.data(), end, mark.txn_seq);
  if (problem != std::errc{} || mark.txn_seq < 0) return std::nullopt;
  if (stop == end) return mark;
  if (*stop != '/') return std::nullopt;
  mark.writer.assign(stop + 1, end);
  if (const auto at = mark.writer.rfind('#'); at != std::string::npos) {
    mark.process = mark.writer.substr(at + 1);
    mark.writer.resize(at);
    const std::size_t slash = mark.process.rfind('/');
    if (slash == std::string::npos) return std::nullopt;
    const char* const last = mark.process.data() + mark.process.size();
    const auto [rest, wrong] =
        std::from_chars(mark.process.data() + slash + 1, last, mark.partitions);
    if (wrong != std::errc{} || rest != last) return std::nullopt;
    mark.process.resize(slash);
  }
  return mark;
}

}  // namespace segmentd
