// The two token rules of RFC 8259 that a lazy parser leaves unchecked in values nobody asks for.
#pragma once

#include <string_view>

namespace segmentd {

/// `-0.5e+3` yes; `01`, `+1`, `.5`, `1.` no.
bool is_json_number(std::string_view token);

/// `-12` yes, `1.0` and `1e3` no. REQUIRES: is_json_number(token).
bool is_json_integer(std::string_view token);

/// A string token with its quotes: every escape is one of JSON's. Lone surrogates pass.
bool is_json_string(std::string_view token);

}  // namespace segmentd
