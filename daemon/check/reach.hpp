// How far a check can look when settings were refused: everything is reported at once, but nothing
// is looked for in a place that was perhaps not meant.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "config/load.hpp"

namespace segmentd {

/// What is certain despite the problems.
struct Reach {
  bool broker = true;   // which brokers, how they are spoken to, the names of the topics
  bool state = true;    // which directory, whose
  bool http = true;     // which address
  bool meaning = true;  // what records and stored state are taken for
};

/// A refused setting makes uncertain what it is about, an unknown name what the setting is about
/// that it is probably a misspelling of. `file` = the configuration file, whose problems as a whole
/// make everything uncertain. `is_kafka_property` = librdkafka knows the name: refused was then its
/// value, and librdkafka's default may be far from what was meant.
Reach reach_of(const config::LoadedSettings& loaded, const std::optional<std::string>& file,
               const std::function<bool(const std::string& name)>& is_kafka_property);

}  // namespace segmentd
