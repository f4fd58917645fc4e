// What a metrics page says.
#pragma once

#include <sstream>
#include <string>

namespace segmentd::test {

/// The value of a series, as written on the page; empty = no such series.
inline std::string value_of(const std::string& page, const std::string& series) {
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return line.substr(series.size() + 1);
  }
  return "";
}

/// Of all series of a metric.
inline double sum_of(const std::string& page, const std::string& metric) {
  double sum = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(metric + "{")) sum += std::stod(line.substr(line.rfind(' ')));
  }
  return sum;
}

}  // namespace segmentd::test
