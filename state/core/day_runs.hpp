// Sets of calendar days, kept as runs of consecutive ones: what folded orders leave of their days.
#pragma once

#include <cstdint>
#include <vector>

#include "state/core/customer.hpp"

namespace segmentd {

/// Adds a day to sorted, disjoint, not adjacent runs; they stay so.
void add_day(std::vector<DayRun>& runs, std::int32_t day);

bool contains_day(const std::vector<DayRun>& runs, std::int32_t day);

std::int64_t total_days(const std::vector<DayRun>& runs);

}  // namespace segmentd
