// How bytes of a history file become rows and times.
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <lzma.h>

#include "daemon/import/byte_source.hpp"
#include "daemon/import/delimited_reader.hpp"
#include "daemon/import/time_reader.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

using Fields = std::vector<std::string>;
using test::TempDirectory;

std::string compressed(const std::string& plain) {
  std::string xz(lzma_stream_buffer_bound(plain.size()), '\0');
  std::size_t used = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(
                6, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const std::uint8_t*>(plain.data()),
                plain.size(), reinterpret_cast<std::uint8_t*>(xz.data()), &used, xz.size()),
            LZMA_OK);
  xz.resize(used);
  return xz;
}

struct ReadRow {
  std::uint64_t line;
  bool malformed;
  Fields fields;
  bool operator==(const ReadRow&) const = default;
};

std::ostream& operator<<(std::ostream& out, const ReadRow& row) {
  out << "line " << row.line << (row.malformed ? " malformed" : "") << ":";
  for (const std::string& field : row.fields) out << " [" << field << "]";
  return out;
}

std::vector<ReadRow> rows_of(const std::string& content, char delimiter = ',') {
  const TempDirectory directory;
  Result<ByteSource> source = ByteSource::open(directory.file("rows", content));
  EXPECT_TRUE(source);
  DelimitedReader reader(*source, delimiter);
  std::vector<ReadRow> rows;
  Row row;
  for (;;) {
    const Result<bool> got = reader.next(row);
    EXPECT_TRUE(got);
    if (!got || !*got) return rows;
    rows.push_back({row.line, row.malformed, {row.fields.begin(), row.fields.end()}});
  }
}

using Rows = std::vector<ReadRow>;

TEST(DelimitedReader, ReadsQuotedDelimitersQuotesAndLineEnds) {
  EXPECT_EQ(rows_of("a,\"b,c\",\"say \"\"hi\"\"\"\n\"two\nlines\",,\"\"\nlast,1,2\n"),
            (Rows{{1, false, {"a", "b,c", "say \"hi\""}},
                  {2, false, {"two\nlines", "", ""}},
                  {4, false, {"last", "1", "2"}}}));
}

TEST(DelimitedReader, TakesCrLfAndAMissingLastLineEnd) {
  EXPECT_EQ(rows_of("a,b\r\n\"c\",\"d\"\r\ne,f"),
            (Rows{{1, false, {"a", "b"}}, {2, false, {"c", "d"}}, {3, false, {"e", "f"}}}));
  EXPECT_EQ(rows_of("a,\"b\""), (Rows{{1, false, {"a", "b"}}}));
  EXPECT_EQ(rows_of("a,"), (Rows{{1, false, {"a", ""}}}));
  EXPECT_EQ(rows_of("a,\"b\"\r"), (Rows{{1, false, {"a", "b"}}}));
}

TEST(DelimitedReader, PassesOverEmptyLinesAndByteOrderMarkButCountsThem) {
  EXPECT_EQ(rows_of("\xEF\xBB\xBF"
                    "a\n\n\r\nb\n\n"),
            (Rows{{1, false, {"a"}}, {4, false, {"b"}}}));
  EXPECT_EQ(rows_of(""), Rows{});
  EXPECT_EQ(rows_of("\n\r\n"), Rows{});
}

TEST(DelimitedReader, AQuoteInsideAFieldIsAnOrdinaryCharacter) {
  EXPECT_EQ(rows_of("12\" RULER,5\n"), (Rows{{1, false, {"12\" RULER", "5"}}}));
}

TEST(DelimitedReader, GoesOnAtTheNextLineAfterAMalformedOne) {
  EXPECT_EQ(rows_of("a,\"never closed\nb,1\nc,2\n"),
            (Rows{{1, true, {}}, {2, false, {"b", "1"}}, {3, false, {"c", "2"}}}));
  EXPECT_EQ(rows_of("\"a\"b,1\nc,2\n"), (Rows{{1, true, {}}, {2, false, {"c", "2"}}}));
}

TEST(DelimitedReader, ALineOverTheBoundIsOneMalformedRow) {
  const std::string endless(3 * kRowBytesMax, 'x');
  EXPECT_EQ(rows_of("a,1\n" + endless + ",2\nb,3\n"),
            (Rows{{1, false, {"a", "1"}}, {2, true, {}}, {3, false, {"b", "3"}}}));
}

TEST(DelimitedReader, BlankDelimiterTakesRunsOfBlanks) {
  EXPECT_EQ(
      rows_of(" 00004 0001  19970101\t2   29.33\r\n   \r\n5 \"6\n", kBlank),
      (Rows{{1, false, {"00004", "0001", "19970101", "2", "29.33"}}, {3, false, {"5", "\"6"}}}));
}

TEST(DelimitedReader, OtherDelimiters) {
  EXPECT_EQ(rows_of("a;b,c\n", ';'), (Rows{{1, false, {"a", "b,c"}}}));
  EXPECT_EQ(rows_of("a\tb c\n", '\t'), (Rows{{1, false, {"a", "b c"}}}));
}

TEST(DelimitedReader, ReadsTheSameWhereverTheChunksOfTheFileEnd) {
  // Every row is cut by the 64 KiB chunks at another place, quotes and line ends included.
  for (std::size_t shift = 65'500; shift < 65'540; ++shift) {
    const std::string first(shift, 'x');
    EXPECT_EQ(rows_of(first + ",\"a\"\"b\"\r\n\"c\r\nd\",e\r\n"),
              (Rows{{1, false, {first, "a\"b"}}, {2, false, {"c\r\nd", "e"}}}));
  }
}

TEST(ByteSource, ReadsXzAsIfItWerePlain) {
  const TempDirectory directory;
  std::string plain;
  for (int i = 0; i < 40'000; ++i) plain += std::to_string(i) + ",some text\n";
  // Two streams behind each other, as `cat a.xz b.xz` makes them.
  const std::string xz = compressed(plain) + compressed("end\n");
  Result<ByteSource> source = ByteSource::open(directory.file("rows.xz", xz));
  ASSERT_TRUE(source);
  std::string all;
  std::vector<char> chunk(1000);
  for (;;) {
    const Result<std::size_t> got = source->read(chunk);
    ASSERT_TRUE(got);
    if (*got == 0) break;
    all.append(chunk.data(), *got);
  }
  EXPECT_TRUE(all == plain + "end\n");
  EXPECT_EQ(source->bytes_done(), xz.size());
  EXPECT_EQ(source->bytes_total(), xz.size());
}

Error read_to_error(const std::string& path) {
  Result<ByteSource> source = ByteSource::open(path);
  if (!source) return source.error();
  std::vector<char> chunk(1000);
  for (;;) {
    const Result<std::size_t> got = source->read(chunk);
    if (!got) return got.error();
    if (*got == 0) return {Errc::kRetry, "no error"};
  }
}

TEST(ByteSource, SaysWhatIsWrongWithAFile) {
  const TempDirectory directory;
  const std::string xz = compressed(std::string(100'000, 'a') + "b");
  const Error cut = read_to_error(directory.file("cut.xz", xz.substr(0, xz.size() - 20)));
  EXPECT_EQ(cut.code, Errc::kBadInput);
  EXPECT_NE(cut.what.find("cut short"), std::string::npos) << cut.what;
  std::string broken = xz;
  broken[xz.size() / 2] = static_cast<char>(broken[xz.size() / 2] ^ 0x55);
  EXPECT_EQ(read_to_error(directory.file("broken.xz", broken)).code, Errc::kBadInput);
  EXPECT_EQ(read_to_error(directory.path("absent")).code, Errc::kUnavailable);
  EXPECT_EQ(read_to_error(directory.path("")).code, Errc::kUnavailable);
}

std::string read_time(const std::string& format, const std::string& zone, std::string_view text) {
  Result<TimeReader> reader = TimeReader::make(format, zone);
  if (!reader) return reader.error().what;
  const std::optional<Instant> at = reader->read(text);
  return at ? format_rfc3339_short(*at) : "none";
}

TEST(TimeReader, ReadsEveryFormat) {
  EXPECT_EQ(read_time("rfc3339", "UTC", "2010-12-01 08:26:00"), "2010-12-01T08:26:00Z");
  EXPECT_EQ(read_time("rfc3339", "UTC", "2010-12-01T08:26:00.250+01:00"),
            "2010-12-01T07:26:00.250Z");
  EXPECT_EQ(read_time("s", "UTC", "1291191960"), "2010-12-01T08:26:00Z");
  EXPECT_EQ(read_time("ms", "UTC", "1291191960250"), "2010-12-01T08:26:00.250Z");
  EXPECT_EQ(read_time("us", "UTC", "1291191960250999"), "2010-12-01T08:26:00.250Z");
  EXPECT_EQ(read_time("us", "UTC", "-1"), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(read_time("%Y%m%d", "UTC", "19970101"), "1997-01-01T00:00:00Z");
  EXPECT_EQ(read_time("%m/%d/%Y %H:%M", "UTC", "12/1/2010 8:26"), "2010-12-01T08:26:00Z");
  EXPECT_EQ(read_time("%d.%m.%Y %H:%M:%S %z", "UTC", "01.12.2010 08:26:07 +0200"),
            "2010-12-01T06:26:07Z");
}

TEST(TimeReader, RefusesWhatIsNoSuchTime) {
  EXPECT_EQ(read_time("rfc3339", "UTC", "yesterday"), "none");
  EXPECT_EQ(read_time("rfc3339", "UTC", ""), "none");
  EXPECT_EQ(read_time("rfc3339", "UTC", "1899-12-31T23:59:59Z"), "none");
  EXPECT_EQ(read_time("s", "UTC", "12x"), "none");
  EXPECT_EQ(read_time("s", "UTC", "9223372036854775807"), "none");
  EXPECT_EQ(read_time("%Y%m%d", "UTC", "19970230"), "none");
  EXPECT_EQ(read_time("%Y%m%d", "UTC", "19970101x"), "none");
  EXPECT_EQ(read_time("%Y%m%d", "UTC", "199701"), "none");
}

TEST(TimeReader, TakesAPatternAgainAfterAFailure) {
  Result<TimeReader> reader = TimeReader::make("%Y%m%d", "UTC");
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->read("nonsense"));
  EXPECT_TRUE(reader->read("19970101"));
}

TEST(TimeReader, LocalTimesFollowTheZoneAlsoAcrossItsChanges) {
  EXPECT_EQ(read_time("rfc3339", "Europe/Berlin", "2011-01-15 12:00"), "2011-01-15T11:00:00Z");
  EXPECT_EQ(read_time("rfc3339", "Europe/Berlin", "2011-07-15 12:00"), "2011-07-15T10:00:00Z");
  EXPECT_EQ(read_time("%Y-%m-%d %H:%M", "Europe/Berlin", "2011-07-15 12:00"),
            "2011-07-15T10:00:00Z");
  // Shown twice: the first. Never shown: with the offset from before.
  EXPECT_EQ(read_time("rfc3339", "Europe/Berlin", "2011-10-30 02:30"), "2011-10-30T00:30:00Z");
  EXPECT_EQ(read_time("rfc3339", "Europe/Berlin", "2011-03-27 02:30"), "2011-03-27T01:30:00Z");
  // A written offset wins.
  EXPECT_EQ(read_time("rfc3339", "Europe/Berlin", "2011-07-15T12:00:00Z"), "2011-07-15T12:00:00Z");
  EXPECT_EQ(read_time("s", "Europe/Berlin", "0"), "1970-01-01T00:00:00Z");
}

TEST(TimeReader, NamesAnUnknownZoneOrFormat) {
  EXPECT_NE(read_time("rfc3339", "Mars/Olympus", "").find("Mars/Olympus"), std::string::npos);
  EXPECT_NE(read_time("iso", "UTC", "").find("iso"), std::string::npos);
}

}  // namespace
}  // namespace segmentd
