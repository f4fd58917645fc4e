#include "config/load.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include <date/tz.h>

#include "config/suggest.hpp"
#include "config/toml_file.hpp"

namespace segmentd::config {
namespace {

/// Where the tests find data that is not part of the project; not a setting.
constexpr std::string_view kTestDataVariable = "SEGMENTD_DATA";
constexpr std::string_view kTestVariables = "SEGMENTD_TEST_";  // of the test suite, no settings

bool machine_knows_time_zone(const std::string& name) {
  try {
    return date::locate_zone(name) != nullptr;
  } catch (const std::runtime_error&) {
    return false;
  }
}

/// `SEGMENTD_KAFKA__LINGER__MS` -> `kafka.linger.ms`.
std::string setting_key(std::string_view name) {
  std::string key;
  name.remove_prefix(kEnvironmentPrefix.size());
  while (!name.empty()) {
    const bool dot = name.starts_with("__");
    const char c = name.front();
    key += dot ? '.' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    name.remove_prefix(dot ? 2 : 1);
  }
  return key;
}

/// The value as it may be repeated in a problem: a secret masked, and nothing of a name that is
/// unknown, because that may be a mistyped secret.
std::string shown_value(const Settings& settings, std::string_view key, const std::string& value) {
  if (value.empty()) return {};
  if (key.starts_with(kKafkaPrefix)) {
    return is_secret_kafka_property(key.substr(kKafkaPrefix.size())) ? kSecretShown : value;
  }
  const OptionBase* const option = settings.find(key);
  if (option == nullptr) return {};
  return option->has(kSecret) ? kSecretShown : value;
}

/// Collects values and problems from one source after the other.
class Loader {
 public:
  explicit Loader(const ConfigChecks& checks) : checks_(checks) {}

  void file(const std::string& path);
  void environment(const Environment& environment);
  void sets(const std::vector<std::string>& sets);
  void flags(const std::map<std::string, std::string>& flags);
  LoadedSettings finish();

 private:
  void set(const std::string& key, const std::string& value, const std::string& origin);
  void set_items(const TomlEntry& entry, const std::string& origin);
  std::string refusal_from_outside(const std::string& key, const std::string& value) const;
  void refuse(const std::string& key, const std::string& value, const std::string& origin,
              std::string reason);

  const ConfigChecks& checks_;
  LoadedSettings loaded_;
  bool all_read_ = true;  // false: a file could not be read, so what is missing may stand there
};

void Loader::file(const std::string& path) {
  const TomlFile file = read_toml(path);
  loaded_.problems.insert(loaded_.problems.end(), file.problems.begin(), file.problems.end());
  all_read_ = all_read_ && file.readable;
  for (const TomlEntry& entry : file.entries) {
    const std::string origin = path + ":" + std::to_string(entry.line);
    if (entry.is_list) {
      set_items(entry, origin);
    } else {
      set(entry.key, entry.items.front(), origin);
    }
  }
}

void Loader::environment(const Environment& environment) {
  const std::string kafka_prefix = environment_name(kKafkaPrefix);
  std::map<std::string, std::string> keys;
  std::vector<std::string> names;
  for (const OptionBase* option : loaded_.settings.options()) {
    names.push_back(environment_name(option->key()));
    keys.emplace(names.back(), option->key());
  }
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(kEnvironmentPrefix) || name == kTestDataVariable ||
        name.starts_with(kTestVariables))
      continue;
    const auto known = keys.find(name);
    if (known != keys.end()) {
      set(known->second, value, name);
    } else if (name.starts_with(kafka_prefix)) {
      set(setting_key(name), value, name);
    } else {
      refuse(name, "", "environment", unknown_name(name, names, kEnvironmentPrefix.size()));
    }
  }
}

void Loader::sets(const std::vector<std::string>& sets) {
  for (const std::string& assignment : sets) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      loaded_.problems.push_back({"--set", assignment, "", "is not of the form key=value"});
    } else {
      set(assignment.substr(0, equals), assignment.substr(equals + 1), "--set");
    }
  }
}

void Loader::flags(const std::map<std::string, std::string>& flags) {
  for (const auto& [key, value] : flags) set(key, value, "--" + key);
}

LoadedSettings Loader::finish() {
  std::set<std::string> refused;
  for (const Problem& problem : loaded_.problems) refused.insert(problem.key);
  for (Problem& problem : loaded_.settings.conflicts()) {
    const bool missing = problem.origin.empty();
    // A value that was refused is not also missing, and one may stand in a file that was not read.
    if (missing && (!all_read_ || refused.count(problem.key) != 0)) continue;
    loaded_.problems.push_back(std::move(problem));
  }
  return std::move(loaded_);
}

void Loader::set(const std::string& key, const std::string& value, const std::string& origin) {
  std::string reason = loaded_.settings.set(key, value, origin);
  if (reason.empty()) reason = refusal_from_outside(key, value);
  if (!reason.empty()) refuse(key, value, origin, std::move(reason));
}

void Loader::set_items(const TomlEntry& entry, const std::string& origin) {
  OptionBase* const option = loaded_.settings.find(entry.key);
  std::string reason = "is a list; one value is wanted";
  if (option != nullptr) {
    reason = option->set_items(entry.items, origin);
  } else if (!entry.key.starts_with(kKafkaPrefix)) {
    reason = loaded_.settings.set(entry.key, "", origin);  // tells what was meant
  }
  if (!reason.empty()) refuse(entry.key, "", origin, std::move(reason));
}

std::string Loader::refusal_from_outside(const std::string& key, const std::string& value) const {
  if (key == loaded_.settings.time_zone.key()) {
    if (value == "UTC" || !checks_.is_time_zone || checks_.is_time_zone(value)) return {};
    return "must be " + loaded_.settings.time_zone.allowed();
  }
  if (key.starts_with(kKafkaPrefix) && checks_.kafka_refusal) {
    return checks_.kafka_refusal(key.substr(kKafkaPrefix.size()), value);
  }
  return {};
}

void Loader::refuse(const std::string& key, const std::string& value, const std::string& origin,
                    std::string reason) {
  loaded_.problems.push_back(
      {key, shown_value(loaded_.settings, key, value), origin, std::move(reason)});
}

}  // namespace

ConfigChecks default_config_checks() {
  return {machine_knows_time_zone, {}};
}

LoadedSettings load_settings(const ConfigArguments& arguments, const Environment& environment,
                             const ConfigChecks& checks) {
  Loader loader(checks);
  if (arguments.file) loader.file(*arguments.file);
  loader.environment(environment);
  loader.sets(arguments.sets);
  loader.flags(arguments.flags);
  return loader.finish();
}

Environment environment_of(const char* const* environ_entries) {
  Environment environment;
  for (; *environ_entries != nullptr; ++environ_entries) {
    const std::string_view entry = *environ_entries;
    const auto equals = entry.find('=');
    if (!entry.starts_with(kEnvironmentPrefix) || equals == std::string_view::npos) continue;
    environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

std::string environment_name(std::string_view key) {
  std::string name(kEnvironmentPrefix);
  for (const char c : key) {
    if (c == '.') {
      name += "__";
    } else {
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return name;
}

std::string problems_text(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) text += problem.text() + "\n";
  return text;
}

}  // namespace segmentd::config
