// The real world: a broker of this machine, through daemon/kafka.
#include <chrono>
#include <thread>

#include "tests/kafka/test_broker.hpp"
#include "tests/ports/world.hpp"

namespace segmentd::test {
namespace {

using Clock = std::chrono::steady_clock;

class KafkaWorld final : public World {
 public:
  explicit KafkaWorld(std::int32_t partitions) : scene_(partitions) {}

  std::unique_ptr<Source> member(const std::string& instance,
                                 RebalanceListener& listener) override {
    const auto properties = scene_.settings.properties;
    scene_.settings.properties = {{"max.poll.interval.ms", "6000"}};
    auto source = scene_.member(instance, listener);
    scene_.settings.properties = properties;
    return source;
  }
  std::unique_ptr<TransactionLog> writer(const std::string& transactional_id) override {
    return scene_.writer(transactional_id);
  }
  std::string id(const std::string& word) override { return unique_name(word); }
  std::unique_ptr<Broker> broker() override { return scene_.broker(); }
  void fill_input(std::int32_t partition, int from, int to) override {
    scene_.fill_input(partition, from, to);
  }
  std::string input() const override { return scene_.input; }
  std::string output(OutputTopic topic) const override { return scene_.output(topic); }
  milliseconds now() const override {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - begun_);
  }
  void wait(milliseconds time) override { std::this_thread::sleep_for(time); }

 private:
  Scene scene_;
  Clock::time_point begun_ = Clock::now();
};

}  // namespace

std::unique_ptr<World> new_world(std::int32_t partitions) {
  return std::make_unique<KafkaWorld>(partitions);
}

}  // namespace segmentd::test
