#include "daemon/wire/json_pointer.hpp"

#include <algorithm>
#include <charconv>

namespace segmentd {
namespace {

/// Splits `/a/b~1c` into `a` and `b/c`; nullopt = not a pointer of at least one step.
std::optional<std::vector<std::string>> steps_of(std::string_view pointer) {
  if (pointer.empty() || pointer.front() != '/') return std::nullopt;
  std::vector<std::string> steps;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    const char c = pointer[i];
    if (c == '/') {
      steps.emplace_back();
    } else if (c == '~') {
      if (++i == pointer.size() || (pointer[i] != '0' && pointer[i] != '1')) return std::nullopt;
      steps.back() += pointer[i] == '0' ? '~' : '/';
    } else {
      steps.back() += c;
    }
  }
  return steps;
}

std::optional<std::size_t> index_of(const std::string& step) {
  if (step.empty() || (step.size() > 1 && step.front() == '0')) return std::nullopt;
  std::size_t index = 0;
  const auto [end, problem] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (problem != std::errc{} || end != step.data() + step.size()) return std::nullopt;
  return index;
}

}  // namespace

Result<PointerTree> PointerTree::of(std::span<const std::string> pointers) {
  PointerTree tree;
  for (const std::string& pointer : pointers) {
    const auto steps = steps_of(pointer);
    if (!steps) {
      return Error{Errc::kMisconfigured,
                   "'" + pointer + "' is not a JSON pointer such as /order/id"};
    }
    std::vector<Place> way{kRoot};
    for (const std::string& step : *steps) way.push_back(tree.grow(way.back(), step));
    std::optional<std::size_t>& value = tree.nodes_[static_cast<std::size_t>(way.back())].value;
    if (!value) {
      value = tree.values_++;
      for (const Place place : way) {
        tree.nodes_[static_cast<std::size_t>(place)].below.push_back(*value);
      }
    }
    tree.value_of_.push_back(*value);
  }
  return tree;
}

PointerTree::Place PointerTree::grow(Place from, const std::string& name) {
  if (const Place known = member(from, name); known != kNowhere) return known;
  const Place made = static_cast<Place>(nodes_.size());
  nodes_[static_cast<std::size_t>(from)].steps.push_back({name, index_of(name), made});
  nodes_.emplace_back();
  return made;
}

PointerTree::Place PointerTree::member(Place from, std::string_view name) const {
  if (from == kNowhere) return kNowhere;
  for (const Step& step : nodes_[static_cast<std::size_t>(from)].steps) {
    if (step.name == name) return step.to;
  }
  return kNowhere;
}

PointerTree::Place PointerTree::element(Place from, std::size_t index) const {
  if (from == kNowhere) return kNowhere;
  for (const Step& step : nodes_[static_cast<std::size_t>(from)].steps) {
    if (step.index == index) return step.to;
  }
  return kNowhere;
}

std::optional<std::size_t> PointerTree::value_at(Place place) const {
  if (place == kNowhere) return std::nullopt;
  return nodes_[static_cast<std::size_t>(place)].value;
}

std::span<const std::size_t> PointerTree::values_below(Place place) const {
  if (place == kNowhere) return {};
  return nodes_[static_cast<std::size_t>(place)].below;
}

}  // namespace segmentd
