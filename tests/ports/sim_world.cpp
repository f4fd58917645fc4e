// The world in memory.
#include "tests/ports/world.hpp"
#include "tests/support/sim_cluster.hpp"
#include "tests/support/sim_source.hpp"

namespace segmentd::test {
namespace {

class SimWorld final : public World {
 public:
  explicit SimWorld(std::int32_t partitions) : cluster_(partitions, 1, fates_) {
    cluster_.max_poll_ms = 6'000;
  }

  std::unique_ptr<Source> member(const std::string& instance,
                                 RebalanceListener& listener) override {
    return cluster_.open_source(process_, instance, listener);
  }
  std::unique_ptr<TransactionLog> writer(const std::string& transactional_id) override {
    auto log = cluster_.open_transactions(process_, transactional_id);
    return log->reopen() ? std::move(log) : nullptr;
  }
  std::string id(const std::string& word) override { return word; }
  std::unique_ptr<Broker> broker() override { return cluster_.open_broker(process_); }
  void fill_input(std::int32_t partition, int from, int to) override {
    for (int n = from; n < to; ++n) {
      SimRecord record;
      record.key = "k";
      record.value = std::to_string(partition) + "-" + std::to_string(n);
      record.timestamp_ms = cluster_.now_ms();
      cluster_.input(partition).append(std::move(record));
    }
  }
  std::string input() const override { return SimCluster::kInput; }
  std::string output(OutputTopic topic) const override {
    return SimCluster::output_names()[static_cast<std::size_t>(topic)];
  }
  milliseconds now() const override { return milliseconds(cluster_.now_ms()); }
  void wait(milliseconds time) override { cluster_.pass(time.count()); }

 private:
  CalmFates fates_;
  SimProcess process_;
  SimCluster cluster_;
};

}  // namespace

std::unique_ptr<World> new_world(std::int32_t partitions) {
  return std::make_unique<SimWorld>(partitions);
}

}  // namespace segmentd::test
