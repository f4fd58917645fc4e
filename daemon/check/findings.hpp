// What `segmentd check` found, in the order it looked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace segmentd {

/// Where a problem lies; what is worse comes later. A wrong configuration makes all others
/// uncertain.
enum class Area : std::uint8_t { kBroker, kState, kConfiguration };

struct Finding {
  enum class Grade : std::uint8_t {
    kOk,       // was looked at and is right
    kNote,     // a person should know; nothing has to be done
    kSkipped,  // could not be looked at, because of something else that is said
    kProblem,  // `run` would refuse, or would not do what was meant
  };
  Grade grade = Grade::kOk;
  Area area = Area::kBroker;  // of problems
  std::string what;           // one line, no customer id in it
};

class Findings {
 public:
  void ok(std::string what) { add(Finding::Grade::kOk, Area::kBroker, std::move(what)); }
  void note(std::string what) { add(Finding::Grade::kNote, Area::kBroker, std::move(what)); }
  void skipped(std::string what) { add(Finding::Grade::kSkipped, Area::kBroker, std::move(what)); }
  void problem(Area area, std::string what) {
    add(Finding::Grade::kProblem, area, std::move(what));
  }

  void append(const Findings& others) {
    all_.insert(all_.end(), others.all_.begin(), others.all_.end());
  }

  const std::vector<Finding>& all() const { return all_; }
  std::size_t problems() const;
  /// Of the problems; REQUIRES: there are some.
  Area worst() const;

  /// A line each, then how many problems there are.
  std::string text() const;

 private:
  void add(Finding::Grade grade, Area area, std::string what);

  std::vector<Finding> all_;
};

}  // namespace segmentd
