// A record sink that keeps what it gets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/import/record_sink.hpp"

namespace segmentd::test {

class CollectingSink : public RecordSink {
 public:
  struct Put {
    std::optional<std::string> key;
    std::string json;
  };

  Result<void> put(std::optional<std::string_view> key, std::string_view json) override {
    if (puts.size() == fails_after) return Error{Errc::kUnavailable, "the sink is full"};
    std::optional<std::string> copy;
    if (key) copy = std::string(*key);
    puts.push_back({std::move(copy), std::string(json)});
    return {};
  }
  Result<void> finish() override {
    ++finishes;
    return {};
  }

  std::string ndjson() const {
    std::string lines;
    for (const Put& put : puts) lines += put.json + "\n";
    return lines;
  }

  std::vector<Put> puts;
  int finishes = 0;
  std::size_t fails_after = SIZE_MAX;
};

}  // namespace segmentd::test
