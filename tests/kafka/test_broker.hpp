// What a test on a real broker starts from: its address, topics of its own, and short words for
// what it does over and over.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/kafka/admin.hpp"
#include "daemon/kafka/broker.hpp"
#include "daemon/kafka/client.hpp"
#include "daemon/kafka/player.hpp"
#include "daemon/kafka/source.hpp"
#include "daemon/kafka/transaction_log.hpp"
#include "daemon/ports.hpp"
#include "tests/support/recording_listener.hpp"

namespace segmentd::test {

inline constexpr milliseconds kPatience{30'000};  // far beyond what anything here takes

/// Of the broker that ctest keeps for all tests; a test binary run alone starts one of its own.
const std::string& broker_address();

/// `word` and something no other topic, group or id of this run has.
std::string unique_name(const std::string& word);

/// An input topic and the six output topics of one application, new for each test.
class Scene {
 public:
  explicit Scene(std::int32_t partition_count = 4, const std::string& brokers = broker_address());

  kafka::ClientSettings settings;
  std::string input;
  OutputTopicNames outputs;
  std::int32_t partitions;
  std::unique_ptr<kafka::Admin> admin;

  const std::string& output(OutputTopic topic) const {
    return outputs[static_cast<std::size_t>(topic)];
  }
  std::unique_ptr<Source> member(const std::string& instance, RebalanceListener& listener) const;
  std::unique_ptr<TransactionLog> writer(const std::string& transactional_id) const;
  std::unique_ptr<Broker> broker() const;
  /// Writes "<partition>-<n>" for n in [from, to) under the key "k".
  void fill_input(std::int32_t partition, int from, int to) const;
  /// Everything committed to a topic, as "key=value" with "<null>" for null, in offset order. Waits
  /// until no transaction is open: a commit is decided before its markers are written.
  std::vector<std::string> committed(const std::string& topic, std::int32_t partition = 0) const;
  /// What read_committed sees at this moment.
  std::vector<std::string> visible(const std::string& topic, std::int32_t partition = 0) const;

 private:
  std::vector<std::string> read(const std::string& topic, std::int32_t partition,
                                bool to_the_end) const;
};

/// Polls until `enough` or patience ends; returns what came besides Idle.
std::vector<Polled> poll_until(Source& source, const std::function<bool()>& enough);
/// Polls until the listener owns `count` partitions.
bool poll_until_owned(Source& source, const RecordingListener& listener, std::size_t count);
/// Polls until `count` records came; returns their values.
std::vector<std::string> poll_values(Source& source, std::size_t count);

}  // namespace segmentd::test
