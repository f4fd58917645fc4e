// Rows of a delimited text: CSV of RFC 4180 and its relatives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/import/byte_source.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// As the delimiter: fields stand between runs of spaces or tabs, leading ones ignored, no quoting.
inline constexpr char kBlank = ' ';

/// A row longer than this is malformed: usually a quote that is never closed.
inline constexpr std::size_t kRowBytesMax = 1024 * 1024;

/// One row. The fields live until the next call of DelimitedReader::next.
struct Row {
  std::uint64_t line = 0;  // where it begins, counted from 1 in lines of the file
  bool malformed = false;  // a quote not closed or followed by text; then there are no fields
  std::vector<std::string_view> fields;
};

/// Reads row by row. A field in double quotes may hold delimiters, line ends and doubled quotes; a
/// quote inside an unquoted field is an ordinary character. Lines end in LF or CRLF, the last one
/// may lack it; empty lines and a byte order mark at the front are passed over. After a malformed
/// row reading goes on at the line after the one where it began. Memory: at most two rows of
/// kRowBytesMax. One thread.
class DelimitedReader {
 public:
  /// `source` is not owned and outlives the reader.
  DelimitedReader(ByteSource& source, char delimiter) : source_(source), delimiter_(delimiter) {}

  /// The next row in `row`; false = the end. Errors are those of ByteSource::read.
  Result<bool> next(Row& row);

 private:
  enum class Parsed { kRow, kNeedMore, kMalformed };
  enum class Field { kNext, kLast, kNeedMore, kMalformed };

  Parsed parse();
  Field parse_field(std::size_t& at);
  Field parse_quoted(std::size_t& at);
  Field end_of_field(std::size_t& at) const;
  Parsed parse_blank();
  bool pass_empty_line();
  void consume(std::size_t upto);
  void skip_one_line();
  Result<void> fill();

  ByteSource& source_;
  char delimiter_;
  std::string buffer_;      // file bytes; those before start_ are used up
  std::size_t start_ = 0;   // where the next row begins
  std::size_t end_ = 0;     // behind the row just parsed, its line end included
  std::uint64_t line_ = 1;  // of start_
  bool at_front_ = true;
  bool in_long_line_ = false;  // the rest of a line over kRowBytesMax is still to be passed over
  bool input_ended_ = false;
  std::string text_;                                         // of the fields, unquoted
  std::vector<std::pair<std::size_t, std::size_t>> bounds_;  // of each field in text_
};

}  // namespace segmentd
