#include "state/core/record.hpp"

namespace segmentd {

const char* word(RecordType type) {
  switch (type) {
    case RecordType::kOrder:
      return "order";
    case RecordType::kPayment:
      return "payment";
    case RecordType::kRefund:
      return "refund";
    case RecordType::kCancellation:
      return "cancellation";
  }
  return "unknown";
}

}  // namespace segmentd
