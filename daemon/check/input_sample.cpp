#include "daemon/check/input_sample.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "daemon/wire/partitioner.hpp"
#include "daemon/wire/reject_text.hpp"

namespace segmentd {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReadAtOnce = 1000;
constexpr milliseconds kReadWait{200};

/// Strays are rejected and the stream goes on; from a tenth on it is not strays any more.
bool is_many(std::int64_t part, std::int64_t whole) {
  return part * 10 >= whole;
}

std::string count_of(std::int64_t part, std::int64_t whole) {
  return std::to_string(part) + " of " + std::to_string(whole);
}

/// Records of one partition that are still to be read.
struct Wanted {
  std::int32_t partition = -1;
  std::int64_t end = 0;
};

Result<std::vector<ReadFrom>> newest_of(Broker& broker, const std::string& topic,
                                        std::int32_t partitions, std::int64_t per_partition,
                                        SteadyClock::time_point until,
                                        std::vector<Wanted>& wanted) {
  std::vector<ReadFrom> from;
  for (std::int32_t p = 0; p < partitions; ++p) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - SteadyClock::now());
    auto marks = broker.watermarks(topic, p, std::max(left, milliseconds(1)));
    if (!marks) return marks.error();
    if (marks->stable_end <= marks->first) continue;
    from.push_back({p, std::max(marks->first, marks->stable_end - per_partition)});
    wanted.push_back({p, marks->stable_end});
  }
  return from;
}

std::string shares_text(const SampleCounts& counts) {
  return count_of(counts.murmur2, counts.keyed) + " keyed records lie where murmur2 puts them, " +
         count_of(counts.consistent, counts.keyed) + " where consistent does";
}

void judge_unchecked(const SampleCounts& counts, Findings& findings) {
  if (counts.scattered_keys == 0) {
    findings.ok("partitioner: unchecked, and every key of the sample is in one partition; " +
                shares_text(counts));
    return;
  }
  findings.problem(Area::kBroker,
                   "partitioner: " + std::to_string(counts.scattered_keys) +
                       " keys of the sample are in more than one partition, so those "
                       "customers would live twice: send a customer's records to one "
                       "partition");
}

void judge_partitioner(const config::Settings& settings, const SampleCounts& counts,
                       Findings& findings) {
  const auto configured = settings.input.partitioner();
  if (configured == config::InputPartitioner::kUnchecked) return judge_unchecked(counts, findings);
  const bool is_murmur2 = configured == config::InputPartitioner::kMurmur2;
  const std::int64_t fits = is_murmur2 ? counts.murmur2 : counts.consistent;
  const std::int64_t other = is_murmur2 ? counts.consistent : counts.murmur2;
  const std::int64_t strays = counts.keyed - fits;
  const std::string would_be = std::to_string(strays) + " would be rejected as wrong_partition";
  if (strays == 0) {
    findings.ok("partitioner: all " + std::to_string(counts.keyed) + " keyed records lie where " +
                settings.input.partitioner.text() + " puts them");
  } else if (other == counts.keyed) {
    findings.problem(Area::kConfiguration,
                     "input.partitioner = " + settings.input.partitioner.text() + ", but " +
                         shares_text(counts) +
                         ": set input.partitioner = " + (is_murmur2 ? "consistent" : "murmur2"));
  } else if (other > fits || is_many(strays, counts.keyed)) {
    findings.problem(Area::kBroker,
                     "partitioner: " + shares_text(counts) + "; " + would_be +
                         ". Change the producers, or set input.partitioner = unchecked if a "
                         "customer's records are always in one partition");
  } else {
    findings.note("partitioner: " + shares_text(counts) + "; " + would_be);
  }
}

void judge_records(const SampleCounts& counts, Findings& findings) {
  const std::int64_t rejected = counts.rejected_all();
  const std::string sample = "records: " + count_of(rejected, counts.records) + " sampled";
  const std::string anonymous =
      counts.anonymous == 0 ? "" : ", " + std::to_string(counts.anonymous) + " without a customer";
  if (rejected == 0) {
    findings.ok("records: all " + std::to_string(counts.records) + " sampled would be taken" +
                anonymous);
    return;
  }
  const bool many = is_many(rejected, counts.records);
  const std::string total = sample + " would be rejected" + anonymous;
  if (many) {
    findings.problem(Area::kConfiguration, total + ": do the settings fit the input?");
  } else {
    findings.note(total);
  }
  for (const auto& [reason, those] : counts.rejected) {
    findings.note("rejected as " + std::string(word(reason)) + ": " +
                  std::to_string(those.records) + ", such as: " + those.example);
  }
}

}  // namespace

std::int64_t SampleCounts::rejected_all() const {
  std::int64_t all = 0;
  for (const auto& [reason, those] : rejected) all += those.records;
  return all;
}

InputSample::InputSample(const config::Settings& settings, Decoder decoder, std::int32_t partitions,
                         Instant wall)
    : decoder_(std::move(decoder)),
      partitions_(partitions),
      wall_(wall),
      future_tolerance_ms_(settings.input.future_tolerance().count()),
      customer_field_(settings.field.customer_id()) {}

void InputSample::add(const Message& message) {
  ++counts_.records;
  const DecodedRecord decoded = decoder_.decode(message.key, message.value);
  const auto* record = std::get_if<Record>(&decoded);
  const bool is_anonymous = record != nullptr && record->customer_id.empty();
  if (record == nullptr) {
    add_reject(std::get<Reject>(decoded));
  } else if (record->at > wall_ + future_tolerance_ms_) {
    add_reject(reject_future(record->at, wall_, future_tolerance_ms_));
  } else if (is_anonymous) {
    ++counts_.anonymous;
  }
  if (message.key && !is_anonymous) add_key(message);
}

void InputSample::add_key(const Message& message) {
  ++counts_.keyed;
  const auto lies_by = [&](Partitioner partitioner) {
    return partition_of(partitioner, *message.key, partitions_) == message.partition ? 1 : 0;
  };
  counts_.murmur2 += lies_by(Partitioner::kMurmur2);
  counts_.consistent += lies_by(Partitioner::kConsistent);
  const auto [home, is_new] = home_.try_emplace(std::string(*message.key), message.partition);
  if (is_new || home->second == -1 || home->second == message.partition) return;
  home->second = -1;
  ++counts_.scattered_keys;
}

void InputSample::add_reject(const Reject& reject) {
  SampleCounts::Rejected& those = counts_.rejected[reject.reason];
  ++those.records;
  if (!those.example.empty()) return;
  if (reject.reason == RejectReason::kKeyMismatch) {
    those.example = "the key is not the customer id (input.key, " + customer_field_ + ")";
  } else if (reject.reason == RejectReason::kBadId && reject.detail.starts_with(customer_field_)) {
    those.example = customer_field_ + " is no id";
  } else {
    those.example = reject.detail;
  }
}

Result<void> read_newest(Broker& broker, const std::string& topic, std::int32_t partitions,
                         std::int64_t per_partition, milliseconds timeout,
                         const std::function<void(const Message&)>& take) {
  const auto until = SteadyClock::now() + timeout;
  std::vector<Wanted> wanted;
  auto from = newest_of(broker, topic, partitions, per_partition, until, wanted);
  if (!from) return from.error();
  if (from->empty()) return {};
  auto reader = broker.open_reader(topic, *from, timeout);
  if (!reader) return reader.error();
  std::vector<Message> messages;
  while (!wanted.empty()) {
    if (SteadyClock::now() >= until) return Error{Errc::kRetry, topic + ": not read in time"};
    messages.clear();
    if (auto read = (*reader)->read(messages, kReadAtOnce, kReadWait); !read) return read.error();
    for (const Message& message : messages) take(message);
    std::erase_if(wanted, [&](const Wanted& one) {
      const ReadProgress progress = (*reader)->progress(one.partition);
      return progress.at_stable_end || progress.position >= one.end;
    });
  }
  return {};
}

void judge_sample(const config::Settings& settings, const SampleCounts& counts,
                  std::int32_t partitions, Findings& findings) {
  if (counts.records == 0) {
    findings.note("the input is empty: partitioner and records could not be judged");
    return;
  }
  if (partitions == 1) {
    findings.ok("partitioner: one partition, so any will do");
  } else if (counts.keyed == 0) {
    findings.note("partitioner: no record of the sample has a key and a customer to judge it by");
  } else {
    judge_partitioner(settings, counts, findings);
  }
  judge_records(counts, findings);
}

}  // namespace segmentd
