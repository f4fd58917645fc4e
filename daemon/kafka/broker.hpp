// What the daemon asks of the cluster outside the input and the transactions, over librdkafka.
#pragma once

#include <memory>
#include <string>

#include "daemon/kafka/client.hpp"
#include "daemon/ports.hpp"

namespace segmentd::kafka {

/// Connects when first asked. kMisconfigured: a property is wrong.
Result<std::unique_ptr<Broker>> open_broker(const ClientSettings& settings);

/// As Broker::open_reader, without a Broker.
Result<std::unique_ptr<LogReader>> open_log_reader(const ClientSettings& settings,
                                                   const std::string& topic,
                                                   std::span<const ReadFrom> from,
                                                   milliseconds timeout);

}  // namespace segmentd::kafka
