// Questions of the library's admin interface: asked on a queue, answered there. For the adapters
// only.
#pragma once

#include <memory>

#include "daemon/kafka/client.hpp"

namespace segmentd::kafka {

using Options = std::unique_ptr<rd_kafka_AdminOptions_t, Destroy<rd_kafka_AdminOptions_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Destroy<rd_kafka_event_destroy>>;

Options options_for(rd_kafka_t* handle, rd_kafka_admin_op_t what, milliseconds timeout);

/// The answer to a question asked on `queue`; a little more patient than the question itself.
/// `what` was asked, for the text of an error.
Result<Event> answer_on(rd_kafka_queue_t* queue, milliseconds timeout, const char* what);

}  // namespace segmentd::kafka
