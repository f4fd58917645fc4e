#include "daemon/worker/model_reader.hpp"

#include <utility>
#include <vector>

#include "daemon/observe/log.hpp"
#include "daemon/wire/epoch_json.hpp"

namespace segmentd {
namespace {

constexpr std::size_t kBatchRecords = 1'000;
constexpr milliseconds kReadWait{100};
constexpr milliseconds kRetryPause{250};

}  // namespace

Result<std::unique_ptr<ModelReader>> ModelReader::start(Broker& broker, const std::string& topic,
                                                        Epochs& epochs) {
  const ReadFrom from[] = {{0, kFromBeginning}};
  auto reader = broker.open_reader(topic, from);
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
  changed_.wait_for(lock, timeout, [&] { return complete_ || !corrupt_.empty(); });
  if (!corrupt_.empty()) return Error{Errc::kCorrupt, corrupt_};
  if (!complete_)
    return Error{Errc::kRetry, "the model topic could not be read to its end in time"};
  return {};
}

void ModelReader::work() {
  std::vector<Message> records;
  while (!stop_) {
    records.clear();
    if (auto read = reader_->read(records, kBatchRecords, kReadWait); !read) {
      std::this_thread::sleep_for(kRetryPause);
      continue;
    }
    for (const Message& record : records) take(record);
    if (!reader_->complete()) continue;
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
  {
    const std::lock_guard lock(mutex_);
    corrupt_ = what;
  }
  changed_.notify_all();
}

}  // namespace segmentd
