#include "daemon/import/byte_source.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <lzma.h>
#include <sys/stat.h>

namespace segmentd {
namespace {

constexpr std::string_view kXzMagic{
    "\xFD"
    "7zXZ\0",
    6};
constexpr std::size_t kCompressedChunk = 64 * 1024;
// xz -9 needs 65 MiB to read; more than this is no file we expect.
constexpr std::uint64_t kXzMemoryMax = 256ULL * 1024 * 1024;

std::string errno_text() {
  return std::strerror(errno);
}

}  // namespace

void ByteSource::CloseFile::operator()(std::FILE* file) const {
  if (file != stdin) std::fclose(file);
}

class ByteSource::XzDecoder {
 public:
  XzDecoder() : ready_(lzma_stream_decoder(&stream_, kXzMemoryMax, LZMA_CONCATENATED) == LZMA_OK) {}
  ~XzDecoder() { lzma_end(&stream_); }
  XzDecoder(const XzDecoder&) = delete;
  XzDecoder& operator=(const XzDecoder&) = delete;

  bool ready() const { return ready_; }

  /// Decompresses into `into`; `refill(chunk)` gives the next compressed bytes, 0 = the end.
  template <class Refill>
  Result<std::size_t> read(std::span<char> into, Refill refill) {
    stream_.next_out = reinterpret_cast<std::uint8_t*>(into.data());
    stream_.avail_out = into.size();
    while (stream_.avail_out == into.size() && !ended_) {
      if (stream_.avail_in == 0 && !input_ended_) {
        Result<std::size_t> got = refill(std::span<char>(chunk_));
        if (!got) return got.error();
        stream_.next_in = reinterpret_cast<const std::uint8_t*>(chunk_.data());
        stream_.avail_in = *got;
        input_ended_ = *got == 0;
      }
      const lzma_ret did = lzma_code(&stream_, input_ended_ ? LZMA_FINISH : LZMA_RUN);
      if (did == LZMA_STREAM_END) {
        ended_ = true;
      } else if (did != LZMA_OK) {
        return Error{Errc::kBadInput, explain(did)};
      }
    }
    return into.size() - stream_.avail_out;
  }

 private:
  static std::string explain(lzma_ret did) {
    switch (did) {
      case LZMA_BUF_ERROR:
        return "the .xz file is cut short";
      case LZMA_MEMLIMIT_ERROR:
      case LZMA_MEM_ERROR:
        return "the .xz file needs more than 256 MiB of memory to read";
      default:
        return "not a valid .xz file (liblzma code " + std::to_string(static_cast<int>(did)) + ")";
    }
  }

  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::array<char, kCompressedChunk> chunk_{};
  bool input_ended_ = false;
  bool ended_ = false;
  bool ready_;
};

ByteSource::ByteSource(std::string name, std::unique_ptr<std::FILE, CloseFile> file)
    : name_(std::move(name)), file_(std::move(file)) {}
ByteSource::ByteSource(ByteSource&&) noexcept = default;
ByteSource& ByteSource::operator=(ByteSource&&) noexcept = default;
ByteSource::~ByteSource() = default;

Result<ByteSource> ByteSource::open(const std::string& path) {
  const bool is_stdin = path == "-";
  std::FILE* file = is_stdin ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return Error{Errc::kUnavailable, path + ": " + errno_text()};
  ByteSource source(is_stdin ? "standard input" : path,
                    std::unique_ptr<std::FILE, CloseFile>(file));
  struct stat about {};
  if (fstat(fileno(file), &about) == 0) {
    if (S_ISDIR(about.st_mode)) return Error{Errc::kUnavailable, path + ": is a directory"};
    if (S_ISREG(about.st_mode)) source.bytes_total_ = static_cast<std::uint64_t>(about.st_size);
  }
  const Result<void> looked = source.look_at_the_front();
  if (!looked) return looked.error();
  return source;
}

Result<void> ByteSource::look_at_the_front() {
  std::array<char, kXzMagic.size()> first{};
  const std::size_t got = std::fread(first.data(), 1, first.size(), file_.get());
  if (std::ferror(file_.get()) != 0) {
    return Error{Errc::kUnavailable, name_ + ": " + errno_text()};
  }
  front_.assign(first.data(), got);
  if (front_ != kXzMagic) return {};
  xz_ = std::make_unique<XzDecoder>();
  if (!xz_->ready()) return Error{Errc::kUnavailable, name_ + ": liblzma does not start"};
  return {};
}

Result<std::size_t> ByteSource::read(std::span<char> into) {
  if (!xz_) return read_file(into);
  Result<std::size_t> got =
      xz_->read(into, [this](std::span<char> chunk) { return read_file(chunk); });
  if (!got) return got.error().within(name_);
  return got;
}

Result<std::size_t> ByteSource::read_file(std::span<char> into) {
  if (!front_.empty()) {
    const std::size_t count = std::min(front_.size(), into.size());
    std::copy_n(front_.begin(), count, into.begin());
    front_.erase(0, count);
    bytes_done_ += count;
    return count;
  }
  const std::size_t got = std::fread(into.data(), 1, into.size(), file_.get());
  if (got == 0 && std::ferror(file_.get()) != 0) {
    return Error{Errc::kUnavailable, name_ + ": " + errno_text()};
  }
  bytes_done_ += got;
  return got;
}

}  // namespace segmentd
