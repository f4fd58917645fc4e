// The settings of the service: output topics, bounds, RocksDB, HTTP, log.
#pragma once

#include "config/option.hpp"
#include "config/rules.hpp"

namespace segmentd::config {

enum class TableOn { kOrder, kSegment };
enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct OutputSettings {
  OptionSet& set;
  StringOption changes_topic{set,
                             {"output.changes_topic", "Topic the segment changes are written to."},
                             "segment-changes",
                             kTopicName};
  StringOption table_topic{
      set,
      {"output.table_topic", "Compacted topic with the newest row of every customer."},
      "customer-segments",
      kTopicName};
};

struct TableSettings {
  OptionSet& set;
  Choice<TableOn> on{
      set,
      {"table.on",
       "When a customer's table row is written: at every `order` that changes it, or "
       "only at the first and when the `segment` changes."},
      TableOn::kOrder,
      {"order", "segment"}};
};

struct TopicSettings {
  OptionSet& set;
  BoolOption create{
      set,
      {"topics.create", "Whether missing topics, except the input, are created at the start."},
      true};
  IntegerOption replication_factor{
      set,
      {"topics.replication_factor",
       "Replicas of a created topic; -1 = three, or as many as there are brokers if fewer."},
      -1,
      -1,
      100};
  IntegerOption min_insync_replicas{
      set,
      {"topics.min_insync_replicas",
       "Replicas of a created topic that must hold a write; -1 = two where it has three or more, "
       "else the broker's default."},
      -1,
      -1,
      100};
  DurationOption retention{
      set,
      {"topics.retention", "How long created topics keep segment changes and rejected records."},
      std::chrono::hours(30 * 24),
      std::chrono::hours(1),
      std::chrono::hours(36'500 * 24)};
  DurationOption check_every{
      set,
      {"topics.check_every",
       "How often a running daemon looks whether the topics are still as they have to be; what "
       "became worse is logged and counted, and stops nothing."},
      std::chrono::minutes(10),
      std::chrono::seconds(1),
      std::chrono::hours(7 * 24)};
};

/// The bounds of memory, time and transactions.
struct LimitSettings {
  OptionSet& set;
  DurationOption commit_interval{set,
                                 {"limits.commit_interval",
                                  "How long a transaction collects records under load; when idle "
                                  "it is committed at once. Below "
                                  "20ms it costs more than it gains."},
                                 std::chrono::milliseconds(25),
                                 std::chrono::milliseconds(1),
                                 std::chrono::seconds(5)};
  IntegerOption transaction_records{
      set,
      {"limits.transaction_records", "Input records in one transaction at most."},
      10'000,
      1,
      1'000'000};
  BytesOption transaction_bytes{set,
                                {"limits.transaction_bytes",
                                 "A transaction that has written this much takes no more records."},
                                16LL << 20,
                                64LL << 10,
                                1LL << 30};
  IntegerOption cache_rows{
      set,
      {"limits.cache_rows",
       "Customers kept in memory by the process, shared evenly among its workers and their "
       "partitions; the others are read from disk. The smaller of this and limits.cache_bytes "
       "bounds."},
      500'000,
      1,
      1'000'000'000};
  BytesOption cache_bytes{
      set,
      {"limits.cache_bytes",
       "Memory of the customers kept, about, shared as limits.cache_rows. A customer with hundreds "
       "of remembered orders takes a hundred times what one with a few does."},
      1LL << 30,
      1LL << 20,
      1LL << 40};
  IntegerOption overlay_rows{
      set,
      {"limits.overlay_rows",
       "Changed customers not yet known to be committed; at this bound reading stops, committing "
       "does not."},
      200'000,
      1,
      100'000'000};
  IntegerOption relabel_per_transaction{
      set,
      {"limits.relabel_per_transaction",
       "Customers moved by a new epoch or by silence in one transaction at most."},
      5'000,
      1,
      100'000};
  IntegerOption restores{
      set, {"limits.restores", "Partitions that a worker restores at the same time."}, 2, 1, 64};
  BytesOption held_bytes{
      set,
      {"limits.held_bytes",
       "Records read but not yet applied that a worker holds in memory, all partitions together."},
      64LL << 20,
      64LL << 10,
      16LL << 30};
  BytesOption queue_bytes{
      set,
      {"limits.queue_bytes",
       "Records fetched ahead from the brokers. It should hold a second of the peak: a full queue "
       "stops fetching for up to a second."},
      256LL << 20,
      1LL << 20,
      2'047LL << 20};
  BytesOption output_queue_bytes{
      set,
      {"limits.output_queue_bytes",
       "Records on their way to the brokers, of each worker; when it is full they are waited for."},
      64LL << 20,
      1LL << 20,
      2'047LL << 20};
  BytesOption restore_queue_bytes{
      set,
      {"limits.restore_queue_bytes",
       "Records fetched ahead from the changelog by each partition that is being restored."},
      32LL << 20,
      1LL << 20,
      2'047LL << 20};
  BytesOption disk_free_bytes{
      set,
      {"limits.disk_free_bytes",
       "Room that stays free on the disk of the state directory. With less a partition that has to "
       "write is parked as `disk_full`; it goes on by itself when there is a quarter more than "
       "this."},
      256LL << 20,
      1LL << 20,
      1LL << 50};
};

struct RocksDbSettings {
  OptionSet& set;
  BytesOption block_cache_bytes{
      set,
      {"rocksdb.block_cache_bytes", "Block cache, shared by all partitions of the process."},
      64LL << 20,
      1LL << 20,
      1LL << 40};
  BytesOption write_buffers_bytes{
      set,
      {"rocksdb.write_buffers_bytes",
       "Write buffers of all partitions of the process; beyond it the one that is written to is "
       "flushed early."},
      128LL << 20,
      1LL << 20,
      1LL << 40};
  BytesOption write_buffer_bytes{set,
                                 {"rocksdb.write_buffer_bytes", "Write buffer of one partition."},
                                 32LL << 20,
                                 1LL << 20,
                                 4LL << 30};
  IntegerOption open_files{
      set,
      {"rocksdb.open_files",
       "Table files that the stores of the process keep open, shared evenly among the input's "
       "partitions, at least 20 each. The process needs some hundred files and sockets beside."},
      512,
      20,
      1'000'000};
  DurationOption flush_interval{
      set,
      {"rocksdb.flush_interval",
       "How long committed rows may stay in memory only. After a crash the rest is read again from "
       "the changelog."},
      std::chrono::seconds(30),
      std::chrono::milliseconds(100),
      std::chrono::hours(1)};
  IntegerOption flush_rows{
      set,
      {"rocksdb.flush_rows", "How many committed rows may stay in memory only."},
      500'000,
      1,
      100'000'000};
};

struct HttpSettings {
  OptionSet& set;
  StringOption address{
      set,
      {"http.address",
       "Where metrics and health are served. There is no authentication: keep it on loopback or a "
       "network of your own. Port 0 takes any free one."},
      "127.0.0.1:9464",
      kHostAndPort};
};

struct LogSettings {
  OptionSet& set;
  Choice<LogLevel> level{
      set,
      {"log.level",
       "The least important lines that are written. Customer ids appear at debug "
       "only."},
      LogLevel::kInfo,
      {"debug", "info", "warning", "error"}};
  Choice<LogFormat> format{set,
                           {"log.format", "Lines for people or JSON objects for machines."},
                           LogFormat::kText,
                           {"text", "json"}};
};

}  // namespace segmentd::config
