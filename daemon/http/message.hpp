// A request and a response without sockets, and the table of routes between them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace segmentd::http {

/// What a client asked. No route takes a body, so there is none.
struct Request {
  std::string method;  // `GET`
  std::string path;    // decoded, without the query: `/metrics`
  std::string query;   // raw, without `?`; may be empty
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // beside type and length
};

/// Answers one request. Called by several threads at once; throws nothing.
using Handler = std::function<Response(const Request&)>;

/// The standard words for a status: 404 -> `Not Found`.
std::string_view reason_phrase(int status);

/// An error as RFC 9457 problem details:
/// {"type":"about:blank","title":...,"status":...,"detail":...}.
Response problem(int status, std::string_view detail);

/// Which path is answered by what. Filled before the server starts, constant afterwards.
class Router {
 public:
  /// Answers GET and HEAD of exactly this path. A path given twice is a bug.
  void get(std::string path, std::string summary, Handler handler);

  /// The handler's answer; 404 for an unknown path, 405 (with `Allow`) for another method, 500 when
  /// the handler threw. The answer to HEAD still has its body: the server leaves it out.
  Response answer(const Request& request) const;

  /// Paths and their summaries, in the order of the paths.
  std::vector<std::pair<std::string, std::string>> routes() const;

 private:
  struct Route {
    std::string summary;
    Handler handler;
  };
  std::map<std::string, Route, std::less<>> routes_;
};

}  // namespace segmentd::http
