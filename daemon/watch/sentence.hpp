// One move of one customer as a person reads it who sells, and does not know the model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/wire/read_back.hpp"

namespace segmentd {

/// `21400.120` -> `21,400.120`. Any other text comes back as it is.
std::string grouped(std::string_view decimal);
/// `21400.120` -> `21,400.12`: grouped, and zeros beyond the second decimal left out.
std::string readable_amount(std::string_view decimal);
/// `4372` -> `4,372`.
std::string readable_count(std::int64_t count);

/// One line without its end: when (UTC), who, from where to where, why, and what the customer is
/// worth.
///   2011-03-14 12:03  Customer 14646 moves from Loyal to Insiders: order 545475 brought 2,000.00
///   GBP. 12 orders, 23,400.12 GBP net so far.
/// A move decided while there was too little history for a model ends in "(still learning)".
std::string sentence(const ReadEvent& event);

}  // namespace segmentd
