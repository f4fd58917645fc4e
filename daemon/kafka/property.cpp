#include "daemon/kafka/property.hpp"

#include <array>

#include "daemon/kafka/client.hpp"

namespace segmentd::kafka {

std::string refusal_of_property(const std::string& name, const std::string& value) {
  const Conf scratch(rd_kafka_conf_new());
  std::array<char, 512> why{};
  const auto outcome =
      rd_kafka_conf_set(scratch.get(), name.c_str(), value.c_str(), why.data(), why.size());
  if (outcome == RD_KAFKA_CONF_OK) return {};
  if (outcome == RD_KAFKA_CONF_UNKNOWN) {
    return std::string("is no property that librdkafka ") + rd_kafka_version_str() + " knows";
  }
  return std::string("librdkafka does not take it: ") + why.data();
}

}  // namespace segmentd::kafka
