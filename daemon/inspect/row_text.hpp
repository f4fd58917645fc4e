// One customer's stored row, explained.
#pragma once

#include <string>
#include <string_view>

#include "daemon/wire/encode.hpp"
#include "state/core/customer.hpp"

namespace segmentd {

/// Everything in the row: the bytes' format and checksum, the figures, what is still open to change
/// and what was folded. Lines for a person; `bytes` as the store or the changelog has them. A row
/// that cannot be read is explained too, as far as it goes.
std::string row_text(std::string_view customer_id, std::string_view bytes, const Rules& rules,
                     const EncodeContext& context);

}  // namespace segmentd
