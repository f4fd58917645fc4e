#include "daemon/worker/model_reader.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/observe/log.hpp"
#include "daemon/wire/epoch_json.hpp"

namespace segmentd {
namespace {

constexpr std::size_t kBatchRecords = 1'000;
constexpr milliseconds kOpen{10'000};
constexpr milliseconds kReadWait{100};
constexpr milliseconds kRetryPause{250};

/// For telling how much time has passed, nothing else.
Instant steady_instant() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<milliseconds>(since).count()};
}

}  // namespace

Result<std::unique_ptr<ModelReader>> ModelReader::start(Broker& broker, const std::string& topic,
                                                        Epochs& epochs) {
  const ReadFrom from[] = {{0, kFromBeginning}};
  auto reader = broker.open_reader(topic, from, kOpen);
  if (!reader) return reader.error();
  return std::unique_ptr<ModelReader>(new ModelReader(std::move(*reader), epochs));
}

ModelReader::ModelReader(std::unique_ptr<LogReader> reader, Epochs& epochs)
    : reader_(std::move(reader)), epochs_(epochs), thread_([this] { work(); }) {}

ModelReader::~ModelReader() {
  stop_ = true;
  thread_.join();
}

Result<void> ModelReader::wait_until_complete(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return complete_ || failed_; });
  if (failed_) return *failed_;
  if (!complete_)
    return Error{Errc::kRetry, "the model topic could not be read to its end in time"};
  return {};
}

void ModelReader::work() {
  std::vector<Message> records;
  observe::RateLimit limit;
  while (!stop_) {
    records.clear();
    if (auto read = reader_->read(records, kBatchRecords, kReadWait); !read) {
      observe::log_limited(limit, "read", steady_instant(), observe::LogLevel::kWarning,
                           "the model topic cannot be read; trying again",
                           {{"what", read.error().what}});
      if (read.error().code == Errc::kMisconfigured) fail(read.error());
      std::this_thread::sleep_for(kRetryPause);
      continue;
    }
    for (const Message& record : records) take(record);
    position_ = std::max<std::int64_t>(position_, reader_->progress(0).position);
    // What an open transaction hides is not published; a writer that died in one must not keep
    // others from starting.
    if (!reader_->progress(0).at_stable_end) continue;
    {
      const std::lock_guard lock(mutex_);
      if (complete_) continue;
      complete_ = true;
    }
    changed_.notify_all();
  }
}

void ModelReader::take(const Message& record) {
  if (!record.key || !record.value || !epoch_of_key(*record.key)) return;
  auto epoch = decode_epoch(*record.value);
  if (epoch) {
    epochs_.add(*epoch);
    return;
  }
  const std::string what = "an epoch on the model topic cannot be read: " + epoch.error().what;
  observe::log_line(observe::LogLevel::kError, what, {{"offset", record.offset}});
  fail({Errc::kCorrupt, what});
}

void ModelReader::fail(Error error) {
  {
    const std::lock_guard lock(mutex_);
    failed_ = std::move(error);
  }
  changed_.notify_all();
}

std::optional<Error> ModelReader::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

}  // namespace segmentd
