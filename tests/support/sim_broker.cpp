// Logs read from a position, and what is asked of the cluster in memory outside the input.
#include <algorithm>
#include <map>
#include <utility>

#include "tests/support/sim_cluster.hpp"

namespace segmentd::test {
namespace {

class SimReader final : public LogReader {
 public:
  SimReader(SimCluster& cluster, const SimProcess& process)
      : cluster_(cluster), process_(process) {}

  void add(std::int32_t partition, const SimLog& log, std::int64_t offset) {
    const bool from_end = offset == kFromEnd;
    const std::int64_t next = from_end                   ? log.stable_end()
                              : offset == kFromBeginning ? log.first()
                                                         : offset;
    parts_[partition] = {&log, next, offset >= 0 ? offset : -1, -1, false};
  }

  Result<void> read(std::vector<Message>& out, std::size_t max_records,
                    milliseconds timeout) override;
  ReadProgress progress(std::int32_t partition) const override {
    const Part& part = parts_.at(partition);
    return {part.position, part.end, part.at_stable_end};
  }
  bool complete() const override {
    return std::all_of(parts_.begin(), parts_.end(),
                       [&](const auto& part) { return progress(part.first).complete(); });
  }

 private:
  struct Part {
    const SimLog* log = nullptr;
    std::int64_t next = 0;
    std::int64_t position = -1;
    std::int64_t end = -1;
    bool at_stable_end = false;
  };
  Result<bool> read_from(std::int32_t partition, Part& part, std::vector<Message>& out,
                         std::size_t max_records);

  SimCluster& cluster_;
  const SimProcess& process_;
  std::map<std::int32_t, Part> parts_;
};

/// True = something came, or an end was reached.
Result<bool> SimReader::read_from(std::int32_t partition, Part& part, std::vector<Message>& out,
                                  std::size_t max_records) {
  const SimLog& log = *part.log;
  if (part.next < log.first() || part.next > log.end()) {
    return Error{Errc::kCorrupt, "offset " + std::to_string(part.next) + " is out of range"};
  }
  const bool few = cluster_.rough && cluster_.chance().one_in(2);
  const std::size_t count = few ? 1 + cluster_.chance().below(3) : max_records;
  part.end = log.end();
  const std::int64_t stable = log.stable_end();
  if (part.next > stable) return false;  // began behind it: no end is told
  bool any = false;
  for (std::size_t n = 0; n < std::min(count, max_records); ++n) {
    const std::int64_t offset = log.next_visible(part.next);
    if (offset >= stable) {
      const bool news = !part.at_stable_end || part.position < offset;
      part.next = part.position = std::max(part.next, offset);
      part.at_stable_end = true;
      return any || news;
    }
    const SimRecord& record = log.at(offset);
    out.push_back(
        Message::copy_of(partition, offset, record.timestamp_ms, record.key, record.value));
    part.next = part.position = offset + 1;
    part.at_stable_end = false;
    any = true;
  }
  return any;
}

Result<void> SimReader::read(std::vector<Message>& out, std::size_t max_records,
                             milliseconds timeout) {
  const unsigned way = cluster_.fates().at(Door::kRead, process_.number, 2);
  if (way == 1) return Error{Errc::kRetry, "the broker does not answer"};
  if (way == 2) return Error{Errc::kUnavailable, "the topic is not there"};
  bool any = false;
  const std::size_t had = out.size();
  for (auto& [partition, part] : parts_) {
    auto read = read_from(partition, part, out, max_records - (out.size() - had));
    if (!read) return read.error();
    any = any || *read;
    if (out.size() - had >= max_records) return {};
  }
  if (!any) cluster_.pass(std::max<std::int64_t>(timeout.count(), 1));
  return {};
}

class SimBroker final : public Broker {
 public:
  SimBroker(SimCluster& cluster, const SimProcess& process)
      : cluster_(cluster), process_(process) {}

  Result<std::unique_ptr<LogReader>> open_reader(const std::string& topic,
                                                 std::span<const ReadFrom> from,
                                                 milliseconds timeout) override;
  Result<Watermarks> watermarks(const std::string& topic, std::int32_t partition,
                                milliseconds timeout) override;
  Result<std::int32_t> partition_count(const std::string& topic, milliseconds timeout) override;
  Result<std::optional<std::string>> hiding_writer(const std::string& topic, std::int32_t partition,
                                                   milliseconds timeout) override;
  Result<void> fence(const std::string& transactional_id, milliseconds timeout) override;

 private:
  SimCluster& cluster_;
  const SimProcess& process_;
};

Result<std::unique_ptr<LogReader>> SimBroker::open_reader(const std::string& topic,
                                                          std::span<const ReadFrom> from,
                                                          milliseconds) {
  const unsigned way = cluster_.fates().at(Door::kOpenReader, process_.number, 2);
  if (way == 1) return Error{Errc::kRetry, "the broker does not answer"};
  if (way == 2) return Error{Errc::kUnavailable, "the topic is not there"};
  auto reader = std::make_unique<SimReader>(cluster_, process_);
  for (const ReadFrom& start : from) {
    const SimLog* log = cluster_.find(topic, start.partition);
    if (log == nullptr) return Error{Errc::kUnavailable, "no such partition of " + topic};
    reader->add(start.partition, *log, start.offset);
  }
  return std::unique_ptr<LogReader>(std::move(reader));
}

Result<Watermarks> SimBroker::watermarks(const std::string& topic, std::int32_t partition,
                                         milliseconds) {
  const unsigned way = cluster_.fates().at(Door::kWatermarks, process_.number, 2);
  if (way == 1) return Error{Errc::kRetry, "the broker does not answer"};
  if (way == 2) return Error{Errc::kUnavailable, "the topic is not there"};
  const SimLog* log = cluster_.find(topic, partition);
  if (log == nullptr) return Error{Errc::kUnavailable, "no such partition of " + topic};
  return Watermarks{log->first(), log->stable_end(), log->end()};
}

Result<std::int32_t> SimBroker::partition_count(const std::string& topic, milliseconds) {
  const unsigned way = cluster_.fates().at(Door::kPartitionCount, process_.number, 1);
  if (way == 1) return Error{Errc::kRetry, "the broker does not answer"};
  std::int32_t count = 0;
  while (cluster_.find(topic, count) != nullptr) ++count;
  if (count == 0) return Error{Errc::kUnavailable, "no topic " + topic};
  return count;
}

Result<std::optional<std::string>> SimBroker::hiding_writer(const std::string& topic,
                                                            std::int32_t partition, milliseconds) {
  const unsigned way = cluster_.fates().at(Door::kHidingWriter, process_.number, 1);
  if (way == 1) return Error{Errc::kRetry, "the broker does not answer"};
  const SimLog* log = cluster_.find(topic, partition);
  if (log == nullptr) return Error{Errc::kUnavailable, "no such partition of " + topic};
  if (log->stable_end() >= log->end()) return std::optional<std::string>();
  return std::optional(log->at(log->stable_end()).writer);
}

Result<void> SimBroker::fence(const std::string& transactional_id, milliseconds) {
  const unsigned way = cluster_.fates().at(Door::kFence, process_.number, 3);
  if (way == 1) return Error{Errc::kRetry, "the broker does not answer"};
  if (way == 2) return Error{Errc::kUnavailable, "authorisation failed"};
  int producer = kNoProducer;
  int epoch = -1;
  const bool done =
      cluster_.transactions().init(transactional_id, cluster_.now_ms(), way == 0, producer, epoch);
  if (way == 3 || !done) return Error{Errc::kRetry, "fenced, but not decided in time"};
  return {};
}

}  // namespace

std::unique_ptr<Broker> SimCluster::open_broker(const SimProcess& process) {
  return std::make_unique<SimBroker>(*this, process);
}

}  // namespace segmentd::test
