// Settings files in a directory of their own, for the tests of loading and generating.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "config/load.hpp"

namespace segmentd::config {

/// A directory of its own for every test; settings files in it.
class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "config_test.XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& text) {
    const auto path = directory_ / "s.toml";
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  /// Problems with the directory taken out of them, one a line.
  std::string problems(const LoadedSettings& loaded) const {
    std::string text = problems_text(loaded.problems);
    const std::string prefix = directory_.string() + "/";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }

  LoadedSettings load(const std::string& toml, const Environment& environment = {},
                      const std::vector<std::string>& sets = {}) {
    return load_settings({file(toml), sets}, environment);
  }

  std::filesystem::path directory_;
};

/// Settings from --set and environment alone, with the required currency.
inline LoadedSettings load_sets(std::vector<std::string> sets,
                                const Environment& environment = {}) {
  sets.insert(sets.begin(), "currency=GBP");
  return load_settings({std::nullopt, sets}, environment);
}

}  // namespace segmentd::config
