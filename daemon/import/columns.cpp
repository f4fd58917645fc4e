#include "daemon/import/columns.hpp"

#include <algorithm>
#include <charconv>

namespace segmentd {
namespace {

constexpr std::size_t kHeaderShown = 200;  // bytes of a header in an error

std::string shown(const std::vector<std::string_view>& header) {
  std::string names;
  for (const std::string_view name : header) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  if (names.size() > kHeaderShown) names = names.substr(0, kHeaderShown) + "...";
  return names;
}

bool is_number(std::string_view word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Result<std::size_t> find_name(std::string_view name, const std::vector<std::string_view>& header) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) {
    return Error{Errc::kBadInput,
                 "no column '" + std::string(name) + "' in the header: " + shown(header)};
  }
  return static_cast<std::size_t>(found - header.begin());
}

Result<std::size_t> find_column(std::string_view word,
                                const std::vector<std::string_view>& header) {
  if (!is_number(word)) {
    if (header.empty()) {
      return Error{Errc::kMisconfigured,
                   "column '" + std::string(word) + "': without a header columns are numbers"};
    }
    Result<std::size_t> found = find_name(word, header);
    if (!found) return Error{Errc::kMisconfigured, found.error().what};
    return found;
  }
  std::size_t number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  if (parsed.ec != std::errc{} || number == 0) {
    return Error{Errc::kMisconfigured, "column '" + std::string(word) + "': columns count from 1"};
  }
  if (!header.empty() && number > header.size()) {
    return Error{Errc::kMisconfigured, "column " + std::string(word) + ": the header has " +
                                           std::to_string(header.size()) + ": " + shown(header)};
  }
  return number - 1;
}

}  // namespace segmentd
