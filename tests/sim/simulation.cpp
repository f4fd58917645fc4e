#include "tests/sim/simulation.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

#include "daemon/wire/epoch_json.hpp"
#include "state/codec.hpp"
#include "state/meta.hpp"

namespace segmentd::test {
namespace {

constexpr std::size_t kDepthMax = 2;   // interludes within interludes
constexpr int kCalmRoundsMax = 4'000;  // of everybody, until all is consumed
constexpr int kPatientRounds = 1'000;  // then what may be parked is restarted by hand
constexpr std::uint64_t kTakeOverRounds = 24;
constexpr int kMendedRounds = 60;          // an end that was lost is mended by who remembers it
constexpr std::int64_t kAsleepMs = 8'000;  // longer than a session
constexpr std::int64_t kGoneMs = 6'200;    // too; yet shorter than a transaction may be open
/// Shorter and longer than a session, a transaction's time-out and the time between polls.
constexpr std::initializer_list<std::uint64_t> kSleepsMs = {3'000, 8'000, 8'000, 15'000, 70'000};
constexpr std::size_t kBreachesMax = 5;

std::uint64_t one_of(Chance& chance, std::initializer_list<std::uint64_t> choices) {
  return *(choices.begin() + chance.below(choices.size()));
}

}  // namespace

Simulation::Simulation(const SchedulePlan& plan)
    : plan_(plan),
      work_(workload(plan.workload)),
      chance_(plan.seed * 2 + 1),
      cluster_(work_.partitions, plan.seed, *this),
      truth_(work_.partitions),
      around_{
          cluster_, truth_, [this](const std::string& what) { breach(what); }, {}, plan.own_epochs},
      placed_(static_cast<std::size_t>(work_.partitions)) {
  cluster_.keep_producer_with_stray = plan.keep_producer_with_stray;
  cluster_.stores_keep = plan.stores_keep;
  cluster_.reopen_slow = plan.reopen_slow;
  cluster_.unnoticed_losses = true;
  if (plan.workload % 3 == 1) around_.limits.bytes = 3'000;
  cluster_.transactions().on_committed = [this](const SimLog& log, const SimRecord& record) {
    for (std::int32_t p = 0; p < work_.partitions; ++p) {
      if (&log != &cluster_.output(OutputTopic::kChangelog, p)) continue;
      truth_.committed(p, record.key.value_or(""), record.value);
      if (record.key == kMetaKey) tell_of(*record.value);
      result_.commits += record.key == kMetaKey ? 1 : 0;
    }
  };
  if (!plan.own_epochs) {
    SimRecord epoch;
    epoch.key = epoch_key(work_.epoch.number);
    append_epoch(epoch.value.emplace(), work_.epoch);
    cluster_.output(OutputTopic::kModel, 0).append(std::move(epoch));
  }
  if (!plan.rough) return;
  cluster_.rough = true;
  fault_one_in_ = one_of(chance_, {0, 30, 100, 300});
  crash_one_in_ = one_of(chance_, {0, 100, 300, 1'000});
  interlude_one_in_ = one_of(chance_, {0, 8, 30, 100});
}

Simulation::~Simulation() = default;

ScheduleResult Simulation::run() {
  begin();
  trouble();
  become_calm();
  check();
  return std::move(result_);
}

void Simulation::breach(const std::string& what) {
  if (plan_.tell != nullptr) *plan_.tell << cluster_.now_ms() << " BREACH " << what << '\n';
  if (result_.breaches.size() < kBreachesMax) result_.breaches.push_back(what);
}

void Simulation::tell_of(std::string_view meta) const {
  if (plan_.tell == nullptr) return;
  const auto m = decode_meta(meta);
  *plan_.tell << cluster_.now_ms() << " committed: partition " << m->partition << ", transaction "
              << m->txn_seq << '/' << m->writer << ", records " << m->first_offset << ".."
              << m->next_offset << '\n';
}

// --- fate ---

unsigned Simulation::at(Door door, int process, unsigned ways) {
  SimDaemon& daemon = *daemons_[static_cast<std::size_t>(process)];
  if (door == Door::kCommit) daemon.check_limits();
  if (door == Door::kFence) ++result_.fences;
  if (plan_.tell != nullptr) {
    *plan_.tell << cluster_.now_ms() << ' ' << daemon.name() << (calm_ ? " calm " : " ")
                << result_.calls + 1 << ' ' << word(door) << '\n';
  }
  if (calm_) return 0;
  const std::uint64_t call = ++result_.calls;
  if (!plan_.rough) return struck(door, daemon, call, ways);
  if (interlude_one_in_ > 0 && depth_ < kDepthMax && chance_.one_in(interlude_one_in_)) {
    interlude(daemon, chance_.one_in(3));
  }
  if (door == Door::kRead && chance_.one_in(16)) compact();
  if (door == Door::kEndTransaction && std::exchange(dies_in_commit_, false)) {
    died_in_commit_ = true;
    crash(door, process);
  }
  if (crash_one_in_ > 0 && chance_.one_in(crash_one_in_)) crash(door, process);
  return fate(door, ways);
}

unsigned Simulation::struck(Door door, SimDaemon& daemon, std::uint64_t call, unsigned ways) {
  if (plan_.strikes.empty()) {
    result_.called.push_back({door, static_cast<std::uint8_t>(ways)});
  }
  const std::uint64_t nth = ++through_[static_cast<std::size_t>(door)];
  for (const SchedulePlan::Strike& strike : plan_.strikes) {
    if (strike.call != call) continue;
    if (strike.way == SchedulePlan::kDies) crash(door, daemon.number());
    if (strike.way > 0) return fault(door, static_cast<unsigned>(strike.way));
    if (strike.way == SchedulePlan::kSleeps) interlude(daemon, false);
    if (strike.way == SchedulePlan::kSleepsAndJoins) interlude(daemon, true);
    if (strike.way == SchedulePlan::kStray) cluster_.deliver_a_stray();
    if (strike.way == SchedulePlan::kForgets) cluster_.transactions().forget_markers();
    if (strike.way == SchedulePlan::kCompacts) compact();
  }
  for (const SchedulePlan::Happens& happens : plan_.happens) {
    if (happens.door != door || happens.nth != nth) continue;
    if (happens.way == SchedulePlan::kDies) crash(door, daemon.number());
    return fault(door, static_cast<unsigned>(happens.way));
  }
  return 0;
}

unsigned Simulation::fate(Door door, unsigned ways) {
  if (ways == 0 || fault_one_in_ == 0 || !chance_.one_in(fault_one_in_)) return 0;
  return fault(door, 1 + static_cast<unsigned>(chance_.below(ways)));
}

unsigned Simulation::fault(Door door, unsigned way) {
  ++result_.faults;
  ++result_.struck[static_cast<std::size_t>(door)];
  // A store that may not be made anew stays parked.
  warranted_end_ = warranted_end_ || door == Door::kSetAside;
  if (plan_.tell != nullptr) *plan_.tell << "   fault " << way << '\n';
  return way;
}

void Simulation::crash(Door door, int process) {
  ++result_.crashes;
  ++result_.struck[static_cast<std::size_t>(door)];
  if (plan_.tell != nullptr) *plan_.tell << "   crash\n";
  throw Crash{process};
}

/// Others act and time passes while this one is in the middle of a call; its library's threads go
/// on or stand still with it.
void Simulation::interlude(SimDaemon& daemon, bool joins) {
  ++depth_;
  ++result_.interludes;
  const bool struck = !plan_.rough;
  const bool asleep = struck || chance_.one_in(2);
  daemon.set_frozen(asleep);
  const std::int64_t ms = struck ? kAsleepMs
                          : chance_.one_in(3)
                              ? static_cast<std::int64_t>(one_of(chance_, kSleepsMs))
                              : chance_.between(0, 500);
  const std::uint64_t rounds = struck || ms > 1'000 ? 24 : 1 + chance_.below(6);
  if (!struck && chance_.one_in(6)) cluster_.group().rebalance(cluster_.now_ms());
  others_act(rounds, ms);
  daemon.set_frozen(false);
  if (joins) others_act(8, 800);
  --depth_;
}

void Simulation::others_act(std::uint64_t rounds, std::int64_t ms) {
  for (std::uint64_t n = 0; n < rounds; ++n) {
    cluster_.pass(ms / static_cast<std::int64_t>(rounds));
    if (plan_.rough && chance_.one_in(8)) compact();
    if (plan_.rough && chance_.one_in(6)) end_input(chance_.below(open_inputs_.size()));
    for (const auto& other : daemons_) {
      if (other->alive() && !other->busy() && (!plan_.rough || chance_.one_in(2))) step(*other);
    }
  }
}

// --- the group of daemons ---

void Simulation::add_daemon(const std::string& instance) {
  daemons_.push_back(
      std::make_unique<SimDaemon>(around_, static_cast<int>(daemons_.size()), instance));
}

void Simulation::begin() {
  for (int d = 0; d < plan_.daemons; ++d) add_daemon("m" + std::to_string(d));
  // Somebody copied a configuration: the newer process of one name fences the older.
  if (plan_.rough && chance_.one_in(8)) add_daemon("m0");
}

void Simulation::step(SimDaemon& daemon) {
  if (daemon.alive() && !daemon.busy()) daemon.round();
}

void Simulation::everybody_works(int rounds) {
  for (; rounds > 0; --rounds) {
    for (const auto& daemon : daemons_) step(*daemon);
  }
}

void Simulation::start_somebody() {
  const std::size_t which = chance_.below(daemons_.size());
  SimDaemon& daemon = *daemons_[which];
  if (daemon.alive() || daemon.busy()) return;
  if (plan_.rough && chance_.one_in(2)) expire_offsets();
  daemon.start();
}

void Simulation::put_noise(std::int32_t partition) {
  SimRecord record;
  record.key = "x";
  record.value = "never committed";
  record.timestamp_ms = cluster_.now_ms();
  put_in_transaction(partition, std::move(record), false);
}

/// Of somebody who writes orders. Half of them stay open for a while, and hide what comes behind.
std::int64_t Simulation::put_in_transaction(std::int32_t partition, SimRecord record, bool commit) {
  record.producer = ++input_producers_;
  open_inputs_.push_back({partition, record.producer, commit});
  const std::int64_t offset = cluster_.input(partition).append(std::move(record));
  if (plan_.rough && chance_.one_in(2)) {
    end_input(open_inputs_.size() - 1);
  } else {
    ++result_.left_open;
  }
  return offset;
}

void Simulation::end_input(std::size_t which) {
  if (which >= open_inputs_.size()) return;
  const OpenInput open = open_inputs_[which];
  open_inputs_.erase(open_inputs_.begin() + static_cast<std::ptrdiff_t>(which));
  SimLog& log = cluster_.input(open.partition);
  if (open.commit) log.decide(open.producer, {});
  log.finish(open.producer, open.commit, cluster_.now_ms());
}

void Simulation::end_inputs() {
  while (!open_inputs_.empty()) end_input(0);
}

void Simulation::feed(std::uint64_t count) {
  for (; count > 0 && fed_ < work_.records.size(); --count, ++fed_) {
    const WorkRecord& work = work_.records[fed_];
    if (plan_.rough && chance_.one_in(12)) put_noise(work.partition);
    SimRecord record;
    record.key = work.key;
    record.value = work.value;
    record.timestamp_ms = cluster_.now_ms();
    const bool transactional =
        plan_.rough ? chance_.one_in(12) : inputs_stay_open_ && fed_ % 5 == 2;
    const std::int64_t ms = record.timestamp_ms;
    const std::int64_t offset = transactional
                                    ? put_in_transaction(work.partition, std::move(record), true)
                                    : cluster_.input(work.partition).append(std::move(record));
    placed_[static_cast<std::size_t>(work.partition)].push_back({offset, ms, work.key, work.value});
  }
}

// --- what brokers do by themselves ---

/// At whatever moment, also between two reads of a restore.
void Simulation::compact() {
  ++result_.compactions;
  for (std::int32_t p = 0; p < work_.partitions; ++p) {
    if (plan_.rough && chance_.one_in(2)) continue;
    cluster_.output(OutputTopic::kChangelog, p).compact();
    cluster_.output(OutputTopic::kTable, p).compact();
  }
}

/// offsets.retention.minutes after the last member is gone: a group that is empty loses them, but
/// not while a transaction's are pending.
void Simulation::expire_offsets() {
  if (cluster_.group().members() > 0 || !cluster_.transactions().quiet()) return;
  for (std::int32_t p = 0; p < work_.partitions; ++p) {
    if (chance_.one_in(2) && cluster_.group().expire_offset(p)) ++result_.expired;
  }
}

/// The session of who has died ends, before its transaction is timed out; the others live on.
void Simulation::session_ends() {
  constexpr std::int64_t kBeatMs = 200;
  for (std::int64_t ms = 0; ms < kGoneMs; ms += kBeatMs) cluster_.pass(kBeatMs);
}

void Simulation::housekeeping() {
  compact();
  for (std::int32_t p = 0; p < work_.partitions; ++p) {
    const CommittedOffset committed = cluster_.group().committed(p);
    if (chance_.one_in(4) && committed.next_offset) {
      cluster_.input(p).delete_before(*committed.next_offset - chance_.between(0, 5));
    }
  }
}

void Simulation::act() {
  if (std::exchange(died_in_commit_, false)) {
    session_ends();
    others_act(kTakeOverRounds, 0);
  }
  if (chance_.one_in(6)) end_input(chance_.below(open_inputs_.size()));
  const std::uint64_t what = chance_.below(100);
  if (what < 70) {
    step(*daemons_[chance_.below(daemons_.size())]);
  } else if (what < 82) {
    feed(1 + chance_.below(4));
  } else if (what < 87) {
    cluster_.pass(chance_.between(1, 3'000));
  } else if (what < 89) {
    housekeeping();
  } else if (what < 91) {
    ++result_.rebalances;
    cluster_.group().rebalance(cluster_.now_ms());
  } else if (what < 95) {
    start_somebody();
  } else if (what < 97) {
    dies_in_commit_ = true;
  } else {
    SimDaemon& daemon = *daemons_[chance_.below(daemons_.size())];
    if (!daemon.alive()) return;
    if (chance_.one_in(3)) {
      ++result_.crashes;
      daemon.kill();
    } else {
      daemon.stop(chance_.one_in(2));
    }
  }
}

void Simulation::trouble() {
  if (plan_.rough) {
    start_somebody();
    for (std::uint64_t n = 30 + chance_.below(90); n > 0; --n) act();
    return;
  }
  if (plan_.dead_writer) return take_over();
  // The same for every strike: one works, another joins, it leaves, the first one is restarted.
  const std::size_t third = work_.records.size() / 3;
  SimDaemon& first = *daemons_.front();
  SimDaemon& last = *daemons_.back();
  first.start();
  feed(third);
  everybody_works(12);
  if (!last.alive()) last.start();
  feed(third);
  everybody_works(20);
  housekeeping();
  if (last.alive() && &last != &first) last.stop(true);
  everybody_works(plan_.reopen_slow ? kMendedRounds : 8);
  if (first.alive()) first.stop(false);
  if (!first.alive()) first.start();
  feed(work_.records.size());
  everybody_works(8);
}

/// One dies in the middle of a commit; another finds the changelog's end hidden, fences the dead
/// one, goes on, also where transactions are open in the input, and has troubles of its own; then
/// the first one is back.
void Simulation::take_over() {
  const std::size_t third = work_.records.size() / 3;
  SimDaemon& first = *daemons_.front();
  SimDaemon& last = *daemons_.back();
  first.start();
  feed(third);
  everybody_works(8);
  feed(third / 3);
  everybody_works(8);
  last.start();
  session_ends();
  inputs_stay_open_ = true;
  feed(third);
  everybody_works(20);
  inputs_stay_open_ = false;
  end_inputs();
  everybody_works(12);
  if (!first.alive()) first.start();
  feed(work_.records.size());
  everybody_works(12);
}

// --- calm ---

std::int64_t Simulation::last_record(std::int32_t partition) const {
  const auto& placed = placed_[static_cast<std::size_t>(partition)];
  return placed.empty() ? -1 : placed.back().offset;
}

/// W8 too: what nobody has is not done, although nothing of it may be left to be read.
bool Simulation::done() const {
  auto& group = const_cast<Simulation*>(this)->cluster_.group();
  const auto partitions = static_cast<std::size_t>(work_.partitions);
  if (!group.stable() || group.assigned().size() != partitions) return false;
  for (std::int32_t p = 0; p < work_.partitions; ++p) {
    const auto next = group.committed(p).next_offset;
    if (group.pending(p) || !next || *next <= last_record(p)) return false;
  }
  return std::all_of(daemons_.begin(), daemons_.end(), [](const auto& d) { return d->at_rest(); });
}

void Simulation::become_calm() {
  calm_ = true;
  cluster_.rough = false;
  feed(work_.records.size());
  end_inputs();
  const auto anybody = [&] {
    return std::any_of(daemons_.begin(), daemons_.end(), [](const auto& d) { return d->alive(); });
  };
  while (!anybody()) start_somebody();
  for (const auto& daemon : daemons_) {
    for (const WorkerEnd& end : daemon->ends) {
      result_.ended += end.kind == WorkerEnd::Kind::kBroker ? 1 : 0;
    }
    daemon->ends.clear();
  }
  int rested = 0;
  for (int n = 0; rested < 4; ++n) {
    if (n > kCalmRoundsMax) return breach("it stands still");
    rested = done() ? rested + 1 : 0;
    for (const auto& daemon : daemons_) {
      step(*daemon);
      if (daemon->ends.empty()) continue;
      const bool fenced = daemon->fenced();
      if (!fenced && !warranted_end_) {
        breach("a worker ended although nothing was wrong any more: " + daemon->ends.back().what);
      }
      daemon->ends.clear();
      if (!anybody()) daemon->start();
    }
    if (n == kPatientRounds && warranted_end_) {
      for (const auto& daemon : daemons_) {
        if (!daemon->alive()) continue;
        daemon->kill();
        daemon->start();
      }
    }
  }
}

// --- what has to be true ---

SeenPartition Simulation::seen(std::int32_t partition) {
  SeenPartition seen;
  const auto text = [](const std::optional<std::string>& t) { return t.value_or(""); };
  for (const SimRecord* r : cluster_.output(OutputTopic::kChanges, partition).committed()) {
    seen.changes.push_back(text(r->value));
  }
  for (const SimRecord* r : cluster_.output(OutputTopic::kRejected, partition).committed()) {
    seen.rejected.push_back(text(r->value));
  }
  for (const SimRecord* r : cluster_.output(OutputTopic::kTable, partition).committed()) {
    seen.table[text(r->key)] = text(r->value);
  }
  for (const SimRecord* r : cluster_.output(OutputTopic::kChangelog, partition).committed()) {
    if (r->key != kMetaKey) seen.rows[text(r->key)] = text(r->value);
  }
  return seen;
}

std::vector<ForcedEpoch> Simulation::forced_epochs(std::int32_t partition) {
  std::map<std::int64_t, Epoch> published;
  for (const SimRecord* r : cluster_.output(OutputTopic::kModel, 0).committed()) {
    auto epoch = decode_epoch(*r->value);
    if (!epoch) {
      breach("an epoch cannot be read");
      continue;
    }
    if (!published.emplace(epoch->number, *epoch).second) breach("an epoch is published twice");
  }
  std::map<std::int64_t, ForcedEpoch> forced;
  for (const SimRecord* r : cluster_.output(OutputTopic::kStatistics, partition).committed()) {
    auto applied = decode_applied(*r->value);
    if (!applied) continue;
    const auto it = published.find(applied->epoch);
    if (it == published.end()) {
      breach("an epoch is in force that was never published");
      continue;
    }
    forced[applied->epoch] = {it->second, applied->input_offset, applied->clock};
  }
  std::vector<ForcedEpoch> list;
  for (auto& [number, epoch] : forced) list.push_back(std::move(epoch));
  return list;
}

SeenPartition Simulation::expected(std::int32_t partition) {
  const auto at = static_cast<std::size_t>(partition);
  if (!plan_.own_epochs) return work_.seen[at];
  return straight(placed_[at], forced_epochs(partition));
}

/// P1: the transactions of a partition follow one another without gap or fork, and the group's
/// offset is the last one's.
void Simulation::check_transactions(std::int32_t partition) {
  const std::string where = ", partition " + std::to_string(partition);
  Meta last;
  for (const SimRecord* r : cluster_.output(OutputTopic::kChangelog, partition).committed()) {
    if (r->key != kMetaKey) continue;
    auto meta = decode_meta(*r->value);
    if (!meta) return breach("META cannot be read" + where);
    const bool follows = meta->txn_seq == last.txn_seq + 1 &&
                         (last.txn_seq == 0 || meta->first_offset == last.next_offset);
    if (!follows) {
      breach("P1: transaction " + std::to_string(meta->txn_seq) + " of records " +
             std::to_string(meta->first_offset) + ".." + std::to_string(meta->next_offset) +
             " follows " + std::to_string(last.txn_seq) + " that ended at " +
             std::to_string(last.next_offset) + where);
    }
    last = std::move(*meta);
  }
  const CommittedOffset offset = cluster_.group().committed(partition);
  const auto mark = offset_mark(offset.metadata);
  if (offset.next_offset != last.next_offset || !mark || mark->txn_seq != last.txn_seq ||
      mark->writer != last.writer) {
    breach("P1: the group's offset " + std::to_string(offset.next_offset.value_or(-1)) + " '" +
           offset.metadata + "' is not META's " + std::to_string(last.next_offset) + " of " +
           std::to_string(last.txn_seq) + '/' + last.writer + where);
  }
}

void Simulation::check_partition(std::int32_t partition) {
  check_transactions(partition);
  const SeenPartition found = seen(partition);
  const SeenPartition wanted = expected(partition);
  result_.changes += found.changes.size();
  if (found == wanted) return;
  const std::string where = ", partition " + std::to_string(partition);
  if (found.changes != wanted.changes) {
    breach("P1: " + std::to_string(found.changes.size()) + " changes instead of " +
           std::to_string(wanted.changes.size()) + ", or others" + where);
  }
  if (found.rejected != wanted.rejected) breach("P1: the rejects differ" + where);
  if (found.table != wanted.table) breach("P1: the table differs" + where);
  if (found.rows != wanted.rows) breach("P1: the changelog's rows differ" + where);
}

void Simulation::check() {
  if (!cluster_.transactions().quiet()) {
    for (int n = 0; n < 200 && !cluster_.transactions().quiet(); ++n) cluster_.pass(200);
  }
  for (std::int32_t p = 0; p < work_.partitions; ++p) check_partition(p);
}

}  // namespace segmentd::test
