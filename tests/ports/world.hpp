// What a test of the ports' contract stands on: a cluster, real or in memory, seen only through
// daemon/ports.hpp. The same tests (contract_test.cpp) run over both, so that the one in memory is
// no kinder than a broker.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/ports.hpp"

namespace segmentd::test {

class World {
 public:
  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World() = default;

  virtual std::unique_ptr<Source> member(const std::string& instance,
                                         RebalanceListener& listener) = 0;
  /// Opened, and ready to begin.
  virtual std::unique_ptr<TransactionLog> writer(const std::string& transactional_id) = 0;
  /// A transactional.id that nobody else has.
  virtual std::string id(const std::string& word) = 0;
  virtual std::unique_ptr<Broker> broker() = 0;
  /// Writes "<partition>-<n>" for n in [from, to) under the key "k".
  virtual void fill_input(std::int32_t partition, int from, int to) = 0;
  virtual std::string input() const = 0;
  virtual std::string output(OutputTopic topic) const = 0;

  /// Since some beginning; goes on only in calls that wait.
  virtual milliseconds now() const = 0;
  virtual void wait(milliseconds time) = 0;
};

/// One input topic and all output topics with this many partitions, new; members have to poll every
/// six seconds.
std::unique_ptr<World> new_world(std::int32_t partitions);

}  // namespace segmentd::test
