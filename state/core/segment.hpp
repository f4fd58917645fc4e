// The words for segments and for the causes of a move. Ids are stable and part of the output;
// labels are for people and come from the configuration.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace segmentd {

inline constexpr int kSegmentsMin = 2;
inline constexpr int kSegmentsMax = 8;

/// kNone = in no segment: no counting order, or no epoch yet. The numbers are stored: never
/// renumber.
enum class Segment : std::uint8_t {
  kNone = 0,
  kInsiders = 1,
  kLoyal = 2,
  kPromising = 3,
  kOccasional = 4,
  kSteady = 5,
  kAtRisk = 6,
  kLapsed = 7,
  kDormant = 8,
};
inline constexpr int kSegmentWords = 9;  // kNone included

/// `insiders`, `at_risk`, ...; `none` for kNone.
std::string_view word(Segment segment);
/// The inverse; nullopt for a word that is no segment (`none` gives kNone).
std::optional<Segment> segment_of(std::string_view word);

/// Why a customer's segment changed. Closed set of version 1, stored: never renumber.
enum class Cause : std::uint8_t {
  kOrder = 0,       // an order or payment
  kRefund = 1,      // a refund, a cancellation, an order record that lowered or ended one
  kSilence = 2,     // time alone
  kModel = 3,       // a new epoch
  kDefinition = 4,  // k, features, names or margin were changed by the operator
  kBackfill = 5,    // where everyone starts, or said again
};
inline constexpr int kCauses = 6;
std::string_view word(Cause cause);

}  // namespace segmentd
