#include "daemon/pipeline/last_applied.hpp"

#include <vector>

#include "daemon/pipeline/partition.hpp"

namespace segmentd {
namespace {

constexpr milliseconds kOpen{2'000};
constexpr milliseconds kReadWait{100};

}  // namespace

Result<LastAppliedFate> read_last_applied(Broker& broker, const std::string& input_topic,
                                          std::int32_t partition, const LastApplied& last,
                                          const Watermarks& marks,
                                          const std::function<Result<void>()>& may_wait) {
  if (last.offset < 0 || last.offset < marks.first) return LastAppliedFate::kNotThere;
  const ReadFrom from[] = {{partition, last.offset}};
  auto reader = broker.open_reader(input_topic, from, kOpen);
  if (!reader) return reader.error();
  std::vector<Message> found;
  while (found.empty() && last.offset < marks.end) {
    if (auto may = may_wait(); !may) return may.error();
    if (auto read = (*reader)->read(found, 1, kReadWait); !read) {
      // Out of range by now: retention was quicker, and the next time there is nothing to compare.
      const bool gone = read.error().code == Errc::kCorrupt;
      return gone ? Error{Errc::kRetry, read.error().what} : read.error();
    }
    if ((*reader)->progress(partition).at_stable_end) break;
  }
  const bool same = !found.empty() && found.front().offset == last.offset &&
                    found.front().timestamp_ms == last.timestamp_ms &&
                    record_hash(found.front()) == last.hash;
  return same ? LastAppliedFate::kSame : LastAppliedFate::kDiffers;
}

Error input_made_anew(const LastApplied& last, const Watermarks& marks) {
  return {Errc::kBadInput,
          "the record applied last, at offset " + std::to_string(last.offset) +
              ", is not in the input any more (it ends at " + std::to_string(marks.end) +
              "): the topic was made anew. Start a new application id (setting "
              "`application`), or set input.topic to the topic the state was made from"};
}

}  // namespace segmentd
