// The only file that includes RocksDB. What is switched on and off here, and why:
//   * WAL off: the changelog is the log. One column family: without a WAL two are not atomic.
//   * No merge operator (the value is needed to decide), no DeleteRange (range tombstones are slow
//     to read), no compaction filter (it deletes without the changelog knowing).
//   * max_write_buffer_number 2 and few background jobs: beyond, a retried flush of RocksDB 7.8 can
//     put writes out of order. No automatic resume: after a background error the store is closed.
#include "state/rocks_store.hpp"

#include <mutex>
#include <system_error>
#include <utility>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include "state/codec.hpp"
#include "state/disk_room.hpp"

namespace segmentd {
namespace {

constexpr double kBloomBitsPerKey = 10;
constexpr std::size_t kInfoLogBytes = 1U << 20;

bool says(const rocksdb::Status& status, const char* text) {
  return status.ToString().find(text) != std::string::npos;
}

Errc code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace() || says(status, "No space left") || says(status, "quota exceeded")) {
    return Errc::kUnavailable;
  }
  const bool refused = says(status, "Permission denied") || says(status, "Read-only file system") ||
                       says(status, "lock hold by current process") ||
                       says(status, "Resource temporarily unavailable") ||
                       says(status, "Too many open files");
  return refused ? Errc::kMisconfigured : Errc::kCorrupt;
}

Error error_of(const rocksdb::Status& status) {
  return {code_of(status), status.ToString()};
}

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}

/// Keeps the first background error: flushes and compactions fail where no caller is.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* status) override {
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = error_of(*status);
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  std::optional<Error> first() const {
    const std::lock_guard lock(mutex_);
    return first_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Error> first_;
};

}  // namespace

struct RocksEnvironment::Shared {
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

RocksEnvironment::RocksEnvironment(const RocksOptions& options)
    : options_(options), shared_(std::make_shared<Shared>()) {
  // Memtables are charged to the cache: without room of their own they would push out its blocks.
  shared_->cache = rocksdb::NewLRUCache(options.cache_bytes + options.write_buffers_bytes);
  shared_->write_buffers = std::make_shared<rocksdb::WriteBufferManager>(
      options.write_buffers_bytes, shared_->cache, /*allow_stall=*/false);
}

std::uint64_t RocksEnvironment::cache_used_bytes() const {
  return shared_->cache->GetUsage();
}

struct RocksStore::Database {
  std::shared_ptr<RocksEnvironment::Shared> shared;
  std::filesystem::path directory;
  std::uint64_t disk_free_bytes = 0;
  std::shared_ptr<BackgroundErrors> background = std::make_shared<BackgroundErrors>();
  std::unique_ptr<rocksdb::DB> db;
  std::optional<Error> failed;  // S7; from the beginning where it is only looked at

  rocksdb::Options options(const RocksOptions& wanted) const;
  /// What a write or flush came to; remembers a failure (S7).
  Result<void> settle(const rocksdb::Status& status);
  std::optional<Error> failure();
  std::uint64_t property(const std::string& name) const;
};

rocksdb::Options RocksStore::Database::options(const RocksOptions& wanted) const {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = shared->cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;

  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_manager = shared->write_buffers;
  options.write_buffer_size = wanted.write_buffer_bytes;
  options.max_write_buffer_number = 2;
  options.max_background_jobs = wanted.background_jobs;
  options.compression = rocksdb::kLZ4Compression;
  options.level_compaction_dynamic_level_bytes = true;
  options.max_open_files = wanted.open_files;
  options.max_bgerror_resume_count = 0;
  options.avoid_flush_during_shutdown = !wanted.flush_on_close;
  options.listeners.push_back(background);
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_log_file_size = kInfoLogBytes;
  options.keep_log_file_num = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

std::optional<Error> RocksStore::Database::failure() {
  if (!failed) failed = background->first();
  return failed;
}

Result<void> RocksStore::Database::settle(const rocksdb::Status& status) {
  if (status.ok()) return {};
  // What went wrong first says more than that the database has stopped because of it.
  failed = background->first().value_or(error_of(status));
  return *failed;
}

std::uint64_t RocksStore::Database::property(const std::string& name) const {
  std::uint64_t value = 0;
  return db->GetIntProperty(name, &value) ? value : 0;
}

RocksStore::RocksStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

Result<std::unique_ptr<RocksStore>> RocksStore::open(const RocksEnvironment& environment,
                                                     const std::filesystem::path& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) {
    const bool full = failed == std::errc::no_space_on_device;
    return Error{full ? Errc::kUnavailable : Errc::kMisconfigured,
                 directory.string() + ": " + failed.message()};
  }
  if (auto room = require_room(directory, environment.options().disk_free_bytes); !room) {
    return room.error();
  }
  auto database = std::make_unique<Database>();
  database->shared = environment.shared_;
  database->directory = directory;
  database->disk_free_bytes = environment.options().disk_free_bytes;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened =
      rocksdb::DB::Open(database->options(environment.options()), directory.string(), &db);
  if (!opened.ok()) return error_of(opened).within(directory.string());
  database->db.reset(db);
  return made(std::move(database), directory);
}

Result<std::unique_ptr<RocksStore>> RocksStore::look(const RocksEnvironment& environment,
                                                     const std::filesystem::path& directory) {
  std::error_code failed;
  // RocksDB's own mark of a database: without it open() would begin a new one.
  if (!std::filesystem::exists(directory / "CURRENT", failed) && !failed) {
    return std::unique_ptr<RocksStore>();
  }
  auto database = std::make_unique<Database>();
  database->shared = environment.shared_;
  database->failed = Error{Errc::kMisconfigured, directory.string() + " is open for reading only"};
  rocksdb::Options options = database->options(environment.options());
  options.create_if_missing = false;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::OpenForReadOnly(options, directory.string(), &db);
  if (!opened.ok()) return error_of(opened).within(directory.string());
  database->db.reset(db);
  return made(std::move(database), directory);
}

Result<std::unique_ptr<RocksStore>> RocksStore::made(std::unique_ptr<Database> database,
                                                     const std::filesystem::path& directory) {
  std::unique_ptr<RocksStore> store(new RocksStore(std::move(database)));
  const Result<std::optional<std::string>> stored = store->get(kPositionKey);
  if (!stored) return stored.error().within(directory.string());
  if (*stored) {
    const Result<Position> position = decode_position(**stored);
    if (!position) return position.error().within(directory.string());
    store->position_ = *position;
  }
  return store;
}

RocksStore::~RocksStore() {
  // Unflushed rows that are lost here come again from the changelog.
  database_->db->Close().PermitUncheckedError();
}

Result<std::optional<std::string>> RocksStore::get(std::string_view key) {
  std::string value;
  const rocksdb::Status status = database_->db->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return error_of(status);
  return std::optional(std::move(value));
}

Result<void> RocksStore::multi_get(std::span<const std::string_view> keys,
                                   std::vector<std::optional<std::string>>& values) {
  require_ascending(keys);
  values.assign(keys.size(), std::nullopt);
  if (keys.empty()) return {};
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const std::string_view key : keys) slices.push_back(slice(key));
  std::vector<rocksdb::PinnableSlice> found(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  database_->db->MultiGet(rocksdb::ReadOptions(), database_->db->DefaultColumnFamily(), keys.size(),
                          slices.data(), found.data(), statuses.data(), /*sorted_input=*/true);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) {
      values[i].emplace(found[i].data(), found[i].size());
    } else if (!statuses[i].IsNotFound()) {
      return error_of(statuses[i]);
    }
  }
  return {};
}

Result<void> RocksStore::write(std::span<const RowWrite> rows, const Position& position) {
  require_writable(rows);
  if (const std::optional<Error> failed = database_->failure()) return *failed;
  if (auto room = require_room(database_->directory, database_->disk_free_bytes); !room) {
    return room;
  }
  rocksdb::WriteBatch batch;
  for (const RowWrite& row : rows) {
    const rocksdb::Status added =
        row.value ? batch.Put(row.key, *row.value) : batch.Delete(row.key);
    if (!added.ok()) return database_->settle(added);
  }
  if (const rocksdb::Status added = batch.Put(slice(kPositionKey), encode_position(position));
      !added.ok()) {
    return database_->settle(added);
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  Result<void> written = database_->settle(database_->db->Write(options, &batch));
  if (written) position_ = position;
  return written;
}

Result<void> RocksStore::scan(std::string_view prefix, const Visitor& visit) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // a pass over everything would push out what is hot
  options.readahead_size = 2U << 20;
  const std::unique_ptr<rocksdb::Iterator> at(database_->db->NewIterator(options));
  for (at->Seek(slice(prefix)); at->Valid(); at->Next()) {
    const std::string_view key = at->key().ToStringView();
    if (!key.starts_with(prefix)) break;
    if (key == kPositionKey) continue;
    if (Result<void> visited = visit(key, at->value().ToStringView()); !visited) return visited;
  }
  if (!at->status().ok()) return error_of(at->status());
  return {};
}

Result<void> RocksStore::flush() {
  if (const std::optional<Error> failed = database_->failure()) return *failed;
  if (auto room = require_room(database_->directory, database_->disk_free_bytes); !room) {
    return room;
  }
  return database_->settle(database_->db->Flush(rocksdb::FlushOptions()));
}

StoreStatistics RocksStore::statistics() const {
  using Properties = rocksdb::DB::Properties;
  const Database& database = *database_;
  StoreStatistics statistics;
  statistics.unflushed_rows = database.property(Properties::kNumEntriesActiveMemTable) +
                              database.property(Properties::kNumEntriesImmMemTables);
  statistics.rows = database.property(Properties::kEstimateNumKeys);
  statistics.disk_bytes = database.property(Properties::kTotalSstFilesSize);
  statistics.memtable_bytes = database.property(Properties::kSizeAllMemTables);
  statistics.pending_compaction_bytes =
      database.property(Properties::kEstimatePendingCompactionBytes);
  statistics.background_errors = database.property(Properties::kBackgroundErrors);
  statistics.shared_cache_bytes = database.shared->cache->GetUsage();
  return statistics;
}

}  // namespace segmentd
