#include "tests/kafka/cutting_proxy.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace segmentd::test {
namespace {

constexpr int kTickMs = 100;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

bool send_all(int to, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = send(to, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

/// Appends what has come; false when the other side is gone.
bool receive(int from, std::string& to) {
  std::array<char, 65536> bytes{};
  const ssize_t count = recv(from, bytes.data(), bytes.size(), 0);
  if (count <= 0) return false;
  to.append(bytes.data(), static_cast<std::size_t>(count));
  return true;
}

}  // namespace

struct CuttingProxy::Connection {
  int client = -1;
  int broker = -1;
  std::string requests;  // received from the client, not yet whole
  ~Connection() {
    close(client);
    if (broker >= 0) close(broker);
  }
};

CuttingProxy::CuttingProxy() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in here = loopback(0);
  socklen_t size = sizeof(here);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&here), size) != 0 ||
      listen(listener_, 64) != 0) {
    throw std::runtime_error("no port on loopback is free");
  }
  getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size);
  port_ = ntohs(here.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

CuttingProxy::~CuttingProxy() {
  ending_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  close(listener_);
}

void CuttingProxy::accept_all() {
  while (!ending_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (poll(&waiting, 1, kTickMs) <= 0) continue;
    auto connection = std::make_shared<Connection>();
    connection->client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection->client < 0) continue;
    threads_.emplace_back([this, connection] { carry(*connection); });
  }
}

void CuttingProxy::carry(Connection& c) {
  c.broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in there = loopback(broker_port_);
  if (connect(c.broker, reinterpret_cast<const sockaddr*>(&there), sizeof(there)) != 0) return;
  while (!ending_) {
    std::array<pollfd, 2> sides{pollfd{c.client, POLLIN, 0}, pollfd{c.broker, POLLIN, 0}};
    if (poll(sides.data(), sides.size(), kTickMs) <= 0) continue;
    if (sides[0].revents != 0 && !carry_requests(c)) return;
    if (sides[1].revents != 0 && !carry_answers(c)) return;
  }
}

/// Passes on every request that is whole. False: the connection ends here.
bool CuttingProxy::carry_requests(Connection& c) {
  if (!receive(c.client, c.requests)) return false;
  while (c.requests.size() >= 6) {
    std::uint32_t length = 0;
    std::uint16_t api = 0;
    std::memcpy(&length, c.requests.data(), sizeof(length));
    std::memcpy(&api, c.requests.data() + sizeof(length), sizeof(api));
    const std::size_t whole = sizeof(length) + ntohl(length);
    if (c.requests.size() < whole) return true;
    auto number = static_cast<std::int16_t>(ntohs(api));
    if (number >= 0 && number < 128) ++seen_[number];
    const bool passed = number != swallowing_;
    if (passed && !send_all(c.broker, c.requests.data(), whole)) return false;
    c.requests.erase(0, whole);
    if (losing_.compare_exchange_strong(number, -1)) {
      std::string answer;
      receive(c.broker, answer);  // it was carried out
      return false;
    }
  }
  return true;
}

bool CuttingProxy::carry_answers(Connection& c) {
  std::string bytes;
  return receive(c.broker, bytes) && send_all(c.client, bytes.data(), bytes.size());
}

}  // namespace segmentd::test
