#include "daemon/check/findings.hpp"

#include <algorithm>
#include <utility>

namespace segmentd {
namespace {

const char* label(Finding::Grade grade) {
  switch (grade) {
    case Finding::Grade::kOk:
      return "ok       ";
    case Finding::Grade::kNote:
      return "note     ";
    case Finding::Grade::kSkipped:
      return "skipped  ";
    case Finding::Grade::kProblem:
      return "problem  ";
  }
  return "?        ";
}

bool is_problem(const Finding& finding) {
  return finding.grade == Finding::Grade::kProblem;
}

}  // namespace

void Findings::add(Finding::Grade grade, Area area, std::string what) {
  // One finding, one line, whatever a broker or a record says.
  std::replace_if(
      what.begin(), what.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  all_.push_back({grade, area, std::move(what)});
}

std::size_t Findings::problems() const {
  return static_cast<std::size_t>(std::count_if(all_.begin(), all_.end(), is_problem));
}

Area Findings::worst() const {
  Area worst = Area::kBroker;
  for (const Finding& finding : all_) {
    if (is_problem(finding)) worst = std::max(worst, finding.area);
  }
  return worst;
}

std::string Findings::text() const {
  std::string text;
  for (const Finding& finding : all_) text += label(finding.grade) + finding.what + "\n";
  const std::size_t count = problems();
  if (count == 0) return text + "no problems\n";
  return text + std::to_string(count) + (count == 1 ? " problem\n" : " problems\n");
}

}  // namespace segmentd
