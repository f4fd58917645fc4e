#include "tests/support/sim_cluster.hpp"

#include <algorithm>

#include "tests/support/sim_source.hpp"
#include "tests/support/sim_transaction_log.hpp"

namespace segmentd::test {
namespace {

constexpr std::array<const char*, kOutputTopics> kNames = {"changes",   "table", "rejected",
                                                           "changelog", "model", "statistics"};

}  // namespace

const char* word(Door door) {
  static constexpr std::array<const char*, kDoors> kWords = {"open_source",
                                                             "poll",
                                                             "activate",
                                                             "ignore",
                                                             "rejoin",
                                                             "group",
                                                             "committed",
                                                             "assignment",
                                                             "leave",
                                                             "stay",
                                                             "begin",
                                                             "produce",
                                                             "commit",
                                                             "write_record",
                                                             "send_offsets",
                                                             "end_transaction",
                                                             "answer",
                                                             "abort",
                                                             "reopen",
                                                             "open_reader",
                                                             "read",
                                                             "watermarks",
                                                             "partition_count",
                                                             "hiding_writer",
                                                             "fence",
                                                             "open_store",
                                                             "get",
                                                             "multi_get",
                                                             "scan",
                                                             "write",
                                                             "flush",
                                                             "set_aside",
                                                             "sleep"};
  return kWords[static_cast<std::size_t>(door)];
}

SimCluster::SimCluster(std::int32_t partitions, std::uint64_t seed, Fates& fates)
    : chance_(seed),
      fates_(fates),
      inputs_(static_cast<std::size_t>(partitions)),
      group_(partitions, chance_),
      transactions_(group_, chance_) {
  for (std::size_t t = 0; t < kOutputTopics; ++t) {
    const bool one = static_cast<OutputTopic>(t) == OutputTopic::kModel;
    outputs_[t].resize(one ? 1 : static_cast<std::size_t>(partitions));
  }
}

OutputTopicNames SimCluster::output_names() {
  OutputTopicNames names;
  std::copy(kNames.begin(), kNames.end(), names.begin());
  return names;
}

SimLog* SimCluster::find(const std::string& topic, std::int32_t partition) {
  std::vector<SimLog>* logs = topic == kInput ? &inputs_ : nullptr;
  for (std::size_t t = 0; t < kOutputTopics && logs == nullptr; ++t) {
    if (topic == kNames[t]) logs = &outputs_[t];
  }
  if (logs == nullptr || partition < 0 || partition >= static_cast<std::int32_t>(logs->size())) {
    return nullptr;
  }
  return &(*logs)[static_cast<std::size_t>(partition)];
}

std::unique_ptr<SimSource> SimCluster::open_source(const SimProcess& process,
                                                   const std::string& instance,
                                                   RebalanceListener& listener) {
  return std::make_unique<SimSource>(*this, process, instance, listener);
}

void SimCluster::pass(std::int64_t ms) {
  now_ms_ += ms;
  if (rough && !strays_.empty() && chance_.one_in(4)) deliver_a_stray();
  transactions_.pass(now_ms_);
  group_.pass(now_ms_);
  for (SimSource* source : sources_) source->background();
  for (SimTransactionLog* writer : writers_) writer->background();
}

void SimCluster::deliver_a_stray() {
  if (strays_.empty()) return;
  const std::size_t which = chance_.below(strays_.size());
  const Stray stray = strays_[which];
  strays_.erase(strays_.begin() + static_cast<std::ptrdiff_t>(which));
  (void)transactions_.end(stray.producer, stray.epoch, stray.commit, now_ms_);
}

}  // namespace segmentd::test
