#include "tests/support/kept_documents.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <unordered_set>

#include <unistd.h>

namespace segmentd::test {
namespace {

/// The schema's name under deploy/schemas; nullptr = none is published.
const char* schema_of(OutputTopic topic) {
  switch (topic) {
    case OutputTopic::kChanges:
      return "segment-changed";
    case OutputTopic::kTable:
      return "customer-row";
    case OutputTopic::kModel:
      return "model-epoch";
    case OutputTopic::kRejected:
    case OutputTopic::kChangelog:
    case OutputTopic::kStatistics:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

void keep_document(OutputTopic topic, const std::string& value) {
  static const char* const directory = std::getenv("SEGMENTD_TEST_DOCUMENTS");
  const char* const schema = schema_of(topic);
  if (directory == nullptr || schema == nullptr) return;
  static std::unordered_set<std::string> kept;
  if (!kept.insert(value).second) return;
  static std::map<std::string, std::ofstream> files;
  auto file = files.find(schema);
  if (file == files.end()) {
    std::filesystem::create_directories(directory);
    const auto path = std::filesystem::path(directory) /
                      (std::string(schema) + "." + std::to_string(::getpid()) + ".ndjson");
    file = files.emplace(schema, std::ofstream(path, std::ios::binary)).first;
  }
  file->second << value << '\n';
}

}  // namespace segmentd::test
