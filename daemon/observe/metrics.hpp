// The metrics of this process, as Prometheus sees them.
//
// Every series whose labels are known beforehand exists, with zero, from construction on. Published
// segment changes get a series when the first of their kind is committed (486 would mostly stay
// zero), partitions and workers when they are first reported.
#pragma once

#include <memory>
#include <string>

#include "daemon/observe/gauges.hpp"
#include "daemon/observe/tally.hpp"

namespace segmentd::observe {

struct MetricsSettings {
  std::string currency;  // ISO 4217 code, the value of the `currency` label
  int decimals = 2;      // digits of its minor unit
  std::string version;   // of segmentd
};

/// Thread-safe. The page shows whole publications only: a scrape sees all of a commit or nothing.
class Metrics {
 public:
  explicit Metrics(const MetricsSettings& settings);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Adds what a commit decided. Call it after the transaction is known to be committed, once.
  void publish(const Tally& tally);
  /// Adds what happened to transactions and membership. Call it when it happened, once.
  void publish(const CommitTally& tally);
  /// Replaces what this worker (numbered from 0) said last; the page shows the sum over workers.
  void publish(int worker, const Gauges& gauges);

  /// Replaces what was said of the topics last.
  void publish(const TopicGauges& topics);

  /// The page, Prometheus text format 0.0.4, series in the order of their labels.
  std::string exposition() const;

  /// The media type of `exposition`.
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

}  // namespace segmentd::observe
