// What a person probably meant by a name that does not exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace segmentd::config {

/// The name nearest to the mistyped one, or the one that has it as its last part; empty = none is
/// near. `shared`: so many letters all of them begin with, the mistyped one too; they do not count.
std::string nearest_name(std::string_view mistyped, const std::vector<std::string>& names,
                         std::size_t shared = 0);

/// `is unknown`, or `is unknown; did you mean model.k?`.
std::string unknown_name(std::string_view mistyped, const std::vector<std::string>& names,
                         std::size_t shared = 0);

}  // namespace segmentd::config
