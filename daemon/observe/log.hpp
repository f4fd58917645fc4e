// Structured log lines: a message that is always the same sentence, and fields with what differs.
// By convention no customer id and no record content is written at info or above; ids may appear at
// debug.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "state/core/instant.hpp"
#include "state/core/result.hpp"

namespace segmentd::observe {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t {
  kText,  // 2011-03-14T12:03:00.000Z info message key=value key="two words"
  kJson   // {"time":"...","level":"info","message":"...","fields":{"key":"value"}}
};

struct LogSettings {
  LogLevel level = LogLevel::kInfo;  // lines below it are not written
  LogFormat format = LogFormat::kText;
};

/// `debug`, `info`, `warning`, `error`; else kMisconfigured with the words that are possible.
Result<LogLevel> parse_log_level(std::string_view text);
/// `text`, `json`; else kMisconfigured.
Result<LogFormat> parse_log_format(std::string_view text);

/// A key (a word of the code, never data) and its value. Borrows strings for the time of the call.
struct LogField {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  LogField(std::string_view name, const std::string& text)
      : key(name), value(std::string_view(text)) {}
  LogField(std::string_view name, bool truth) : key(name), value(truth) {}
  LogField(std::string_view name, double number) : key(name), value(number) {}
  template <std::signed_integral T>
  LogField(std::string_view name, T number) : key(name), value(std::int64_t{number}) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogField(std::string_view name, T number)
      : key(name), value(std::uint64_t{number}) {}

  std::string_view key;
  Value value;
};
using LogFields = std::initializer_list<LogField>;

/// Decides level and format for the whole process. Call it once, before other threads log; before
/// it lines go to stderr as text from info up. `out` (for tests) outlives all logging; null =
/// stderr.
void set_up_log(const LogSettings& settings, std::ostream* out = nullptr);

/// Writes one line, whatever the message and the fields hold. Thread-safe.
void log_line(LogLevel level, std::string_view message, LogFields fields = {});

/// What stands behind time and level in a text line; exactly one line.
std::string render_text(std::string_view message, LogFields fields);
/// `"message":"...","fields":{...}`, to stand in a JSON object.
std::string render_json(std::string_view message, LogFields fields);

/// One line per key and interval. Keys are few (a fact and a partition); beyond kKeysMax the ones
/// that have been silent for an interval are forgotten. Owned by one thread; time is passed in.
class RateLimit {
 public:
  static constexpr std::size_t kKeysMax = 1024;

  explicit RateLimit(std::int64_t interval_ms = kMsPerMinute) : interval_ms_(interval_ms) {}

  /// nullopt: be silent. Else the line may go; the value is how many were kept back since the last.
  /// A clock that was set back lets the line go.
  std::optional<std::uint64_t> allow(std::string_view key, Instant now);

 private:
  struct Entry {
    Instant last;
    std::uint64_t kept_back = 0;
  };
  void forget_silent(Instant now);

  std::int64_t interval_ms_;
  std::map<std::string, Entry, std::less<>> entries_;
};

/// log_line under a RateLimit; what was kept back is told in the field `repeated`.
void log_limited(RateLimit& limit, std::string_view key, Instant now, LogLevel level,
                 std::string_view message, LogFields fields = {});

}  // namespace segmentd::observe
