// How far a long step is: a bar on a terminal, nothing elsewhere.
#pragma once

#include <chrono>

#include "daemon/import/options.hpp"

namespace segmentd {

class ProgressBar {
 public:
  /// `visible` = standard error is a terminal.
  explicit ProgressBar(bool visible) : visible_(visible) {}
  void show(const Progress& progress);
  /// Ends the line.
  void finish();

 private:
  bool visible_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace segmentd
