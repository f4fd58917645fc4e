// A directory of its own for one test, gone when the test ends.
#pragma once

#include <cstdlib>  // mkdtemp
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include <gtest/gtest.h>

namespace segmentd::test {

class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = testing::TempDir() + "segmentd-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    EXPECT_FALSE(path_.empty()) << "no temporary directory like " << pattern;
  }
  ~TempDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }

  /// Writes a file and gives its path.
  std::string file(const std::string& name, std::string_view content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

 private:
  std::string path_;
};

inline std::string content_of(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

/// Everything below a directory: time of the last change and content (a directory has none) by
/// path.
inline std::map<std::string, std::string> picture_of(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const auto changed = entry.last_write_time().time_since_epoch().count();
    files[entry.path().string()] =
        std::to_string(changed) + " " +
        (entry.is_regular_file() ? content_of(entry.path().string()) : std::string());
  }
  return files;
}

}  // namespace segmentd::test
