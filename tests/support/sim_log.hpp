// One partition of a topic in memory, as a broker keeps it: records and control markers at offsets,
// a last stable offset behind open transactions, compaction that leaves gaps, retention.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace segmentd::test {

inline constexpr int kNoProducer = -1;

struct SimRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t timestamp_ms = 0;
  std::string writer;          // its header kWriterHeader
  int producer = kNoProducer;  // transactional; kNoProducer = visible as soon as it is there
  bool marker = false;
  bool decided = false;  // it is committed for good, though its marker may be missing yet
  bool aborted = false;
  bool gone = false;  // compacted away; its offset stays

  /// A reader sees it as soon as no open transaction hides it.
  bool readable() const { return !marker && !aborted && !gone; }
};

class SimLog {
 public:
  std::int64_t append(SimRecord record);
  /// The transaction's records are committed for good; readers must still wait for finish().
  void decide(int producer, const std::function<void(const SimRecord&)>& each);
  /// Writes the transaction's marker here.
  void finish(int producer, bool commit, std::int64_t timestamp_ms);
  bool open(int producer) const;

  /// Below the last stable offset only the newest readable record of every key stays; aborted ones
  /// go. The last record of the log always stays, as the active segment does.
  void compact();
  /// Retention: records before `offset` are gone.
  void delete_before(std::int64_t offset);

  std::int64_t first() const { return first_; }
  std::int64_t end() const { return static_cast<std::int64_t>(records_.size()); }
  std::int64_t stable_end() const;
  /// The first record at or after `offset` that read_committed shows; stable_end() if none.
  std::int64_t next_visible(std::int64_t offset) const;
  const SimRecord& at(std::int64_t offset) const {
    return records_[static_cast<std::size_t>(offset)];
  }
  /// Everything ever committed, in offset order, compacted or not.
  std::vector<const SimRecord*> committed() const;

 private:
  std::int64_t first_of(int producer) const;

  std::vector<SimRecord> records_;  // offset = index
  std::int64_t first_ = 0;
  std::vector<std::pair<int, std::int64_t>> open_;  // producer, its first offset
};

}  // namespace segmentd::test
