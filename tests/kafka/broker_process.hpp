// An Apache Kafka broker of a test's own, as deploy/kafka/broker starts it.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include <sys/types.h>

namespace segmentd::test {

/// Runs until destroyed; dies with the thread that started it, whatever becomes of that. Loopback,
/// free ports, a temporary directory.
class BrokerProcess {
 public:
  struct Options {
    std::string version = version_asked();
    int advertised_port = 0;  // clients are sent there, to a proxy in between; 0 = the broker's own
  };
  /// Returns when the broker answers. Null and a message on stderr if it does not within two
  /// minutes.
  static std::unique_ptr<BrokerProcess> start(const Options& options);
  static std::unique_ptr<BrokerProcess> start() { return start(Options{}); }
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  /// host:port
  const std::string& address() const { return address_; }
  int port() const { return port_; }
  /// False once it ended by itself.
  bool running();
  /// Holds the process, so that requests stay unanswered on open connections, and lets it go on.
  void hold();
  void go_on();

 private:
  BrokerProcess() = default;
  /// SEGMENTD_TEST_KAFKA, or the version everything is tested with.
  static std::string version_asked();
  bool launch(const Options& options);
  bool wait_until_ready(int output);

  std::filesystem::path directory_;
  std::string address_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace segmentd::test
