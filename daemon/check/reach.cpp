#include "daemon/check/reach.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "config/kafka_properties.hpp"
#include "config/suggest.hpp"

namespace segmentd {
namespace {

/// The name a `--set` without `=` begins with.
std::string name_at_front(const std::string& text) {
  return text.substr(0, text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_."));
}

/// The setting of this name, or of the nearest one; nullptr = none is near. Names of environment
/// variables are compared among themselves.
const config::OptionBase* meant(const config::Settings& settings, const std::string& name) {
  const bool is_variable = name.starts_with(config::kEnvironmentPrefix);
  const auto name_of = [&](const config::OptionBase& option) {
    return is_variable ? config::environment_name(option.key()) : option.key();
  };
  std::vector<std::string> names;
  for (const config::OptionBase* option : settings.options()) names.push_back(name_of(*option));
  const std::string nearest = config::nearest_name(name, names);
  for (const config::OptionBase* option : settings.options()) {
    if (name_of(*option) == nearest) return option;
  }
  return nullptr;
}

const config::OptionBase* concerned(const config::Settings& settings,
                                    const config::Problem& problem) {
  return meant(settings, problem.key == "--set" ? name_at_front(problem.value) : problem.key);
}

void lessen(Reach& reach, const config::Settings& settings, const config::OptionBase& option) {
  const auto is_one_of = [&](std::initializer_list<const config::OptionBase*> options) {
    return std::find(options.begin(), options.end(), &option) != options.end();
  };
  if (is_one_of({&settings.application, &settings.brokers, &settings.input.topic,
                 &settings.output.changes_topic, &settings.output.table_topic})) {
    reach.broker = false;
  }
  if (is_one_of({&settings.application, &settings.state_dir, &settings.input.topic})) {
    reach.state = false;
  }
  if (is_one_of({&settings.http.address})) reach.http = false;
  if (option.has(config::kMeaning)) reach.meaning = false;
}

}  // namespace

Reach reach_of(const config::LoadedSettings& loaded, const std::optional<std::string>& file,
               const std::function<bool(const std::string& name)>& is_kafka_property) {
  Reach reach;
  for (const config::Problem& problem : loaded.problems) {
    if (problem.key.starts_with(config::kKafkaPrefix)) {
      const std::string name = problem.key.substr(config::kKafkaPrefix.size());
      if (!config::is_refused_kafka_property(name) && is_kafka_property(name)) {
        reach.broker = false;
      }
    } else if (const auto* option = concerned(loaded.settings, problem)) {
      lessen(reach, loaded.settings, *option);
    } else if (file && problem.origin.empty() && problem.key.starts_with(*file)) {
      return {false, false, false, false};
    }
  }
  return reach;
}

}  // namespace segmentd
