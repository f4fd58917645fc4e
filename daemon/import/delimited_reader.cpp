#include "daemon/import/delimited_reader.hpp"

#include <algorithm>

namespace segmentd {
namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

Result<bool> DelimitedReader::next(Row& row) {
  row.fields.clear();
  row.malformed = false;
  for (;;) {
    if (in_long_line_) skip_one_line();
    Parsed parsed = Parsed::kNeedMore;
    if (!in_long_line_ && !pass_empty_line()) {
      if (input_ended_ && start_ == buffer_.size()) return false;
      parsed = parse();
    }
    if (parsed == Parsed::kNeedMore && !input_ended_ && buffer_.size() - start_ < kRowBytesMax) {
      const Result<void> filled = fill();
      if (!filled) return filled.error();
      continue;
    }
    if (parsed == Parsed::kRow && bounds_.empty()) {  // nothing but blanks
      consume(end_);
      continue;
    }
    row.line = line_;
    if (parsed != Parsed::kRow) {  // whatever still needs more here will never get it
      row.malformed = true;
      skip_one_line();
      return true;
    }
    consume(end_);
    for (const auto& [from, length] : bounds_) {
      row.fields.emplace_back(std::string_view(text_).substr(from, length));
    }
    return true;
  }
}

/// Passes over empty lines. True = more bytes are needed to know whether this one is empty.
bool DelimitedReader::pass_empty_line() {
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(start_);
    if (rest.empty() || (rest == "\r" && !input_ended_)) return !input_ended_;
    if (rest == "\r" || rest.starts_with('\n')) {
      consume(start_ + 1);
    } else if (rest.starts_with("\r\n")) {
      consume(start_ + 2);
    } else {
      return false;
    }
  }
}

DelimitedReader::Parsed DelimitedReader::parse() {
  text_.clear();
  bounds_.clear();
  if (delimiter_ == kBlank) return parse_blank();
  std::size_t at = start_;
  for (;;) {
    const std::size_t from = text_.size();
    const bool quoted = at < buffer_.size() && buffer_[at] == '"';
    const Field field = quoted ? parse_quoted(at) : parse_field(at);
    if (field == Field::kNeedMore) return Parsed::kNeedMore;
    if (field == Field::kMalformed) return Parsed::kMalformed;
    bounds_.emplace_back(from, text_.size() - from);
    if (field == Field::kLast) {
      end_ = at;
      return Parsed::kRow;
    }
  }
}

DelimitedReader::Field DelimitedReader::parse_field(std::size_t& at) {
  const char stops[] = {delimiter_, '\n', '\0'};
  const std::size_t stop = buffer_.find_first_of(stops, at, 2);
  if (stop == std::string::npos) {
    if (!input_ended_) return Field::kNeedMore;
    text_.append(buffer_, at, std::string::npos);
    if (text_.ends_with('\r')) text_.pop_back();
    at = buffer_.size();
    return Field::kLast;
  }
  const bool last = buffer_[stop] == '\n';
  const bool carriage_return = last && stop > at && buffer_[stop - 1] == '\r';
  text_.append(buffer_, at, stop - at - (carriage_return ? 1 : 0));
  at = stop + 1;
  return last ? Field::kLast : Field::kNext;
}

DelimitedReader::Field DelimitedReader::parse_quoted(std::size_t& at) {
  ++at;  // the opening quote
  for (;;) {
    const std::size_t quote = buffer_.find('"', at);
    if (quote == std::string::npos) return Field::kNeedMore;
    text_.append(buffer_, at, quote - at);
    at = quote + 1;
    if (at == buffer_.size() && !input_ended_) return Field::kNeedMore;
    if (at == buffer_.size() || buffer_[at] != '"') return end_of_field(at);
    text_ += '"';
    ++at;
  }
}

/// What stands behind a closing quote.
DelimitedReader::Field DelimitedReader::end_of_field(std::size_t& at) const {
  if (at < buffer_.size() && buffer_[at] == '\r') {
    if (at + 1 == buffer_.size() && !input_ended_) return Field::kNeedMore;
    if (at + 1 == buffer_.size() || buffer_[at + 1] == '\n') ++at;
  }
  if (at == buffer_.size()) return Field::kLast;
  const char c = buffer_[at];
  if (c != '\n' && c != delimiter_) return Field::kMalformed;
  ++at;
  return c == '\n' ? Field::kLast : Field::kNext;
}

DelimitedReader::Parsed DelimitedReader::parse_blank() {
  const std::size_t newline = buffer_.find('\n', start_);
  if (newline == std::string::npos && !input_ended_) return Parsed::kNeedMore;
  end_ = newline == std::string::npos ? buffer_.size() : newline + 1;
  text_.assign(buffer_, start_, (newline == std::string::npos ? end_ : newline) - start_);
  if (text_.ends_with('\r')) text_.pop_back();
  for (std::size_t at = 0; at < text_.size();) {
    if (is_blank(text_[at])) {
      ++at;
      continue;
    }
    const auto stop =
        std::find_if(text_.begin() + static_cast<std::ptrdiff_t>(at), text_.end(), is_blank);
    const auto upto = static_cast<std::size_t>(stop - text_.begin());
    bounds_.emplace_back(at, upto - at);
    at = upto;
  }
  return Parsed::kRow;
}

void DelimitedReader::consume(std::size_t upto) {
  const auto from = buffer_.begin() + static_cast<std::ptrdiff_t>(start_);
  const auto to = buffer_.begin() + static_cast<std::ptrdiff_t>(upto);
  line_ += static_cast<std::uint64_t>(std::count(from, to, '\n'));
  start_ = upto;
  at_front_ = false;
}

void DelimitedReader::skip_one_line() {
  const std::size_t newline = buffer_.find('\n', start_);
  consume(newline == std::string::npos ? buffer_.size() : newline + 1);
  in_long_line_ = newline == std::string::npos && !input_ended_;
}

Result<void> DelimitedReader::fill() {
  buffer_.erase(0, start_);
  start_ = 0;
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + kChunk);
  const Result<std::size_t> got = source_.read(std::span<char>(buffer_.data() + kept, kChunk));
  buffer_.resize(kept + (got ? *got : 0));
  if (!got) return got.error();
  if (*got == 0) input_ended_ = true;
  if (at_front_ && (buffer_.size() >= kByteOrderMark.size() || input_ended_)) {
    if (buffer_.starts_with(kByteOrderMark)) buffer_.erase(0, kByteOrderMark.size());
    at_front_ = false;
  }
  return {};
}

}  // namespace segmentd
