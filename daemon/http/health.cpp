#include "daemon/http/health.hpp"

#include <algorithm>
#include <utility>

namespace segmentd::http {

HealthBoard::HealthBoard(int workers, std::chrono::milliseconds stall, SteadyTime started)
    : workers_(workers), stall_(stall), started_(started) {}

void HealthBoard::publish(int worker, WorkerHealth health) {
  const std::lock_guard lock(mutex_);
  said_[worker] = std::move(health);
}

HealthReport HealthBoard::report(SteadyTime now) const {
  using Seconds = std::chrono::duration<double>;
  HealthReport report;
  const std::lock_guard lock(mutex_);
  for (int worker = 0; worker < workers_; ++worker) {
    const std::string who = "worker " + std::to_string(worker) + ": ";
    const auto found = said_.find(worker);
    const SteadyTime progress = found == said_.end() ? started_ : found->second.progress;
    const auto away = now - progress;
    report.since_progress_seconds = std::max(report.since_progress_seconds, Seconds(away).count());
    if (away > stall_) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(away).count();
      const std::string stalled = who + "no progress for " + std::to_string(seconds) + " s";
      report.unhealthy.push_back(stalled);
      report.not_ready.push_back(stalled);
    }
    if (found == said_.end()) {
      report.not_ready.push_back(who + "starting");
      continue;
    }
    const WorkerHealth& said = found->second;
    for (const std::string& reason : said.not_ready) report.not_ready.push_back(who + reason);
    if (!said.failed.empty()) {
      report.unhealthy.push_back(who + said.failed);
      report.not_ready.push_back(who + said.failed);
    }
  }
  report.ready = report.not_ready.empty();
  report.healthy = report.unhealthy.empty();
  return report;
}

}  // namespace segmentd::http
