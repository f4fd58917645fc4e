#include "tests/support/sim_log.hpp"

#include <algorithm>
#include <unordered_set>

namespace segmentd::test {

std::int64_t SimLog::append(SimRecord record) {
  const std::int64_t offset = end();
  if (record.producer != kNoProducer && !open(record.producer)) {
    open_.emplace_back(record.producer, offset);
  }
  record.decided = record.producer == kNoProducer;
  records_.push_back(std::move(record));
  return offset;
}

std::int64_t SimLog::first_of(int producer) const {
  const auto it =
      std::find_if(open_.begin(), open_.end(), [&](const auto& o) { return o.first == producer; });
  return it == open_.end() ? end() : it->second;
}

bool SimLog::open(int producer) const {
  return std::any_of(open_.begin(), open_.end(),
                     [&](const auto& o) { return o.first == producer; });
}

void SimLog::decide(int producer, const std::function<void(const SimRecord&)>& each) {
  for (std::int64_t o = first_of(producer); o < end(); ++o) {
    SimRecord& record = records_[static_cast<std::size_t>(o)];
    if (record.producer != producer || record.marker) continue;
    record.decided = true;
    if (each) each(record);
  }
}

void SimLog::finish(int producer, bool commit, std::int64_t timestamp_ms) {
  for (std::int64_t o = first_of(producer); o < end() && !commit; ++o) {
    SimRecord& record = records_[static_cast<std::size_t>(o)];
    if (record.producer == producer && !record.marker) record.aborted = true;
  }
  std::erase_if(open_, [&](const auto& o) { return o.first == producer; });
  SimRecord marker;
  marker.timestamp_ms = timestamp_ms;
  marker.producer = producer;
  marker.marker = true;
  records_.push_back(std::move(marker));
}

void SimLog::compact() {
  std::unordered_set<std::string_view> newer;
  for (std::int64_t o = stable_end() - 1; o >= first_; --o) {
    SimRecord& record = records_[static_cast<std::size_t>(o)];
    if (record.marker || record.gone) continue;
    const bool last = o == end() - 1;
    if (record.aborted) {
      record.gone = !last;
    } else if (record.key && !newer.insert(*record.key).second) {
      record.gone = true;
    }
  }
}

void SimLog::delete_before(std::int64_t offset) {
  first_ = std::clamp(offset, first_, stable_end());
}

std::int64_t SimLog::stable_end() const {
  std::int64_t stable = end();
  for (const auto& [producer, first] : open_) stable = std::min(stable, first);
  return stable;
}

std::int64_t SimLog::next_visible(std::int64_t offset) const {
  const std::int64_t stable = stable_end();
  while (offset < stable && !at(offset).readable()) ++offset;
  return std::min(offset, stable);
}

std::vector<const SimRecord*> SimLog::committed() const {
  std::vector<const SimRecord*> found;
  for (const SimRecord& record : records_) {
    if (!record.marker && record.decided && !record.aborted) found.push_back(&record);
  }
  return found;
}

}  // namespace segmentd::test
