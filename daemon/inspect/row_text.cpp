#include "daemon/inspect/row_text.hpp"

#include "daemon/inspect/verdict.hpp"
#include "state/codec.hpp"
#include "state/core/money.hpp"
#include "state/core/segment.hpp"

namespace segmentd {
namespace {

class RowText {
 public:
  explicit RowText(const EncodeContext& context) : context_(context) {}

  std::string of(const Customer& customer, std::string_view bytes);

 private:
  void line(const std::string& name, const std::string& value) {
    constexpr std::size_t kNameWidth = 18;
    text_ += name;
    text_.append(kNameWidth > name.size() ? kNameWidth - name.size() : 1, ' ');
    text_ += value + '\n';
  }
  std::string money(std::int64_t minor) const {
    return format_amount(minor, context_.decimals) + " " + context_.currency;
  }
  static std::string time(const std::optional<Instant>& at) {
    return at ? format_rfc3339(*at) : "never";
  }
  static std::string segment(Segment segment, Instant since) {
    return segment == Segment::kNone
               ? "none"
               : std::string(word(segment)) + " since " + format_rfc3339(since);
  }
  void figures(const Figures& figures);
  void decided(const Customer& customer);
  void order(const OrderGroup& group);
  void parts(const char* name, const std::vector<Part>& parts);
  void folded(const Folded& folded);

  const EncodeContext& context_;
  std::string text_;
};

std::string RowText::of(const Customer& customer, std::string_view bytes) {
  line("customer", customer.id);
  line("stored", std::to_string(bytes.size()) + " bytes, format " +
                     std::to_string(static_cast<unsigned char>(bytes.front())) +
                     ", the checksum is right");
  decided(customer);
  figures(customer.figures);
  for (const OrderGroup& group : customer.orders) order(group);
  parts("refund, no order", customer.loose_refunds);
  folded(customer.folded);
  if (!customer.sections.empty()) {
    line("unknown sections",
         std::to_string(customer.sections.size()) + " bytes of a newer program, carried along");
  }
  return std::move(text_);
}

void RowText::decided(const Customer& customer) {
  line("segment", segment(customer.segment, customer.segment_since));
  line("decided by", customer.epoch == 0 ? "no epoch yet"
                                         : "epoch " + std::to_string(customer.epoch) +
                                               ", cluster " + std::to_string(customer.cluster) +
                                               (customer.provisional ? ", provisional" : ""));
  line("announced", segment(customer.announced.segment, customer.announced.since) + ", " +
                        count_text(customer.announced.sequence, "event") + " published");
  line("updated", format_rfc3339(customer.updated_at));
}

void RowText::figures(const Figures& f) {
  line("frequency",
       count_text(f.frequency, "counting order") + " on " + count_text(f.purchase_days, "day"));
  line("monetary", money(f.monetary_minor) + " = " + money(f.gross_minor) + " - " +
                       money(f.refunded_minor) + " refunded");
  line("first order", time(f.first_order_at));
  line("last order", time(f.last_order_at));
  line("refunds", std::to_string(f.refunds));
  line("cancellations", std::to_string(f.cancellations));
}

void RowText::order(const OrderGroup& group) {
  std::string what = group.order_id;
  if (group.known) {
    what += ", " + money(group.amount_minor) + " at " + format_rfc3339(group.at);
    if (group.version) what += ", version " + std::to_string(*group.version);
    what += group.counts ? "" : ", its status does not count";
  } else {
    what += ", not yet known: what is about it waits";
  }
  if (group.cancelled) what += ", cancelled " + time(group.cancelled_at);
  line("order", what);
  parts("  payment", group.payments);
  parts("  refund", group.refunds);
}

void RowText::parts(const char* name, const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    line(name, part.id + ", " + money(part.amount_minor) + " at " + format_rfc3339(part.at));
  }
}

void RowText::folded(const Folded& folded) {
  if (!folded.until) return;
  line("folded",
       "what is not newer than " + format_rfc3339(*folded.until) + ", and cannot change any more:");
  line("  orders", std::to_string(folded.orders) + " counting, " + money(folded.gross_minor) +
                       ", " + time(folded.first_order_at) + " to " + time(folded.last_order_at));
  line("  refunds", std::to_string(folded.refunds) + ", " + money(folded.refunded_minor));
  line("  dropped", std::to_string(folded.dropped_waiting) + " whose order did not come in time");
}

}  // namespace

std::string row_text(std::string_view customer_id, std::string_view bytes, const Rules& rules,
                     const EncodeContext& context) {
  const auto customer = decode_row(customer_id, bytes, rules);
  if (customer) return RowText(context).of(*customer, bytes);
  return "customer          " + std::string(customer_id) + "\nstored            " +
         std::to_string(bytes.size()) + " bytes that cannot be read: " + customer.error().what +
         "\n";
}

}  // namespace segmentd
