// What is generated from the declarations: the shipped file, the reference page, the help, the
// listing of what is in force.
#pragma once

#include <string>

#include "config/settings.hpp"

namespace segmentd::config {

/// The shipped config/segmentd.toml: every setting with its text, commented out with its value. A
/// line that begins with `#` and no blank is a setting; without the `#` it is TOML.
std::string render_toml(const Settings& settings);

/// config/REFERENCE.md: a table of settings per section, and the kafka properties that are refused.
std::string render_reference(const Settings& settings);

/// What is in force: TOML, `key = value  # origin`, secrets masked.
std::string render_effective(const Settings& settings);

/// The settings in short, for --help: key, value in TOML, first sentence.
std::string render_help(const Settings& settings);

}  // namespace segmentd::config
