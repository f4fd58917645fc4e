// What a text must be to be a topic name, a currency, a JSON pointer, ...
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/option.hpp"

namespace segmentd::config {

bool is_not_empty(std::string_view text);
/// Three upper-case letters. Which of them exist is not checked: shops have house currencies.
bool is_currency_code(std::string_view text);
/// Also what becomes part of topic names, group ids and transactional ids.
bool is_application_name(std::string_view text);
bool is_instance_name_or_empty(std::string_view text);
bool is_topic_name(std::string_view text);
/// RFC 6901, but not the empty pointer: that is the whole record, never a field.
bool is_json_pointer(std::string_view text);
/// `127.0.0.1:9464`, `[::1]:9464`, `:9464` is not one. Port 0 = any free port.
bool is_host_and_port(std::string_view text);
/// `host`, `host:9092` or `PLAINTEXT://host:9092`, as librdkafka takes them.
bool is_broker(std::string_view text);
/// One item of a comma-separated list: not empty, no comma, no blanks around it.
bool is_list_word(std::string_view text);
bool is_time_or_empty(std::string_view text);

/// One record of a topic.
struct RecordPlace {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};
/// Reads `orders/0/4711`. nullopt = not of this form.
std::optional<RecordPlace> parse_record_place(std::string_view text);
bool is_record_place(std::string_view text);

inline constexpr Rule kNotEmpty{"not empty", is_not_empty};
inline constexpr Rule kCurrencyCode{"three letters A-Z, as ISO 4217 has them", is_currency_code};
inline constexpr Rule kApplicationName{"1 to 64 of a-z 0-9 . _ -, the first a letter or digit",
                                       is_application_name};
inline constexpr Rule kInstanceNameOrEmpty{
    "empty, or 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit",
    is_instance_name_or_empty};
inline constexpr Rule kTopicName{"1 to 249 of A-Z a-z 0-9 . _ -", is_topic_name};
inline constexpr Rule kJsonPointer{"a JSON pointer to a field, such as /order/id", is_json_pointer};
inline constexpr Rule kHostAndPort{"host:port, such as 127.0.0.1:9464", is_host_and_port};
inline constexpr Rule kBroker{"host or host:port", is_broker};
inline constexpr Rule kListWord{"a word without comma and surrounding blanks", is_list_word};
inline constexpr Rule kRecordPlace{"topic/partition/offset, such as orders/0/4711",
                                   is_record_place};
inline constexpr Rule kTimeZone{"a name of the IANA time zone database, such as Europe/Berlin",
                                is_not_empty};
inline constexpr Rule kTimeOrEmpty{"an RFC 3339 time or empty", is_time_or_empty};

}  // namespace segmentd::config
