#include "daemon/worker/pace.hpp"

#include <thread>

namespace segmentd {
namespace {

class SteadyPace final : public Pace {
 public:
  Time now() const override { return std::chrono::steady_clock::now(); }
  void sleep(milliseconds duration) override { std::this_thread::sleep_for(duration); }
};

}  // namespace

Pace& steady_pace() {
  static SteadyPace pace;
  return pace;
}

}  // namespace segmentd
