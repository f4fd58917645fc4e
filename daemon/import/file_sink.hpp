// Where the lines of an import go when they do not go to Kafka.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "daemon/import/record_sink.hpp"

namespace segmentd {

/// A file, or standard output, with one line a record (NDJSON); keys are left out, the customer
/// stands in the record. One thread.
class FileSink : public RecordSink {
 public:
  /// Begins the file anew. `path` "-" is standard output. kUnavailable when it cannot be written.
  static Result<std::unique_ptr<FileSink>> open(const std::string& path);
  /// Begins the file with the first line, or with finish(): what was there stays if it never comes
  /// to that. Then kUnavailable from there.
  static std::unique_ptr<FileSink> later(const std::string& path);

  Result<void> put(std::optional<std::string_view> key, std::string_view json) override;
  /// Writes one line of any kind; `line` without line end.
  Result<void> put_line(std::string_view line);
  /// Everything is with the operating system afterwards; a full disk shows here at the latest.
  Result<void> finish() override;

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const;
  };

  explicit FileSink(std::string path) : path_(std::move(path)) {}
  /// Does nothing if it has begun.
  Result<void> begin();
  Error failure() const;

  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;  // null = not begun
};

}  // namespace segmentd
