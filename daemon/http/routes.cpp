#include "daemon/http/routes.hpp"

#include <cstdio>
#include <string_view>

#include "daemon/observe/json_text.hpp"

namespace segmentd::http {
namespace {

/// {"status":"...","reasons":[...],"since_progress_seconds":1.5}, 200 or 503.
Response verdict(bool good, std::string_view good_word, std::string_view bad_word,
                 const std::vector<std::string>& reasons, double since_progress_seconds) {
  Response response;
  response.status = good ? 200 : 503;
  response.content_type = "application/json";
  response.body = "{\"status\":";
  observe::append_json_string(response.body, good ? good_word : bad_word);
  response.body += ",\"reasons\":[";
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    if (i > 0) response.body += ',';
    observe::append_json_string(response.body, reasons[i]);
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", since_progress_seconds);
  response.body += "],\"since_progress_seconds\":";
  response.body += seconds;
  response.body += "}\n";
  return response;
}

}  // namespace

void add_operations_routes(Router& router, const observe::Metrics& metrics,
                           const HealthBoard& health, const std::function<SteadyTime()>& now) {
  router.get("/metrics", "metrics, Prometheus text format", [&metrics](const Request&) {
    Response response;
    response.content_type = observe::Metrics::kContentType;
    response.body = metrics.exposition();
    return response;
  });
  router.get("/healthz", "200 unless only a restart would help; else 503 and why",
             [&health, now](const Request&) {
               const HealthReport report = health.report(now());
               return verdict(report.healthy, "healthy", "unhealthy", report.unhealthy,
                              report.since_progress_seconds);
             });
  router.get("/readyz", "200 while work is being done; else 503 and why not",
             [&health, now](const Request&) {
               const HealthReport report = health.report(now());
               return verdict(report.ready, "ready", "not ready", report.not_ready,
                              report.since_progress_seconds);
             });
}

void add_index_route(Router& router) {
  std::string page = "segmentd\n\n";
  for (const auto& [path, summary] : router.routes()) {
    page.append(path).append("  ").append(summary).append("\n");
  }
  router.get("/", "this list", [page](const Request&) {
    Response response;
    response.body = page;
    return response;
  });
}

}  // namespace segmentd::http
