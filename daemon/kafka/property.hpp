// What librdkafka says about one of its properties, before any client is made.
#pragma once

#include <string>

namespace segmentd::kafka {

/// Why librdkafka does not take the property; empty = it does. May repeat the value. Properties
/// that only make sense together are judged when a client is opened.
std::string refusal_of_property(const std::string& name, const std::string& value);

}  // namespace segmentd::kafka
