// The one HTTP server of the process, on CivetWeb: sockets and threads, nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "daemon/http/message.hpp"
#include "state/core/result.hpp"

namespace segmentd::http {

struct ServerSettings {
  /// host:port, the setting `http.address`. The host is an IPv4 address, a name, or an IPv6 address
  /// in brackets where CivetWeb was built for it (Debian 12's is not); port 0 takes a free one.
  /// Loopback unless somebody decides otherwise: what is served has no authentication.
  std::string address = "127.0.0.1:9464";
  int threads = 4;                         // requests answered at once; 1..64
  int waiting_max = 64;                    // connections accepted and not yet read
  int timeout_ms = 5'000;                  // for a client to send its request or take the answer
  std::size_t request_bytes_max = 16'384;  // request line and headers
};

/// Serves a router from construction to destruction. Every answer closes its connection: kept ones
/// would each hold a thread. Threads are made in `start` and inherit its signal mask, so block the
/// signals that another thread waits for beforehand. CivetWeb sets SIGPIPE and SIGCHLD to ignored
/// for the whole process; a program that waits for children sets SIGCHLD back after `start`.
class Server {
 public:
  /// kMisconfigured: the address is not one, or in use, or not of this machine; the text says which
  /// and names the setting.
  static Result<std::unique_ptr<Server>> start(const ServerSettings& settings, Router router);

  /// Ends when the requests under way are answered or have run out of time.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The port bound, also when the settings said 0.
  std::uint16_t port() const;

 private:
  struct Listener;
  explicit Server(std::unique_ptr<Listener> listener);

  std::unique_ptr<Listener> listener_;
};

}  // namespace segmentd::http
