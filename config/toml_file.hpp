// A TOML file as a flat list of keys and values, in the order they were written.
#pragma once

#include <string>
#include <vector>

#include "config/option.hpp"

namespace segmentd::config {

struct TomlEntry {
  std::string key;                 // `input.topic`, whether written as a table, dotted or quoted
  std::vector<std::string> items;  // one, unless is_list
  bool is_list = false;
  unsigned line = 0;
};

struct TomlFile {
  std::vector<TomlEntry> entries;
  std::vector<Problem> problems;
  bool readable = false;  // false: there are no entries, and the problems say why
};

/// Reads a file. Never throws.
TomlFile read_toml(const std::string& path);

}  // namespace segmentd::config
