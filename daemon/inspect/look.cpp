#include "daemon/inspect/look.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "daemon/pipeline/fingerprint.hpp"
#include "state/codec.hpp"

namespace segmentd {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReadAtOnce = 10'000;
constexpr milliseconds kReadWait{200};
constexpr milliseconds kSilenceMax{15'000};
constexpr milliseconds kQuestion{10'000};

std::int64_t bytes_below(const fs::path& directory) {
  std::int64_t bytes = 0;
  std::error_code failed;
  for (const auto& entry : fs::recursive_directory_iterator(directory, failed)) {
    std::error_code gone;
    const auto size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    if (!gone) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

std::optional<Instant> changed_at(const fs::path& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return std::nullopt;
  return Instant{about.st_mtim.tv_sec * kMsPerSecond + about.st_mtim.tv_nsec / 1'000'000};
}

/// Whether a row is one; empty = it is.
std::string damage_of(std::string_view key, std::string_view value, const Rules& rules) {
  const auto id = customer_of(key);
  if (!id) return "a key that names no customer";
  const auto row = decode_row(*id, value, rules);
  return row ? std::string() : row.error().what;
}

void count(RowsFound& rows, std::uint32_t checksum, const std::string& damage) {
  ++rows.customers;
  rows.digest += checksum;
  if (damage.empty()) return;
  if (rows.damaged++ == 0) rows.damage = damage;
}

void read_store(RocksStore& store, const Rules& rules, StoreFound& found) {
  found.position = store.position();
  const auto bytes = store.get(kMetaKey);
  if (!bytes) {
    found.unreadable = bytes.error().what;
    return;
  }
  if (*bytes) {
    auto meta = decode_meta(**bytes);
    if (meta) {
      found.meta = *std::move(meta);
    } else {
      found.unreadable = meta.error().what;
    }
  }
  const auto scanned = store.scan(kRowPrefix, [&](std::string_view key, std::string_view value) {
    count(found.rows, checksum(key, value), damage_of(key, value, rules));
    return Result<void>();
  });
  if (!scanned && found.unreadable.empty()) found.unreadable = scanned.error().what;
}

/// What is newest of each customer while a log is read: bounded by customers, not by their rows.
class NewestRows {
 public:
  explicit NewestRows(const Rules& rules) : rules_(rules) {}

  void take(std::string_view key, std::optional<std::string_view> value) {
    const std::uint64_t which = std::hash<std::string_view>()(key);
    if (!value) {
      newest_.erase(which);
      damage_.erase(which);
      return;
    }
    newest_[which] = checksum(key, *value);
    std::string damage = damage_of(key, *value, rules_);
    if (damage.empty()) {
      damage_.erase(which);
    } else {
      damage_[which] = std::move(damage);
    }
  }
  RowsFound found() const {
    RowsFound rows;
    for (const auto& [which, sum] : newest_) {
      const auto damaged = damage_.find(which);
      count(rows, sum, damaged == damage_.end() ? std::string() : damaged->second);
    }
    return rows;
  }

 private:
  const Rules& rules_;
  std::unordered_map<std::uint64_t, std::uint32_t> newest_;
  std::unordered_map<std::uint64_t, std::string> damage_;
};

}  // namespace

std::vector<std::string> misfits(const Meta& meta, std::int32_t number,
                                 const std::string& input_topic,
                                 const std::string& settings_fingerprint,
                                 std::int32_t input_partitions) {
  std::vector<std::string> found;
  if (input_partitions > 0 && number >= input_partitions) {
    found.push_back("the input has " + std::to_string(input_partitions) +
                    " partitions only: was the topic made anew?");
  }
  if (meta.input_topic != input_topic) {
    found.push_back("made from topic " + meta.input_topic + ", not from " + input_topic +
                    " (input.topic)");
  }
  if (auto same = check_fingerprint(meta.fingerprint,
                                    fingerprint_of(settings_fingerprint, input_partitions));
      !same) {
    found.push_back(same.error().what);
  }
  return found;
}

StoreFound look_at_store(const RocksEnvironment& environment, const StateDir& directory,
                         std::int32_t number, const Rules& rules) {
  StoreFound found;
  for (const fs::path& path : directory.set_asides(number)) {
    found.set_aside.push_back({path.filename().string(), bytes_below(path), changed_at(path)});
  }
  const fs::path path = directory.partition(number);
  std::error_code failed;
  if (!fs::exists(path, failed)) return found;
  found.disk_bytes = bytes_below(path);
  const auto store = RocksStore::look(environment, path);
  if (!store) {
    found.exists = true;
    found.unreadable = store.error().what;
  } else if (*store != nullptr) {
    found.exists = true;
    read_store(**store, rules, found);
  }
  return found;
}

Result<Watermarks> read_changelog(Broker& broker, const std::string& topic, std::int32_t partition,
                                  const std::function<Result<void>(const Message&)>& visit) {
  auto marks = broker.watermarks(topic, partition, kQuestion);
  if (!marks || marks->stable_end <= marks->first) return marks;
  const ReadFrom from[] = {{partition, marks->first}};
  auto reader = broker.open_reader(topic, from, kQuestion);
  if (!reader) return reader.error();
  std::vector<Message> records;
  auto answered = SteadyClock::now();
  while (true) {
    records.clear();
    auto read = (*reader)->read(records, kReadAtOnce, kReadWait);
    if (!read && read.error().code != Errc::kRetry) return read.error();
    const auto now = SteadyClock::now();
    if (read && !records.empty()) answered = now;
    for (const Message& record : records) {
      if (record.offset >= marks->stable_end) return marks;
      if (auto visited = visit(record); !visited) return visited.error();
    }
    const ReadProgress progress = (*reader)->progress(partition);
    if (progress.at_stable_end || progress.position >= marks->stable_end) return marks;
    if (now - answered > kSilenceMax) {
      return Error{Errc::kRetry, topic + "/" + std::to_string(partition) + ": " +
                                     (read ? "not read in time" : read.error().what)};
    }
  }
}

Result<ChangelogFound> look_at_changelog(Broker& broker, const std::string& topic,
                                         std::int32_t partition,
                                         const std::optional<Position>& store_position,
                                         const Rules& rules) {
  ChangelogFound found;
  NewestRows newest(rules);
  std::string meta_bytes;
  auto marks = read_changelog(broker, topic, partition, [&](const Message& record) {
    ++found.records;
    if (store_position && record.offset >= store_position->next_offset) ++found.records_ahead;
    if (!record.key) return Result<void>();
    if (*record.key != kMetaKey) {
      newest.take(*record.key, record.value);
    } else if (record.value) {
      meta_bytes = *record.value;
      found.meta_offset = record.offset;
    }
    return Result<void>();
  });
  if (!marks) return marks.error();
  found.marks = *marks;
  found.rows = newest.found();
  if (found.meta_offset < 0) return found;
  auto meta = decode_meta(meta_bytes);
  if (meta) {
    found.meta = *std::move(meta);
  } else {
    found.unreadable = "offset " + std::to_string(found.meta_offset) + ": " + meta.error().what;
  }
  return found;
}

Result<InputFound> look_at_input(Broker& broker, const std::string& topic, std::int32_t partition,
                                 const std::optional<Meta>& meta) {
  const auto marks = broker.watermarks(topic, partition, kQuestion);
  if (!marks) return marks.error();
  InputFound found{*marks, LastAppliedFate::kNotThere};
  if (!meta) return found;
  const auto until = SteadyClock::now() + kSilenceMax;
  const auto may_wait = [until]() -> Result<void> {
    if (SteadyClock::now() < until) return {};
    return Error{Errc::kRetry, "the input does not answer"};
  };
  const auto fate =
      read_last_applied(broker, topic, partition, meta->last_applied, *marks, may_wait);
  if (!fate) return fate.error();
  found.last_applied = *fate;
  return found;
}

}  // namespace segmentd
