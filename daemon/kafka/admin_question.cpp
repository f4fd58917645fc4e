#include "daemon/kafka/admin_question.hpp"

#include <array>

namespace segmentd::kafka {

Options options_for(rd_kafka_t* handle, rd_kafka_admin_op_t what, milliseconds timeout) {
  Options options(rd_kafka_AdminOptions_new(handle, what));
  std::array<char, 256> why{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms(timeout), why.data(),
                                            why.size());
  return options;
}

Result<Event> answer_on(rd_kafka_queue_t* queue, milliseconds timeout, const char* what) {
  Event event(rd_kafka_queue_poll(queue, timeout_ms(timeout + milliseconds(1000))));
  if (!event) return Error{Errc::kRetry, std::string(what) + ": no answer in time"};
  const auto err = rd_kafka_event_error(event.get());
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
  return Error{errc_of(err), std::string(what) + ": " +
                                 kafka::describe(err, rd_kafka_event_error_string(event.get()))};
}

}  // namespace segmentd::kafka
