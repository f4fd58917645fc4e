// The topics of an application on a broker: looked at, and made where they are missing.
#pragma once

#include <cstdint>

#include "config/settings.hpp"
#include "daemon/kafka/admin.hpp"
#include "daemon/topics/plan.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// Describes every topic of the application and judges it. `create` makes what is absent, but
/// nothing as long as there are other problems: what is wrong with the input may change what the
/// others have to be. Problems are in the report; an Error is the broker's: kRetry = no answer,
/// kMisconfigured = refused, with its reason.
Result<TopicReport> prepare_topics(const config::Settings& settings, kafka::Admin& admin,
                                   bool create);

/// Describes and judges them while segmentd runs; changes nothing. Two questions to the broker,
/// each for at most `patience`. Errors as above.
Result<TopicReport> look_at_topics(const config::Settings& settings, kafka::Admin& admin,
                                   milliseconds patience);

/// Makes the input topic, which keeps its records forever until its owner says otherwise. One that
/// exists is left as it is. Errors as above.
Result<void> create_input(const config::Settings& settings, kafka::Admin& admin,
                          std::int32_t partitions);

}  // namespace segmentd
