// A TCP proxy in front of a broker that loses an answer when it is told to.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace segmentd::test {

/// Listens on loopback from its creation, passes everything on to the broker once that is known,
/// and ends with its owner. Reads no more of the protocol than each request's length and number.
class CuttingProxy {
 public:
  CuttingProxy();
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  int port() const { return port_; }
  void forward_to(int broker_port) { broker_port_ = broker_port; }

  /// The next request with this number reaches the broker; then its connection is cut, before the
  /// client hears the answer. Once.
  void lose_answer_of(std::int16_t api) { losing_ = api; }
  /// From now on requests with this number are taken and never passed on; -1 = none.
  void swallow(std::int16_t api) { swallowing_ = api; }
  /// How many requests with this number have come.
  int seen(std::int16_t api) const { return seen_[static_cast<std::size_t>(api)]; }

 private:
  struct Connection;

  void accept_all();
  void carry(Connection& connection);
  bool carry_requests(Connection& connection);
  static bool carry_answers(Connection& connection);

  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> broker_port_{0};
  std::atomic<std::int16_t> losing_{-1};
  std::atomic<std::int16_t> swallowing_{-1};
  std::atomic<int> seen_[128] = {};
  std::atomic<bool> ending_{false};
  std::mutex threads_lock_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace segmentd::test
