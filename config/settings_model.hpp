// The settings of the model and of what the segments are called.
#pragma once

#include "config/option.hpp"
#include "config/rules.hpp"
#include "state/core/epoch.hpp"
#include "state/core/segment.hpp"

namespace segmentd::config {

struct ModelSettings {
  OptionSet& set;
  IntegerOption k{set,
                  {"model.k",
                   "Number of segments. 2: insiders and occasional; 3 adds at_risk; 4 loyal; 5 "
                   "promising; 6 lapsed; 7 steady; 8 dormant.",
                   kMeaning},
                  4,
                  kSegmentsMin,
                  kSegmentsMax};
  Choice<Recency> recency{
      set,
      {"model.recency",
       "How the days since the last order enter the model: `saturating` stops to matter some time "
       "after `model.recency_tau`, `linear` never, `log` more and more slowly.",
       kMeaning},
      Recency::kSaturating,
      {"saturating", "linear", "log"}};
  DurationOption recency_tau{
      set,
      {"model.recency_tau",
       "Time constant of the saturating recency: after it, 63 % of the effect of silence is there.",
       kMeaning},
      std::chrono::hours(180 * 24),
      std::chrono::hours(24),
      std::chrono::hours(3'650 * 24)};
  NumberOption margin{
      set,
      {"model.margin",
       "Reserved, not yet applied: how clearly another segment must be nearer before "
       "time or a new model moves a customer. This version decides as with 0."},
      0.1,
      0.0,
      0.9};
  IntegerOption seed{
      set,
      {"model.seed", "Seed of the fits: the same data and seed give the same model."},
      1,
      0,
      9'007'199'254'740'991};
  DurationOption evaluate_every{set,
                                {"model.evaluate_every",
                                 "How often it is judged whether a new epoch is due, at whole "
                                 "multiples of this since 1970 UTC."},
                                std::chrono::hours(24),
                                std::chrono::seconds(1),
                                std::chrono::hours(365 * 24)};
  IntegerOption customers_min{
      set,
      {"model.min_customers",
       "Customers per segment that the first fit waits for; until then cold-start rules decide."},
      100,
      1,
      1'000'000};
  IntegerOption days_min{
      set,
      {"model.min_days", "Days since the first counting order that the first fit waits for."},
      60,
      0,
      3'650};
  BoolOption announce_first_fit{set,
                                {"model.announce_first_fit",
                                 "Whether moves from the cold-start rules to the first fit are "
                                 "published as segment changes."},
                                false};
};

/// What each segment is called where people read it. The ids in events and tables never change.
struct LabelSettings {
  OptionSet& set;
  StringOption insiders{
      set, {"labels.insiders", "Display name of the best customers."}, "Insiders", kNotEmpty};
  StringOption loyal{set, {"labels.loyal", "Display name of `loyal`."}, "Loyal", kNotEmpty};
  StringOption promising{
      set, {"labels.promising", "Display name of `promising`."}, "Promising", kNotEmpty};
  StringOption occasional{
      set, {"labels.occasional", "Display name of `occasional`."}, "Occasional", kNotEmpty};
  StringOption steady{set, {"labels.steady", "Display name of `steady`."}, "Steady", kNotEmpty};
  StringOption at_risk{set, {"labels.at_risk", "Display name of `at_risk`."}, "At risk", kNotEmpty};
  StringOption lapsed{set, {"labels.lapsed", "Display name of `lapsed`."}, "Lapsed", kNotEmpty};
  StringOption dormant{set, {"labels.dormant", "Display name of `dormant`."}, "Dormant", kNotEmpty};
};

}  // namespace segmentd::config
