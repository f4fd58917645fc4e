#include "daemon/check/state_check.hpp"

#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/units.hpp"
#include "daemon/inspect/look.hpp"
#include "state/codec.hpp"
#include "state/rocks_store.hpp"
#include "state/state_dir.hpp"

namespace segmentd {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kFreeBytesMin = 100ULL << 20;
constexpr std::uintmax_t kFreeBytesNoted = 1ULL << 30;

bool may_write(const fs::path& directory) {
  return ::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

/// The directory itself, or the one it would be made in.
fs::path nearest_existing(fs::path directory) {
  std::error_code failed;
  directory = fs::absolute(directory, failed);
  while (!fs::exists(directory, failed) && directory.has_relative_path()) {
    directory = directory.parent_path();
  }
  return directory;
}

bool is_owned_by_another(const fs::path& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && about.st_uid != ::geteuid();
}

void check_space(const fs::path& directory, Findings& findings) {
  std::error_code failed;
  const fs::space_info space = fs::space(directory, failed);
  if (failed) {
    findings.problem(Area::kState, "state_dir: " + directory.string() + ": " + failed.message());
    return;
  }
  const std::string free = std::to_string(space.available >> 20) + " MiB free for state_dir";
  if (space.available < kFreeBytesMin) {
    findings.problem(Area::kState, "disk: only " + free);
  } else if (space.available < kFreeBytesNoted) {
    findings.note("disk: only " + free);
  } else {
    findings.ok("disk: " + free);
  }
}

/// nullopt = nothing applied yet.
Result<std::optional<Meta>> read_meta(const RocksEnvironment& environment,
                                      const fs::path& directory) {
  const auto store = RocksStore::look(environment, directory);
  if (!store) return store.error();
  if (*store == nullptr) return std::optional<Meta>();
  const auto bytes = (*store)->get(kMetaKey);
  if (!bytes) return bytes.error();
  if (!*bytes) return std::optional<Meta>();
  auto meta = decode_meta(**bytes);
  if (!meta) return meta.error();
  return std::optional<Meta>(*std::move(meta));
}

/// One partition's state against the settings.
class PartitionCheck {
 public:
  PartitionCheck(const config::Settings& settings, std::int32_t input_partitions)
      : settings_(settings), input_partitions_(input_partitions) {}

  /// Of what was read; nullopt = could not be read.
  std::optional<Meta> look(std::int32_t number, const fs::path& directory, Findings& findings);

 private:
  bool fits(std::int32_t number, const Meta& meta, Findings& findings) const;

  const config::Settings& settings_;
  const std::int32_t input_partitions_;
  const RocksEnvironment environment_{
      RocksOptions{.cache_bytes = 16ULL << 20, .write_buffers_bytes = 8ULL << 20}};
};

std::optional<Meta> PartitionCheck::look(std::int32_t number, const fs::path& directory,
                                         Findings& findings) {
  const std::string where = "state of partition " + std::to_string(number);
  const auto meta = read_meta(environment_, directory);
  if (!meta) {
    const bool corrupt = meta.error().code == Errc::kCorrupt;
    findings.problem(Area::kState, where + ": " + meta.error().what +
                                       (corrupt ? ". Move " + directory.string() +
                                                      " away and it is restored from the changelog"
                                                : ""));
    return std::nullopt;
  }
  if (!*meta) {
    findings.ok(where + ": nothing applied yet");
    return std::nullopt;
  }
  if (!fits(number, **meta, findings)) return std::nullopt;
  findings.ok(where + ": made under these settings, next offset " +
              std::to_string((*meta)->next_offset) + ", epoch " + std::to_string((*meta)->epoch));
  return *meta;
}

bool PartitionCheck::fits(std::int32_t number, const Meta& meta, Findings& findings) const {
  const auto found =
      misfits(meta, number, settings_.input.topic(), settings_.fingerprint(), input_partitions_);
  for (const std::string& misfit : found) {
    findings.problem(Area::kState, "state of partition " + std::to_string(number) + ": " + misfit);
  }
  return found.empty();
}

/// REQUIRES: the directory has an identity.
void look_inside(const config::Settings& settings, std::int32_t input_partitions, StateFound& found,
                 Findings& findings) {
  const fs::path path = settings.state_dir();
  const auto directory = StateDir::look(path, settings.application());
  if (!directory) {
    findings.problem(Area::kState, "state_dir: " + directory.error().what);
    return;
  }
  findings.ok("state_dir: " + path.string() + " belongs to this application, instance " +
              directory->instance());
  if (!settings.instance().empty() && settings.instance() != directory->instance()) {
    findings.note("instance = " + settings.instance() + " is used in place of the directory's");
  }
  found.instance = directory->instance();
  PartitionCheck check(settings, input_partitions);
  for (const std::int32_t number : directory->partitions()) {
    if (auto meta = check.look(number, directory->partition(number), findings)) {
      found.metas.push_back(*std::move(meta));
    }
  }
}

void note_in_use(const std::string& pid, StateFound& found, Findings& findings) {
  findings.note("state_dir: in use by a running segmentd, process " + pid +
                "; its state was not read, and a second one could not start on it");
  found = {};
  found.in_use = true;
}

/// What a daemon that starts meanwhile does to the files is no damage: then nothing was seen. One
/// that came and went at once is gone at the second look.
void look_inside_unless_held(const config::Settings& settings, std::int32_t input_partitions,
                             StateFound& found, Findings& findings) {
  for (const bool last : {false, true}) {
    Findings inside;
    found = {};
    look_inside(settings, input_partitions, found, inside);
    if (const auto pid = StateDir::holder(settings.state_dir())) {
      return note_in_use(*pid, found, findings);
    }
    if (inside.problems() == 0 || last) return findings.append(inside);
  }
}

}  // namespace

StateFound check_state(const config::Settings& settings, std::int32_t input_partitions,
                       Findings& findings) {
  StateFound found;
  const fs::path path = settings.state_dir();
  const fs::path nearest = nearest_existing(path);
  std::error_code failed;
  const bool exists = fs::exists(path, failed);
  if (!fs::is_directory(nearest, failed)) {
    findings.problem(Area::kState, "state_dir: " + nearest.string() + " is no directory");
    return found;
  }
  check_space(nearest, findings);
  if (!may_write(nearest)) {
    findings.problem(Area::kState, "state_dir: this user may not write to " + nearest.string());
    return found;
  }
  if (const auto pid = StateDir::holder(path)) {
    note_in_use(*pid, found, findings);
  } else if (!fs::exists(path / "identity", failed)) {
    findings.ok("state_dir: " + path.string() +
                (exists ? " is writable and holds no state yet" : " can be made"));
  } else {
    if (is_owned_by_another(path)) {
      findings.note("state_dir: belongs to another user; run segmentd as that user");
    }
    look_inside_unless_held(settings, input_partitions, found, findings);
  }
  return found;
}

void check_offsets(const std::vector<Meta>& metas, const std::string& input_topic, Broker& broker,
                   milliseconds timeout, Findings& findings) {
  for (const Meta& meta : metas) {
    const std::string where = "state of partition " + std::to_string(meta.partition);
    const auto marks = broker.watermarks(input_topic, meta.partition, timeout);
    if (!marks) {
      findings.problem(Area::kBroker, where + ": " + marks.error().what);
    } else if (meta.next_offset > marks->end) {
      findings.problem(Area::kState, where + ": goes on at offset " +
                                         std::to_string(meta.next_offset) +
                                         ", but the input ends at " + std::to_string(marks->end) +
                                         ": the topic was made anew");
    } else if (meta.next_offset < marks->first) {
      findings.problem(Area::kState, where + ": goes on at offset " +
                                         std::to_string(meta.next_offset) +
                                         ", but the input begins at " +
                                         std::to_string(marks->first) + ": records are lost");
    }
  }
}

}  // namespace segmentd
