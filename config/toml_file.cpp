#include "config/toml_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>

#include <toml++/toml.h>

namespace segmentd::config {
namespace {

/// One value as the same text --set would be given; nullopt = a date, an array or a table.
std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  if (const auto* number = node.as_floating_point()) {
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number->get());
    return std::string(text.data(), end);
  }
  return std::nullopt;
}

class Flattener {
 public:
  Flattener(const std::string& path, TomlFile& out) : path_(path), out_(out) {}

  void table(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string full = prefix + std::string(key.str());
      if (const toml::table* inner = node.as_table()) {
        this->table(*inner, full + ".");
      } else {
        leaf(full, node);
      }
    }
  }

 private:
  void leaf(const std::string& key, const toml::node& node) {
    TomlEntry entry{key, {}, node.is_array(), node.source().begin.line};
    const bool understood =
        entry.is_list ? items_of(*node.as_array(), entry.items) : item_of(node, entry.items);
    if (!understood) {
      refuse(entry, "is neither a text, a number, true or false, nor a list of those");
      return;
    }
    const auto [first, is_new] = lines_.emplace(key, entry.line);
    if (!is_new) {
      refuse(entry, "is also set in line " + std::to_string(first->second));
      return;
    }
    out_.entries.push_back(std::move(entry));
  }

  static bool item_of(const toml::node& node, std::vector<std::string>& items) {
    auto text = scalar_text(node);
    if (!text) return false;
    items.push_back(std::move(*text));
    return true;
  }

  static bool items_of(const toml::array& array, std::vector<std::string>& items) {
    return std::all_of(array.begin(), array.end(),
                       [&](const toml::node& node) { return item_of(node, items); });
  }

  void refuse(const TomlEntry& entry, std::string reason) {
    out_.problems.push_back(
        {entry.key, "", path_ + ":" + std::to_string(entry.line), std::move(reason)});
  }

  const std::string& path_;
  TomlFile& out_;
  std::map<std::string, unsigned> lines_;
};

}  // namespace

TomlFile read_toml(const std::string& path) {
  TomlFile file;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  // A directory opens but cannot be read; an empty file reads nothing and is no failure.
  if (in && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
  if (!in.is_open() || in.bad() || text.bad()) {
    file.problems.push_back({path, "", "", std::string("cannot be read: ") + std::strerror(errno)});
    return file;
  }
  try {
    const toml::table table = toml::parse(text.view(), path);
    Flattener(path, file).table(table, "");
    file.readable = true;
  } catch (const toml::parse_error& error) {
    file.problems.push_back({path + ":" + std::to_string(error.source().begin.line), "", "",
                             "is not TOML: " + std::string(error.description())});
  }
  std::stable_sort(file.entries.begin(), file.entries.end(),
                   [](const TomlEntry& a, const TomlEntry& b) { return a.line < b.line; });
  return file;
}

}  // namespace segmentd::config
