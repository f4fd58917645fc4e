#include "config/suggest.hpp"

#include <algorithm>
#include <numeric>

namespace segmentd::config {
namespace {

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before(to.size() + 1);
  std::vector<std::size_t> above(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[to.size()];
}

bool is_last_part(std::string_view part, std::string_view name) {
  return name.size() > part.size() && name.ends_with(part) &&
         name[name.size() - part.size() - 1] == '.';
}

}  // namespace

std::string nearest_name(std::string_view mistyped, const std::vector<std::string>& names,
                         std::size_t shared) {
  std::string nearest;
  // A third of it wrong is another word.
  std::size_t distance_max = std::max<std::size_t>(1, (mistyped.size() - shared) / 3);
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(mistyped, name);
    if (distance > distance_max || (distance == distance_max && !nearest.empty())) continue;
    nearest = name;
    distance_max = distance;
  }
  if (!nearest.empty()) return nearest;
  const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
    return is_last_part(mistyped, name);
  });
  return found == names.end() ? std::string() : *found;
}

std::string unknown_name(std::string_view mistyped, const std::vector<std::string>& names,
                         std::size_t shared) {
  const std::string nearest = nearest_name(mistyped, names, shared);
  return nearest.empty() ? "is unknown" : "is unknown; did you mean " + nearest + "?";
}

}  // namespace segmentd::config
