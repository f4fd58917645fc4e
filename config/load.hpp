// Defaults, then the TOML file, the environment, --set, and each setting's own flag: what comes
// later wins. Every problem of every source is found before any is reported.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/flags.hpp"
#include "config/settings.hpp"

namespace segmentd::config {

/// What the environment variables of settings begin with.
inline constexpr std::string_view kEnvironmentPrefix = "SEGMENTD_";

using Environment = std::map<std::string, std::string>;

/// What loading asks of the world around it.
struct ConfigChecks {
  /// Whether the machine knows a time zone of this name; never asked about `UTC`.
  std::function<bool(const std::string& name)> is_time_zone;
  /// Why librdkafka does not take this property; empty = it does. Not set = nothing is asked.
  std::function<std::string(const std::string& name, const std::string& value)> kafka_refusal;
};

/// Asks the machine's time zone database; takes any kafka property.
ConfigChecks default_config_checks();

struct LoadedSettings {
  Settings
      settings;  // what was understood; to be shown, and to be run with only if nothing is wrong
  std::vector<Problem> problems;

  [[nodiscard]] bool ok() const { return problems.empty(); }
};

LoadedSettings load_settings(const ConfigArguments& arguments, const Environment& environment,
                             const ConfigChecks& checks = default_config_checks());

/// The variables of a process (`environ`) that begin with SEGMENTD_.
Environment environment_of(const char* const* environ_entries);

/// `input.topic` -> `SEGMENTD_INPUT__TOPIC`.
std::string environment_name(std::string_view key);

/// One problem a line.
std::string problems_text(const std::vector<Problem>& problems);

}  // namespace segmentd::config
