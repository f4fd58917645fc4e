// The bytes of a history file, from the front to the end, plain or compressed with xz.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "state/core/result.hpp"

namespace segmentd {

/// Reads a file, or standard input, whose first bytes say whether it is .xz; the memory it takes
/// does not depend on the file's size. One thread.
class ByteSource {
 public:
  /// `path` "-" is standard input. kUnavailable when it cannot be opened or read.
  static Result<ByteSource> open(const std::string& path);

  ByteSource(ByteSource&&) noexcept;
  ByteSource& operator=(ByteSource&&) noexcept;
  ~ByteSource();

  /// Fills the front of `into` (not empty) and says how much; 0 = the end. kBadInput when the file
  /// is not valid .xz or was cut short, kUnavailable when the disk fails.
  Result<std::size_t> read(std::span<char> into);

  /// How far it is, in bytes of the file as it lies on disk (compressed if it is).
  std::uint64_t bytes_done() const { return bytes_done_; }
  /// The size on disk; 0 = not known (a pipe).
  std::uint64_t bytes_total() const { return bytes_total_; }

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const;
  };
  class XzDecoder;

  ByteSource(std::string name, std::unique_ptr<std::FILE, CloseFile> file);
  Result<void> look_at_the_front();
  Result<std::size_t> read_file(std::span<char> into);

  std::string name_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::unique_ptr<XzDecoder> xz_;  // null = plain
  std::string front_;              // bytes read to recognise the format and not yet handed out
  std::uint64_t bytes_done_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace segmentd
