#include "daemon/import/file_sink.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

namespace segmentd {

void FileSink::CloseFile::operator()(std::FILE* file) const {
  if (file != stdout) std::fclose(file);
}

FileSink::FileSink(std::string name, std::unique_ptr<std::FILE, CloseFile> file)
    : name_(std::move(name)), file_(std::move(file)) {}

Result<std::unique_ptr<FileSink>> FileSink::open(const std::string& path) {
  const bool is_stdout = path == "-";
  std::FILE* file = is_stdout ? stdout : std::fopen(path.c_str(), "wb");
  if (file == nullptr) return Error{Errc::kUnavailable, path + ": " + std::strerror(errno)};
  return std::unique_ptr<FileSink>(new FileSink(is_stdout ? "standard output" : path,
                                                std::unique_ptr<std::FILE, CloseFile>(file)));
}

Error FileSink::failure() const {
  return {Errc::kUnavailable, name_ + ": " + std::strerror(errno)};
}

Result<void> FileSink::put(std::optional<std::string_view> /*key*/, std::string_view json) {
  return put_line(json);
}

Result<void> FileSink::put_line(std::string_view line) {
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
      std::fputc('\n', file_.get()) == EOF) {
    return failure();
  }
  return {};
}

Result<void> FileSink::finish() {
  if (std::fflush(file_.get()) != 0) return failure();
  return {};
}

}  // namespace segmentd
