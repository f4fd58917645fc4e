#include "daemon/import/import.hpp"

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/broker_talk.hpp"
#include "daemon/commands/clock.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/commands/import_fit.hpp"
#include "daemon/commands/progress_bar.hpp"
#include "daemon/import/files.hpp"
#include "daemon/kafka/player.hpp"
#include "daemon/wire/json_writer.hpp"

namespace segmentd {
namespace {

constexpr milliseconds kFlushTimeout{60'000};

struct ImportFlags {
  config::ConfigArguments config;
  ImportOptions options;
  std::string layout = "orders";
  std::string columns;
  std::string delimiter = ",";
  std::string sort;
  int decimals = -1;
  bool no_header = false;
  bool shift_to_now = false;
  std::string to = "-";
  std::string extract;
  std::vector<const CLI::Option*> of_orders;  // flags that mean nothing to the other layouts

  bool to_kafka() const { return extract.empty() && to == "kafka"; }
};

/// Records into the input topic, where Java would put them.
class KafkaSink final : public RecordSink {
 public:
  KafkaSink(std::unique_ptr<kafka::Player> player, config::InputKey key)
      : player_(std::move(player)), is_json_key_(key == config::InputKey::kJson) {}

  Result<void> put(std::optional<std::string_view> key, std::string_view json) override {
    if (!key || !is_json_key_) return note(player_->play(key, json));
    json_key_.clear();
    append_json_string(json_key_, *key);
    return note(player_->play(json_key_, json));
  }
  Result<void> finish() override { return note(player_->flush(kFlushTimeout)); }
  /// Whether an error of the import is this one's.
  bool failed() const { return failed_; }

 private:
  Result<void> note(Result<void> outcome) {
    failed_ = !outcome;
    return outcome;
  }

  std::unique_ptr<kafka::Player> player_;
  bool is_json_key_;
  std::string json_key_;
  bool failed_ = false;
};

/// Flags that would be ignored in silence.
Result<void> check_effect(const ImportFlags& flags) {
  if (flags.options.layout == Layout::kOrders) return {};
  std::string given;
  for (const CLI::Option* flag : flags.of_orders) {
    if (flag->count() > 0) given += (given.empty() ? "" : ", ") + flag->get_name();
  }
  if (given.empty()) return {};
  return Error{Errc::kMisconfigured,
               given + ": without effect, as layout " + flags.layout + " knows its own form"};
}

Result<void> complete(ImportFlags& flags) {
  ImportOptions& options = flags.options;
  auto layout = parse_layout(flags.layout);
  if (!layout) return layout.error();
  options.layout = *layout;
  if (auto ok = check_effect(flags); !ok) return ok;
  auto delimiter = parse_delimiter(flags.delimiter);
  if (!delimiter) return delimiter.error();
  options.delimiter = *delimiter;
  if (!flags.columns.empty()) {
    auto columns = parse_columns(flags.columns);
    if (!columns) return columns.error();
    options.columns = *columns;
  }
  options.has_header = !flags.no_header;
  if (flags.decimals >= 0) options.decimals = flags.decimals;
  if (!flags.sort.empty() && flags.sort != "time") {
    return Error{Errc::kMisconfigured, "--sort '" + flags.sort + "': only `time` is possible"};
  }
  options.sort_by_time = flags.sort == "time";
  if (flags.shift_to_now) options.newest_at = wall_now();
  return {};
}

/// The currency is no question where import was told which, nor for a file, which may have it in a
/// column.
std::optional<config::Settings> load_settings_of(const ImportFlags& flags) {
  config::LoadedSettings loaded = load_settings(flags.config);
  const std::string told = currency_of(flags.options);
  const std::string& key = loaded.settings.currency.key();
  if (!flags.to_kafka() || !told.empty()) {
    std::erase_if(loaded.problems, [&](const config::Problem& problem) {
      return problem.key == key && problem.origin.empty();
    });
  }
  if (!told.empty() && loaded.settings.currency.is_default() &&
      !loaded.settings.set(key, told, "--currency").empty()) {
    loaded.problems.push_back(
        {key, told, "--currency", "must be " + loaded.settings.currency.allowed()});
  }
  return usable_or_explain(std::move(loaded));
}

/// Ends an import: its summary, or its error with the exit code that fits.
int tell(const ImportFlags& flags, const Result<ImportSummary>& summary, bool is_brokers_error) {
  if (!summary) {
    return is_brokers_error ? fail(summary.error()) : fail_without_broker(summary.error());
  }
  std::cerr << describe(*summary, decimals_of(flags.options));
  return kExitClean;
}

int import_to_kafka(ImportFlags& flags, const config::Settings& settings, ProgressBar& bar) {
  const auto refused = misfits(settings, flags.options);
  if (!refused.empty()) {
    std::cerr << "segmentd: the application would not take the records, so none was sent:\n"
              << config::problems_text(refused);
    return kExitUsage;
  }
  LastComplaint complaint;
  auto client = client_settings(settings, settings.application() + "-import");
  client.log = complaint.line();
  say_asking(settings);
  auto player = kafka::Player::open(client, settings.input.topic());
  if (!player) return fail(of_broker(player.error(), settings, complaint));
  KafkaSink sink(std::move(*player), settings.input.key());
  const auto summary = run_import(flags.options, sink);
  bar.finish();
  return tell(flags, summary, sink.failed());
}

int import_to_file(ImportFlags& flags, ProgressBar& bar) {
  const bool is_extract = !flags.extract.empty();
  const std::string& target = is_extract ? flags.extract : flags.to;
  if (is_read_and_written(flags.options.input, target)) {
    return fail({Errc::kMisconfigured, "the history is read from where the records would go (" +
                                           target + "): it would be destroyed"});
  }
  if (auto ok = check_writable(target); !ok) return fail_without_broker(ok.error());
  const std::unique_ptr<FileSink> sink = FileSink::later(target);
  const auto summary =
      is_extract ? write_extract(flags.options, *sink) : run_import(flags.options, *sink);
  bar.finish();
  return tell(flags, summary, false);
}

int run_import_command(ImportFlags& flags) {
  if (auto ok = complete(flags); !ok) return fail(ok.error());
  const auto settings = load_settings_of(flags);
  if (!settings) return kExitUsage;
  complete_by(*settings, flags.options);
  if (auto ok = check_import(flags.options); !ok) return fail_without_broker(ok.error());
  ProgressBar bar(isatty(STDERR_FILENO) != 0);
  flags.options.progress = [&bar](const Progress& progress) { bar.show(progress); };
  return flags.to_kafka() ? import_to_kafka(flags, *settings, bar) : import_to_file(flags, bar);
}

void add_file_flags(CLI::App& command, ImportFlags& flags) {
  command
      .add_option("input", flags.options.input, "History file, plain or .xz; - = standard input")
      ->type_name("FILE")
      ->required();
  command.add_option("--layout", flags.layout,
                     "orders (a line an order), online-retail (UCI's raw lines) or "
                     "online-retail-invoices (the shipped extract)");
  flags.of_orders = {
      command
          .add_option(
              "--columns", flags.columns,
              "customer=,time=,amount=[,order=,status=,currency=]: numbers from 1, or names "
              "(layout orders). Without order the id is the file's name and line: give every file "
              "a name of its own, and keep it")
          ->type_name("LIST"),
      command.add_flag("--no-header", flags.no_header, "The first line is data (layout orders)"),
      command.add_option("--delimiter", flags.delimiter, "blank | , | ; | tab (layout orders)")};
  command.add_option("--time-format", flags.options.time_format,
                     "rfc3339, s, ms, us, or a pattern such as %Y%m%d");
  command.add_option("--time-zone", flags.options.time_zone,
                     "Of times without one (else the setting time_zone, of the other layouts UTC)");
  command.add_option("--currency", flags.options.currency,
                     "ISO 4217 code of the amounts (else the setting, of the other layouts GBP)");
  command
      .add_option("--decimals", flags.decimals,
                  "Digits behind the point (else the setting, of the other layouts 3)")
      ->check(CLI::Range(0, 8));
  command.add_option("--sort", flags.sort, "time: send in time order (holds all in memory)");
}

}  // namespace

void add_import(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ImportFlags>();
  CLI::App* command = app.add_subcommand("import", "Turn history files into records");
  add_file_flags(*command, *flags);
  add_config_flags(*command, flags->config);
  CLI::Option* const to = command->add_option(
      "--to", flags->to,
      "kafka (the input topic of the application that the settings name), a file, or - for "
      "standard output");
  command->add_flag("--shift-to-now", flags->shift_to_now,
                    "Move all times so that the newest is now");
  command
      ->add_option("--extract", flags->extract,
                   "Write invoice totals of an online-retail file, as shipped, instead of records")
      ->type_name("FILE")
      ->excludes(to);
  command->callback([flags, &action] { action = [flags] { return run_import_command(*flags); }; });
}

}  // namespace segmentd
