#include "daemon/commands/import_fit.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace segmentd {
namespace {

constexpr std::string_view kFieldPrefix = "input.field.";

/// The members of the records that these options make; see write_json().
std::vector<std::string> members(const ImportOptions& options) {
  std::vector<std::string> names{"type",       "customer_id", "order_id",
                                 "ordered_at", "amount",      "currency"};
  const bool is_retail = options.layout != Layout::kOrders;
  if (is_retail) names.insert(names.end(), {"refund_id", "refunded_at"});
  if (!is_retail && !options.columns.status.empty()) names.emplace_back("status");
  return names;
}

class Misfits {
 public:
  void add_if(bool misfit, const config::OptionBase& option, const std::string& written) {
    if (!misfit) return;
    found_.push_back(
        {option.key(), option.text(), option.origin(), "import would write " + written});
  }
  std::vector<config::Problem> found() && { return std::move(found_); }

 private:
  std::vector<config::Problem> found_;
};

void add_fields(const config::Settings& settings, const ImportOptions& options, Misfits& misfits) {
  const std::vector<std::string> written = members(options);
  const auto is_written = [&](std::string_view name) {
    return std::find(written.begin(), written.end(), name) != written.end();
  };
  for (const config::OptionBase* option : settings.options()) {
    if (!option->key().starts_with(kFieldPrefix)) continue;
    const std::string name = option->key().substr(kFieldPrefix.size());
    const std::string where = option->text();
    if (is_written(name)) {
      misfits.add_if(where != "/" + name, *option, "it at /" + name);
    } else {
      misfits.add_if(is_written(where.substr(1)), *option, "something else there");
    }
  }
}

}  // namespace

void complete_by(const config::Settings& settings, ImportOptions& options) {
  if (options.layout != Layout::kOrders) return;  // these layouts leave nothing open
  if (options.currency.empty()) options.currency = settings.currency();
  if (options.time_zone.empty()) options.time_zone = settings.time_zone();
  if (!options.decimals) options.decimals = static_cast<int>(settings.decimals());
}

std::vector<config::Problem> misfits(const config::Settings& settings,
                                     const ImportOptions& options) {
  Misfits misfits;
  const std::string currency = currency_of(options);
  misfits.add_if(!currency.empty() && currency != settings.currency(), settings.currency, currency);
  const int decimals = decimals_of(options);
  misfits.add_if(decimals > settings.decimals(), settings.decimals,
                 std::to_string(decimals) + " (--decimals may say less)");
  misfits.add_if(settings.input.partitioner() == config::InputPartitioner::kConsistent,
                 settings.input.partitioner, "where murmur2 puts the key");
  misfits.add_if(settings.input.time_format() != config::InputTimeFormat::kRfc3339,
                 settings.input.time_format, "rfc3339");
  misfits.add_if(settings.input.money() == config::MoneySource::kPayments, settings.input.money,
                 "orders without payments, which would be worth nothing");
  add_fields(settings, options, misfits);
  return std::move(misfits).found();
}

}  // namespace segmentd
