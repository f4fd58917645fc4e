#include "config/render.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace segmentd::config {
namespace {

constexpr std::size_t kLineWidth = 100;

constexpr const char* kPrecedence =
    "What comes later wins: default, file, environment variable, --set key=value, --key value.";

struct Section {
  std::string name;  // "" = top level
  std::vector<const OptionBase*> options;
};

/// `input.field.type` stands in `input.field`. A setting whose section is itself a setting
/// (`clock.max_step`) stands at the top: TOML cannot have `clock` as a value and as a table.
std::string section_of(const Settings& settings, const std::string& key) {
  const auto dot = key.rfind('.');
  if (dot == std::string::npos) return "";
  std::string section = key.substr(0, dot);
  return settings.find(section) == nullptr ? section : "";
}

/// In the order of their first setting; the top level first, as TOML needs it.
std::vector<Section> sections_of(const Settings& settings) {
  std::vector<Section> sections{{"", {}}};
  for (const OptionBase* option : settings.options()) {
    const std::string name = section_of(settings, option->key());
    auto section = std::find_if(sections.begin(), sections.end(),
                                [&](const Section& known) { return known.name == name; });
    if (section == sections.end()) section = sections.insert(section, {name, {}});
    section->options.push_back(option);
  }
  return sections;
}

/// The key as TOML writes it within its section.
std::string toml_key(const std::string& key, const std::string& section) {
  const std::string rest = section.empty() ? key : key.substr(section.size() + 1);
  return rest.find('.') == std::string::npos ? rest : toml_quoted(rest);
}

/// The same at the top level, where sections may be dotted.
std::string dotted_key(const Settings& settings, const std::string& key) {
  const std::string section = section_of(settings, key);
  return (section.empty() ? "" : section + ".") + toml_key(key, section);
}

std::string comment(const std::string& text) {
  std::string lines;
  std::string line = "#";
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (line.size() + 1 + word.size() > kLineWidth) {
      lines += line + "\n";
      line = "#";
    }
    line.append(" ").append(word);
  }
  return lines + line + "\n";
}

std::string shown_toml(const OptionBase& option) {
  return option.has(kSecret) ? toml_quoted(kSecretShown) : option.toml();
}

bool is_missing(const OptionBase& option) {
  return option.has(kRequired) && option.is_default();
}

std::string toml_setting(const OptionBase& option, const std::string& section) {
  std::string text = comment(option.help_in_full());
  if (!option.allowed().empty())
    text += comment("(" + option.type() + ": " + option.allowed() + ")");
  if (is_missing(option)) text += "# Required.\n";
  return text + "#" + toml_key(option.key(), section) + " = " + shown_toml(option) + "\n";
}

/// Text within a cell of a markdown table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped + " | ";
}

std::string code_cell(const std::string& text) {
  return cell("`" + text + "`");
}

std::string reference_row(const OptionBase& option) {
  std::string row = "| " + code_cell(option.key()) + cell(option.type());
  row += is_missing(option) ? cell("*required*") : code_cell(shown_toml(option));
  row += cell(option.allowed()) + code_cell(environment_name(option.key()));
  row += cell(option.help_in_full());
  row.pop_back();
  return row + "\n";
}

std::string reference_of_kafka() {
  std::string text =
      "\n## kafka\n\n"
      "`kafka.<property>` hands a property to librdkafka, as in\n"
      "[its list](https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md): in the "
      "file\n"
      "under `[kafka]`, in the environment as in `SEGMENTD_KAFKA__SECURITY__PROTOCOL`. Passwords "
      "and "
      "keys\nare never shown. What the exactly-once protocol depends on is refused or bounded:\n\n"
      "| property | why it may not be set |\n|---|---|\n";
  for (const RefusedProperty& refused : refused_kafka_properties()) {
    std::string row = "| " + code_cell(refused.name) + cell(refused.reason);
    row.pop_back();
    text += row + "\n";
  }
  text += "\n| property | allowed | why |\n|---|---|---|\n";
  for (const BoundedProperty& bounded : bounded_kafka_properties()) {
    std::string row =
        "| " + code_cell(bounded.name) +
        cell(std::to_string(bounded.smallest) + " .. " + std::to_string(bounded.largest)) +
        cell(bounded.reason);
    row.pop_back();
    text += row + "\n";
  }
  return text;
}

}  // namespace

std::string render_toml(const Settings& settings) {
  std::string text =
      "# Settings of segmentd. Generated: segmentd config --template > config/segmentd.toml\n";
  text +=
      comment("A line that begins with # and no blank shows a default: remove the # to change it.");
  text += comment(kPrecedence);
  text += comment(
      "A variable is SEGMENTD_ and the key in upper case, a dot as two underscores: "
      "SEGMENTD_INPUT__TOPIC.");
  for (const Section& section : sections_of(settings)) {
    if (!section.name.empty()) text += "\n[" + section.name + "]\n";
    for (const OptionBase* option : section.options) {
      text += (option == section.options.front() && !section.name.empty() ? "" : "\n");
      text += toml_setting(*option, section.name);
    }
  }
  text += "\n[kafka]\n";
  text += comment(
      "Any property of librdkafka by its own name, except those the exactly-once protocol "
      "depends on (REFERENCE.md lists them, each with the reason).");
  return text + "#\"security.protocol\" = \"sasl_ssl\"\n";
}

std::string render_reference(const Settings& settings) {
  std::string text =
      "# Settings\n\n"
      "Generated: `segmentd config --reference > config/REFERENCE.md`\n\n";
  text +=
      std::string(kPrecedence) +
      "\n`segmentd config` prints what is in force and where each value comes from.\n\n"
      "A duration is written `500ms`, `10s`, `5m`, `24h` or `400d`; a size `900kB`, `64MiB` or in "
      "bytes.\nA list is a TOML array, or one text with commas. In the file `clock.max_step` "
      "stands in quotation\nmarks at the top, because `clock` is a setting itself.\n";
  for (const Section& section : sections_of(settings)) {
    text += "\n## " + (section.name.empty() ? std::string("general") : section.name) + "\n\n";
    text +=
        "| key | type | default | allowed | environment | meaning |\n|---|---|---|---|---|---|\n";
    for (const OptionBase* option : section.options) text += reference_row(*option);
  }
  return text + reference_of_kafka();
}

std::string render_effective(const Settings& settings) {
  std::string text;
  for (const OptionBase* option : settings.options()) {
    if (is_missing(*option)) {
      text += "# " + option->key() + " is required and missing\n";
      continue;
    }
    text += dotted_key(settings, option->key()) + " = " + shown_toml(*option) + "  # " +
            option->origin() + "\n";
  }
  for (const auto& [name, entry] : settings.kafka.all()) {
    const bool secret = is_secret_kafka_property(name);
    text += "kafka." + toml_quoted(name) + " = " +
            toml_quoted(secret ? kSecretShown : entry.value) + "  # " + entry.origin + "\n";
  }
  return text;
}

std::string render_help(const Settings& settings) {
  std::size_t width = 0;
  for (const OptionBase* option : settings.options()) width = std::max(width, option->key().size());
  std::string text = "Settings. " + std::string(kPrecedence) + "\n";
  for (const OptionBase* option : settings.options()) {
    text += "  --" + option->key() + std::string(width + 2 - option->key().size(), ' ') +
            option->summary();
    text += is_missing(*option) ? " (required)\n" : " (" + shown_toml(*option) + ")\n";
  }
  return text + "  --set kafka.*=..." + std::string(width - std::min(width, std::size_t{13}), ' ') +
         "Properties for librdkafka, but those the protocol depends on\n";
}

}  // namespace segmentd::config
