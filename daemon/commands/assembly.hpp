// From settings to what each part is told. The only place where names of settings meet names of
// parts.
#pragma once

#include <string>

#include "config/settings.hpp"
#include "daemon/kafka/client.hpp"
#include "daemon/pipeline/pipeline.hpp"
#include "daemon/ports.hpp"
#include "daemon/wire/decode.hpp"
#include "daemon/wire/encode.hpp"
#include "state/core/customer.hpp"
#include "state/core/evaluation.hpp"
#include "state/core/result.hpp"
#include "state/rocks_store.hpp"

namespace segmentd {

/// kMisconfigured: the time zone cannot be loaded.
Result<DecodeRules> decode_rules(const config::Settings& settings);
/// What gives records and rows their meaning.
Rules customer_rules(const config::Settings& settings);
EncodeContext encode_context(const config::Settings& settings);
ModelRules model_rules(const config::Settings& settings);
/// `writer` = transactional.id; `partitions` = of the input topic.
PipelineRules pipeline_rules(const config::Settings& settings, const std::string& writer,
                             std::int32_t partitions);
/// Of one store, where a process may hold all partitions of the input.
RocksOptions rocks_options(const config::Settings& settings, std::int32_t partitions);
/// `<application>-<instance>`, to which each worker adds `-<worker>` for the names by which Kafka
/// knows it. `directory_instance`: of the state directory, where no setting overrides it.
std::string process_name(const config::Settings& settings, const std::string& directory_instance);
OutputTopicNames output_topics(const config::Settings& settings);
kafka::ClientSettings client_settings(const config::Settings& settings,
                                      const std::string& client_id);

}  // namespace segmentd
