// The input topic over librdkafka.
#pragma once

#include <memory>
#include <string>

#include "daemon/kafka/client.hpp"
#include "daemon/ports.hpp"

namespace segmentd::kafka {

struct SourceOptions {
  std::string topic;     // exists; every member of the group reads exactly this one
  std::string instance;  // group.instance.id: stable over restarts, unique in the group
  std::int64_t queue_bytes = 256 << 20;  // fetched and waiting, at most about this
};

/// Joins the group of `settings`; partitions come by the first polls. `listener` must outlive the
/// Source. kMisconfigured names the property that is wrong.
Result<std::unique_ptr<Source>> open_source(const ClientSettings& settings,
                                            const SourceOptions& options,
                                            RebalanceListener& listener);

}  // namespace segmentd::kafka
