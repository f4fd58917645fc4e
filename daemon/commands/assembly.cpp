#include "daemon/commands/assembly.hpp"

#include <utility>

#include "daemon/pipeline/fingerprint.hpp"

namespace segmentd {
namespace {

TimeFormat time_format(config::InputTimeFormat format) {
  switch (format) {
    case config::InputTimeFormat::kRfc3339:
      return TimeFormat::kRfc3339;
    case config::InputTimeFormat::kSeconds:
      return TimeFormat::kSeconds;
    case config::InputTimeFormat::kMilliseconds:
      return TimeFormat::kMilliseconds;
    case config::InputTimeFormat::kMicroseconds:
      return TimeFormat::kMicroseconds;
  }
  return TimeFormat::kRfc3339;
}

std::optional<Partitioner> partitioner(config::InputPartitioner choice) {
  switch (choice) {
    case config::InputPartitioner::kMurmur2:
      return Partitioner::kMurmur2;
    case config::InputPartitioner::kConsistent:
      return Partitioner::kConsistent;
    case config::InputPartitioner::kUnchecked:
      return std::nullopt;
  }
  return std::nullopt;
}

FieldPointers field_pointers(const config::FieldSettings& field) {
  FieldPointers p;
  p.type = field.type();
  p.order_id = field.order_id();
  p.customer_id = field.customer_id();
  p.ordered_at = field.ordered_at();
  p.amount = field.amount();
  p.currency = field.currency();
  p.status = field.status();
  p.version = field.version();
  p.payment_id = field.payment_id();
  p.paid_at = field.paid_at();
  p.refund_id = field.refund_id();
  p.refunded_at = field.refunded_at();
  p.cancelled_at = field.cancelled_at();
  return p;
}

}  // namespace

Result<DecodeRules> decode_rules(const config::Settings& settings) {
  DecodeRules rules;
  rules.fields = field_pointers(settings.field);
  rules.key = settings.input.key() == config::InputKey::kJson ? KeyMode::kJson : KeyMode::kRaw;
  rules.time_format = time_format(settings.input.time_format());
  auto zone = Zone::load(settings.time_zone());
  if (!zone) return zone.error();
  rules.zone = std::move(*zone);
  rules.currency = settings.currency();
  rules.decimals = static_cast<int>(settings.decimals());
  rules.money_from_payments = settings.input.money() == config::MoneySource::kPayments;
  rules.counting_statuses = settings.input.counting_statuses();
  rules.max_bytes = static_cast<std::size_t>(settings.input.bytes_max());
  return rules;
}

Rules customer_rules(const config::Settings& settings) {
  return {.money_from_payments = settings.input.money() == config::MoneySource::kPayments,
          .remembered_max = static_cast<int>(settings.orders.remembered())};
}

EncodeContext encode_context(const config::Settings& settings) {
  EncodeContext context;
  context.application = settings.application();
  context.currency = settings.currency();
  context.decimals = static_cast<int>(settings.decimals());
  for (int s = 0; s < kSegmentWords; ++s) {
    const auto segment = static_cast<Segment>(s);
    if (segment == Segment::kNone) continue;
    context.labels[static_cast<std::size_t>(s)] = settings.label(word(segment));
  }
  return context;
}

ModelRules model_rules(const config::Settings& settings) {
  ModelRules rules;
  rules.k = static_cast<int>(settings.model.k());
  rules.features.recency = settings.model.recency();
  rules.features.tau_ms = settings.model.recency_tau().count();
  rules.features.decimals = static_cast<int>(settings.decimals());
  rules.min_customers = settings.model.customers_min();
  rules.min_days = settings.model.days_min();
  rules.seed = static_cast<std::uint64_t>(settings.model.seed());
  rules.currency = settings.currency();
  return rules;
}

PipelineRules pipeline_rules(const config::Settings& settings, const std::string& writer,
                             std::int32_t partitions) {
  PipelineRules rules;
  PartitionRules& p = rules.partition;
  p.segmenter.customers = customer_rules(settings);
  p.segmenter.sample_salt = static_cast<std::uint64_t>(settings.model.seed());
  p.segmenter.announce_first_fit = settings.model.announce_first_fit();
  p.event_clock = settings.clock() == config::Clock::kEvent;
  p.evaluate_every_ms = settings.model.evaluate_every().count();
  p.clock_step_max_ms = settings.clock_step_max().count();
  p.future_tolerance_ms = settings.input.future_tolerance().count();
  p.table_on_every_order = settings.table.on() == config::TableOn::kOrder;
  p.rejected_bytes_max = static_cast<std::size_t>(settings.rejected.bytes_max());
  p.input_topic = settings.input.topic();
  p.fingerprint = fingerprint_of(settings.fingerprint(), partitions);
  p.writer = writer;
  p.partitions = partitions;
  p.encode = encode_context(settings);
  rules.model = model_rules(settings);
  rules.partitioner = partitioner(settings.input.partitioner());
  rules.partition_count = partitions;
  for (const std::string& item : settings.input.skip()) {
    const auto place = config::parse_record_place(item);
    if (place && place->topic == settings.input.topic()) {
      rules.skipped.emplace(place->partition, place->offset);
    }
  }
  rules.cache_rows_max =
      static_cast<std::size_t>(settings.limits.cache_rows() / settings.workers() + 1);
  rules.cache_bytes_max =
      static_cast<std::size_t>(settings.limits.cache_bytes() / settings.workers());
  rules.transaction_records_max = settings.limits.transaction_records();
  rules.transaction_bytes_max = settings.limits.transaction_bytes();
  rules.overlay_rows_max = settings.limits.overlay_rows();
  rules.relabel_per_transaction_max = settings.limits.relabel_per_transaction();
  rules.held_bytes_max = static_cast<std::size_t>(settings.limits.held_bytes());
  return rules;
}

RocksOptions rocks_options(const config::Settings& settings, std::int32_t partitions) {
  RocksOptions options;
  options.cache_bytes = static_cast<std::uint64_t>(settings.rocksdb.block_cache_bytes());
  options.write_buffers_bytes = static_cast<std::uint64_t>(settings.rocksdb.write_buffers_bytes());
  options.write_buffer_bytes = static_cast<std::uint64_t>(settings.rocksdb.write_buffer_bytes());
  options.open_files = static_cast<int>(settings.rocksdb.open_files() / partitions);
  options.disk_free_bytes = static_cast<std::uint64_t>(settings.limits.disk_free_bytes());
  return options;
}

std::string process_name(const config::Settings& settings, const std::string& directory_instance) {
  return settings.application() + "-" +
         (settings.instance().empty() ? directory_instance : settings.instance());
}

OutputTopicNames output_topics(const config::Settings& settings) {
  OutputTopicNames names;
  const auto name = [&](OutputTopic topic) -> std::string& {
    return names[static_cast<std::size_t>(topic)];
  };
  name(OutputTopic::kChanges) = settings.output.changes_topic();
  name(OutputTopic::kTable) = settings.output.table_topic();
  name(OutputTopic::kRejected) = settings.rejected_topic();
  name(OutputTopic::kChangelog) = settings.changelog_topic();
  name(OutputTopic::kModel) = settings.model_topic();
  name(OutputTopic::kStatistics) = settings.statistics_topic();
  return names;
}

kafka::ClientSettings client_settings(const config::Settings& settings,
                                      const std::string& client_id) {
  kafka::ClientSettings client;
  client.brokers = settings.bootstrap_servers();
  client.group = settings.application();
  client.client_id = client_id;
  client.reader_queue_bytes = settings.limits.restore_queue_bytes();
  for (const auto& [name, entry] : settings.kafka.all()) {
    client.properties.emplace_back(name, entry.value);
  }
  return client;
}

}  // namespace segmentd
