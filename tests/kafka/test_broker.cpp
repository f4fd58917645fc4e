#include "tests/kafka/test_broker.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include <unistd.h>

#include "tests/kafka/broker_process.hpp"

namespace segmentd::test {
namespace {

using Clock = std::chrono::steady_clock;

/// A test's world that cannot be made is no failure of what it tests: say why and end.
template <class T>
T require(Result<T> made, const std::string& what) {
  if (!made) {
    std::cerr << what << ": " << made.error().what << '\n';
    std::abort();
  }
  return std::move(*made);
}

std::string start_own_broker() {
  static const auto own = BrokerProcess::start();
  if (!own) std::abort();
  return own->address();
}

std::string find_broker() {
  const char* file = std::getenv("SEGMENTD_TEST_BROKER");
  std::string address;
  if (file != nullptr) std::ifstream(file) >> address;
  return address.empty() ? start_own_broker() : address;
}

}  // namespace

const std::string& broker_address() {
  static const std::string address = find_broker();
  return address;
}

std::string unique_name(const std::string& word) {
  static std::atomic<int> next{0};
  static const auto run = Clock::now().time_since_epoch().count();
  return word + "-" + std::to_string(getpid()) + "-" + std::to_string(run % 1'000'000'000) + "-" +
         std::to_string(next++);
}

Scene::Scene(std::int32_t partition_count, const std::string& brokers)
    : partitions(partition_count) {
  settings.brokers = brokers;
  settings.group = unique_name("app");
  settings.client_id = "test";
  if (std::getenv("SEGMENTD_TEST_VERBOSE") != nullptr) {
    settings.log = [](int level, std::string_view line) {
      std::cerr << "kafka " << level << ' ' << line << '\n';
    };
  }
  admin = require(kafka::Admin::open(settings), "admin");
  input = settings.group + "-orders";
  std::vector<kafka::NewTopic> topics{{input, partitions, -1, {}}};
  const char* const words[] = {"changes", "table", "rejected", "changelog", "model", "statistics"};
  for (std::size_t t = 0; t < kOutputTopics; ++t) {
    outputs[t] = settings.group + "-" + words[t];
    topics.push_back({outputs[t], partitions, -1, {}});
  }
  if (auto made = admin->create(topics, kPatience); !made) {
    std::cerr << made.error().what << '\n';
    std::abort();
  }
}

std::unique_ptr<Source> Scene::member(const std::string& instance,
                                      RebalanceListener& listener) const {
  return require(kafka::open_source(settings, {.topic = input, .instance = instance}, listener),
                 "source");
}

std::unique_ptr<TransactionLog> Scene::writer(const std::string& transactional_id) const {
  return require(kafka::open_transaction_log(settings, {.transactional_id = transactional_id,
                                                        .input_topic = input,
                                                        .topics = outputs}),
                 "transaction log");
}

std::unique_ptr<Broker> Scene::broker() const {
  return require(kafka::open_broker(settings), "broker");
}

void Scene::fill_input(std::int32_t partition, int from, int to) const {
  const auto player = require(kafka::Player::open(settings, input), "player");
  for (int n = from; n < to; ++n) {
    (void)player->play("k", std::to_string(partition) + "-" + std::to_string(n), partition);
  }
  if (auto flushed = player->flush(kPatience); !flushed) {
    std::cerr << flushed.error().what << '\n';
    std::abort();
  }
}

std::vector<std::string> Scene::committed(const std::string& topic, std::int32_t partition) const {
  return read(topic, partition, true);
}

std::vector<std::string> Scene::visible(const std::string& topic, std::int32_t partition) const {
  return read(topic, partition, false);
}

std::vector<std::string> Scene::read(const std::string& topic, std::int32_t partition,
                                     bool to_the_end) const {
  const std::vector<ReadFrom> from{{.partition = partition, .offset = kFromBeginning}};
  const auto reader = require(kafka::open_log_reader(settings, topic, from, kPatience), "reader");
  std::vector<Message> records;
  const auto until = Clock::now() + kPatience;
  const auto enough = [&] {
    return to_the_end ? reader->complete() : reader->progress(partition).at_stable_end;
  };
  while (!enough() && Clock::now() < until) {
    if (auto read = reader->read(records, 1000, milliseconds(100)); !read) {
      return {"error: " + read.error().what};
    }
  }
  std::vector<std::string> texts;
  for (const Message& message : records) {
    texts.push_back(std::string(message.key.value_or("<null>")) + "=" +
                    std::string(message.value.value_or("<null>")));
  }
  return texts;
}

std::vector<Polled> poll_until(Source& source, const std::function<bool()>& enough) {
  std::vector<Polled> came;
  const auto until = Clock::now() + kPatience;
  while (!enough() && Clock::now() < until) {
    Polled polled = source.poll(milliseconds(50));
    if (!std::holds_alternative<Idle>(polled)) came.push_back(std::move(polled));
  }
  return came;
}

bool poll_until_owned(Source& source, const RecordingListener& listener, std::size_t count) {
  poll_until(source, [&] { return listener.owned.size() == count; });
  return listener.owned.size() == count;
}

std::vector<std::string> poll_values(Source& source, std::size_t count) {
  std::vector<std::string> values;
  const auto until = Clock::now() + kPatience;
  while (values.size() < count && Clock::now() < until) {
    const Polled polled = source.poll(milliseconds(50));
    if (const auto* message = std::get_if<Message>(&polled)) {
      values.emplace_back(message->value.value_or("<null>"));
    }
  }
  return values;
}

}  // namespace segmentd::test
