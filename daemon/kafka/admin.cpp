#include "daemon/kafka/admin.hpp"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "daemon/kafka/admin_question.hpp"
#include "daemon/kafka/group_members.hpp"

namespace segmentd::kafka {
namespace {

using Clock = std::chrono::steady_clock;
using Order = std::unique_ptr<rd_kafka_NewTopic_t, Destroy<rd_kafka_NewTopic_destroy>>;
using Resource =
    std::unique_ptr<rd_kafka_ConfigResource_t, Destroy<rd_kafka_ConfigResource_destroy>>;

constexpr milliseconds kCreateAttempt{5'000};

Result<Event> ask_to_create(rd_kafka_t* handle, std::vector<rd_kafka_NewTopic_t*>& question,
                            milliseconds timeout) {
  const Options options = options_for(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
  const Queue queue(rd_kafka_queue_new(handle));
  rd_kafka_CreateTopics(handle, question.data(), question.size(), options.get(), queue.get());
  return answer_on(queue.get(), timeout, "create topics");
}

TopicDescription description_of(const rd_kafka_metadata_topic_t& topic) {
  TopicDescription description;
  description.exists = topic.err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                       topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
  description.partitions = topic.partition_cnt;
  if (topic.partition_cnt > 0) description.replication = topic.partitions[0].replica_cnt;
  // Known, but not to be written or read yet.
  for (int p = 0; p < topic.partition_cnt; ++p) {
    if (topic.partitions[p].leader < 0) description.partitions = 0;
  }
  return description;
}

Order order_of(const NewTopic& topic) {
  std::array<char, 256> why{};
  Order order(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication,
                                    why.data(), why.size()));
  for (const auto& [name, value] : topic.settings) {
    if (order) rd_kafka_NewTopic_set_config(order.get(), name.c_str(), value.c_str());
  }
  return order;
}

}  // namespace

Result<std::unique_ptr<Admin>> Admin::open(const ClientSettings& settings) {
  std::unique_ptr<Admin> admin(new Admin());
  admin->hooks_ = Hooks{settings.log, admin.get()};
  auto conf = make_conf(settings, admin->hooks_, {}, {});
  if (!conf) return conf.error();
  auto handle = make_producer(std::move(*conf));
  if (!handle) return handle.error();
  admin->handle_ = std::move(*handle);
  return admin;
}

Result<std::map<std::string, TopicDescription>> Admin::ask_metadata(milliseconds timeout) {
  const rd_kafka_metadata_t* metadata = nullptr;
  if (auto err = rd_kafka_metadata(handle_.get(), 1, nullptr, &metadata, timeout_ms(timeout))) {
    return Error{errc_of(err), "topics: " + kafka::describe(err)};
  }
  std::map<std::string, TopicDescription> topics;
  for (int t = 0; t < metadata->topic_cnt; ++t) {
    topics[metadata->topics[t].topic] = description_of(metadata->topics[t]);
  }
  rd_kafka_metadata_destroy(metadata);
  return topics;
}

Result<std::int32_t> Admin::brokers(milliseconds timeout) {
  const rd_kafka_metadata_t* metadata = nullptr;
  if (auto err = rd_kafka_metadata(handle_.get(), 0, nullptr, &metadata, timeout_ms(timeout))) {
    return Error{errc_of(err), "brokers: " + kafka::describe(err)};
  }
  const std::int32_t count = metadata->broker_cnt;
  rd_kafka_metadata_destroy(metadata);
  return std::max(count, 1);
}

Result<std::vector<std::string>> Admin::list(milliseconds timeout) {
  auto topics = ask_metadata(timeout);
  if (!topics) return topics.error();
  std::vector<std::string> names;
  for (const auto& [name, description] : *topics) {
    if (name.rfind("__", 0) != 0) names.push_back(name);
  }
  return names;
}

Result<std::map<std::string, TopicDescription>> Admin::describe(std::span<const std::string> names,
                                                                milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  auto all = ask_metadata(timeout);
  if (!all) return all.error();
  std::map<std::string, TopicDescription> asked;
  for (const std::string& name : names) {
    const auto found = all->find(name);
    asked[name] = found == all->end() ? TopicDescription{} : found->second;
  }
  if (auto done = ask_settings(asked, left_until(until)); !done) return done.error();
  return asked;
}

Result<void> Admin::ask_settings(std::map<std::string, TopicDescription>& topics,
                                 milliseconds timeout) {
  std::vector<Resource> resources;
  std::vector<rd_kafka_ConfigResource_t*> question;
  for (const auto& [name, description] : topics) {
    if (!description.exists) continue;
    resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
    question.push_back(resources.back().get());
  }
  if (question.empty()) return {};
  const Options options = options_for(handle_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout);
  const Queue queue(rd_kafka_queue_new(handle_.get()));
  rd_kafka_DescribeConfigs(handle_.get(), question.data(), question.size(), options.get(),
                           queue.get());
  auto event = answer_on(queue.get(), timeout, "topic settings");
  if (!event) return event.error();
  std::size_t count = 0;
  const auto** answers = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  for (std::size_t r = 0; r < count; ++r) {
    const std::string name = rd_kafka_ConfigResource_name(answers[r]);
    if (auto err = rd_kafka_ConfigResource_error(answers[r])) {
      const char* why = rd_kafka_ConfigResource_error_string(answers[r]);
      return Error{errc_of(err), "settings of topic " + name + ": " +
                                     kafka::describe(err, why == nullptr ? "" : why)};
    }
    std::size_t entries = 0;
    const auto** settings = rd_kafka_ConfigResource_configs(answers[r], &entries);
    for (std::size_t s = 0; s < entries; ++s) {
      const char* value = rd_kafka_ConfigEntry_value(settings[s]);
      if (value != nullptr) topics[name].settings[rd_kafka_ConfigEntry_name(settings[s])] = value;
    }
  }
  return {};
}

Result<std::vector<std::string>> Admin::member_instances(const std::string& group,
                                                         milliseconds timeout) {
  const auto described = describe_group(handle_.get(), group, timeout);
  if (!described) return described.error();
  std::vector<std::string> instances;
  for (const GroupMember& member : described->members) {
    if (!member.instance.empty()) instances.push_back(member.instance);
  }
  return instances;
}

Result<void> Admin::create(std::span<const NewTopic> topics, milliseconds timeout) {
  if (topics.empty()) return {};
  const auto until = Clock::now() + timeout;
  std::vector<Order> orders;
  std::vector<rd_kafka_NewTopic_t*> question;
  for (const NewTopic& topic : topics) {
    orders.push_back(order_of(topic));
    if (!orders.back())
      return Error{Errc::kMisconfigured, "topic " + topic.name + ": not possible"};
    question.push_back(orders.back().get());
  }
  // The library sometimes waits for the controller until its time is over although that answers;
  // and asked again it finds it at once. What was made meanwhile is taken for made.
  auto event = ask_to_create(handle_.get(), question, std::min(timeout, kCreateAttempt));
  while (!event && event.error().code == Errc::kRetry && Clock::now() < until) {
    event = ask_to_create(handle_.get(), question, std::min(left_until(until), kCreateAttempt));
  }
  if (!event) return event.error();
  std::size_t count = 0;
  const auto** answers =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  for (std::size_t t = 0; t < count; ++t) {
    const auto err = rd_kafka_topic_result_error(answers[t]);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      continue;
    const char* why = rd_kafka_topic_result_error_string(answers[t]);
    const auto errc = errc_of(err) == Errc::kUnavailable ? Errc::kMisconfigured : errc_of(err);
    return Error{errc, std::string("create topic ") + rd_kafka_topic_result_name(answers[t]) +
                           ": " + kafka::describe(err, why == nullptr ? "" : why)};
  }
  return wait_until_led(topics, left_until(until));
}

Result<void> Admin::wait_until_led(std::span<const NewTopic> topics, milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  for (;;) {
    auto known = ask_metadata(left_until(until));
    if (!known) return known.error();
    const auto* missing = &*topics.begin();
    const auto* end = missing + topics.size();
    missing = std::find_if(missing, end, [&](const NewTopic& topic) {
      const auto found = known->find(topic.name);
      return found == known->end() || !found->second.exists || found->second.partitions == 0;
    });
    if (missing == end) return {};
    if (Clock::now() >= until) {
      return Error{Errc::kRetry, "topic " + missing->name + ": created, but without leader"};
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
}

}  // namespace segmentd::kafka
