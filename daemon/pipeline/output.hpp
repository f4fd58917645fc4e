// What a transaction writes, before it is known where to: to Kafka, or to the files of a replay.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ports.hpp"
#include "daemon/wire/encode.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// One record decided on and not yet committed.
struct OutputRecord {
  OutputTopic topic = OutputTopic::kChanges;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<HeaderText> headers;

  std::size_t bytes() const {
    std::size_t bytes = (key ? key->size() : 0) + (value ? value->size() : 0);
    for (const HeaderText& header : headers) bytes += header.name.size() + header.value.size();
    return bytes;
  }
};

/// Takes what a transaction writes, in order.
class OutputSink {
 public:
  OutputSink() = default;
  OutputSink(const OutputSink&) = delete;
  OutputSink& operator=(const OutputSink&) = delete;
  virtual ~OutputSink() = default;

  virtual Result<void> put(OutputTopic topic, std::int32_t partition,
                           std::optional<std::string_view> key,
                           std::optional<std::string_view> value,
                           std::span<const HeaderText> headers) = 0;
};

}  // namespace segmentd
