// Everything a person may set, each declared once: name, type, default, range, meaning. The shipped
// segmentd.toml, REFERENCE.md, the help and all refusals are generated from these declarations.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/kafka_properties.hpp"
#include "config/option.hpp"
#include "config/rules.hpp"
#include "config/settings_input.hpp"
#include "config/settings_model.hpp"
#include "config/settings_service.hpp"
#include "state/core/money.hpp"

namespace segmentd::config {

enum class Clock { kWall, kEvent };
enum class OnStop { kLeave, kStay };

/// The longest a transaction may stay open unless kafka.transaction.timeout.ms says otherwise.
inline constexpr std::chrono::milliseconds kTransactionTimeoutDefault{10'000};
/// Room that stays free beside a rejected record's value, for its key and headers.
inline constexpr std::int64_t kRejectedOverheadBytes = 64 * 1024;
/// A process runs this many workers at most.
inline constexpr std::int64_t kWorkersMax = 64;

/// A plain value: copies are independent. Build one, set what is wanted, then treat it as constant.
struct Settings : OptionSet {
  Settings();
  Settings(const Settings& other);
  Settings& operator=(const Settings& other);
  ~Settings() = default;

  StringOption application{
      *this,
      {"application",
       "Name of this deployment. It is the consumer group, the beginning of the names of the "
       "internal "
       "topics and of the transactional ids, and stands in every event's `source`."},
      "segmentd",
      kApplicationName};
  ListOption brokers{*this,
                     {"brokers", "Kafka brokers to ask first; the others are learnt from them."},
                     {"127.0.0.1:9092"},
                     ListOption::Kind::kOrdered,
                     kBroker};
  StringOption currency{*this,
                        {"currency",
                         "ISO 4217 code of your orders. A record in another currency is rejected "
                         "as `unknown_currency`.",
                         kRequired | kMeaning},
                        "",
                        kCurrencyCode};
  IntegerOption decimals{
      *this,
      {"decimals",
       "Digits behind the point that an amount may have; money is counted in units "
       "of the last one.",
       kMeaning},
      2,
      0,
      kDecimalsMax};
  StringOption time_zone{
      *this,
      {"time_zone",
       "Zone of times written without one, and of the days that purchase days are counted in.",
       kMeaning},
      "UTC",
      kTimeZone};
  Choice<Clock> clock{
      *this,
      {"clock",
       "What `now` is: `wall` in service; `event` for history and demonstrations, where it is the "
       "newest event time of the partition.",
       kMeaning},
      Clock::kWall,
      {"wall", "event"}};
  DurationOption clock_step_max{
      *this,
      {"clock.max_step",
       "How far ahead of the partition's clock a record may lie with `clock = event`. A "
       "record further ahead, except the first, is rejected as `clock_jump`."},
      std::chrono::hours(400 * 24),
      std::chrono::hours(1),
      std::chrono::hours(36'500 * 24)};
  IntegerOption workers{*this,
                        {"workers",
                         "Worker threads of this process, each a member of the consumer group that "
                         "owns some of the input's partitions. More than there are partitions "
                         "stand by."},
                        1,
                        1,
                        kWorkersMax};
  StringOption instance{*this,
                        {"instance",
                         "Name of this process within the application. Empty = the one made once "
                         "and kept in the state "
                         "directory. A name set here must stay the same over restarts, and each "
                         "process needs its own: "
                         "a second one with the same name fences the first."},
                        "",
                        kInstanceNameOrEmpty};
  StringOption state_dir{
      *this,
      {"state_dir",
       "Directory of the local state. One process at a time; what is lost here is "
       "restored from the changelog."},
      "/var/lib/segmentd",
      kNotEmpty};
  DurationOption state_keep{
      *this,
      {"state_keep",
       "How long the directory of a partition that went to another member is kept, in case it "
       "comes back; then it is removed. Time in which the group does not know this process, as "
       "where the brokers are away, does not count."},
      std::chrono::hours(1),
      std::chrono::seconds(1),
      std::chrono::hours(12)};
  Choice<OnStop> on_stop{*this,
                         {"on_stop",
                          "What SIGTERM does to the partitions: `leave` hands them over at once; "
                          "`stay` keeps them for a "
                          "restart within the session timeout."},
                         OnStop::kLeave,
                         {"leave", "stay"}};
  StringOption announce_from{
      *this,
      {"announce_from",
       "Reserved: the time before which moves are made in silence. This version cannot do that and "
       "refuses any value."},
      "",
      kTimeOrEmpty};

  InputSettings input{*this};
  FieldSettings field{*this};
  OrderSettings orders{*this};
  RejectedSettings rejected{*this};
  ModelSettings model{*this};
  LabelSettings labels{*this};
  OutputSettings output{*this};
  TableSettings table{*this};
  TopicSettings topics{*this};
  LimitSettings limits{*this};
  RocksDbSettings rocksdb{*this};
  HttpSettings http{*this};
  LogSettings log{*this};

  /// Properties for librdkafka, beside those the daemon sets itself.
  KafkaProperties kafka;

  /// Sets by key, `kafka.*` included. Returns why not (an unknown key with what was probably
  /// meant); empty = taken.
  [[nodiscard]] std::string set(std::string_view key, std::string_view value,
                                std::string_view origin = "set");

  /// Rules that need two settings, and settings that are required and missing.
  [[nodiscard]] std::vector<Problem> conflicts() const;
  /// What was set and has no effect, a sentence each.
  [[nodiscard]] std::vector<std::string> notes() const;

  /// Sorted `key=value` lines, each ended by a newline, of the settings that give stored state its
  /// meaning. State written under another fingerprint must not be read as if it were this one's.
  [[nodiscard]] std::string fingerprint() const;

  /// The brokers as librdkafka takes them: separated by commas.
  [[nodiscard]] std::string bootstrap_servers() const;
  [[nodiscard]] std::string rejected_topic() const;
  [[nodiscard]] std::string changelog_topic() const;
  [[nodiscard]] std::string model_topic() const;
  [[nodiscard]] std::string statistics_topic() const;
  [[nodiscard]] std::chrono::milliseconds transaction_timeout() const;
  /// The display name of a segment id, as `labels.*` has it; an id without label is its own.
  [[nodiscard]] std::string label(std::string_view segment) const;

 private:
  /// Conflicts of sizes and times among each other.
  void conflicting_bounds(std::vector<Problem>& problems) const;
  void conflicting_topics(std::vector<Problem>& problems) const;
};

}  // namespace segmentd::config
