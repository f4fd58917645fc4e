// The HTTP answers: routes without sockets, then the server itself over real ones on a free port.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <simdjson.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/http/address.hpp"
#include "daemon/http/health.hpp"
#include "daemon/http/routes.hpp"
#include "daemon/http/server.hpp"

namespace segmentd::http {
namespace {

using std::chrono::seconds;

// --- health ---

const SteadyTime kStart{};

TEST(HealthBoard, IsNotReadyUntilEveryWorkerHasSpoken) {
  HealthBoard board(2, seconds(60), kStart);
  board.publish(0, {{}, "", kStart});
  const HealthReport report = board.report(kStart);
  EXPECT_FALSE(report.ready);
  EXPECT_TRUE(report.healthy);
  EXPECT_EQ(report.not_ready, std::vector<std::string>{"worker 1: starting"});
  board.publish(1, {{}, "", kStart});
  EXPECT_TRUE(board.report(kStart).ready);
}

TEST(HealthBoard, RestoringIsNotReadyButHealthy) {
  HealthBoard board(1, seconds(60), kStart);
  board.publish(0, {{"partition 3 is restoring"}, "", kStart});
  const HealthReport report = board.report(kStart);
  EXPECT_FALSE(report.ready);
  EXPECT_TRUE(report.healthy);
  EXPECT_EQ(report.not_ready, std::vector<std::string>{"worker 0: partition 3 is restoring"});
}

TEST(HealthBoard, AStalledOrFailedWorkerIsUnhealthy) {
  HealthBoard board(1, seconds(60), kStart);
  EXPECT_TRUE(board.report(kStart + seconds(60)).healthy);
  EXPECT_FALSE(board.report(kStart + seconds(61)).healthy);  // never spoke
  board.publish(0, {{}, "", kStart + seconds(100)});
  EXPECT_TRUE(board.report(kStart + seconds(160)).healthy);
  const HealthReport stalled = board.report(kStart + seconds(161));
  EXPECT_FALSE(stalled.healthy);
  EXPECT_FALSE(stalled.ready);
  EXPECT_DOUBLE_EQ(stalled.since_progress_seconds, 61.0);
  EXPECT_EQ(stalled.unhealthy, std::vector<std::string>{"worker 0: no progress for 61 s"});
  board.publish(0, {{}, "fenced by another instance", kStart + seconds(161)});
  EXPECT_FALSE(board.report(kStart + seconds(161)).healthy);
  EXPECT_FALSE(board.report(kStart + seconds(161)).ready);
}

// --- routes, without sockets ---

class Routes : public testing::Test {
 protected:
  Routes() {
    add_operations_routes(router_, metrics_, board_, [] { return kStart; });
    add_index_route(router_);
  }

  Response get(const std::string& path) { return router_.answer({"GET", path, ""}); }

  observe::Metrics metrics_{{"EUR", 2, "1.2.3"}};
  HealthBoard board_{1, seconds(60), kStart};
  Router router_;
};

TEST_F(Routes, MetricsAreThePageWithItsMediaType) {
  const Response response = get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(response.body, metrics_.exposition());
}

TEST_F(Routes, ReadySaysWhyNot) {
  board_.publish(0, {{"partition 3 is \"restoring\""}, "", kStart});
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/readyz").body,
            "{\"status\":\"not ready\",\"reasons\":[\"worker 0: partition 3 is "
            "\\\"restoring\\\"\"],\"since_progress_seconds\":0.000}\n");
  EXPECT_EQ(get("/healthz").status, 200);
  board_.publish(0, {{}, "", kStart});
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_EQ(get("/readyz").body,
            "{\"status\":\"ready\",\"reasons\":[],\"since_progress_seconds\":0.000}\n");
}

TEST_F(Routes, HealthIsFalseWhenARestartWouldHelp) {
  board_.publish(0, {{}, "fenced by another instance", kStart});
  EXPECT_EQ(get("/healthz").status, 503);
  EXPECT_NE(get("/healthz").body.find("fenced by another instance"), std::string::npos);
}

TEST_F(Routes, TheIndexListsEveryEndpoint) {
  const std::string page = get("/").body;
  for (const char* path : {"\n/metrics  ", "\n/healthz  ", "\n/readyz  "}) {
    EXPECT_NE(page.find(path), std::string::npos) << path;
  }
}

TEST_F(Routes, AnUnknownPathIs404AsProblemDetails) {
  const Response response = get("/nothing\"here");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  simdjson::dom::parser parser;
  const simdjson::dom::element problem = parser.parse(response.body);
  EXPECT_EQ(std::string_view(problem["type"]), "about:blank");
  EXPECT_EQ(std::string_view(problem["title"]), "Not Found");
  EXPECT_EQ(std::int64_t(problem["status"]), 404);
  EXPECT_EQ(std::string_view(problem["detail"]),
            "no such path: /nothing\"here; GET / lists what there is");
}

TEST_F(Routes, AnotherMethodIs405AndSaysWhatIsAllowed) {
  const Response response = router_.answer({"POST", "/metrics", ""});
  EXPECT_EQ(response.status, 405);
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0].first, "Allow");
  EXPECT_EQ(response.headers[0].second, "GET, HEAD");
}

// --- addresses ---

TEST(ListenAddress, ReadsHostAndPort) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:9464")->host, "127.0.0.1");
  EXPECT_EQ(parse_listen_address("127.0.0.1:9464")->port, 9464);
  EXPECT_EQ(parse_listen_address("[::1]:0")->host, "::1");
  EXPECT_EQ(parse_listen_address("[::1]:0")->text(), "[::1]:0");
  EXPECT_EQ(parse_listen_address("localhost:80")->text(), "localhost:80");
}

TEST(ListenAddress, RefusesAnythingElseAndNamesTheSetting) {
  for (const char* text :
       {"", "9464", "127.0.0.1", "127.0.0.1:", ":9464", "127.0.0.1:65536", "127.0.0.1:94s",
        "::1:9464", "[127.0.0.1]:1", "a,b:1", "a b:1", "127.0.0.1:-1", "127.0.0.1:+1"}) {
    const auto read = parse_listen_address(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::kMisconfigured) << text;
    EXPECT_EQ(read.error().what.rfind("http.address '", 0), 0U) << read.error().what;
  }
}

// --- the server, over sockets ---

/// A blocking client. Reading gives up after 30 s, so that a broken server fails the test.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{30, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }

  void send_text(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Everything until the server closes.
  std::string read_all() {
    std::string all;
    char buffer[4096];
    for (;;) {
      const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_;
  bool connected_ = false;
};

std::string ask(std::uint16_t port, const std::string& path, const std::string& method = "GET") {
  Client client(port);
  if (!client.connected()) return "";
  client.send_text(method + " " + path + " HTTP/1.1\r\nHost: segmentd\r\n\r\n");
  return client.read_all();
}

std::string body_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

ServerSettings free_port() {
  ServerSettings settings;
  settings.address = "127.0.0.1:0";
  return settings;
}

std::unique_ptr<Server> start(const ServerSettings& settings, Router router) {
  auto server = Server::start(settings, std::move(router));
  if (!server) {
    ADD_FAILURE() << server.error().what;
    std::abort();
  }
  return std::move(*server);
}

Router hello() {
  Router router;
  router.get("/hello", "greets", [](const Request& request) {
    Response response;
    response.body = "hello " + request.query;
    return response;
  });
  return router;
}

TEST(Server, AnswersOnTheFreePortItTook) {
  const auto server = start(free_port(), hello());
  ASSERT_NE(server->port(), 0);
  const std::string answer = ask(server->port(), "/hello?name=Ada");
  EXPECT_EQ(answer.rfind("HTTP/1.1 200 OK\r\n", 0), 0U) << answer;
  EXPECT_NE(answer.find("\r\nContent-Length: 14\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos) << answer;
  EXPECT_EQ(body_of(answer), "hello name=Ada");
}

TEST(Server, ServesTheMetricsPage) {
  observe::Metrics metrics({"EUR", 2, "1.2.3"});
  HealthBoard board(1, seconds(60), kStart);
  Router router;
  add_operations_routes(router, metrics, board, [] { return kStart; });
  const auto server = start(free_port(), std::move(router));
  const std::string answer = ask(server->port(), "/metrics");
  EXPECT_NE(answer.find("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            std::string::npos);
  EXPECT_EQ(body_of(answer), metrics.exposition());
  EXPECT_EQ(ask(server->port(), "/readyz").rfind("HTTP/1.1 503 Service Unavailable\r\n", 0), 0U);
}

TEST(Server, HeadHasTheLengthButNoBody) {
  const auto server = start(free_port(), hello());
  const std::string answer = ask(server->port(), "/hello", "HEAD");
  EXPECT_NE(answer.find("\r\nContent-Length: 6\r\n"), std::string::npos) << answer;
  EXPECT_EQ(body_of(answer), "");
}

TEST(Server, UnknownPathsAndMethodsAndFilesAreRefused) {
  const auto server = start(free_port(), hello());
  const std::string missing = ask(server->port(), "/etc/passwd");
  EXPECT_EQ(missing.rfind("HTTP/1.1 404 Not Found\r\n", 0), 0U) << missing;
  EXPECT_NE(missing.find("\r\nContent-Type: application/problem+json\r\n"), std::string::npos);
  EXPECT_EQ(ask(server->port(), "/../../etc/passwd").rfind("HTTP/1.1 404", 0), 0U);
  const std::string posted = ask(server->port(), "/hello", "POST");
  EXPECT_EQ(posted.rfind("HTTP/1.1 405 Method Not Allowed\r\n", 0), 0U) << posted;
  EXPECT_NE(posted.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << posted;
  EXPECT_EQ(ask(server->port(), "/hello", "DELETE").rfind("HTTP/1.1 405", 0), 0U);
}

TEST(Server, GarbageIsRefusedWithProblemDetails) {
  const auto server = start(free_port(), hello());
  Client client(server->port());
  client.send_text("this is not http\r\n\r\n");
  const std::string answer = client.read_all();
  EXPECT_EQ(answer.rfind("HTTP/1.1 400 Bad Request\r\n", 0), 0U) << answer;
  EXPECT_NE(answer.find("application/problem+json"), std::string::npos) << answer;
  EXPECT_EQ(body_of(ask(server->port(), "/hello")), "hello ");
}

TEST(Server, ARequestAboveTheSizeIsRefused) {
  ServerSettings settings = free_port();
  settings.request_bytes_max = 4096;
  const auto server = start(settings, hello());
  Client client(server->port());
  client.send_text("GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(4096, 'x'));
  const std::string answer = client.read_all();
  EXPECT_EQ(answer.rfind("HTTP/1.1 400 Bad Request\r\n", 0), 0U) << answer;
  EXPECT_NE(answer.find("longer than 4096 bytes"), std::string::npos) << answer;
  EXPECT_EQ(body_of(ask(server->port(), "/hello")), "hello ");
}

TEST(Server, AThrowingHandlerIs500AndTheServerGoesOn) {
  Router router = hello();
  router.get("/broken", "throws",
             [](const Request&) -> Response { throw std::runtime_error("nothing there"); });
  const auto server = start(free_port(), std::move(router));
  const std::string answer = ask(server->port(), "/broken");
  EXPECT_EQ(answer.rfind("HTTP/1.1 500 Internal Server Error\r\n", 0), 0U) << answer;
  EXPECT_EQ(body_of(ask(server->port(), "/hello")), "hello ");
}

TEST(Server, ConcurrentRequestsAreAllAnswered) {
  std::atomic<int> handled = 0;
  Router router;
  const std::string page(300'000, 'x');  // more than a socket buffer takes at once
  router.get("/page", "large", [&](const Request&) {
    ++handled;
    Response response;
    response.body = page;
    return response;
  });
  const auto server = start(free_port(), std::move(router));
  std::atomic<int> whole = 0;
  std::vector<std::thread> clients;
  clients.reserve(8);
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        if (body_of(ask(server->port(), "/page")) == page) ++whole;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(whole, 80);
  EXPECT_EQ(handled, 80);
}

TEST(Server, ASlowClientDoesNotBlockOthers) {
  ServerSettings settings = free_port();
  settings.threads = 2;
  settings.timeout_ms = 60'000;  // far beyond the test
  std::string held;
  {
    const auto server = start(settings, hello());
    Client slow(server->port());
    slow.send_text("GET /hello HTTP/1.1\r\nHo");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(body_of(ask(server->port(), "/hello")), "hello ");
    slow.send_text("st: x\r\n\r\n");
    held = slow.read_all();
  }
  EXPECT_EQ(body_of(held), "hello ");
}

TEST(Server, ClientsThatHoldEveryThreadAreLetGoAfterTheTimeout) {
  ServerSettings settings = free_port();
  settings.threads = 2;
  settings.timeout_ms = 200;
  const auto server = start(settings, hello());
  Client one(server->port());
  Client two(server->port());
  one.send_text("GET /hello HTTP/1.1\r\n");
  two.send_text("GET /hello HTTP/1.1\r\n");
  EXPECT_EQ(body_of(ask(server->port(), "/hello")), "hello ");
  EXPECT_EQ(body_of(one.read_all()).find("hello"), std::string::npos);
}

TEST(Server, AnAddressInUseIsSaidAndNamed) {
  const auto first = start(free_port(), hello());
  ServerSettings settings;
  settings.address = "127.0.0.1:" + std::to_string(first->port());
  const auto second = Server::start(settings, hello());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kMisconfigured);
  EXPECT_EQ(second.error().what, "http.address " + settings.address +
                                     " is in use by another process; stop it or choose another "
                                     "port");
  EXPECT_EQ(body_of(ask(first->port(), "/hello")), "hello ");
}

TEST(Server, AnAddressOfAnotherMachineIsSaid) {
  ServerSettings settings;
  settings.address = "192.0.2.1:0";  // reserved for documentation
  const auto server = Server::start(settings, hello());
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().what, "http.address 192.0.2.1:0 is not an address of this machine");
}

// Debian 12 builds CivetWeb without IPv6; where it has it, the server starts.
TEST(Server, AnIpv6AddressWorksOrIsSaidNotTo) {
  ServerSettings settings;
  settings.address = "[::1]:0";
  const auto server = Server::start(settings, hello());
  if (!server) {
    EXPECT_EQ(server.error().what.rfind("http.address [::1]:0 is ", 0), 0U) << server.error().what;
  }
}

TEST(Server, IsGoneWhenItIsDestroyedAndItsPortIsFree) {
  auto server = start(free_port(), hello());
  ServerSettings again;
  again.address = "127.0.0.1:" + std::to_string(server->port());
  server.reset();
  const auto second = Server::start(again, hello());
  ASSERT_TRUE(second) << second.error().what;
}

}  // namespace
}  // namespace segmentd::http
