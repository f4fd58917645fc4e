// One broker for all tests of a ctest run: `broker_fixture start FILE` leaves it running and writes
// its address to FILE, `broker_fixture stop FILE` ends it. It also ends when ctest does, or after
// an hour.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kafka/broker_process.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

volatile sig_atomic_t stop_asked = 0;
void ask_to_stop(int) {
  stop_asked = 1;
}

bool exists(pid_t pid) {
  return kill(pid, 0) == 0;
}

/// Beside ctest, in a session of its own: keeps the broker.
int guard(const std::string& file, pid_t ctest) {
  signal(SIGTERM, ask_to_stop);
  auto broker = segmentd::test::BrokerProcess::start();
  if (!broker) return 1;
  const std::string fresh = file + ".new";
  std::ofstream(fresh) << broker->address() << ' ' << getpid() << '\n';
  std::rename(fresh.c_str(), file.c_str());
  const auto until = Clock::now() + std::chrono::hours(1);
  while (stop_asked == 0 && exists(ctest) && broker->running() && Clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(200));
  }
  broker.reset();
  std::remove(file.c_str());  // tells stop() that all is gone
  return 0;
}

int start(const std::string& file) {
  std::remove(file.c_str());
  const pid_t ctest = getppid();
  const pid_t keeper = fork();
  if (keeper == 0) {
    setsid();
    // ctest waits for whoever holds its pipes.
    const int log = open((file + ".log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(log);
    close(nothing);
    _exit(guard(file, ctest));
  }
  while (exists(keeper)) {
    if (std::ifstream(file).good()) return 0;
    std::this_thread::sleep_for(milliseconds(50));
    if (waitpid(keeper, nullptr, WNOHANG) == keeper) break;
  }
  std::cerr << std::ifstream(file + ".log").rdbuf();
  return 1;
}

int stop(const std::string& file) {
  std::string address;
  pid_t keeper = -1;
  std::ifstream(file) >> address >> keeper;
  if (keeper <= 0) return 0;  // ended already
  if (kill(keeper, SIGTERM) != 0) return 0;
  const auto until = Clock::now() + std::chrono::seconds(30);
  while (std::ifstream(file).good() && Clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 3 ? argv[1] : "";
  if (what == "start") return start(argv[2]);
  if (what == "stop") return stop(argv[2]);
  std::cerr << "usage: broker_fixture start|stop FILE\n";
  return 2;
}
