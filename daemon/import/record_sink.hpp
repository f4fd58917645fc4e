// The door through which imported records leave.
#pragma once

#include <optional>
#include <string_view>

#include "state/core/result.hpp"

namespace segmentd {

/// Takes records in the order they are to have. One thread.
class RecordSink {
 public:
  RecordSink() = default;
  RecordSink(const RecordSink&) = delete;
  RecordSink& operator=(const RecordSink&) = delete;
  virtual ~RecordSink() = default;

  /// `key`: the customer id, nullopt for a record without customer. `json`: the record's value, one
  /// line without line end. Both are copied or written before it returns. An error ends the import.
  virtual Result<void> put(std::optional<std::string_view> key, std::string_view json) = 0;
  /// Called once, after the last record: returns when all of them are delivered or one cannot be.
  virtual Result<void> finish() = 0;
};

}  // namespace segmentd
