// `segmentd state rows`: the rows of store or changelog in the form of the customer table.
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "daemon/commands/assembly.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/commands/state.hpp"
#include "daemon/commands/state_look.hpp"
#include "daemon/import/file_sink.hpp"
#include "daemon/inspect/look.hpp"
#include "daemon/inspect/row_text.hpp"
#include "state/codec.hpp"

namespace segmentd {
namespace {

/// Where one partition's rows come from.
class RowSource {
 public:
  using Visitor = Store::Visitor;

  RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;
  virtual ~RowSource() = default;

  /// Every row by key, ascending.
  virtual Result<void> each(const Visitor& visit) = 0;
  /// nullopt = no such row.
  virtual Result<std::optional<std::string>> one(const std::string& key) = 0;
};

class StoreRows final : public RowSource {
 public:
  explicit StoreRows(std::unique_ptr<RocksStore> store) : store_(std::move(store)) {}
  Result<void> each(const Visitor& visit) override { return store_->scan(kRowPrefix, visit); }
  Result<std::optional<std::string>> one(const std::string& key) override {
    return store_->get(key);
  }

 private:
  std::unique_ptr<RocksStore> store_;
};

/// A changelog read to its end and compacted.
class ChangelogRows final : public RowSource {
 public:
  void take(const Message& record) {
    if (!record.key || !customer_of(*record.key)) return;
    if (record.value) {
      rows_[std::string(*record.key)] = *record.value;
    } else {
      rows_.erase(std::string(*record.key));
    }
  }
  Result<void> each(const Visitor& visit) override {
    for (const auto& [key, value] : rows_) {
      if (auto visited = visit(key, value); !visited) return visited;
    }
    return {};
  }
  Result<std::optional<std::string>> one(const std::string& key) override {
    const auto found = rows_.find(key);
    if (found == rows_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }

 private:
  std::map<std::string, std::string> rows_;
};

/// What was opened, or the exit code; why not is told.
struct Opened {
  std::unique_ptr<RowSource> rows;
  int code = kExitClean;
};

Opened open_store(const config::Settings& settings, std::int32_t partition) {
  const auto look = look_at_directory(settings);
  if (!look) return {nullptr, fail(look.error(), kExitState)};
  const std::string where =
      "partition " + std::to_string(partition) + " in " + settings.state_dir();
  const Error absent{
      Errc::kMisconfigured,
      "there is no store of " + where + "; --from changelog reads what the changelog has of it"};
  if (!look->directory) return {nullptr, fail(absent)};
  const RocksEnvironment environment{looking_options()};
  auto store = RocksStore::look(environment, look->directory->partition(partition));
  if (!store) return {nullptr, fail(store.error(), kExitState)};
  if (*store == nullptr) return {nullptr, fail(absent)};
  if (look->held) {
    std::cerr << "segmentd: process " << *look->held << " works on " << settings.state_dir()
              << ": the rows are as of its last flush\n";
  }
  return {std::make_unique<StoreRows>(*std::move(store)), kExitClean};
}

Opened open_changelog(const config::Settings& settings, std::int32_t partition) {
  auto kafka = KafkaLook::connect(settings);
  if (!kafka) return {nullptr, fail(kafka.error(), kExitBroker)};
  auto rows = std::make_unique<ChangelogRows>();
  const auto read = read_changelog((*kafka)->broker(), settings.changelog_topic(), partition,
                                   [&](const Message& record) {
                                     rows->take(record);
                                     return Result<void>();
                                   });
  if (!read) return {nullptr, fail(read.error(), kExitBroker)};
  return {std::move(rows), kExitClean};
}

int explain_row(RowSource& rows, const std::string& customer, const config::Settings& settings) {
  const auto bytes = rows.one(row_key(customer));
  if (!bytes) return fail(bytes.error(), kExitState);
  if (!*bytes) {
    return fail(
        {Errc::kMisconfigured, "there is no row of customer '" + customer + "' in this partition"});
  }
  std::cout << row_text(customer, **bytes, customer_rules(settings), encode_context(settings));
  return decode_row(customer, **bytes, customer_rules(settings)) ? kExitClean : kExitState;
}

int write_all(RowSource& rows, FileSink& sink, const config::Settings& settings) {
  const Rules rules = customer_rules(settings);
  const EncodeContext context = encode_context(settings);
  std::string line;
  std::optional<Error> unwritten;
  std::int64_t damaged = 0;
  const auto read = rows.each([&](std::string_view key, std::string_view value) {
    const auto id = customer_of(key);
    const auto customer = id ? decode_row(*id, value, rules) : Error{Errc::kCorrupt, "no id"};
    if (!customer) {
      if (damaged++ == 0) {
        std::cerr << "segmentd: a row cannot be read and is left out: " << customer.error().what
                  << '\n';
      }
      return Result<void>();
    }
    line.clear();
    append_row(line, *customer, context);
    auto written = sink.put_line(line);
    if (!written) unwritten = written.error();
    return written;
  });
  if (unwritten) return fail_without_broker(*unwritten);
  if (auto finished = sink.finish(); !finished) return fail_without_broker(finished.error());
  if (!read) return fail(read.error(), kExitState);
  if (damaged == 0) return kExitClean;
  return fail({Errc::kCorrupt, std::to_string(damaged) + " rows cannot be read"});
}

}  // namespace

int write_rows(const StateFlags& flags) {
  const auto settings = load_or_explain(flags.config);
  if (!settings) return kExitUsage;
  const Opened opened = flags.from == "store" ? open_store(*settings, *flags.partition)
                                              : open_changelog(*settings, *flags.partition);
  if (opened.rows == nullptr) return opened.code;
  if (flags.customer) return explain_row(*opened.rows, *flags.customer, *settings);
  const auto sink = FileSink::later(flags.out);
  return write_all(*opened.rows, *sink, *settings);
}

}  // namespace segmentd
