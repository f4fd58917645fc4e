#include "daemon/replay/replay.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "daemon/import/byte_source.hpp"
#include "daemon/import/file_sink.hpp"
#include "daemon/import/files.hpp"
#include "daemon/replay/report.hpp"
#include "daemon/wire/epoch_json.hpp"

namespace segmentd {
namespace {

constexpr std::size_t kReadBytes = 1U << 20U;
/// Of the keys under which a replay's store keeps the epochs, as on the model topic.
constexpr std::string_view kEpochPrefix = "epoch/";
constexpr std::size_t kRecordsPerStep =
    10'000;  // read before deciding; does not change any decision

/// Lines of a file, plain or .xz.
class Lines {
 public:
  /// Errors name the file.
  static Result<Lines> open(const std::string& path) {
    auto source = ByteSource::open(path);
    if (!source) return source.error();
    return Lines(std::move(*source));
  }

  /// nullopt = the end. The line has no line end and is not empty.
  Result<std::optional<std::string>> next() {
    while (true) {
      const std::size_t end = buffer_.find('\n', from_);
      if (end != std::string::npos || (ended_ && from_ < buffer_.size())) {
        const std::size_t stop = end == std::string::npos ? buffer_.size() : end;
        std::string line = buffer_.substr(from_, stop - from_);
        from_ = end == std::string::npos ? buffer_.size() : end + 1;
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (line.empty()) continue;
        return std::optional<std::string>(std::move(line));
      }
      if (ended_) return std::optional<std::string>();
      if (auto more = fill(); !more) return more.error();
    }
  }

 private:
  explicit Lines(ByteSource source) : source_(std::move(source)) {}

  Result<void> fill() {
    buffer_.erase(0, from_);
    from_ = 0;
    const std::size_t had = buffer_.size();
    buffer_.resize(had + kReadBytes);
    auto read = source_.read(std::span<char>(buffer_).subspan(had));
    if (!read) return read.error();
    buffer_.resize(had + *read);
    ended_ = *read == 0;
    return {};
  }

  ByteSource source_;
  std::string buffer_;
  std::size_t from_ = 0;
  bool ended_ = false;
};

/// Where a replay's transactions go: events to a file, epochs to the store (by Replay::commit), the
/// rest nowhere but into the counts.
class ReplaySink : public OutputSink {
 public:
  /// null = events are not wanted.
  void write_events_to(std::unique_ptr<FileSink> events) { events_ = std::move(events); }

  Result<void> put(OutputTopic topic, std::int32_t, std::optional<std::string_view> key,
                   std::optional<std::string_view> value, std::span<const HeaderText>) override {
    if (topic == OutputTopic::kStatistics && value) {
      auto applied = decode_applied(*value);
      if (applied) effects.push_back(*applied);
    }
    if (topic == OutputTopic::kModel && key && value) {
      epochs.push_back({std::string(*key), std::string(*value)});
    }
    if (topic != OutputTopic::kChanges || events_ == nullptr || !value) return {};
    return events_->put_line(*value);
  }
  Result<void> finish() { return events_ == nullptr ? Result<void>() : events_->finish(); }

  std::vector<AppliedEpoch> effects;
  std::vector<RowWrite> epochs;  // of the transaction under way

 private:
  std::unique_ptr<FileSink> events_;
};

/// What can be found wrong with the files before anything is opened, and so destroyed.
Result<void> check_files(const ReplayOptions& options) {
  for (const std::string& input : options.inputs) {
    if (auto ok = check_readable(input); !ok) return ok;
  }
  std::vector<std::string> outputs;
  for (const std::string* output : {&options.events, &options.table, &options.summary}) {
    if (output->empty()) continue;
    const auto refused = [&](const char* why) {
      return Error{Errc::kMisconfigured, (*output == "-" ? "standard output" : *output) + why};
    };
    for (const std::string& input : options.inputs) {
      if (is_read_and_written(input, *output)) return refused(" is input and output at once");
    }
    for (const std::string& other : outputs) {
      if (is_written_twice(*output, other)) return refused(" is named for two outputs");
    }
    outputs.push_back(*output);
  }
  return {};
}

Result<void> open_if_named(const std::string& path, std::unique_ptr<FileSink>& sink) {
  if (path.empty()) return {};
  auto opened = FileSink::open(path);
  if (!opened) return opened.error();
  sink = std::move(*opened);
  return {};
}

class Replay {
 public:
  Replay(const ReplayOptions& options, PipelineRules rules, Decoder decoder)
      : options_(options),
        context_(rules.partition.encode),
        pipeline_(std::move(rules), std::move(decoder), epochs_) {}

  Result<void> take_up(std::unique_ptr<Store> store, const std::string& uuid);
  Result<void> open_outputs();
  Result<void> run();
  Result<void> report(double seconds);
  ReplayTotals totals;

 private:
  Result<void> read_epochs(Store& store);
  Result<void> keep_epochs(std::span<const RowWrite> epochs);
  Result<void> read_all(const std::string& path);
  Result<void> apply_given_before(std::int64_t offset);
  Result<void> settle();
  Result<void> commit();

  const ReplayOptions& options_;
  EncodeContext context_;
  Epochs epochs_;
  Pipeline pipeline_;
  ReplaySink sink_;
  std::unique_ptr<FileSink> table_;    // null = not wanted
  std::unique_ptr<FileSink> summary_;  // null = not wanted
  std::int64_t offset_ = 0;            // of the next record
  std::size_t next_given_ = 0;
};

/// The epochs of the runs before this one over the same store.
Result<void> Replay::read_epochs(Store& store) {
  return store.scan(kEpochPrefix, [this](std::string_view, std::string_view value) {
    auto epoch = decode_epoch(value);
    if (!epoch) return Result<void>(Error{Errc::kCorrupt, epoch.error().what}.within("an epoch"));
    epochs_.add(*epoch);
    return Result<void>();
  });
}

/// An epoch is in the store before META names it.
Result<void> Replay::keep_epochs(std::span<const RowWrite> epochs) {
  if (epochs.empty()) return {};
  Store& store = pipeline_.find(0)->store();
  return store.write(epochs, store.position().value_or(Position{}));
}

Result<void> Replay::take_up(std::unique_ptr<Store> store, const std::string& uuid) {
  if (auto read = read_epochs(*store); !read) return read;
  auto partition = Partition::open(pipeline_.partition_rules(), 0, std::move(store), epochs_, uuid);
  if (!partition) return partition.error();
  pipeline_.add(std::move(*partition));
  offset_ = pipeline_.find(0)->meta().next_offset;
  const std::int64_t in_force = pipeline_.find(0)->meta().epoch;
  while (next_given_ < options_.epochs.size() &&
         options_.epochs[next_given_].epoch.number <= in_force) {
    ++next_given_;
  }
  return {};
}

Result<void> Replay::open_outputs() {
  std::unique_ptr<FileSink> events;
  if (auto ok = open_if_named(options_.events, events); !ok) return ok;
  sink_.write_events_to(std::move(events));
  if (auto ok = open_if_named(options_.table, table_); !ok) return ok;
  return open_if_named(options_.summary, summary_);
}

/// Commits what was decided, as one transaction.
Result<void> Replay::commit() {
  if (!pipeline_.touched()) return {};
  std::vector<InputOffset> offsets;
  sink_.epochs.clear();
  if (auto ok = pipeline_.put_all(sink_, options_.wall, offsets); !ok) return ok;
  if (auto ok = keep_epochs(sink_.epochs); !ok) return ok;
  if (auto ok = pipeline_.committed(0, -1, options_.wall); !ok) return ok;
  totals.tally += pipeline_.find(0)->tally();
  pipeline_.find(0)->tally() = {};
  pipeline_.settled();
  return {};
}

/// Decides everything held and commits it.
Result<void> Replay::settle() {
  while (true) {
    auto next = pipeline_.advance(options_.wall);
    if (!next) return next.error();
    if (auto ok = commit(); !ok) return ok;
    if (*next != Pipeline::Next::kCommit) return {};
  }
}

Result<void> Replay::apply_given_before(std::int64_t offset) {
  while (next_given_ < options_.epochs.size() &&
         options_.epochs[next_given_].input_offset <= offset) {
    const GivenEpoch& given = options_.epochs[next_given_++];
    if (auto ok = settle(); !ok) return ok;
    if (given.clock) pipeline_.find(0)->wish_clock(*given.clock);
    if (auto ok = settle(); !ok) return ok;
    RowWrite row{epoch_key(given.epoch.number), std::string()};
    append_epoch(*row.value, given.epoch);
    if (auto ok = keep_epochs(std::span(&row, 1)); !ok) return ok;
    pipeline_.adopt(given.epoch);
    if (auto ok = settle(); !ok) return ok;
  }
  return {};
}

Result<void> Replay::read_all(const std::string& path) {
  auto lines = Lines::open(path);
  if (!lines) return lines.error();
  std::size_t step = 0;
  while (true) {
    auto line = lines->next();
    if (!line) return line.error();
    if (!line->has_value()) return {};
    if (auto ok = apply_given_before(offset_); !ok) return ok;
    pipeline_.hold(Message::copy_of(0, offset_++, -1, std::nullopt, **line));
    ++totals.records;
    if (++step % kRecordsPerStep != 0) continue;
    if (auto ok = settle(); !ok) return ok;
  }
}

Result<void> Replay::run() {
  for (const std::string& path : options_.inputs) {
    if (auto ok = read_all(path); !ok) return ok;
  }
  if (auto ok = settle(); !ok) return ok;
  if (auto ok = apply_given_before(offset_); !ok) return ok;
  pipeline_.reached_end(0, true);
  if (options_.until) pipeline_.find(0)->wish_clock(*options_.until);
  if (auto ok = settle(); !ok) return ok;
  return sink_.finish();
}

Result<void> Replay::report(double seconds) {
  totals.seconds = seconds;
  Partition& partition = *pipeline_.find(0);
  if (table_ != nullptr) {
    if (auto ok = write_table(partition, context_, *table_); !ok) return ok;
  }
  if (summary_ == nullptr) return {};
  std::vector<EpochEffect> effects;
  for (const AppliedEpoch& applied : sink_.effects) {
    const auto model = epochs_.find(applied.epoch);
    if (model == nullptr) continue;
    effects.push_back({applied.epoch, word(model->epoch().kind), model->epoch().instant,
                       applied.input_offset, applied.clock});
  }
  if (auto ok = summary_->put_line(summary_json(partition, totals, effects, context_)); !ok) {
    return ok;
  }
  return summary_->finish();
}

}  // namespace

Result<std::vector<GivenEpoch>> read_given_epochs(const std::string& path) {
  auto lines = Lines::open(path);
  if (!lines) return lines.error();
  std::map<std::int64_t, Epoch> by_number;
  std::vector<AppliedEpoch> applied;
  for (std::size_t number = 1;; ++number) {
    auto line = lines->next();
    if (!line) return line.error();
    if (!line->has_value()) break;
    if (auto row = decode_applied(**line)) {
      applied.push_back(*row);
      if (row->partition == applied.front().partition) continue;
      return Error{Errc::kBadInput, path + ": line " + std::to_string(number) +
                                        ": epochs of one partition at a time, this is another"};
    }
    auto epoch = decode_epoch(**line);
    if (!epoch) return epoch.error().within(path + ": line " + std::to_string(number));
    by_number[epoch->number] = std::move(*epoch);
  }
  if (applied.empty()) {
    return Error{Errc::kBadInput,
                 path +
                     ": no epoch would be applied: the values of the statistics topic's "
                     "applied/<partition>/<n> records are missing, which say where each was"};
  }
  std::sort(applied.begin(), applied.end(),
            [](const AppliedEpoch& a, const AppliedEpoch& b) { return a.epoch < b.epoch; });
  std::vector<GivenEpoch> given;
  for (const AppliedEpoch& row : applied) {
    const auto found = by_number.find(row.epoch);
    if (found == by_number.end()) {
      return Error{Errc::kBadInput,
                   path + ": epoch " + std::to_string(row.epoch) + " was applied but is not here"};
    }
    given.push_back({found->second, row.input_offset, row.clock});
  }
  return given;
}

Result<ReplayTotals> replay(const ReplayOptions& options, PipelineRules rules, Decoder decoder,
                            std::unique_ptr<Store> store, const std::string& store_uuid) {
  if (auto ok = check_files(options); !ok) return ok.error();
  rules.own_epochs = !options.given_epochs;
  rules.partitioner.reset();  // one partition: every key is at home
  Replay replay(options, std::move(rules), std::move(decoder));
  const auto begin = std::chrono::steady_clock::now();
  if (auto ok = replay.take_up(std::move(store), store_uuid); !ok) {
    return Error{Errc::kCorrupt, ok.error().what};  // whatever it is: not safe to go on from
  }
  if (auto ok = replay.open_outputs(); !ok) return ok.error();
  if (auto ok = replay.run(); !ok) return ok.error();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (auto ok = replay.report(took.count()); !ok) return ok.error();
  return replay.totals;
}

}  // namespace segmentd
