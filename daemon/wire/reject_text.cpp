#include "daemon/wire/reject_text.hpp"

#include <fmt/format.h>
#include <simdjson.h>

namespace segmentd {
namespace {

constexpr std::size_t kQuotedBytesMax = 60;

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

/// `2 d`, `90 min`: the largest unit that divides it.
std::string duration_text(std::int64_t ms) {
  if (ms % kMsPerDay == 0) return fmt::format("{} d", ms / kMsPerDay);
  if (ms % kMsPerHour == 0) return fmt::format("{} h", ms / kMsPerHour);
  if (ms % kMsPerMinute == 0) return fmt::format("{} min", ms / kMsPerMinute);
  if (ms % kMsPerSecond == 0) return fmt::format("{} s", ms / kMsPerSecond);
  return fmt::format("{} ms", ms);
}

}  // namespace

std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && continues_character(text[end])) --end;
  return text.substr(0, end);
}

std::string quoted(std::string_view text) {
  const std::string_view kept = cut_utf8(text, kQuotedBytesMax);
  // A message key may be any bytes; what does not read as UTF-8 is shown by its ASCII.
  const unsigned char shown_max = simdjson::validate_utf8(kept.data(), kept.size()) ? 0xff : 0x7e;
  std::string out = "\"";
  for (const char c : kept) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f || byte > shown_max ? '?' : c;
  }
  out += kept.size() < text.size() ? "...\"" : "\"";
  return out;
}

Reject make_reject(RejectReason reason, std::string_view detail) {
  return {reason, std::string(cut_utf8(detail, kRejectDetailBytesMax))};
}

Reject reject_future(Instant at, Instant wall, std::int64_t tolerance_ms) {
  return make_reject(
      RejectReason::kFuture,
      fmt::format("the record's time {} is more than input.future_tolerance ({}) after now, {}",
                  format_rfc3339(at), duration_text(tolerance_ms), format_rfc3339(wall)));
}

Reject reject_clock_jump(Instant at, Instant clock, std::int64_t max_step_ms) {
  return make_reject(
      RejectReason::kClockJump,
      fmt::format(
          "the record's time {} is more than clock.max_step ({}) ahead of the event clock, {}",
          format_rfc3339(at), duration_text(max_step_ms), format_rfc3339(clock)));
}

Reject reject_too_old(Instant at, std::optional<Instant> folded_until) {
  const std::string horizon =
      folded_until ? fmt::format("what is not newer than {}", format_rfc3339(*folded_until))
                   : std::string("older orders");
  return make_reject(
      RejectReason::kTooOld,
      fmt::format("the record's time is {}; {} was folded into totals for this customer and cannot "
                  "change any more (orders.remembered)",
                  format_rfc3339(at), horizon));
}

Reject reject_wrong_partition(std::int32_t found, std::int32_t expected,
                              std::string_view partitioner) {
  return make_reject(
      RejectReason::kWrongPartition,
      fmt::format("the record lies in partition {}, but {} puts its key into partition {} "
                  "(input.partitioner)",
                  found, partitioner, expected));
}

Reject reject_skipped() {
  return make_reject(RejectReason::kSkipped, "skipped by hand (input.skip); it was not looked at");
}

}  // namespace segmentd
