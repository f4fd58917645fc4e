#include "state/state_dir.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace segmentd {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = "LOCK";
constexpr const char* kIdentityFile = "identity";
constexpr std::string_view kFirstLine = "segmentd state directory, format 1\n";
constexpr std::string_view kApplicationKey = "application=";
constexpr std::string_view kInstanceKey = "instance=";
constexpr std::string_view kPartitionPrefix = "partition-";
constexpr const char* kRetiredSuffix = ".retired";
constexpr mode_t kFileMode = 0644;
/// Who only asks for the holder has the lock for an instant: that is waited for.
constexpr int kLockTries = 10;
constexpr std::chrono::milliseconds kLockPause{10};

Error error_of(const fs::path& path, std::error_code code) {
  const bool full = code == std::errc::no_space_on_device;
  return {full ? Errc::kUnavailable : Errc::kMisconfigured, path.string() + ": " + code.message()};
}

Error last_error(const fs::path& path) {
  return error_of(path, {errno, std::generic_category()});
}

/// An open file, closed at the end of the scope.
class File {
 public:
  File(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, kFileMode)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::optional<std::string> read_all(int fd) {
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

/// The file is there whole or not at all, also after a power cut.
Result<void> write_durably(const fs::path& path, std::string_view text) {
  const fs::path temporary = path.string() + ".new";
  {
    const File file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (file.get() < 0 || !write_all(file.get(), text) || ::fsync(file.get()) != 0) {
      return last_error(temporary);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return last_error(path);
  const File directory(path.parent_path(), O_RDONLY | O_DIRECTORY);
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return last_error(path.parent_path());
  return {};
}

struct Identity {
  std::string application;
  std::string instance;
};

/// Takes `key` and the rest of its line from the front.
std::optional<std::string> take_line(std::string_view& text, std::string_view key) {
  const std::size_t end = text.find('\n');
  if (!text.starts_with(key) || end == std::string_view::npos) return std::nullopt;
  std::string value(text.substr(key.size(), end - key.size()));
  text.remove_prefix(end + 1);
  return value;
}

std::optional<Identity> parse_identity(std::string_view text) {
  if (!text.starts_with(kFirstLine)) return std::nullopt;
  text.remove_prefix(kFirstLine.size());
  std::optional<std::string> application = take_line(text, kApplicationKey);
  if (!application) return std::nullopt;
  std::optional<std::string> instance = take_line(text, kInstanceKey);
  if (!instance || instance->empty() || !text.empty()) return std::nullopt;
  return Identity{*std::move(application), *std::move(instance)};
}

std::string identity_text(const Identity& identity) {
  std::string text(kFirstLine);
  text.append(kApplicationKey).append(identity.application).append("\n");
  text.append(kInstanceKey).append(identity.instance).append("\n");
  return text;
}

std::string holder_text(int lock) {
  const std::string pid = read_all(lock).value_or("");
  return pid.empty() ? "unknown" : pid;
}

/// As flock(), errno too.
bool try_lock(int fd) {
  for (int tried = 1; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++tried) {
    if (errno != EWOULDBLOCK || tried == kLockTries) return false;
    std::this_thread::sleep_for(kLockPause);
  }
  return true;
}

Result<int> take_lock(const fs::path& directory) {
  const fs::path path = directory / kLockFile;
  File file(path, O_RDWR | O_CREAT);
  if (file.get() < 0) return last_error(path);
  if (!try_lock(file.get())) {
    if (errno != EWOULDBLOCK) return last_error(path);
    return Error{Errc::kMisconfigured, directory.string() +
                                           " is held by another segmentd, process " +
                                           holder_text(file.get()) +
                                           ": stop it, or give this one a state_dir of its own"};
  }
  // The lock holds without it: a full disk must not keep anybody from starting, who then waits for
  // room.
  if (::ftruncate(file.get(), 0) == 0) (void)write_all(file.get(), std::to_string(::getpid()));
  return file.release();
}

}  // namespace

Result<StateDir> StateDir::open(const fs::path& directory, const std::string& application,
                                const std::string& new_instance) {
  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed) return error_of(directory, failed);
  const Result<int> lock = take_lock(directory);
  if (!lock) return lock.error();
  StateDir opened(directory, *lock);
  if (Result<void> known = opened.identify(application, new_instance); !known) return known.error();
  return opened;
}

Result<StateDir> StateDir::look(const fs::path& directory, const std::string& application) {
  StateDir seen(directory, -1);
  const Result<bool> known = seen.read_identity(application);
  if (!known) return known.error();
  if (!*known) return Error{Errc::kMisconfigured, directory.string() + " has no identity"};
  return seen;
}

std::optional<std::string> StateDir::holder(const fs::path& directory) {
  const File file(directory / kLockFile, O_RDONLY);
  if (file.get() < 0) return std::nullopt;
  const bool held = ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (!held) return std::nullopt;
  return holder_text(file.get());
}

Result<void> StateDir::identify(const std::string& application, const std::string& new_instance) {
  const Result<bool> known = read_identity(application);
  if (!known) return known.error();
  if (*known) return {};
  instance_ = new_instance;
  return write_durably(directory_ / kIdentityFile, identity_text({application, new_instance}));
}

Result<bool> StateDir::read_identity(const std::string& application) {
  const fs::path path = directory_ / kIdentityFile;
  const File file(path, O_RDONLY);
  if (file.get() < 0 && errno != ENOENT) return last_error(path);
  if (file.get() < 0) return false;
  const std::optional<std::string> text = read_all(file.get());
  if (!text) return last_error(path);
  std::optional<Identity> identity = parse_identity(*text);
  if (!identity) return Error{Errc::kCorrupt, path.string() + ": not an identity segmentd wrote"};
  if (identity->application != application) {
    return Error{Errc::kMisconfigured, directory_.string() + " belongs to application '" +
                                           identity->application + "', not to '" + application +
                                           "'"};
  }
  instance_ = std::move(identity->instance);
  return true;
}

StateDir::StateDir(StateDir&& other) noexcept
    : directory_(std::move(other.directory_)),
      instance_(std::move(other.instance_)),
      lock_(std::exchange(other.lock_, -1)) {}

StateDir& StateDir::operator=(StateDir&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(instance_, other.instance_);
  std::swap(lock_, other.lock_);
  return *this;
}

StateDir::~StateDir() {
  if (lock_ >= 0) ::close(lock_);
}

fs::path StateDir::partition(std::int32_t n) const {
  return directory_ / (std::string(kPartitionPrefix) + std::to_string(n));
}

std::vector<std::int32_t> StateDir::partitions() const {
  std::vector<std::int32_t> found;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, failed)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPartitionPrefix)) continue;
    const char* const begin = name.data() + kPartitionPrefix.size();
    const char* const end = name.data() + name.size();
    std::int32_t n = -1;
    const auto [rest, error] = std::from_chars(begin, end, n);
    if (error == std::errc{} && rest == end && n >= 0) found.push_back(n);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> StateDir::set_asides(std::int32_t n) const {
  const std::string beginning = partition(n).filename().string() + ".";
  std::vector<fs::path> found;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, failed)) {
    if (entry.path().filename().string().starts_with(beginning)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<void> StateDir::remove_partition(std::int32_t n) const {
  std::error_code failed;
  fs::remove_all(partition(n), failed);
  if (failed) return error_of(partition(n), failed);
  return {};
}

bool StateDir::retire_partition(std::int32_t n) const {
  const fs::path retired = partition(n).string() + kRetiredSuffix;
  std::error_code failed;
  fs::remove_all(retired, failed);  // of a process that did not live to do it
  fs::rename(partition(n), retired, failed);
  return !failed;
}

void StateDir::remove_retired() const {
  std::vector<fs::path> retired;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, failed)) {
    if (entry.path().filename().string().ends_with(kRetiredSuffix)) {
      retired.push_back(entry.path());
    }
  }
  for (const fs::path& path : retired) fs::remove_all(path, failed);
}

Result<void> StateDir::set_partition_aside(std::int32_t n, std::chrono::seconds interval) const {
  fs::path aside = partition(n);
  aside += ".aside";
  std::error_code failed;
  const auto now = fs::file_time_type::clock::now();
  if (const auto last = fs::last_write_time(aside, failed); !failed && now - last < interval) {
    return Error{Errc::kCorrupt, aside.string() +
                                     " was set aside not long ago. Look at the disk; "
                                     "remove both directories and start again to restore from the "
                                     "changelog"};
  }
  fs::remove_all(aside, failed);
  if (failed) return error_of(aside, failed);
  fs::rename(partition(n), aside, failed);
  if (failed) return error_of(partition(n), failed);
  fs::last_write_time(aside, now, failed);  // when it was set aside
  if (failed) return error_of(aside, failed);
  return {};
}

Result<fs::path> StateDir::keep_partition(std::int32_t n) const {
  fs::path kept = partition(n);
  kept += ".kept";
  std::error_code failed;
  if (!fs::exists(partition(n), failed)) {
    return Error{Errc::kMisconfigured, partition(n).string() + " does not exist"};
  }
  fs::remove_all(kept, failed);
  if (failed) return error_of(kept, failed);
  fs::rename(partition(n), kept, failed);
  if (failed) return error_of(partition(n), failed);
  return kept;
}

}  // namespace segmentd
