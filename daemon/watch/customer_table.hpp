// The customer table as read back from its topic: the newest row of every customer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/wire/read_back.hpp"
#include "state/core/instant.hpp"

namespace segmentd {

struct TableEntry {
  std::int32_t partition = 0;
  ReadRow row;
};

class CustomerTable {
 public:
  /// Takes a record of the topic; of one customer in offset order. nullopt = tombstone. kBadInput:
  /// no such row.
  Result<void> put(std::int32_t partition, std::string_view customer_id,
                   std::optional<std::string_view> value);

  /// By customer id.
  const std::map<std::string, TableEntry, std::less<>>& entries() const { return entries_; }
  /// The newest clock that a row of this partition was written at; with clock = event a record at
  /// this time moves no clock. nullopt = no rows.
  std::optional<Instant> clock(std::int32_t partition) const;

 private:
  std::map<std::string, TableEntry, std::less<>> entries_;
  std::map<std::int32_t, Instant> clocks_;
};

}  // namespace segmentd
