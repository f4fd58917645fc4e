// What the daemon answers over HTTP about itself: /metrics, /healthz, /readyz and the list of them.
#pragma once

#include <functional>

#include "daemon/http/health.hpp"
#include "daemon/http/message.hpp"
#include "daemon/observe/metrics.hpp"

namespace segmentd::http {

/// Adds GET /metrics (Prometheus text), /healthz and /readyz (200, or 503 with the reasons; JSON
/// both times). `metrics` and `health` outlive the router; `now` is called by several threads.
void add_operations_routes(Router& router, const observe::Metrics& metrics,
                           const HealthBoard& health, const std::function<SteadyTime()>& now);

/// Adds GET /, a plain list of the routes there are now; so it comes last.
void add_index_route(Router& router);

}  // namespace segmentd::http
