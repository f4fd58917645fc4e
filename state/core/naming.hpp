// Which segment a cluster bears, by rule; never by a metric alone, so that words keep their
// meaning.
#pragma once

#include <vector>

#include "state/core/epoch.hpp"
#include "state/core/segment.hpp"

namespace segmentd {

/// One word per centroid (standardised; 2 to 8 of them): insiders = the largest zF + zM - zR; of
/// the rest dormant, lapsed, at_risk = the largest zR, in that order as far as this k has them; the
/// others by falling zF + zM: loyal, steady, promising, occasional. Ties go to the lower index.
std::vector<Segment> names_of(const std::vector<Features>& centroids);

/// The words that k clusters bear.
std::vector<Segment> segments_of(int k);

}  // namespace segmentd
