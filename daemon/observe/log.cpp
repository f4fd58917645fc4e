#include "daemon/observe/log.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "daemon/observe/json_text.hpp"

namespace segmentd::observe {
namespace {

// spdlog writes time and level; everything that needs escaping is rendered here beforehand.
constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

struct Log {
  std::unique_ptr<spdlog::logger> logger;
  LogFormat format = LogFormat::kText;
};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

Log make_log(const LogSettings& settings, std::ostream* out) {
  spdlog::sink_ptr sink;
  if (out != nullptr) {
    sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(*out, true);
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  auto logger = std::make_unique<spdlog::logger>("segmentd", std::move(sink));
  logger->set_level(spdlog_level(settings.level));
  logger->set_pattern(settings.format == LogFormat::kJson ? kJsonPattern : kTextPattern,
                      spdlog::pattern_time_type::utc);
  return {std::move(logger), settings.format};
}

Log& log() {
  static Log made = make_log({}, nullptr);
  return made;
}

/// A value that stands without quotes: no blank, quote, equals sign or control character in it.
bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
  });
}

struct AppendText {
  std::string& out;
  void operator()(std::string_view text) const {
    if (is_plain(text)) {
      out += text;
    } else {
      append_json_string(out, text);
    }
  }
  void operator()(bool truth) const { out += truth ? "true" : "false"; }
  void operator()(auto number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
};

struct AppendJson {
  std::string& out;
  void operator()(std::string_view text) const { append_json_string(out, text); }
  void operator()(bool truth) const { out += truth ? "true" : "false"; }
  void operator()(double number) const {
    if (std::isfinite(number)) {
      fmt::format_to(std::back_inserter(out), "{}", number);
    } else {
      out += "null";  // JSON has no word for it
    }
  }
  void operator()(auto number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
};

template <class Range>
std::string text_of(std::string_view message, const Range& fields) {
  std::string quoted;
  append_json_string(quoted, message);
  std::string line = quoted.substr(1, quoted.size() - 2);  // escaped, but not quoted
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    std::visit(AppendText{line}, field.value);
  }
  return line;
}

template <class Range>
std::string json_of(std::string_view message, const Range& fields) {
  std::string line = "\"message\":";
  append_json_string(line, message);
  line += ",\"fields\":{";
  bool first = true;
  for (const LogField& field : fields) {
    if (!first) line += ',';
    first = false;
    append_json_string(line, field.key);
    line += ':';
    std::visit(AppendJson{line}, field.value);
  }
  line += '}';
  return line;
}

template <class Range>
void write(LogLevel level, std::string_view message, const Range& fields) {
  Log& target = log();
  const auto at = spdlog_level(level);
  if (!target.logger->should_log(at)) return;
  target.logger->log(
      at, spdlog::string_view_t(target.format == LogFormat::kJson ? json_of(message, fields)
                                                                  : text_of(message, fields)));
}

Error unknown_word(std::string_view setting, std::string_view text, std::string_view possible) {
  return {Errc::kMisconfigured, fmt::format("{} '{}' is not one of {}", setting, text, possible)};
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return unknown_word("log level", text, "debug, info, warning, error");
}

Result<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return unknown_word("log format", text, "text, json");
}

void set_up_log(const LogSettings& settings, std::ostream* out) {
  log() = make_log(settings, out);
}

void log_line(LogLevel level, std::string_view message, LogFields fields) {
  write(level, message, fields);
}

std::string render_text(std::string_view message, LogFields fields) {
  return text_of(message, fields);
}

std::string render_json(std::string_view message, LogFields fields) {
  return json_of(message, fields);
}

std::optional<std::uint64_t> RateLimit::allow(std::string_view key, Instant now) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (entries_.size() >= kKeysMax) forget_silent(now);
    if (entries_.size() < kKeysMax) entries_.emplace(std::string(key), Entry{now, 0});
    return 0;
  }
  Entry& entry = found->second;
  const std::int64_t since = now - entry.last;
  if (since >= 0 && since < interval_ms_) {
    ++entry.kept_back;
    return std::nullopt;
  }
  const std::uint64_t kept_back = entry.kept_back;
  entry = {now, 0};
  return kept_back;
}

void RateLimit::forget_silent(Instant now) {
  std::erase_if(entries_, [&](const auto& each) {
    return now - each.second.last >= interval_ms_ || now < each.second.last;
  });
}

void log_limited(RateLimit& limit, std::string_view key, Instant now, LogLevel level,
                 std::string_view message, LogFields fields) {
  const std::optional<std::uint64_t> kept_back = limit.allow(key, now);
  if (!kept_back) return;
  std::vector<LogField> all(fields);
  if (*kept_back > 0) all.emplace_back("repeated", *kept_back);
  write(level, message, all);
}

}  // namespace segmentd::observe
