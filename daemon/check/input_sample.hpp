// The newest records of the input, looked at without being applied: do they lie where the
// configured partitioner puts them, and would they be taken?
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "config/settings.hpp"
#include "daemon/check/findings.hpp"
#include "daemon/ports.hpp"
#include "daemon/wire/decode.hpp"
#include "state/core/instant.hpp"
#include "state/core/reject.hpp"

namespace segmentd {

/// What was seen of a sample.
struct SampleCounts {
  struct Rejected {
    std::int64_t records = 0;
    std::string example;  // names no customer
  };

  std::int64_t records = 0;
  std::int64_t anonymous = 0;  // taken, without a customer
  std::map<RejectReason, Rejected> rejected;

  // Of the records with a key, but for those that were taken as anonymous:
  std::int64_t keyed = 0;
  std::int64_t murmur2 = 0;           // lie where murmur2 puts their key
  std::int64_t consistent = 0;        // lie where CRC-32 puts it
  std::int64_t scattered_keys = 0;    // keys seen in more than one partition
  std::int64_t rejected_all() const;  // records, whatever the reason
};

/// Counts one record after the other.
class InputSample {
 public:
  /// `wall` is now. REQUIRES: partitions > 0.
  InputSample(const config::Settings& settings, Decoder decoder, std::int32_t partitions,
              Instant wall);

  void add(const Message& message);
  const SampleCounts& counts() const { return counts_; }

 private:
  void add_key(const Message& message);
  void add_reject(const Reject& reject);

  Decoder decoder_;
  const std::int32_t partitions_;
  const Instant wall_;
  const std::int64_t future_tolerance_ms_;
  const std::string customer_field_;
  std::unordered_map<std::string, std::int32_t> home_;  // partition by key; -1 = several
  SampleCounts counts_;
};

/// Reads about the newest `per_partition` records of each partition, without a group and without
/// leaving a trace. Ends at what was there when it began, or with kRetry after `timeout`.
Result<void> read_newest(Broker& broker, const std::string& topic, std::int32_t partitions,
                         std::int64_t per_partition, milliseconds timeout,
                         const std::function<void(const Message&)>& take);

/// What the counts mean under these settings.
void judge_sample(const config::Settings& settings, const SampleCounts& counts,
                  std::int32_t partitions, Findings& findings);

}  // namespace segmentd
