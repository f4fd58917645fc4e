#include "daemon/http/server.hpp"

#include <array>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

#include <civetweb.h>

#include "daemon/http/address.hpp"

namespace segmentd::http {

/// Constant once CivetWeb's threads run; they hold a pointer to it until mg_stop returns.
struct Server::Listener {
  Listener(const ServerSettings& chosen, ListenAddress at, Router served)
      : settings(chosen), router(std::move(served)), address(std::move(at)) {
    mg_init_library(0);
  }
  ~Listener() {
    if (context != nullptr) stop();
    mg_exit_library();
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// CivetWeb's accepting thread looks at its stop flag every 2 s or when a connection comes, so
  /// connections come until it has stopped.
  void stop() {
    const std::jthread knocking([this](const std::stop_token& stopped) {
      while (!stopped.stop_requested()) {
        knock(address);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
    mg_stop(context);
  }

  const ServerSettings settings;
  const Router router;
  ListenAddress address;  // with the port that was bound
  mg_context* context = nullptr;
};

namespace {

std::string or_empty(const char* text) {
  return text == nullptr ? std::string() : text;
}

/// A client that does not take the answer in time costs its thread timeout_ms, not more; there is
/// nobody to tell.
void send(mg_connection* connection, const Response& response, bool with_body) {
  std::string bytes = "HTTP/1.1 " + std::to_string(response.status) + " ";
  bytes += reason_phrase(response.status);
  bytes += "\r\nContent-Type: " + response.content_type;
  bytes += "\r\nContent-Length: " + std::to_string(response.body.size());
  for (const auto& [name, value] : response.headers) {
    bytes.append("\r\n").append(name).append(": ").append(value);
  }
  bytes += "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff";
  bytes += "\r\nConnection: close\r\n\r\n";
  if (with_body) bytes += response.body;
  mg_write(connection, bytes.data(), bytes.size());
}

int answer(mg_connection* connection, const Router& router) {
  const mg_request_info* info = mg_get_request_info(connection);
  const Request request{or_empty(info->request_method), or_empty(info->local_uri),
                        or_empty(info->query_string)};
  const Response response = router.answer(request);
  send(connection, response, request.method != "HEAD");
  return response.status;
}

/// What never reaches the router. CivetWeb calls a request that is malformed, too long or too late
/// by the one status 400.
Response refusal(int status, const std::string& said, const ServerSettings& settings) {
  if (status == 400) {
    return problem(
        400, "the request is malformed, longer than " + std::to_string(settings.request_bytes_max) +
                 " bytes, or was not whole after " + std::to_string(settings.timeout_ms) + " ms");
  }
  return problem(status, said.empty() ? "the request could not be read" : said);
}

/// CivetWeb's own callbacks. No file is ever served: every request is ours.
template <class Served>
mg_callbacks callbacks_for() {
  mg_callbacks callbacks{};
  callbacks.begin_request = [](mg_connection* connection) {
    const auto* served = static_cast<const Served*>(mg_get_request_info(connection)->user_data);
    return answer(connection, served->router);
  };
  callbacks.http_error = [](mg_connection* connection, int status, const char* said) {
    const auto* served = static_cast<const Served*>(mg_get_user_data(mg_get_context(connection)));
    send(connection, refusal(status, or_empty(said), served->settings), true);
    return 0;  // CivetWeb sends nothing of its own
  };
  callbacks.log_message = [](const mg_connection*, const char*) { return 1; };  // not to stderr
  return callbacks;
}

}  // namespace

Server::Server(std::unique_ptr<Listener> listener) : listener_(std::move(listener)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const ServerSettings& settings, Router router) {
  const Result<ListenAddress> address = parse_listen_address(settings.address);
  if (!address) return address.error();
  if (address->is_v6() && mg_check_feature(MG_FEATURES_IPV6) == 0) {
    return Error{Errc::kMisconfigured, "http.address " + address->text() +
                                           " is IPv6, which the installed CivetWeb was built "
                                           "without; use an IPv4 address"};
  }

  const std::string ports = address->text();
  const std::string threads = std::to_string(settings.threads);
  const std::string waiting = std::to_string(settings.waiting_max);
  const std::string timeout = std::to_string(settings.timeout_ms);
  const std::string request_bytes = std::to_string(settings.request_bytes_max);
  std::array<const char*, 17> options{"listening_ports",
                                      ports.c_str(),
                                      "num_threads",
                                      threads.c_str(),
                                      "connection_queue",
                                      waiting.c_str(),
                                      "listen_backlog",
                                      waiting.c_str(),
                                      "request_timeout_ms",
                                      timeout.c_str(),
                                      "max_request_size",
                                      request_bytes.c_str(),
                                      "enable_keep_alive",
                                      "no",
                                      "tcp_nodelay",
                                      "1",
                                      nullptr};

  auto listener = std::make_unique<Listener>(settings, *address, std::move(router));
  const mg_callbacks callbacks = callbacks_for<Listener>();
  mg_init_data init{&callbacks, listener.get(), options.data()};
  std::array<char, 256> text{};
  unsigned code = 0;
  mg_error_data failure{&code, text.data(), text.size()};
  listener->context = mg_start2(&init, &failure);
  if (listener->context == nullptr) {
    const Result<void> probed = probe_listen_address(*address);
    if (!probed) return probed.error();
    return Error{Errc::kMisconfigured, "http.address " + ports + ": " + text.data()};
  }
  mg_server_port bound{};
  if (mg_get_server_ports(listener->context, 1, &bound) != 1) {
    return Error{Errc::kUnavailable, "http.address " + ports + ": no port was bound"};
  }
  listener->address.port = static_cast<std::uint16_t>(bound.port);
  return std::unique_ptr<Server>(new Server(std::move(listener)));
}

std::uint16_t Server::port() const {
  return listener_->address.port;
}

}  // namespace segmentd::http
