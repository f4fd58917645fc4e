// Which field of a row is which.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "state/core/result.hpp"

namespace segmentd {

/// The place, from 0, of the column called `word`: a number from 1, or a name in `header` (empty =
/// the file has none). kMisconfigured when there is no such column; the first wins where a name
/// stands twice.
Result<std::size_t> find_column(std::string_view word, const std::vector<std::string_view>& header);

/// The place, from 0, of a name in the header; kBadInput when it is not there.
Result<std::size_t> find_name(std::string_view name, const std::vector<std::string_view>& header);

}  // namespace segmentd
