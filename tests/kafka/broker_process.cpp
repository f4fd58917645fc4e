#include "tests/kafka/broker_process.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace segmentd::test {
namespace {

using Clock = std::chrono::steady_clock;

/// A port nobody listens on. Both at once, so that they differ.
std::pair<int, int> free_ports() {
  std::array<int, 2> sockets{};
  std::array<int, 2> ports{};
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(here);
    if (bind(sockets[i], reinterpret_cast<sockaddr*>(&here), size) != 0) {
      std::cerr << "no port on loopback is free\n";
      std::exit(1);
    }
    getsockname(sockets[i], reinterpret_cast<sockaddr*>(&here), &size);
    ports[i] = ntohs(here.sin_port);
  }
  for (const int s : sockets) close(s);
  return {ports[0], ports[1]};
}

}  // namespace

std::string BrokerProcess::version_asked() {
  const char* version = std::getenv("SEGMENTD_TEST_KAFKA");
  return version == nullptr ? "4.3.1" : version;
}

std::unique_ptr<BrokerProcess> BrokerProcess::start(const Options& options) {
  std::unique_ptr<BrokerProcess> broker(new BrokerProcess());
  return broker->launch(options) ? std::move(broker) : nullptr;
}

bool BrokerProcess::launch(const Options& options) {
  std::string made = (std::filesystem::temp_directory_path() / "segmentd-kafka-XXXXXX").string();
  if (mkdtemp(made.data()) == nullptr) return false;
  directory_ = made;
  const auto [port, controller_port] = free_ports();
  port_ = port;
  address_ = "127.0.0.1:" + std::to_string(port);
  const std::string script = SEGMENTD_SOURCE_DIR "/deploy/kafka/broker";
  const std::string port_text = std::to_string(port);
  const std::string controller_text = std::to_string(controller_port);
  const std::string advertised_text =
      std::to_string(options.advertised_port == 0 ? port : options.advertised_port);
  std::array<int, 2> output{};
  if (pipe2(output.data(), O_CLOEXEC) != 0) return false;
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output[1], STDOUT_FILENO);
    execl(script.c_str(), script.c_str(), "start", "--dir", directory_.c_str(), "--port",
          port_text.c_str(), "--controller-port", controller_text.c_str(), "--advertised-port",
          advertised_text.c_str(), "--version", options.version.c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  close(output[1]);
  const bool ready = pid_ > 0 && wait_until_ready(output[0]);
  close(output[0]);
  if (!ready) std::cerr << "the broker did not come up: see its messages above\n";
  return ready;
}

bool BrokerProcess::wait_until_ready(int output) {
  std::string said;
  const auto until = Clock::now() + std::chrono::seconds(120);
  while (Clock::now() < until) {
    pollfd waiting{output, POLLIN, 0};
    if (poll(&waiting, 1, 1000) <= 0) continue;
    std::array<char, 256> bytes{};
    const ssize_t count = read(output, bytes.data(), bytes.size());
    if (count <= 0) return false;  // it ended
    said.append(bytes.data(), static_cast<std::size_t>(count));
    if (said.find("ready on") != said.npos) return true;
  }
  return false;
}

bool BrokerProcess::running() {
  if (pid_ <= 0) return false;
  if (waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void BrokerProcess::hold() {
  kill(pid_, SIGSTOP);
}
void BrokerProcess::go_on() {
  kill(pid_, SIGCONT);
}

BrokerProcess::~BrokerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

}  // namespace segmentd::test
