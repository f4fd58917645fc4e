#include "tests/support/sim_transactions.hpp"

#include <algorithm>

namespace segmentd::test {

bool SimTransactions::init(const std::string& id, std::int64_t now_ms, bool wait, int& producer,
                           int& epoch) {
  const auto [it, fresh] = ids_.try_emplace(id, static_cast<int>(producers_.size()));
  if (fresh) producers_.emplace_back();
  producer = it->second;
  ++at(producer).epoch;  // also where a decision is on its way: nothing else of it comes through
  if (at(producer).state == State::kOpen) decide(producer, false, now_ms);
  if (wait) write_markers(producer, now_ms);
  epoch = at(producer).epoch;
  return at(producer).state == State::kEmpty;
}

SimTransactions::Answer SimTransactions::begin_if_new(int producer, int epoch,
                                                      std::int64_t now_ms) {
  if (at(producer).epoch != epoch) return Answer::kFenced;
  if (at(producer).state == State::kCommitting || at(producer).state == State::kAborting) {
    write_markers(producer, now_ms);  // CONCURRENT_TRANSACTIONS, until it is done
  }
  Producer& p = at(producer);
  if (p.state == State::kEmpty) {
    p.state = State::kOpen;
    p.began_ms = now_ms;
  }
  return Answer::kOk;
}

SimTransactions::Answer SimTransactions::add(int producer, int epoch, SimLog& log,
                                             std::int64_t now_ms) {
  if (const Answer answer = begin_if_new(producer, epoch, now_ms); answer != Answer::kOk) {
    return answer;
  }
  auto& logs = at(producer).logs;
  if (std::find(logs.begin(), logs.end(), &log) == logs.end()) logs.push_back(&log);
  return Answer::kOk;
}

SimTransactions::Answer SimTransactions::add_offsets(int producer, int epoch,
                                                     std::span<const InputOffset> offsets,
                                                     std::int64_t now_ms) {
  if (const Answer answer = begin_if_new(producer, epoch, now_ms); answer != Answer::kOk) {
    return answer;
  }
  at(producer).offsets = true;
  for (const InputOffset& offset : offsets) group_.add_pending(producer, offset);
  return Answer::kOk;
}

SimTransactions::Answer SimTransactions::end(int producer, int epoch, bool commit,
                                             std::int64_t now_ms) {
  Producer& p = at(producer);
  if (p.epoch != epoch) return Answer::kFenced;
  switch (p.state) {
    case State::kOpen:
      decide(producer, commit, now_ms);
      return Answer::kOk;
    case State::kCommitting:
      return commit ? Answer::kOk : Answer::kInvalidState;
    case State::kAborting:
      return commit ? Answer::kInvalidState : Answer::kOk;
    case State::kEmpty:
      return p.committed_last == commit ? Answer::kOk : Answer::kInvalidState;
  }
  return Answer::kInvalidState;
}

void SimTransactions::decide(int producer, bool commit, std::int64_t now_ms) {
  Producer& p = at(producer);
  p.state = commit ? State::kCommitting : State::kAborting;
  p.committed_last = commit;
  p.decided_ms = now_ms;
  for (SimLog* log : p.logs) {
    if (!commit) continue;
    log->decide(producer, [&](const SimRecord& record) {
      if (on_committed) on_committed(*log, record);
    });
  }
  if (p.logs.empty() && !p.offsets) p.state = State::kEmpty;
}

/// In any order: the group's offsets may show before or after the records do.
void SimTransactions::write_one(int producer, std::int64_t now_ms) {
  Producer& p = at(producer);
  const bool commit = p.state == State::kCommitting;
  const std::size_t which = chance_.below(p.logs.size() + (p.offsets ? 1 : 0));
  if (which == p.logs.size()) {
    group_.settle(producer, commit);
    p.offsets = false;
  } else {
    p.logs[which]->finish(producer, commit, now_ms);
    p.logs.erase(p.logs.begin() + static_cast<std::ptrdiff_t>(which));
  }
  if (p.logs.empty() && !p.offsets) p.state = State::kEmpty;
}

void SimTransactions::write_markers(int producer, std::int64_t now_ms) {
  while (at(producer).state == State::kCommitting || at(producer).state == State::kAborting) {
    write_one(producer, now_ms);
  }
}

bool SimTransactions::write_a_marker(std::int64_t now_ms) {
  std::vector<int> unfinished;
  for (std::size_t i = 0; i < producers_.size(); ++i) {
    const State state = producers_[i].state;
    if (state == State::kCommitting || state == State::kAborting) {
      unfinished.push_back(static_cast<int>(i));
    }
  }
  if (unfinished.empty()) return false;
  write_one(unfinished[chance_.below(unfinished.size())], now_ms);
  return true;
}

void SimTransactions::forget_markers() {
  for (Producer& p : producers_) {
    if (p.state != State::kCommitting && p.state != State::kAborting) continue;
    p.logs.clear();
    p.offsets = false;
    p.state = State::kEmpty;
  }
}

void SimTransactions::pass(std::int64_t now_ms) {
  for (std::size_t i = 0; i < producers_.size(); ++i) {
    Producer& p = producers_[i];
    const int producer = static_cast<int>(i);
    if (p.state == State::kOpen && now_ms - p.began_ms >= kTimeoutMs + kScanMs) {
      ++p.epoch;  // its writer is fenced
      decide(producer, false, now_ms);
    }
    if (p.state != State::kCommitting && p.state != State::kAborting) continue;
    if (now_ms - p.decided_ms >= kMarkersLateMs) {
      write_markers(producer, now_ms);
    } else if (chance_.one_in(2)) {
      write_one(producer, now_ms);
    }
  }
}

bool SimTransactions::quiet() const {
  return std::all_of(producers_.begin(), producers_.end(),
                     [](const Producer& p) { return p.state == State::kEmpty; });
}

}  // namespace segmentd::test
