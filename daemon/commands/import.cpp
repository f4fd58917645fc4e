#include "daemon/import/import.hpp"

#include <iostream>
#include <memory>
#include <utility>

#include <unistd.h>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/clock.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/commands/progress_bar.hpp"
#include "daemon/kafka/player.hpp"

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
};

/// Records into the input topic, where Java would put them.
class KafkaSink final : public RecordSink {
 public:
  explicit KafkaSink(std::unique_ptr<kafka::Player> player) : player_(std::move(player)) {}
  Result<void> put(std::optional<std::string_view> key, std::string_view json) override {
    return player_->play(key, json);
  }
  Result<void> finish() override { return player_->flush(kFlushTimeout); }

 private:
  std::unique_ptr<kafka::Player> player_;
};

/// The settings are needed for Kafka only; a currency for the sake of loading alone is no question.
Result<std::unique_ptr<RecordSink>> open_sink(const ImportFlags& flags) {
  if (flags.to != "kafka") {
    auto file = FileSink::open(flags.to);
    if (!file) return file.error();
    return std::unique_ptr<RecordSink>(std::move(*file));
  }
  config::ConfigArguments arguments = flags.config;
  if (!currency_of(flags.options).empty()) {
    arguments.sets.insert(arguments.sets.begin(), "currency=" + currency_of(flags.options));
  }
  const auto settings = load_or_explain(arguments);
  if (!settings) return Error{Errc::kMisconfigured, "nothing was sent"};
  auto player = kafka::Player::open(client_settings(*settings, settings->application() + "-import"),
                                    settings->input.topic());
  if (!player) return player.error();
  return std::unique_ptr<RecordSink>(std::make_unique<KafkaSink>(std::move(*player)));
}

Result<void> complete(ImportFlags& flags) {
  ImportOptions& options = flags.options;
  auto layout = parse_layout(flags.layout);
  if (!layout) return layout.error();
  options.layout = *layout;
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

int run_import_command(ImportFlags& flags) {
  if (auto ok = complete(flags); !ok) return fail(ok.error());
  ProgressBar bar(isatty(STDERR_FILENO) != 0);
  flags.options.progress = [&bar](const Progress& progress) { bar.show(progress); };
  const auto done = [&](const Result<ImportSummary>& summary) {
    bar.finish();
    if (!summary) return fail(summary.error());
    std::cerr << describe(*summary, decimals_of(flags.options));
    return kExitClean;
  };
  if (!flags.extract.empty()) {
    auto file = FileSink::open(flags.extract);
    return file ? done(write_extract(flags.options, **file)) : fail(file.error());
  }
  auto sink = open_sink(flags);
  return sink ? done(run_import(flags.options, **sink)) : fail(sink.error());
}

void add_file_flags(CLI::App& command, ImportFlags& flags) {
  command
      .add_option("input", flags.options.input, "History file, plain or .xz; - = standard input")
      ->type_name("FILE")
      ->required();
  command.add_option("--layout", flags.layout,
                     "orders (a line an order), online-retail (UCI's raw lines) or "
                     "online-retail-invoices (the shipped extract)");
  command
      .add_option("--columns", flags.columns,
                  "customer=,time=,amount=[,order=,status=,currency=]: numbers from 1, or names")
      ->type_name("LIST");
  command.add_flag("--no-header", flags.no_header, "The first line is data");
  command.add_option("--delimiter", flags.delimiter, "blank | , | ; | tab");
  command.add_option("--time-format", flags.options.time_format,
                     "rfc3339, s, ms, us, or a pattern such as %Y%m%d");
  command.add_option("--time-zone", flags.options.time_zone, "Of times without one");
  command.add_option("--currency", flags.options.currency, "ISO 4217 code of the amounts");
  command.add_option("--decimals", flags.decimals, "Digits behind the point")
      ->check(CLI::Range(0, 8));
  command.add_option("--sort", flags.sort, "time: send in time order (holds all in memory)");
}

}  // namespace

void add_import(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ImportFlags>();
  CLI::App* command = app.add_subcommand("import", "Turn history files into records");
  add_file_flags(*command, *flags);
  add_config_flags(*command, flags->config);
  command->add_option("--to", flags->to,
                      "kafka (the input topic), a file, or - for standard output");
  command->add_flag("--shift-to-now", flags->shift_to_now,
                    "Move all times so that the newest is now");
  command
      ->add_option("--extract", flags->extract,
                   "Write invoice totals of an online-retail file, as shipped, instead of records")
      ->type_name("FILE");
  command->callback([flags, &action] { action = [flags] { return run_import_command(*flags); }; });
}

}  // namespace segmentd
