// A partition whose leader moves, over librdkafka's own mock of two brokers: the real one of the
// other tests is alone.
#include <array>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "daemon/kafka/broker.hpp"

namespace segmentd {
namespace {

constexpr const char* kTopic = "moving";
constexpr milliseconds kTimeout{5'000};

struct DropHandle {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};
struct DropCluster {
  void operator()(rd_kafka_mock_cluster_t* cluster) const {
    rd_kafka_mock_cluster_destroy(cluster);
  }
};

class LeaderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 256> why{};
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why.data(), why.size()));
    ASSERT_NE(handle_, nullptr) << why.data();
    cluster_.reset(rd_kafka_mock_cluster_new(handle_.get(), 2));
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster_.get(), kTopic, 1, 2), RD_KAFKA_RESP_ERR_NO_ERROR);
    lead_by(1);
    kafka::ClientSettings settings;
    settings.brokers = rd_kafka_mock_cluster_bootstraps(cluster_.get());
    settings.group = "group";
    settings.client_id = "leader-test";
    auto opened = kafka::open_broker(settings);
    ASSERT_TRUE(opened) << opened.error().what;
    broker_ = std::move(*opened);
  }

  void lead_by(std::int32_t broker) {
    ASSERT_EQ(rd_kafka_mock_partition_set_leader(cluster_.get(), kTopic, 0, broker),
              RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  std::unique_ptr<rd_kafka_t, DropHandle> handle_;
  std::unique_ptr<rd_kafka_mock_cluster_t, DropCluster> cluster_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(LeaderTest, EndsAreAskedOfTheNewLeader) {
  for (const std::int32_t leader : {1, 2, 1}) {
    lead_by(leader);
    const auto marks = broker_->watermarks(kTopic, 0, kTimeout);
    ASSERT_TRUE(marks) << "led by " << leader << ": " << marks.error().what;
    EXPECT_EQ(marks->end, 0);
  }
}

}  // namespace
}  // namespace segmentd
