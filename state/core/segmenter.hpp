// The customers of one partition against the model in force: what a record, an evaluation instant
// or a new epoch does to segments. Pure: the caller gives rows, records and the clock, and takes
// the changes.
//
// Beside the rows it keeps a compact roster of all customers, so that ageing, relabelling and
// statistics never read a row that does not change.
//
// Invariants:
//   G1  Every placed customer's contribution stands in the sums of its raw cluster, once (S1).
//   G2  Outside a sweep, a customer's segment is that of its raw cluster.
//   G3  Sequence numbers of published events count from 1 without gaps, and `from` of one is `to`
//       of the one before. Moves made in silence take no number: the next published event starts
//       from what was last published.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "state/core/change.hpp"
#include "state/core/customer.hpp"
#include "state/core/evaluation.hpp"
#include "state/core/model.hpp"
#include "state/core/sums.hpp"

namespace segmentd {

struct SegmenterRules {
  Rules customers;
  std::uint64_t sample_salt = 0;
  std::size_t sample_max = 16'384;
  bool announce_first_fit = false;
};

/// What one record did.
struct Step {
  Applied applied = Applied::kUnchanged;
  bool row_changed = false;
  std::optional<SegmentChange> change;  // to be published
};

/// A pass over the customers in progress (Sweep in META says the same durably).
struct SweepContext {
  bool relabel = false;           // else the silence of an evaluation instant
  Instant as_of;                  // decided as of
  const Model* before = nullptr;  // of a relabel: the epoch that was in force; null = none
};

class Segmenter {
 public:
  explicit Segmenter(SegmenterRules rules);

  // --- opening a partition ---
  /// Adds a customer read from the store. Before resume().
  void restore(const Customer& customer);
  /// After the last restore(): takes up where META says the partition was. `evaluated_upto` is the
  /// instant that everybody was aged to last, also if moving them is still under way.
  /// `sweeping_as_of` is set when a sweep was under way: raw clusters are then decided anew as of
  /// that instant.
  void resume(std::shared_ptr<const Model> model, std::optional<Instant> evaluated_upto,
              std::optional<Instant> sweeping_as_of);

  // --- the steps ---
  /// Applies a record to its customer's row at the clock `now` and decides. A row that is new to
  /// this segmenter is taken in.
  Step take(Customer& customer, const Record& record, Instant now);
  /// Decides every raw cluster as of an evaluation instant. The segments follow by move().
  void age_to(Instant at);
  /// Puts a new epoch in force: raw clusters are decided as of `as_of`, the partition's clock,
  /// which may be before the epoch's instant where records lie unread: nobody is aged beyond it.
  /// The segments follow by move().
  void adopt(std::shared_ptr<const Model> model, Instant as_of,
             std::optional<Instant> evaluated_upto);
  /// Moves the origin of the recency sums to where an evaluation at `at` has it, so that the sums
  /// of all partitions can be added.
  void rebase(Instant at);
  /// Customers whose row is behind their raw cluster, in id order: those a sweep has to move.
  std::vector<std::string> movers() const;
  /// Brings one row up to its raw cluster; the change, if it is to be published. The row always
  /// changes when the customer was among movers().
  std::optional<SegmentChange> move(Customer& customer, const SweepContext& sweep, Instant now);

  // --- what it knows ---
  const Model* model() const { return model_.get(); }
  /// Merged over partitions this is the population of judge(). All clusters' sums; origin of
  /// recency.
  const std::vector<ClusterSums>& sums() const { return sums_; }
  Instant origin() const { return origin_; }
  std::int64_t customers() const { return static_cast<std::int64_t>(roster_.size()); }
  std::int64_t placed() const { return placed_; }
  bool knows(std::string_view customer_id) const { return index_.contains(customer_id); }
  /// Of the oldest counting order; a pass over the roster.
  std::optional<Instant> first_order_at() const;
  /// The sample_max smallest hashes among placed customers.
  std::vector<Sampled> sample() const;
  /// Customers and revenue by segment word index, kNone included.
  struct Tally {
    std::int64_t customers = 0;
    std::int64_t revenue_minor = 0;
  };
  std::vector<Tally> by_segment() const;  // kSegmentWords long
  /// Customers whom silence has carried into another cluster and no pass has moved yet; a pass over
  /// the roster.
  std::int64_t overdue(Instant now) const;
  /// S1, by counting again. For tests and `check`.
  std::vector<ClusterSums> recount() const;

 private:
  struct Entry {
    std::string id;
    Instant last_order_at;
    Instant first_order_at;
    std::int64_t frequency = 0;  // 0 = not placed
    std::int64_t monetary_minor = 0;
    double frequency_feature = 0;
    double monetary_feature = 0;
    Contribution contribution;      // what stands in the sums
    std::int16_t cluster = -1;      // raw; -1 = none
    std::int16_t row_cluster = -1;  // what the row says
    Segment row_segment = Segment::kNone;
    bool row_provisional = false;
  };
  Entry& entry_of(const Customer& customer);
  void set_figures(Entry& entry, const Figures& figures);
  void cache_features(Entry& entry) const;
  static void note_row(Entry& entry, const Customer& customer);
  static bool placed(const Entry& entry) { return entry.frequency > 0; }
  static Point point(const Entry& entry);
  int raw_cluster(const Entry& entry, Instant at) const;
  Contribution contribution(const Entry& entry) const;
  void enter_sums(Entry& entry, int cluster);
  void leave_sums(Entry& entry);
  bool behind(const Entry& entry) const;
  Instant origin_for(Instant evaluated_upto) const;
  /// Of the last pass over everybody, as far as the sums know it.
  Instant pass_for(std::optional<Instant> evaluated_upto) const;
  /// Writes a decided segment into the row; the event, if this move speaks and is news.
  std::optional<SegmentChange> settle(Customer& customer, int cluster, Cause cause, Instant at,
                                      bool speaks) const;
  /// Fills in what an event says beside the move itself.
  void describe(SegmentChange& change, const Customer& customer, const Figures& before,
                Instant now) const;
  /// When silence led from the row's cluster to `to` under `model`; `as_of` where it did not.
  static Instant lapsed_at(const Model& model, const Entry& entry, int to, Instant since,
                           Instant as_of);

  SegmenterRules rules_;
  std::shared_ptr<const Model> model_;
  std::deque<Entry> roster_;  // entries never move: index_ holds views of their ids
  std::unordered_map<std::string_view, std::size_t> index_;
  std::vector<ClusterSums> sums_;
  Instant origin_;
  Instant pass_;  // of the last renew()
  std::int64_t placed_ = 0;
  Int128 revenue_minor_ = 0;  // of everybody, placed or not
};

}  // namespace segmentd
