#include "daemon/pipeline/fingerprint.hpp"

#include <initializer_list>
#include <map>
#include <sstream>
#include <string_view>

namespace segmentd {
namespace {

std::map<std::string, std::string> lines_of(const std::string& text) {
  std::map<std::string, std::string> values;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) values[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return values;
}

constexpr const char* kPartitions = "partitions of the input";

}  // namespace

std::string fingerprint_of(const std::string& settings_lines, std::int32_t partitions) {
  if (partitions <= 0) return settings_lines;
  return settings_lines + kPartitions + "=" + std::to_string(partitions) + "\n";
}

Result<void> check_fingerprint(const std::string& stored, const std::string& configured) {
  if (stored == configured) return {};
  auto before = lines_of(stored);
  auto now = lines_of(configured);
  if (!before.contains(kPartitions) || !now.contains(kPartitions)) {
    before.erase(kPartitions);
    now.erase(kPartitions);
  }
  std::string differs;
  const auto say = [&differs](std::initializer_list<std::string_view> parts) {
    if (!differs.empty()) differs += "; ";
    for (const std::string_view part : parts) differs += part;
  };
  for (const auto& [key, value] : now) {
    const auto it = before.find(key);
    if (it == before.end()) {
      say({key, " is '", value, "', the state was made without it"});
    } else if (it->second != value) {
      say({key, " is '", value, "', the state was made under '", it->second, "'"});
    }
  }
  for (const auto& [key, value] : before) {
    if (!now.contains(key)) say({key, " is gone, it was '", value, "'"});
  }
  if (differs.empty()) return {};
  return Error{
      Errc::kMisconfigured,
      differs +
          ". Set it back, or start a new application id (setting `application`), which reads "
          "the input from its beginning"};
}

}  // namespace segmentd
