#include "daemon/import/file_sink.hpp"

#include <cerrno>
#include <cstring>

namespace segmentd {

void FileSink::CloseFile::operator()(std::FILE* file) const {
  if (file != stdout) std::fclose(file);
}

Result<std::unique_ptr<FileSink>> FileSink::open(const std::string& path) {
  std::unique_ptr<FileSink> sink = later(path);
  if (auto begun = sink->begin(); !begun) return begun.error();
  return sink;
}

std::unique_ptr<FileSink> FileSink::later(const std::string& path) {
  return std::unique_ptr<FileSink>(new FileSink(path));
}

Result<void> FileSink::begin() {
  if (file_) return {};
  file_.reset(path_ == "-" ? stdout : std::fopen(path_.c_str(), "wb"));
  if (!file_) return failure();
  return {};
}

Error FileSink::failure() const {
  return {Errc::kUnavailable,
          (path_ == "-" ? "standard output" : path_) + ": " + std::strerror(errno)};
}

Result<void> FileSink::put(std::optional<std::string_view> /*key*/, std::string_view json) {
  return put_line(json);
}

Result<void> FileSink::put_line(std::string_view line) {
  if (auto begun = begin(); !begun) return begun;
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
      std::fputc('\n', file_.get()) == EOF) {
    return failure();
  }
  return {};
}

Result<void> FileSink::finish() {
  if (auto begun = begin(); !begun) return begun;
  if (std::fflush(file_.get()) != 0) return failure();
  return {};
}

}  // namespace segmentd
