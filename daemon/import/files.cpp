#include "daemon/import/files.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

namespace segmentd {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string path;
  int standard_stream = -1;  // what "-" stands for
};

std::optional<struct stat> about(const Place& place) {
  struct stat found {};
  const int failed = place.path == "-" ? ::fstat(place.standard_stream, &found)
                                       : ::stat(place.path.c_str(), &found);
  if (failed != 0) return std::nullopt;
  return found;
}

/// Of devices, pipes and terminals nothing comes back that was written to them.
bool are_one_file(const Place& a, const Place& b) {
  const auto one = about(a);
  const auto other = about(b);
  if (one && other) {
    return S_ISREG(one->st_mode) && one->st_dev == other->st_dev && one->st_ino == other->st_ino;
  }
  if (one || other) return false;
  std::error_code failed;
  const auto place = [&failed](const std::string& path) {
    return fs::weakly_canonical(fs::absolute(path, failed), failed);
  };
  return place(a.path) == place(b.path);
}

Error unavailable(const std::string& path, const char* why) {
  return {Errc::kUnavailable, path + ": " + why};
}

Result<void> check_access(const std::string& path, const std::string& of, int mode) {
  if (::access(of.c_str(), mode) != 0) return unavailable(path, std::strerror(errno));
  return {};
}

}  // namespace

bool is_read_and_written(const std::string& input, const std::string& output) {
  return are_one_file({input, STDIN_FILENO}, {output, STDOUT_FILENO});
}

bool is_written_twice(const std::string& output, const std::string& other) {
  return output == other ? output != "/dev/null"
                         : are_one_file({output, STDOUT_FILENO}, {other, STDOUT_FILENO});
}

Result<void> check_readable(const std::string& path) {
  if (path == "-") return {};
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return unavailable(path, "is a directory");
  return check_access(path, path, R_OK);
}

Result<void> check_writable(const std::string& path) {
  if (path == "-") return {};
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return unavailable(path, "is a directory");
  if (fs::exists(path, ignored)) return check_access(path, path, W_OK);
  const std::string folder = fs::path(path).parent_path().string();
  return check_access(path, folder.empty() ? "." : folder, W_OK | X_OK);
}

}  // namespace segmentd
