// The closed sets of words that metric labels are made of, as enums, so that counting is an array
// index and no label can be made from data. The enums' order is the order of their words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace segmentd::observe {

/// Words<E>::kList[i] is the label of the i-th member of E.
template <class E>
struct Words;

template <class E>
inline constexpr std::size_t kWordCount = Words<E>::kList.size();

template <class E>
constexpr std::size_t index_of(E member) {
  return static_cast<std::size_t>(member);
}

template <class E>
constexpr std::string_view word(E member) {
  return Words<E>::kList[index_of(member)];
}

/// One T for each member of E. A plain array, indexed by the enum.
template <class E, class T = std::uint64_t>
struct PerWord {
  std::array<T, kWordCount<E>> values{};

  constexpr T& operator[](E member) { return values[index_of(member)]; }
  constexpr const T& operator[](E member) const { return values[index_of(member)]; }
};

/// What a record said it was. kUnknown: it was rejected before its type was known.
enum class RecordType : std::uint8_t { kOrder, kPayment, kRefund, kCancellation, kUnknown };
template <>
struct Words<RecordType> {
  static constexpr std::array<std::string_view, 5> kList{"order", "payment", "refund",
                                                         "cancellation", "unknown"};
};
static_assert(kWordCount<RecordType> == index_of(RecordType::kUnknown) + 1);

/// What became of a record; each record has exactly one.
enum class Outcome : std::uint8_t {
  kApplied,    // it changed what is known of its customer
  kUnchanged,  // the same was known already
  kStale,      // a higher version was known already
  kWaiting,    // its order is not yet known
  kAnonymous,  // it names no customer
  kRejected    // see RejectReason
};
template <>
struct Words<Outcome> {
  static constexpr std::array<std::string_view, 6> kList{"applied", "unchanged", "stale",
                                                         "waiting", "anonymous", "rejected"};
};
static_assert(kWordCount<Outcome> == index_of(Outcome::kRejected) + 1);

/// Why a record was rejected: the codes of the rejected topic.
enum class RejectReason : std::uint8_t {
  kMalformedJson,
  kInvalidUtf8,
  kMissingField,
  kUnknownType,
  kUnsupportedType,
  kBadId,
  kBadTime,
  kFuture,
  kBadAmount,
  kTooManyDecimals,
  kOverflow,
  kUnknownCurrency,
  kOversized,
  kKeyMismatch,
  kWrongPartition,
  kNullValue,
  kTooOld,
  kClockJump,
  kSkipped
};
template <>
struct Words<RejectReason> {
  static constexpr std::array<std::string_view, 19> kList{
      "malformed_json", "invalid_utf8",     "missing_field", "unknown_type", "unsupported_type",
      "bad_id",         "bad_time",         "future",        "bad_amount",   "too_many_decimals",
      "overflow",       "unknown_currency", "oversized",     "key_mismatch", "wrong_partition",
      "null_value",     "too_old",          "clock_jump",    "skipped"};
};
static_assert(kWordCount<RejectReason> == index_of(RejectReason::kSkipped) + 1);

/// The segment ids; kNone: no counting order, hence in no segment.
enum class SegmentWord : std::uint8_t {
  kNone,
  kInsiders,
  kOccasional,
  kAtRisk,
  kLoyal,
  kPromising,
  kLapsed,
  kSteady,
  kDormant
};
template <>
struct Words<SegmentWord> {
  static constexpr std::array<std::string_view, 9> kList{"none",    "insiders", "occasional",
                                                         "at_risk", "loyal",    "promising",
                                                         "lapsed",  "steady",   "dormant"};
};
static_assert(kWordCount<SegmentWord> == index_of(SegmentWord::kDormant) + 1);

/// Why a segment changed: the causes of the published event.
enum class ChangeCause : std::uint8_t { kOrder, kRefund, kSilence, kModel, kDefinition, kBackfill };
template <>
struct Words<ChangeCause> {
  static constexpr std::array<std::string_view, 6> kList{"order", "refund",     "silence",
                                                         "model", "definition", "backfill"};
};
static_assert(kWordCount<ChangeCause> == index_of(ChangeCause::kBackfill) + 1);

/// How a Kafka transaction ended, as far as its commit call could tell.
enum class TransactionOutcome : std::uint8_t {
  kCommitted,
  kAborted,   // it is not, and goes out again
  kUnknown,   // looked up in the committed offset
  kFenced,    // as unknown, and somebody took our transactional.id
  kFatal,     // as unknown, and the process ends
  kNotBegun,  // none could be opened
};
template <>
struct Words<TransactionOutcome> {
  static constexpr std::array<std::string_view, 6> kList{"committed", "aborted", "unknown",
                                                         "fenced",    "fatal",   "not_begun"};
};
static_assert(kWordCount<TransactionOutcome> == index_of(TransactionOutcome::kNotBegun) + 1);

/// What the committed offset's metadata said about a transaction whose outcome was unknown.
enum class Resolution : std::uint8_t {
  kCommitted,     // our sequence number: it happened
  kNotCommitted,  // the one before: it did not
  kNotOurs        // anything else: the partition has another owner
};
template <>
struct Words<Resolution> {
  static constexpr std::array<std::string_view, 3> kList{"committed", "not_committed", "not_ours"};
};
static_assert(kWordCount<Resolution> == index_of(Resolution::kNotOurs) + 1);

/// What the consumer group told this member.
enum class RebalanceKind : std::uint8_t { kAssigned, kRevoked, kLost };
template <>
struct Words<RebalanceKind> {
  static constexpr std::array<std::string_view, 3> kList{"assigned", "revoked", "lost"};
};
static_assert(kWordCount<RebalanceKind> == index_of(RebalanceKind::kLost) + 1);

/// Where an assigned partition stands.
enum class PartitionState : std::uint8_t { kRestoring, kActive, kParked };
template <>
struct Words<PartitionState> {
  static constexpr std::array<std::string_view, 3> kList{"restoring", "active", "parked"};
};
static_assert(kWordCount<PartitionState> == index_of(PartitionState::kParked) + 1);

/// Why a partition is parked: owned, but not worked on until somebody acts.
enum class ParkReason : std::uint8_t {
  kStateBehindLog,
  kFingerprint,
  kInputRecreated,
  kRepeatedFailure,
  kOffsetChanged,
  kStoreError,
  kDiskFull,
  kPartitionCount
};
template <>
struct Words<ParkReason> {
  static constexpr std::array<std::string_view, 8> kList{
      "state_behind_log", "fingerprint", "input_recreated", "repeated_failure",
      "offset_changed",   "store_error", "disk_full",       "partition_count"};
};
static_assert(kWordCount<ParkReason> == index_of(ParkReason::kPartitionCount) + 1);

/// What a topic of an application is to it.
enum class TopicRole : std::uint8_t {
  kInput,  // the user's; all others are written by segmentd
  kChanges,
  kTable,
  kRejected,
  kChangelog,
  kModel,
  kStatistics
};
template <>
struct Words<TopicRole> {
  static constexpr std::array<std::string_view, 7> kList{
      "input", "changes", "table", "rejected", "changelog", "model", "statistics"};
};
static_assert(kWordCount<TopicRole> == index_of(TopicRole::kStatistics) + 1);

}  // namespace segmentd::observe
