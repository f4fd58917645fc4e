#include "daemon/kafka/request_watch.hpp"

namespace segmentd::kafka {
namespace {
constexpr const char* kName = "segmentd";
}

void RequestWatch::attach(rd_kafka_conf_t* conf) {
  rd_kafka_conf_interceptor_add_on_new(conf, kName, &RequestWatch::on_new, this);
}

std::uint64_t RequestWatch::answers(Api api) const {
  return of(api).answers.load();
}

bool RequestWatch::stray() const {
  for (const Api api : {Api::kAddOffsetsToTxn, Api::kTxnOffsetCommit, Api::kEndTxn}) {
    if (of(api).waiting.load() || of(api).repeated.load()) return true;
  }
  return false;
}

rd_kafka_resp_err_t RequestWatch::on_new(rd_kafka_t* handle, const rd_kafka_conf_t*, void* watch,
                                         char*, std::size_t) {
  if (auto err =
          rd_kafka_interceptor_add_on_request_sent(handle, kName, &RequestWatch::on_sent, watch)) {
    return err;
  }
  return rd_kafka_interceptor_add_on_response_received(handle, kName, &RequestWatch::on_answer,
                                                       watch);
}

rd_kafka_resp_err_t RequestWatch::on_sent(rd_kafka_t*, int, const char*, std::int32_t,
                                          std::int16_t api, std::int16_t, std::int32_t, std::size_t,
                                          void* watch) {
  if (api >= 0 && api < kApis) {
    Traffic& traffic = static_cast<RequestWatch*>(watch)->traffic_[static_cast<std::size_t>(api)];
    if (traffic.waiting.exchange(true)) traffic.repeated.store(true);
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// The library calls this twice for an answer (when it arrives and when it is served), and with an
// error for a request given up without one.
rd_kafka_resp_err_t RequestWatch::on_answer(rd_kafka_t*, int, const char*, std::int32_t,
                                            std::int16_t api, std::int16_t, std::int32_t,
                                            std::size_t, std::int64_t, rd_kafka_resp_err_t error,
                                            void* watch) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR && api >= 0 && api < kApis) {
    Traffic& traffic = static_cast<RequestWatch*>(watch)->traffic_[static_cast<std::size_t>(api)];
    traffic.waiting.store(false);
    traffic.answers.fetch_add(1);
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace segmentd::kafka
