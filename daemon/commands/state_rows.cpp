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

Opened open_store(const config::Settings& settings, const DirectoryLook& look,
                  std::int32_t partition) {
  const std::string where =
      "partition " + std::to_string(partition) + " in " + settings.state_dir();
  const Error absent{
      Errc::kMisconfigured,
      "there is no store of " + where + "; --from changelog reads what the changelog has of it"};
  if (!look.directory) return {nullptr, fail(absent)};
  const RocksEnvironment environment{looking_options()};
  auto store = RocksStore::look(environment, look.directory->partition(partition));
  if (!store) return {nullptr, fail(store.error(), kExitState)};
  if (*store == nullptr) return {nullptr, fail(absent)};
  return {std::make_unique<StoreRows>(*std::move(store)), kExitClean};
}

Opened open_changelog(const config::Settings& settings, Broker& broker, std::int32_t partition) {
  auto rows = std::make_unique<ChangelogRows>();
  const auto read =
      read_changelog(broker, settings.changelog_topic(), partition, [&](const Message& record) {
        rows->take(record);
        return Result<void>();
      });
  if (!read) return {nullptr, fail(read.error(), kExitBroker)};
  return {std::move(rows), kExitClean};
}

/// nullopt = no row of this customer there.
std::optional<int> explain_row(RowSource& rows, const std::string& customer,
                               const config::Settings& settings) {
  const auto bytes = rows.one(row_key(customer));
  if (!bytes) return fail(bytes.error(), kExitState);
  if (!*bytes) return std::nullopt;
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

/// Where rows are read from, whichever partition is asked for.
class Origin {
 public:
  /// What could not be opened is told.
  static std::optional<Origin> open(const config::Settings& settings, bool of_store, int& code);

  Opened rows_of(std::int32_t partition) const {
    return kafka_ ? open_changelog(*settings_, kafka_->broker(), partition)
                  : open_store(*settings_, look_, partition);
  }
  /// All there are.
  std::vector<std::int32_t> partitions() const;

 private:
  explicit Origin(const config::Settings& settings) : settings_(&settings) {}

  const config::Settings* settings_;
  DirectoryLook look_;
  std::unique_ptr<KafkaLook> kafka_;  // null = the store
};

std::optional<Origin> Origin::open(const config::Settings& settings, bool of_store, int& code) {
  Origin origin(settings);
  if (of_store) {
    auto look = look_at_directory(settings);
    if (!look) {
      code = fail(look.error(), kExitState);
      return std::nullopt;
    }
    origin.look_ = *std::move(look);
    if (origin.look_.directory && origin.look_.held) {
      std::cerr << "segmentd: process " << *origin.look_.held << " works on "
                << settings.state_dir() << ": the rows are as of its last flush\n";
    }
    return origin;
  }
  auto kafka = KafkaLook::connect(settings);
  if (!kafka) {
    code = fail(kafka.error(), kExitBroker);
    return std::nullopt;
  }
  origin.kafka_ = *std::move(kafka);
  return origin;
}

std::vector<std::int32_t> Origin::partitions() const {
  std::vector<std::int32_t> numbers;
  if (!kafka_) return look_.directory ? look_.directory->partitions() : numbers;
  for (std::int32_t p = 0; p < kafka_->changelog_partitions(); ++p) numbers.push_back(p);
  return numbers;
}

/// In the partition asked for, or wherever the customer is.
int explain_customer(const Origin& origin, const StateFlags& flags,
                     const config::Settings& settings) {
  const auto partitions =
      flags.partition ? std::vector<std::int32_t>{*flags.partition} : origin.partitions();
  for (const std::int32_t partition : partitions) {
    const Opened opened = origin.rows_of(partition);
    if (opened.rows == nullptr) return opened.code;
    if (const auto code = explain_row(*opened.rows, *flags.customer, settings)) return *code;
  }
  return fail({Errc::kMisconfigured,
               "there is no row of customer '" + *flags.customer + "' in " +
                   (flags.partition ? "this partition" : "any partition of the " + flags.from)});
}

}  // namespace

int write_rows(const StateFlags& flags) {
  const auto settings = load_or_explain(flags.config);
  if (!settings) return kExitUsage;
  if (!flags.partition && !flags.customer) {
    return fail({Errc::kMisconfigured, "state rows needs --partition N, or --customer ID"});
  }
  int code = kExitClean;
  const auto origin = Origin::open(*settings, flags.from == "store", code);
  if (!origin) return code;
  if (flags.customer) return explain_customer(*origin, flags, *settings);
  const Opened opened = origin->rows_of(*flags.partition);
  if (opened.rows == nullptr) return opened.code;
  const auto sink = FileSink::later(flags.out);
  return write_all(*opened.rows, *sink, *settings);
}

}  // namespace segmentd
