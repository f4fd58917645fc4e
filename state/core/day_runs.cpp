#include "state/core/day_runs.hpp"

#include <algorithm>

namespace segmentd {
namespace {

std::int32_t end_of(const DayRun& run) {
  return run.first_day + run.days;
}

}  // namespace

void add_day(std::vector<DayRun>& runs, std::int32_t day) {
  // The first run that ends at or behind `day`: it holds the day, touches it, or lies wholly later.
  const auto run = std::partition_point(runs.begin(), runs.end(),
                                        [day](const DayRun& r) { return end_of(r) < day; });
  if (run == runs.end() || run->first_day > day + 1) {
    runs.insert(run, DayRun{day, 1});
    return;
  }
  if (run->first_day == day + 1) {
    run->first_day = day;
    ++run->days;
    return;
  }
  if (end_of(*run) > day) return;
  ++run->days;
  const auto next = run + 1;
  if (next != runs.end() && next->first_day == end_of(*run)) {
    run->days += next->days;
    runs.erase(next);
  }
}

bool contains_day(const std::vector<DayRun>& runs, std::int32_t day) {
  const auto run = std::partition_point(runs.begin(), runs.end(),
                                        [day](const DayRun& r) { return end_of(r) <= day; });
  return run != runs.end() && run->first_day <= day;
}

std::int64_t total_days(const std::vector<DayRun>& runs) {
  std::int64_t days = 0;
  for (const DayRun& run : runs) days += run.days;
  return days;
}

}  // namespace segmentd
