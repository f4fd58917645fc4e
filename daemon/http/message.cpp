#include "daemon/http/message.hpp"

#include <cstdlib>
#include <exception>

#include "daemon/observe/json_text.hpp"

namespace segmentd::http {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

Response problem(int status, std::string_view detail) {
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = R"({"type":"about:blank","title":)";
  observe::append_json_string(response.body, reason_phrase(status));
  response.body += ",\"status\":" + std::to_string(status) + ",\"detail\":";
  observe::append_json_string(response.body, detail);
  response.body += "}\n";
  return response;
}

void Router::get(std::string path, std::string summary, Handler handler) {
  const bool added =
      routes_.try_emplace(std::move(path), Route{std::move(summary), std::move(handler)}).second;
  if (!added) std::abort();
}

Response Router::answer(const Request& request) const {
  const auto route = routes_.find(request.path);
  if (route == routes_.end()) {
    return problem(404, "no such path: " + request.path + "; GET / lists what there is");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    Response refused = problem(405, request.path + " answers GET and HEAD only");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  try {
    return route->second.handler(request);
  } catch (const std::exception& thrown) {
    return problem(500, thrown.what());
  }
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> list;
  list.reserve(routes_.size());
  for (const auto& [path, route] : routes_) list.emplace_back(path, route.summary);
  return list;
}

}  // namespace segmentd::http
