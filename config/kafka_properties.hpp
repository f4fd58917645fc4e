// The `kafka.*` settings: properties handed to librdkafka as they are, except those the
// exactly-once protocol depends on, which are refused by name, each with its reason.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace segmentd::config {

/// What these settings begin with; the rest of the key is librdkafka's name.
inline constexpr std::string_view kKafkaPrefix = "kafka.";

/// A librdkafka property that may not be set, and why. A name ending in `*` stands for all that
/// begin so, one beginning with `*` for all that end so.
struct RefusedProperty {
  const char* name;
  const char* reason;
};

/// A property that may be set within bounds narrower than librdkafka's (smallest and largest
/// included).
struct BoundedProperty {
  const char* name;
  std::int64_t smallest;
  std::int64_t largest;
  const char* reason;
};

std::span<const RefusedProperty> refused_kafka_properties();
std::span<const BoundedProperty> bounded_kafka_properties();
/// Whatever its value.
bool is_refused_kafka_property(std::string_view name);
/// Passwords, keys and tokens: never shown, neither in listings nor in problems.
bool is_secret_kafka_property(std::string_view name);

class KafkaProperties {
 public:
  struct Entry {
    std::string value;
    std::string origin;
  };

  /// Takes a property by librdkafka's name. Returns why it was refused; empty = taken. That
  /// librdkafka knows the name and accepts the value is not checked here.
  [[nodiscard]] std::string set(std::string_view name, std::string_view value,
                                std::string_view origin);
  /// By name, in its order.
  [[nodiscard]] const std::map<std::string, Entry, std::less<>>& all() const { return entries_; }
  /// nullopt = not set, or not a whole number.
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace segmentd::config
