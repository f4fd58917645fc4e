// The row of one customer. state/FORMAT.md tells the layout; this file follows its order.
#include <algorithm>
#include <utility>

#include <xxhash.h>

#include "state/codec.hpp"
#include "state/core/figures.hpp"
#include "state/sealed.hpp"

namespace segmentd {
namespace {

constexpr std::uint8_t kOldestRowVersion = kRowVersion - 1;
constexpr std::uint8_t kNewestTimes = 2;  // the version from which on groups carry their activity

namespace row_flag {
constexpr std::uint8_t kFolded = 1;
constexpr std::uint8_t kAnnounced = 2;
constexpr std::uint8_t kProvisional = 4;
constexpr std::uint8_t kLooseRefunds = 8;
constexpr std::uint8_t kSections = 16;  // from version 2
}  // namespace row_flag

namespace group_flag {
constexpr std::uint8_t kKnown = 1;
constexpr std::uint8_t kCounts = 2;
constexpr std::uint8_t kVersion = 4;
constexpr std::uint8_t kCancelled = 8;
constexpr std::uint8_t kCancelledVersion = 16;
constexpr std::uint8_t kPayments = 32;
constexpr std::uint8_t kRefunds = 64;
constexpr std::uint8_t kCancelledAt = 128;  // always with kCancelled; alone = revived
}  // namespace group_flag

constexpr std::uint8_t flag_if(bool set, std::uint8_t flag) {
  return set ? flag : std::uint8_t{0};
}

std::int64_t utc_day(Instant at) {
  const std::int64_t ms = at.ms;
  return (ms >= 0 ? ms : ms - (kMsPerDay - 1)) / kMsPerDay;
}

// --- writing ---

/// A time that is not after `newest`, as its distance.
void write_before(ByteWriter& out, Instant newest, Instant at) {
  out.varint(static_cast<std::uint64_t>(newest - at));
}

void write_parts(ByteWriter& out, const std::vector<Part>& parts, Instant newest) {
  out.varint(parts.size());
  for (const Part& part : parts) {
    out.text(part.id);
    write_before(out, newest, part.at);
    out.varint(static_cast<std::uint64_t>(part.amount_minor));
  }
}

std::uint8_t flags_of(const OrderGroup& group) {
  using namespace group_flag;
  return static_cast<std::uint8_t>(
      flag_if(group.known, kKnown) | flag_if(group.counts, kCounts) |
      flag_if(group.version.has_value(), kVersion) | flag_if(group.cancelled, kCancelled) |
      flag_if(group.cancelled_version.has_value(), kCancelledVersion) |
      flag_if(!group.payments.empty(), kPayments) | flag_if(!group.refunds.empty(), kRefunds) |
      flag_if(group.cancelled_at.has_value(), kCancelledAt));
}

void write_group(ByteWriter& out, const OrderGroup& group) {
  out.byte(flags_of(group));
  out.text(group.order_id);
  out.zigzag(group.newest.ms);
  if (group.known) {
    write_before(out, group.newest, group.at);
    out.zigzag(group.local_day - utc_day(group.at));
    out.varint(static_cast<std::uint64_t>(group.amount_minor));
  }
  if (group.version) out.zigzag(*group.version);
  if (group.cancelled_at) write_before(out, group.newest, *group.cancelled_at);
  if (group.cancelled_version) out.zigzag(*group.cancelled_version);
  if (!group.payments.empty()) write_parts(out, group.payments, group.newest);
  if (!group.refunds.empty()) write_parts(out, group.refunds, group.newest);
}

void write_days(ByteWriter& out, const std::vector<DayRun>& runs) {
  out.varint(runs.size());
  std::int64_t end = 0;
  for (const DayRun& run : runs) {
    out.zigzag(run.first_day - end);
    out.varint(static_cast<std::uint64_t>(run.days));
    end = std::int64_t{run.first_day} + run.days;
  }
}

void write_folded(ByteWriter& out, const Folded& folded) {
  out.zigzag(folded.until->ms);
  for (const std::int64_t total : {folded.gross_minor, folded.refunded_minor, folded.refunds,
                                   folded.cancellations, folded.dropped_waiting, folded.orders}) {
    out.varint(static_cast<std::uint64_t>(total));
  }
  if (folded.orders == 0) return;
  out.zigzag(folded.first_order_at->ms);
  out.zigzag(folded.last_order_at->ms);
  out.varint(folded.squared_minor.low);
  out.varint(folded.squared_minor.high);
  write_days(out, folded.days);
  out.varint(static_cast<std::uint64_t>(folded.first_day_minor));
}

std::uint8_t flags_of(const Customer& customer) {
  using namespace row_flag;
  return static_cast<std::uint8_t>(flag_if(customer.folded.until.has_value(), kFolded) |
                                   flag_if(customer.announced != Announced{}, kAnnounced) |
                                   flag_if(customer.provisional, kProvisional) |
                                   flag_if(!customer.loose_refunds.empty(), kLooseRefunds) |
                                   flag_if(!customer.sections.empty(), kSections));
}

// --- reading ---

/// Reads either version. Lets the reader fail at what the order of bytes cannot mean; what the
/// values may be is check_structure()'s to say.
class RowReader {
 public:
  RowReader(std::string_view body, std::uint8_t version) : in_(body), version_(version) {}

  /// False = not such bytes.
  bool read(Customer& customer) {
    const std::uint8_t flags = in_.byte();
    const std::uint8_t known_flags = version_ >= 2 ? 31 : 15;
    if ((flags & ~known_flags) != 0) return false;
    customer.provisional = (flags & row_flag::kProvisional) != 0;
    customer.segment = segment();
    customer.segment_since = instant();
    customer.cluster = narrow(in_.zigzag());
    customer.epoch = count();
    customer.updated_at = instant();
    if ((flags & row_flag::kAnnounced) != 0) announced(customer.announced);
    if ((flags & row_flag::kFolded) != 0) folded(customer.folded);
    groups(customer.orders, customer.folded.until);
    if ((flags & row_flag::kLooseRefunds) != 0) parts(customer.loose_refunds, customer.updated_at);
    if ((flags & row_flag::kSections) != 0) customer.sections = sections();
    return in_.ok() && in_.left() == 0;
  }

 private:
  Instant instant() { return {in_.zigzag()}; }

  /// A time of a group. Version 1 has all times as they are.
  Instant before(Instant newest) {
    if (version_ < kNewestTimes) return instant();
    return {static_cast<std::int64_t>(static_cast<std::uint64_t>(newest.ms) - in_.varint())};
  }

  /// A number that is never negative.
  std::int64_t count() {
    const std::uint64_t value = in_.varint();
    if (value > static_cast<std::uint64_t>(INT64_MAX)) in_.fail();
    return static_cast<std::int64_t>(value);
  }

  std::int32_t narrow(std::int64_t value) {
    if (value < INT32_MIN || value > INT32_MAX) {
      in_.fail();
      return 0;
    }
    return static_cast<std::int32_t>(value);
  }

  /// How many elements follow, each of at least `bytes_min` bytes: hostile counts never allocate
  /// more than the bytes that are there can justify.
  std::size_t elements(std::size_t bytes_min) {
    const std::uint64_t value = in_.varint();
    if (value > in_.left() / bytes_min) {
      in_.fail();
      return 0;
    }
    return value;
  }

  Segment segment() {
    const std::uint8_t value = in_.byte();
    if (value >= kSegmentWords) in_.fail();
    return in_.ok() ? static_cast<Segment>(value) : Segment::kNone;
  }

  void announced(Announced& announced) {
    announced.segment = segment();
    announced.since = instant();
    announced.sequence = count();
    if (announced == Announced{}) in_.fail();  // would not have been written
  }

  void days(std::vector<DayRun>& runs) {
    runs.resize(elements(2));
    std::int64_t end = 0;
    for (DayRun& run : runs) {
      run.first_day = narrow(narrow(in_.zigzag()) + end);
      run.days = narrow(count());
      end = std::int64_t{run.first_day} + run.days;
    }
  }

  void folded(Folded& folded) {
    folded.until = instant();
    for (std::int64_t* total : {&folded.gross_minor, &folded.refunded_minor, &folded.refunds,
                                &folded.cancellations, &folded.dropped_waiting, &folded.orders}) {
      *total = count();
    }
    if (folded.orders == 0) return;
    folded.first_order_at = instant();
    folded.last_order_at = instant();
    folded.squared_minor.low = in_.varint();
    folded.squared_minor.high = in_.varint();
    days(folded.days);
    folded.first_day_minor = count();
  }

  void parts(std::vector<Part>& parts, Instant newest) {
    parts.resize(elements(3));
    if (parts.empty()) in_.fail();  // would not have been announced by a flag
    for (Part& part : parts) {
      part.id = in_.text();
      part.at = before(newest);
      part.amount_minor = count();
    }
  }

  void groups(std::vector<OrderGroup>& groups, std::optional<Instant> until) {
    groups.resize(elements(4));
    for (OrderGroup& group : groups) {
      if (!in_.ok()) return;
      this->group(group);
      if (version_ < kNewestTimes) group.newest = newest_known(group, until);
    }
  }

  void group(OrderGroup& group) {
    using namespace group_flag;
    const std::uint8_t flags = in_.byte();
    group.known = (flags & kKnown) != 0;
    group.counts = (flags & kCounts) != 0;
    group.cancelled = (flags & kCancelled) != 0;
    group.order_id = in_.text();
    if (version_ >= kNewestTimes) group.newest = instant();
    if (group.known) {
      group.at = before(group.newest);
      if (group.at < kFirstInstant || group.at > kLastInstant) in_.fail();
      group.local_day = in_.ok() ? narrow(narrow(in_.zigzag()) + utc_day(group.at)) : 0;
      group.amount_minor = count();
    }
    if ((flags & kVersion) != 0) group.version = in_.zigzag();
    if ((flags & kCancelledAt) != 0) group.cancelled_at = before(group.newest);
    if ((flags & kCancelledVersion) != 0) group.cancelled_version = in_.zigzag();
    if ((flags & kPayments) != 0) parts(group.payments, group.newest);
    if ((flags & kRefunds) != 0) parts(group.refunds, group.newest);
  }

  /// The activity of a group of version 1, as far as its records still tell it; it is open, so it
  /// is not older than the fold.
  static Instant newest_known(const OrderGroup& group, std::optional<Instant> until) {
    std::optional<Instant> newest = std::max(group.cancelled_at, until);
    if (group.known) newest = std::max(newest, std::optional(group.at));
    for (const auto* parts : {&group.payments, &group.refunds}) {
      for (const Part& part : *parts) newest = std::max(newest, std::optional(part.at));
    }
    return newest.value_or(Instant{});
  }

  /// Checks the frame of each section; its content stays as it is. An odd tag marks what a reader
  /// must understand, and none is known here.
  std::string_view sections() {
    const std::string_view all = in_.text();
    ByteReader section(all);
    std::uint64_t last_tag = 0;
    while (section.ok() && section.left() > 0) {
      const std::uint64_t tag = section.varint();
      section.text();
      if (tag <= last_tag || tag % 2 == 1) section.fail();
      last_tag = tag;
    }
    if (all.empty() || !section.ok()) in_.fail();
    return in_.ok() ? all : std::string_view{};
  }

  ByteReader in_;
  std::uint8_t version_;
};

}  // namespace

std::uint32_t checksum(std::string_view subject, std::string_view bytes) {
  const std::uint64_t seed = XXH3_64bits(subject.data(), subject.size());
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed));
}

std::string row_key(std::string_view customer_id) {
  std::string key(kRowPrefix);
  key += customer_id;
  return key;
}

std::optional<std::string_view> customer_of(std::string_view key) {
  if (!key.starts_with(kRowPrefix)) return std::nullopt;
  return key.substr(kRowPrefix.size());
}

std::size_t row_bytes_about(const Customer& customer) {
  constexpr std::size_t kHead = 64;
  constexpr std::size_t kEntry = 48;
  return kHead + kEntry * (customer.orders.size() + customer.loose_refunds.size());
}

std::string encode_row(const Customer& customer) {
  std::string bytes;
  bytes.reserve(row_bytes_about(customer));
  ByteWriter out(bytes);
  out.byte(kRowVersion);
  out.byte(flags_of(customer));
  out.byte(static_cast<std::uint8_t>(customer.segment));
  out.zigzag(customer.segment_since.ms);
  out.zigzag(customer.cluster);
  out.varint(static_cast<std::uint64_t>(customer.epoch));
  out.zigzag(customer.updated_at.ms);
  if (customer.announced != Announced{}) {
    out.byte(static_cast<std::uint8_t>(customer.announced.segment));
    out.zigzag(customer.announced.since.ms);
    out.varint(static_cast<std::uint64_t>(customer.announced.sequence));
  }
  if (customer.folded.until) write_folded(out, customer.folded);
  out.varint(customer.orders.size());
  for (const OrderGroup& group : customer.orders) write_group(out, group);
  if (!customer.loose_refunds.empty()) {
    write_parts(out, customer.loose_refunds, customer.updated_at);
  }
  if (!customer.sections.empty()) out.text(customer.sections);
  seal(customer.id, bytes);
  return bytes;
}

Result<Customer> decode_row(std::string_view customer_id, std::string_view bytes,
                            const Rules& rules) {
  // Without the customer's id: the text goes into logs and to /readyz.
  const auto corrupt = [](const std::string& what) {
    return Error{Errc::kCorrupt, "a customer's row: " + what};
  };
  const Result<std::string_view> body = unseal(customer_id, bytes, kOldestRowVersion, kRowVersion);
  if (!body) return corrupt(body.error().what);
  Result<Customer> decoded{Customer{}};
  Customer& customer = *decoded;
  customer.id = customer_id;
  const auto version = static_cast<std::uint8_t>(body->front());
  if (!RowReader(body->substr(1), version).read(customer)) {
    return corrupt("the bytes are no row of format " + std::to_string(version));
  }
  if (const std::string wrong = check_structure(customer, rules); !wrong.empty()) {
    return corrupt(wrong);
  }
  const std::optional<Figures> figures = added_up(customer, rules);
  if (!figures) return corrupt("a sum of money is out of range");
  customer.figures = *figures;
  return decoded;
}

}  // namespace segmentd
