// Writes the examples as files of one document a line, for the check against the published JSON
// Schemas: write_wire_examples DIRECTORY
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "daemon/wire/epoch_json.hpp"
#include "tests/support/wire_examples.hpp"

namespace {

using namespace segmentd;

std::string events() {
  std::string out;
  for (const SegmentChange& change : example_changes()) {
    append_event(out, change, example_context());
    out += '\n';
  }
  return out;
}

std::string rows() {
  const std::array<double, 2> distances{0.5, 2};
  RowExtras extras;
  extras.recency_ms = 5;
  extras.raw_segment = Segment::kLoyal;
  extras.next = Lapse{Segment::kAtRisk, instant_of_utc({2011, 6, 30})};
  extras.distances = distances;
  std::string out;
  for (const Customer& customer : {example_customer(), example_unplaced_customer()}) {
    append_row(out, customer, example_context());
    out += '\n';
    append_row(out, customer, example_context(), &extras);
    out += '\n';
  }
  return out;
}

std::string epochs() {
  std::string out;
  for (const Epoch& epoch : example_epochs()) {
    append_epoch(out, epoch);
    out += '\n';
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_wire_examples DIRECTORY\n";
    return 2;
  }
  const std::filesystem::path directory(argv[1]);
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "events.ndjson", std::ios::binary) << events();
  std::ofstream(directory / "rows.ndjson", std::ios::binary) << rows();
  std::ofstream(directory / "epochs.ndjson", std::ios::binary) << epochs();
  return 0;
}
