// The one thing about JSON that logs and HTTP answers need: a string, quoted.
#pragma once

#include <string>
#include <string_view>

namespace segmentd::observe {

/// Appends `text` as a JSON string, with its quotes. Control characters are escaped, so the result
/// is one line; bytes that are not UTF-8 become U+FFFD, so the result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);

}  // namespace segmentd::observe
