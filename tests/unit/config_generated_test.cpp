// What is generated from the table of settings: file, reference page, listing, help.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "config/load.hpp"
#include "config/render.hpp"
#include "tests/unit/config_files.hpp"

namespace segmentd::config {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_F(ConfigTest, TheEffectiveListingIsTomlThatLoadsToTheSame) {
  const auto first = load(
      "currency = 'EUR'\nclock = 'event'\n'clock.max_step' = '7d'\nmodel.margin = 0.25\n"
      "brokers = ['a:1', 'b:2']\nlabels.insiders = \"The \\\"best\\\"\"\nkafka.linger.ms = 3\n");
  ASSERT_TRUE(first.ok());
  const auto second = load(render_effective(first.settings));
  ASSERT_EQ(problems(second), "");
  for (const OptionBase* option : first.settings.options()) {
    EXPECT_EQ(second.settings.find(option->key())->text(), option->text()) << option->key();
  }
  EXPECT_EQ(second.settings.kafka.all().at("linger.ms").value, "3");
  EXPECT_NE(render_effective(first.settings).find("decimals = 2  # default\n"), std::string::npos);
  EXPECT_NE(render_effective(Settings()).find("# currency is required and missing\n"),
            std::string::npos);
}

TEST_F(ConfigTest, TheTemplateUncommentedIsEveryDefault) {
  std::istringstream lines(render_toml(Settings()));
  std::string toml;
  for (std::string line; std::getline(lines, line);) {
    const bool is_setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    toml += (is_setting ? line.substr(1) : line) + "\n";
  }
  EXPECT_EQ(load(toml).problems.size(), 1U) << "the currency alone";
  const auto at = toml.find("currency = \"\"");
  ASSERT_NE(at, std::string::npos);
  toml.replace(at, 13, "currency = \"EUR\"");
  const auto loaded = load(toml);
  ASSERT_EQ(problems(loaded), "");
  const Settings defaults;
  for (const OptionBase* option : defaults.options()) {
    const OptionBase* set = loaded.settings.find(option->key());
    EXPECT_FALSE(set->is_default()) << option->key() << " is not in the template";
    if (option->has(kRequired)) continue;
    EXPECT_EQ(set->text(), option->text()) << option->key();
  }
  EXPECT_EQ(problems(load(render_toml(defaults))),
            "currency: no value; set it to the ISO 4217 code of your orders\n");
}

TEST(Generated, HelpAndReferenceNameEverySetting) {
  const Settings s;
  const std::string help = render_help(s);
  const std::string reference = render_reference(s);
  for (const OptionBase* option : s.options()) {
    EXPECT_NE(help.find("  --" + option->key() + " "), std::string::npos) << option->key();
    EXPECT_NE(reference.find("| `" + option->key() + "` | "), std::string::npos) << option->key();
    EXPECT_NE(reference.find("`" + environment_name(option->key()) + "`"), std::string::npos);
  }
  EXPECT_NE(reference.find("| `isolation.level` | "), std::string::npos);
}

struct SettingsWithSecret : Settings {
  StringOption token{*this, {"http.token", "A token.", kSecret}, "hunter2", kNotEmpty};
};

TEST(Generated, ASecretSettingIsMaskedEverywhere) {
  const SettingsWithSecret s;
  for (const std::string& text :
       {render_toml(s), render_reference(s), render_effective(s), render_help(s)}) {
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
    EXPECT_NE(text.find("[secret]"), std::string::npos);
  }
}

TEST(Generated, ARequiredSettingSaysSo) {
  EXPECT_NE(render_reference(Settings()).find("| `currency` | text | *required* | "),
            std::string::npos);
  EXPECT_NE(render_help(Settings()).find("ISO 4217 code of your orders (required)\n"),
            std::string::npos);
}

/// Compares a shipped file with what is generated; with UPDATE_GENERATED set, writes it instead.
void expect_shipped(const std::string& name, const std::string& generated,
                    const std::string& command) {
  const auto path = std::filesystem::path(SEGMENTD_SOURCE_DIR) / "config" / name;
  if (std::getenv("UPDATE_GENERATED") != nullptr) {
    std::ofstream(path, std::ios::binary) << generated;
  }
  EXPECT_TRUE(read_text(path) == generated)
      << "config/" << name << " is not current; run: " << command;
}

TEST(Generated, TheShippedFilesAreCurrent) {
  expect_shipped("segmentd.toml", render_toml(Settings()),
                 "segmentd config --template > config/segmentd.toml");
  expect_shipped("REFERENCE.md", render_reference(Settings()),
                 "segmentd config --reference > config/REFERENCE.md");
}

}  // namespace
}  // namespace segmentd::config
