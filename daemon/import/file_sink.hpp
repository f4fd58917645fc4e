// Where the lines of an import go when they do not go to Kafka.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "daemon/import/record_sink.hpp"

namespace segmentd {

/// A file, or standard output, with one line a record (NDJSON); keys are left out, the customer
/// stands in the record. One thread.
class FileSink : public RecordSink {
 public:
  /// Begins the file anew. `path` "-" is standard output. kUnavailable when it cannot be written.
  static Result<std::unique_ptr<FileSink>> open(const std::string& path);

  Result<void> put(std::optional<std::string_view> key, std::string_view json) override;
  /// Writes one line of any kind; `line` without line end.
  Result<void> put_line(std::string_view line);
  /// Everything is with the operating system afterwards; a full disk shows here at the latest.
  Result<void> finish() override;

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const;
  };

  FileSink(std::string name, std::unique_ptr<std::FILE, CloseFile> file);
  Error failure() const;

  std::string name_;
  std::unique_ptr<std::FILE, CloseFile> file_;
};

}  // namespace segmentd
