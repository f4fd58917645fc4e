#include "state/core/epoch.hpp"

namespace segmentd {

const char* word(Recency recency) {
  switch (recency) {
    case Recency::kSaturating:
      return "saturating";
    case Recency::kLinear:
      return "linear";
    case Recency::kLog:
      return "log";
  }
  return "unknown";
}

const char* word(EpochKind kind) {
  switch (kind) {
    case EpochKind::kProvisional:
      return "provisional";
    case EpochKind::kFirstFit:
      return "first_fit";
    case EpochKind::kMeans:
      return "means";
    case EpochKind::kAdopted:
      return "adopted";
  }
  return "unknown";
}

}  // namespace segmentd
