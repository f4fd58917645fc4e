// Coverage-guided fuzzing of the row codec and of apply(). The first byte chooses:
//   even  the rest is a row's body, sealed with a fitting checksum, decoded, and written again;
//   odd   the rest is a script of records; the row they leave must be sound, and come back as it
//   was.
// A crash, a sanitizer's finding or a broken promise stops the run with the input that did it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "state/codec.hpp"
#include "state/core/money.hpp"
#include "state/sealed.hpp"

namespace segmentd {
namespace {

constexpr const char* kCustomer = "17850";

void require(bool promise) {
  if (!promise) std::abort();
}

void decode_hostile(std::string_view body, const Rules& rules) {
  std::string stored(body);
  seal(kCustomer, stored);
  const Result<Customer> customer = decode_row(kCustomer, stored, rules);
  if (!customer) return;
  require(check(*customer, rules).empty());
  const std::string again = encode_row(*customer);
  if (body.front() == kRowVersion) require(again == stored);
  const Result<Customer> back = decode_row(kCustomer, again, rules);
  require(bool(back));
  require(*back == *customer);
}

/// Takes bytes for values; zeros when they are used up.
class Script {
 public:
  explicit Script(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  std::int64_t below(int n) {
    if (rest_.empty()) return 0;
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value % n;
  }

 private:
  std::string_view rest_;
};

Record next_record(Script& script) {
  Record record;
  record.type = static_cast<RecordType>(script.below(kRecordTypes));
  record.customer_id = kCustomer;
  record.at = Instant{(script.below(256) - 100) * kMsPerDay / 2};
  record.amount_minor = script.below(8) == 7 ? kAmountMinorMax : script.below(256);
  if (record.type == RecordType::kPayment || record.type == RecordType::kRefund) {
    record.own_id = std::to_string(script.below(16));
  }
  const bool loose = record.type == RecordType::kRefund && script.below(3) == 0;
  if (!loose) record.order_id = std::to_string(script.below(16));
  if (record.type != RecordType::kOrder) return record;
  record.local_day = static_cast<std::int32_t>(record.at.ms / kMsPerDay);
  record.counts = script.below(4) != 0;
  if (script.below(2) == 0) record.version = script.below(8) - 2;
  return record;
}

void apply_script(std::string_view bytes, Rules rules) {
  Script script(bytes);
  rules.remembered_max = 1 + static_cast<int>(script.below(40));
  Customer customer;
  customer.id = kCustomer;
  while (!script.done()) {
    const Record record = next_record(script);
    const Customer before = customer;
    const Applied applied = apply(customer, record, rules);
    const bool changes = applied == Applied::kChanged || applied == Applied::kWaiting;
    require(changes == (customer != before));
    require(check(customer, rules).empty());
    require(!changes || entries(customer) <= rules.remembered_max);
  }
  const Result<Customer> back = decode_row(kCustomer, encode_row(customer), rules);
  require(bool(back));
  require(*back == customer);
}

}  // namespace
}  // namespace segmentd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const segmentd::Rules rules{(data[0] & 2) != 0, 512};
  if (data[0] % 2 == 0) {
    segmentd::decode_hostile(bytes.substr(1), rules);
  } else {
    segmentd::apply_script(bytes.substr(1), rules);
  }
  return 0;
}
