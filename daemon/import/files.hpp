// What can be said of the files of a command line before any of them is opened: opening uses up a
// pipe, and destroys what is to be written anew.
#pragma once

#include <string>

#include "state/core/result.hpp"

namespace segmentd {

/// Whether reading `input` would read what is written to `output`, whatever their names are. "-" =
/// standard input, standard output.
bool is_read_and_written(const std::string& input, const std::string& output);
/// Whether both outputs would go to one place.
bool is_written_twice(const std::string& output, const std::string& other);

/// kUnavailable: it is not there, is a directory, or may not be read.
Result<void> check_readable(const std::string& path);
/// kUnavailable: it is a directory, may not be written, or cannot be made where it should lie.
Result<void> check_writable(const std::string& path);

}  // namespace segmentd
