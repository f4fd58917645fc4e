#include "daemon/kafka/source.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "daemon/kafka/group_members.hpp"
#include "daemon/kafka/group_offsets.hpp"
#include "daemon/kafka/request_watch.hpp"

namespace segmentd::kafka {
namespace {

using Clock = std::chrono::steady_clock;

// Tuned for a local queue of more than a second at peak rate: when it runs full the library stops
// fetching and looks again up to a second later.
const std::vector<Property> kTuned = {
    {"queued.min.messages", "2000000"},
    {"fetch.wait.max.ms", "25"},
    {"fetch.min.bytes", "1"},
    {"fetch.error.backoff.ms", "100"},
    {"check.crcs", "false"},
    {"session.timeout.ms", "6000"},
    {"heartbeat.interval.ms", "250"},   // how soon a member hears of a rebalance
    {"max.poll.interval.ms", "30000"},  // also how long a rebalance waits for a member
    {"topic.metadata.refresh.interval.ms", "60000"},  // how soon another partition count is noticed
};

std::vector<Property> required_of(const ClientSettings& settings, const SourceOptions& options) {
  return {
      {"group.id", settings.group},
      {"group.instance.id", options.instance},
      {"partition.assignment.strategy", "cooperative-sticky"},
      {"isolation.level", "read_committed"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"enable.partition.eof", "true"},
      {"auto.offset.reset", "error"},
      {"queued.max.messages.kbytes", kilobytes(options.queue_bytes)},
  };
}

constexpr milliseconds kEndPatience{2'000};

/// What the group metadata says, read from the library's serialisation: magic, generation in this
/// machine's byte order, group, member, both ending in NUL.
GroupStamp stamp_of(std::string metadata) {
  constexpr std::string_view kMagic = "CGMDv2:";
  GroupStamp stamp;
  const std::size_t fixed = kMagic.size() + sizeof(stamp.generation);
  if (metadata.size() < fixed || metadata.compare(0, kMagic.size(), kMagic) != 0) return stamp;
  std::memcpy(&stamp.generation, metadata.data() + kMagic.size(), sizeof(stamp.generation));
  const std::size_t group_end = metadata.find('\0', fixed);
  if (group_end == std::string::npos) return stamp;
  const std::size_t member_end = metadata.find('\0', group_end + 1);
  if (member_end == std::string::npos) return stamp;
  stamp.member_id = metadata.substr(group_end + 1, member_end - group_end - 1);
  stamp.metadata = std::move(metadata);
  return stamp;
}

class KafkaSource final : public Source {
 public:
  KafkaSource(const ClientSettings& settings, std::string topic, RebalanceListener& listener)
      : client_(std::make_shared<Client>()),
        settings_(settings),
        topic_(std::move(topic)),
        listener_(listener) {
    client_->hooks = {settings.log, this};
  }
  ~KafkaSource() override { end(kEndPatience); }

  Result<void> open(const SourceOptions& options);

  Polled poll(milliseconds timeout) override;
  Result<void> activate(std::int32_t partition, std::int64_t next_offset) override;
  void ignore(std::int32_t partition) override { part(partition).ignored = true; }
  Result<void> rejoin(milliseconds timeout) override;
  GroupStamp group() const override;
  Result<std::vector<CommittedOffset>> committed(std::span<const std::int32_t> partitions,
                                                 milliseconds timeout) const override;
  Result<std::vector<CommittedOffset>> committed_before(std::span<const std::int32_t> partitions,
                                                        milliseconds timeout) const override;
  Result<GroupAssignment> assignment(milliseconds timeout) const override;
  std::optional<std::int64_t> last_known_end(std::int32_t partition) const override;
  void leave(milliseconds timeout) override;
  void stay(milliseconds timeout) override { end(timeout); }

 private:
  struct Part {
    bool owned = false;   // the listener takes it for ours
    bool held = false;    // the library does; it will revoke it
    bool active = false;  // in the library's assignment
    bool ignored = false;
    std::int64_t next = 0;  // records below are not for us
  };

  /// What the library's threads use: it outlives us if the handle does.
  struct Client {
    Hooks hooks;
    RequestWatch watch;
    Handle handle;  // last: goes first
  };

  /// For the rest of the process's life.
  static void leave_behind(std::shared_ptr<Client> client) {
    static auto& left = *new std::vector<std::shared_ptr<Client>>;
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    left.push_back(std::move(client));
  }

  static void on_error(rd_kafka_t*, int code, const char* what, void* hooks);
  static void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t what,
                           rd_kafka_topic_partition_list_t* list, void* hooks);
  void assigned(const std::vector<std::int32_t>& partitions);
  void revoked(const std::vector<std::int32_t>& partitions);
  void notice_end_of_membership();

  Part& part(std::int32_t partition);
  bool holds_any() const;
  bool holds_what_was_lost() const;
  Result<void> give_back_what_was_lost();
  Result<void> subscribe();
  /// Polls records away until the listener has heard that nothing is ours. False: not in time.
  bool give_back(Clock::time_point until);
  std::optional<Polled> take(RawMessage message);
  SourceTrouble trouble_of(const rd_kafka_message_t& message) const;
  std::optional<SourceTrouble> fatal_trouble() const;
  Polled idle();

  rd_kafka_t* handle() const { return client_->handle.get(); }
  void end(milliseconds timeout);

  std::shared_ptr<Client> client_;
  const ClientSettings settings_;
  std::string topic_;
  RebalanceListener& listener_;
  std::vector<Part> parts_;    // by partition number
  std::string member_;         // as which everything owned was assigned
  std::string unknown_topic_;  // what the library said of it since it was told; empty = nothing
  bool was_assigned_ = false;
  bool returning_ = false;  // what was lost is being given back; then we join anew
};

Result<void> KafkaSource::open(const SourceOptions& options) {
  auto conf = make_conf(settings_, client_->hooks, kTuned, required_of(settings_, options));
  if (!conf) return conf.error();
  rd_kafka_conf_set_rebalance_cb(conf->get(), &KafkaSource::on_rebalance);
  rd_kafka_conf_set_error_cb(conf->get(), &KafkaSource::on_error);
  client_->watch.attach(conf->get());
  auto made = make_consumer(std::move(*conf));
  if (!made) return made.error();
  client_->handle = std::move(*made);
  return subscribe();
}

Result<void> KafkaSource::subscribe() {
  Partitions topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), topic_.c_str(), RD_KAFKA_PARTITION_UA);
  if (auto err = rd_kafka_subscribe(handle(), topics.get())) {
    return Error{errc_of(err), "subscribe to " + topic_ + ": " + describe(err)};
  }
  return {};
}

KafkaSource::Part& KafkaSource::part(std::int32_t partition) {
  const auto at = static_cast<std::size_t>(partition);
  if (at >= parts_.size()) parts_.resize(at + 1);
  return parts_[at];
}

bool KafkaSource::holds_any() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.held; });
}

bool KafkaSource::holds_what_was_lost() const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const Part& p) { return p.held && !p.owned; });
}

// --- ownership ---

void KafkaSource::on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t what,
                               rd_kafka_topic_partition_list_t* list, void* hooks) {
  auto* self = static_cast<KafkaSource*>(static_cast<Hooks*>(hooks)->owner);
  if (self == nullptr) {  // already ended
    rd_kafka_assign(handle, nullptr);
    return;
  }
  std::vector<std::int32_t> partitions;
  partitions.reserve(static_cast<std::size_t>(list->cnt));
  for (int i = 0; i < list->cnt; ++i) partitions.push_back(list->elems[i].partition);
  self->notice_end_of_membership();
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self->assigned(partitions);
  } else if (what == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    self->revoked(partitions);
  } else {
    rd_kafka_assign(handle, nullptr);
  }
}

// What is of no single record comes here, from inside a poll, and once a second for as long as the
// topic is not there.
void KafkaSource::on_error(rd_kafka_t* handle, int code, const char* what, void* hooks) {
  auto* all = static_cast<Hooks*>(hooks);
  auto* self = static_cast<KafkaSource*>(all->owner);
  const auto err = static_cast<rd_kafka_resp_err_t>(code);
  if (self != nullptr && errc_of(err) == Errc::kUnavailable) {
    self->unknown_topic_ = what;
  } else if (all->log) {
    all->log(3, std::string("ERROR: ") + rd_kafka_name(handle) + ": " + what);
  }
}

// A membership that ended while a rebalance waited to be told (by a late poll or a frozen process)
// is not always called a loss by librdkafka 2.0.2: it joins anew with what it holds, tells of a
// revoke at most, and the group's stamp is valid again, though others have worked on it meanwhile.
// By the member id it shows.
void KafkaSource::notice_end_of_membership() {
  std::string now = group().member_id;
  if (now == member_) return;
  member_ = std::move(now);
  std::vector<std::int32_t> gone;
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    if (parts_[p].owned) gone.push_back(static_cast<std::int32_t>(p));
    parts_[p].owned = false;
    parts_[p].ignored = true;
  }
  if (!gone.empty()) listener_.on_lost(gone);
}

// Acknowledged with nothing: a partition enters the library's assignment when it is activated, with
// its offset. Until then no record of it can come.
void KafkaSource::assigned(const std::vector<std::int32_t>& partitions) {
  Partitions none(rd_kafka_topic_partition_list_new(0));
  // Were it refused, so would be the activation, which says so.
  const KafkaError refused(rd_kafka_incremental_assign(handle(), none.get()));
  for (const std::int32_t p : partitions) part(p) = Part{.owned = true, .held = true};
  was_assigned_ = true;
  listener_.on_assigned(partitions);
}

// The only place that unassigns: elsewhere it would answer a revoke still in the queue, and hide
// it.
void KafkaSource::revoked(const std::vector<std::int32_t>& partitions) {
  std::vector<std::int32_t> ours;
  for (const std::int32_t p : partitions) {
    if (part(p).owned) ours.push_back(p);
  }
  if (!ours.empty()) {
    const bool lost = rd_kafka_assignment_lost(handle()) != 0;
    lost ? listener_.on_lost(ours) : listener_.on_revoked(ours);
  }
  Partitions active(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const std::int32_t p : partitions) {
    if (part(p).active) rd_kafka_topic_partition_list_add(active.get(), topic_.c_str(), p);
    part(p) = Part{};
  }
  // Also when nothing was active: it is the answer the group waits for.
  KafkaError refused(rd_kafka_incremental_unassign(handle(), active.get()));
  if (refused && client_->hooks.log) client_->hooks.log(3, rd_kafka_error_string(refused.get()));
}

Result<void> KafkaSource::activate(std::int32_t partition, std::int64_t next_offset) {
  Part& p = part(partition);
  const std::string where = topic_ + "/" + std::to_string(partition);
  if (!p.owned) return Error{Errc::kBadInput, where + ": not assigned to this member"};
  if (p.active) return Error{Errc::kBadInput, where + ": active already"};
  if (next_offset < 0) return Error{Errc::kBadInput, where + ": offset below 0"};
  Partitions list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition)->offset = next_offset;
  if (KafkaError error(rd_kafka_incremental_assign(handle(), list.get())); error) {
    return Error{Errc::kRetry, where + ": " + rd_kafka_error_string(error.get())};
  }
  p.active = true;
  p.next = next_offset;
  return {};
}

bool KafkaSource::give_back(Clock::time_point until) {
  rd_kafka_unsubscribe(handle());
  // Records polled away here must not leave a gap, should it take longer: they come again after the
  // revoke, and none before.
  for (Part& p : parts_) p.ignored = true;
  while (holds_any() && Clock::now() < until) {
    RawMessage ignored(rd_kafka_consumer_poll(handle(), 10));
  }
  return !holds_any();
}

/// Over several polls: the revoke comes in one of them.
Result<void> KafkaSource::give_back_what_was_lost() {
  if (!returning_) {
    if (!holds_what_was_lost()) return {};
    rd_kafka_unsubscribe(handle());
    returning_ = true;
  }
  if (holds_any()) return {};
  if (auto anew = subscribe(); !anew) return anew;
  returning_ = false;
  return {};
}

Result<void> KafkaSource::rejoin(milliseconds timeout) {
  if (!give_back(Clock::now() + timeout)) {
    return Error{Errc::kRetry, topic_ + ": the group did not take our partitions back in time"};
  }
  returning_ = false;
  return subscribe();
}

void KafkaSource::leave(milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  const bool member = group().generation >= 0;
  const auto goodbyes = client_->watch.answers(Api::kLeaveGroup);
  if (give_back(until) && member) {
    // A static member that is closed before its LeaveGroup is out never sends it, and its
    // partitions stand still until its session ends.
    while (client_->watch.answers(Api::kLeaveGroup) == goodbyes && Clock::now() < until) {
      RawMessage ignored(rd_kafka_consumer_poll(handle(), 5));
    }
  }
  end(std::max(std::chrono::duration_cast<milliseconds>(until - Clock::now()), kEndPatience));
}

// librdkafka 2.0.2 sometimes never returns from destroying a member in the middle of a rebalance.
// Then the handle is left behind: whoever destroys a Source is about to end the process.
//
// And it aborts the process when one is destroyed that has joined but not yet heard what it is
// assigned (its #4312).
void KafkaSource::end(milliseconds timeout) {
  if (!client_) return;
  client_->hooks.owner = nullptr;
  if (!was_assigned_) return leave_behind(std::move(client_));
  auto gone = std::make_shared<std::promise<void>>();
  auto waiting = gone->get_future();
  std::thread([client = std::move(client_), gone]() mutable {
    client->handle.reset();
    gone->set_value();
  }).detach();
  waiting.wait_for(timeout);
}

// --- records ---

Polled KafkaSource::poll(milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  milliseconds left = timeout;
  for (;;) {
    // Before anything is taken from the queue: what is taken must not be dropped.
    if (auto given = give_back_what_was_lost(); !given) {
      if (auto end = fatal_trouble()) return std::move(*end);
      return SourceTrouble{SourceTrouble::Kind::kTransient, -1, given.error().what};
    }
    RawMessage message(rd_kafka_consumer_poll(handle(), timeout_ms(left)));
    if (!message) return idle();
    if (auto polled = take(std::move(message))) return std::move(*polled);
    // Something that is not for us: a parked partition may send a lot of it.
    left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    if (left.count() <= 0) return idle();
  }
}

/// The library tells of its end once, perhaps while records are polled away: so it is asked.
Polled KafkaSource::idle() {
  if (auto end = fatal_trouble()) return std::move(*end);
  if (!unknown_topic_.empty()) {
    return SourceTrouble{SourceTrouble::Kind::kUnknownTopic, -1, std::exchange(unknown_topic_, {})};
  }
  return Idle{};
}

std::optional<SourceTrouble> KafkaSource::fatal_trouble() const {
  std::array<char, 512> why{};
  const auto code = rd_kafka_fatal_error(handle(), why.data(), why.size());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  const auto kind = code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ? SourceTrouble::Kind::kFenced
                                                                 : SourceTrouble::Kind::kFatal;
  return SourceTrouble{kind, -1, describe(code, why.data())};
}

std::optional<Polled> KafkaSource::take(RawMessage message) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
      message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    return trouble_of(*message);
  }
  Part& p = part(message->partition);
  if (!p.active || p.ignored || message->offset < p.next) return std::nullopt;
  if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    return PartitionEnd{message->partition, message->offset};
  }
  p.next = message->offset + 1;
  return message_of(std::move(message));
}

SourceTrouble KafkaSource::trouble_of(const rd_kafka_message_t& message) const {
  using Kind = SourceTrouble::Kind;
  SourceTrouble trouble{Kind::kTransient, -1,
                        describe(message.err, rd_kafka_message_errstr(&message))};
  if (message.rkt != nullptr) trouble.partition = message.partition;
  const auto code = message.err;
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    if (auto end = fatal_trouble()) return *end;
  }
  if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    trouble.kind = Kind::kOffsetOutOfRange;
  } else if (errc_of(code) == Errc::kUnavailable) {
    trouble.kind = Kind::kUnknownTopic;
  } else if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
    trouble.kind = Kind::kFenced;
  } else if (errc_of(code) == Errc::kMisconfigured) {
    trouble.kind = Kind::kFatal;
  }
  return trouble;
}

std::optional<std::int64_t> KafkaSource::last_known_end(std::int32_t partition) const {
  std::int64_t first = -1;
  std::int64_t end = -1;
  if (rd_kafka_get_watermark_offsets(handle(), topic_.c_str(), partition, &first, &end) !=
          RD_KAFKA_RESP_ERR_NO_ERROR ||
      end < 0) {
    return std::nullopt;
  }
  return end;
}

// --- the group ---

Result<GroupAssignment> KafkaSource::assignment(milliseconds timeout) const {
  const auto described = describe_group(handle(), settings_.group, timeout);
  if (!described) return described.error();
  GroupAssignment assignment;
  assignment.stable = described->stable;
  for (const GroupMember& member : described->members) {
    for (const auto& [topic, partition] : member.assigned) {
      if (topic == topic_) assignment.assigned.insert(partition);
    }
  }
  return assignment;
}

GroupStamp KafkaSource::group() const {
  using Metadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                   Destroy<rd_kafka_consumer_group_metadata_destroy>>;
  const Metadata metadata(rd_kafka_consumer_group_metadata(handle()));
  if (!metadata) return {};
  void* bytes = nullptr;
  std::size_t size = 0;
  if (KafkaError error(rd_kafka_consumer_group_metadata_write(metadata.get(), &bytes, &size));
      error) {
    return {};
  }
  GroupStamp stamp = stamp_of(std::string(static_cast<const char*>(bytes), size));
  rd_kafka_mem_free(handle(), bytes);
  // Asked after the metadata was taken: what is lost later cannot be behind metadata taken earlier.
  stamp.lost = rd_kafka_assignment_lost(handle()) != 0;
  return stamp;
}

Result<std::vector<CommittedOffset>> KafkaSource::committed(
    std::span<const std::int32_t> partitions, milliseconds timeout) const {
  return committed_offsets(handle(), topic_, partitions, timeout);
}

Result<std::vector<CommittedOffset>> KafkaSource::committed_before(
    std::span<const std::int32_t> partitions, milliseconds timeout) const {
  return committed_offsets(settings_, topic_, partitions, timeout, Offsets::kBefore);
}

}  // namespace

Result<std::unique_ptr<Source>> open_source(const ClientSettings& settings,
                                            const SourceOptions& options,
                                            RebalanceListener& listener) {
  auto source = std::make_unique<KafkaSource>(settings, options.topic, listener);
  if (auto opened = source->open(options); !opened) return opened.error();
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace segmentd::kafka
