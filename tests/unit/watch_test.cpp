// What `segmentd watch` says: sentences, the rate of lines, the summary, the suggested order.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/watch/customer_table.hpp"
#include "daemon/watch/line_rate.hpp"
#include "daemon/watch/sentence.hpp"
#include "daemon/watch/suggestion.hpp"
#include "daemon/watch/summary.hpp"
#include "daemon/wire/encode.hpp"

namespace segmentd {
namespace {

const Instant kNoon = instant_of_utc({2011, 3, 14, 12, 3, 59, 0});

/// Customer 14646 moves from Loyal to Insiders by an order.
ReadEvent upward() {
  ReadEvent event;
  event.from_label = "Loyal";
  event.to_label = "Insiders";
  event.currency = "GBP";
  event.monetary_before = "21400.120";
  event.monetary_after = "23400.120";
  SegmentChange& change = event.change;
  change.customer_id = "14646";
  change.sequence = 7;
  change.from = Segment::kLoyal;
  change.to = Segment::kInsiders;
  change.cause = Cause::kOrder;
  change.trigger = Trigger{RecordType::kOrder, "545475", "545475"};
  change.before = {kNoon - 12 * kMsPerDay, 12 * kMsPerDay, 11, 21'400'120};
  change.after = {kNoon, 0, 12, 23'400'120};
  change.at = kNoon;
  change.epoch = 4;
  return event;
}

TEST(Sentence, AnOrderIsToldWithItsMoneyAndWhatTheCustomerIsWorth) {
  EXPECT_EQ(sentence(upward()),
            "2011-03-14 12:03  Customer 14646 moves from Loyal to Insiders: order 545475 brought "
            "2,000.00 GBP. 12 orders, 23,400.12 GBP net so far.");
}

TEST(Sentence, SilenceIsToldInDays) {
  ReadEvent event = upward();
  event.to_label = "At risk";
  event.from_label = "Insiders";
  event.change.from = Segment::kInsiders;
  event.change.to = Segment::kAtRisk;
  event.change.cause = Cause::kSilence;
  event.change.trigger.reset();
  event.change.after.recency_ms = 108 * kMsPerDay + kMsPerHour;
  event.change.after.frequency = 1;
  EXPECT_EQ(
      sentence(event),
      "2011-03-14 12:03  Customer 14646 moves from Insiders to At risk: no order for 108 days. "
      "1 order, 23,400.12 GBP net so far.");
}

TEST(Sentence, EveryCauseAndTriggerHasItsWords) {
  const auto with = [](Cause cause, std::optional<Trigger> trigger, std::int64_t frequency,
                       std::int64_t minor) {
    ReadEvent event = upward();
    event.change.cause = cause;
    event.change.trigger = std::move(trigger);
    event.change.after.frequency = frequency;
    event.change.after.monetary_minor = minor;
    const std::string line = sentence(event);
    const std::size_t colon = line.find("Insiders: ") + 10;
    return line.substr(colon, line.find(". ", colon) - colon);
  };
  const Trigger payment{RecordType::kPayment, "p1", "545475"};
  const Trigger refund{RecordType::kRefund, "C1", ""};
  const Trigger cancellation{RecordType::kCancellation, "", "545475"};
  const Trigger order{RecordType::kOrder, "545475", "545475"};
  EXPECT_EQ(with(Cause::kOrder, payment, 11, 21'500'120),
            "payment p1 of order 545475 brought 100.00 GBP");
  EXPECT_EQ(with(Cause::kRefund, refund, 11, 21'372'619), "refund C1 gave back 27.501 GBP");
  EXPECT_EQ(with(Cause::kRefund, cancellation, 10, 20'400'120),
            "order 545475 was cancelled, 1,000.00 GBP less");
  EXPECT_EQ(with(Cause::kRefund, order, 11, 21'400'020), "order 545475 became smaller by 0.10 GBP");
  EXPECT_EQ(with(Cause::kRefund, order, 10, 21'400'020),
            "order 545475 does not count any more, 0.10 GBP less");
  EXPECT_EQ(with(Cause::kModel, {}, 11, 21'400'120), "the segments were drawn anew (epoch 4)");
  EXPECT_EQ(with(Cause::kDefinition, {}, 11, 21'400'120), "the segments were defined anew");
  EXPECT_EQ(with(Cause::kBackfill, {}, 11, 21'400'120), "this is the starting point");
}

TEST(Sentence, BeginningEndAndLearningAreSaid) {
  ReadEvent event = upward();
  event.change.from = Segment::kNone;
  event.from_label.clear();
  event.change.provisional = true;
  EXPECT_NE(sentence(event).find("Customer 14646 starts in Insiders: "), std::string::npos);
  EXPECT_TRUE(sentence(event).ends_with(" (still learning)"));
  event = upward();
  event.change.to = Segment::kNone;
  event.to_label.clear();
  event.change.after.frequency = 0;
  const std::string out = sentence(event);
  EXPECT_NE(out.find("Customer 14646 leaves Loyal and is in no segment: "), std::string::npos);
  EXPECT_NE(out.find("No order that counts, "), std::string::npos);
  event = upward();
  event.change.from = event.change.to;
  EXPECT_NE(sentence(event).find("Customer 14646 is in Insiders: "), std::string::npos);
}

TEST(Sentence, AmountsKeepWhatIsNotZero) {
  EXPECT_EQ(readable_amount("8300065.814"), "8,300,065.814");
  EXPECT_EQ(readable_amount("-10411.240"), "-10,411.24");
  EXPECT_EQ(readable_amount("100.000"), "100.00");
  EXPECT_EQ(readable_amount("-999"), "-999");
  EXPECT_EQ(readable_amount("1000"), "1,000");
  EXPECT_EQ(readable_amount("12.5"), "12.5");
  EXPECT_EQ(readable_amount("n/a"), "n/a");
  EXPECT_EQ(readable_count(1'234'567), "1,234,567");
}

TEST(LineRateTest, ShowsTheFirstLinesOfASecondAndCountsTheRest) {
  LineRate rate(2);
  EXPECT_TRUE(rate.take(1000));
  EXPECT_TRUE(rate.take(1500));
  EXPECT_FALSE(rate.take(1600));
  EXPECT_FALSE(rate.take(1999));
  EXPECT_EQ(rate.ended(1999), 0) << "the second is not over";
  EXPECT_EQ(rate.ended(2000), 2);
  EXPECT_EQ(rate.ended(2000), 0) << "told once";
  EXPECT_TRUE(rate.take(2000));
  EXPECT_EQ(rate.rest(), 0);
}

TEST(LineRateTest, AtTheEndTheRestIsToldAndZeroMeansAll) {
  LineRate rate(1);
  EXPECT_TRUE(rate.take(0));
  EXPECT_FALSE(rate.take(1));
  EXPECT_EQ(rate.rest(), 1);
  LineRate all(0);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(all.take(0));
  EXPECT_EQ(all.rest(), 0);
}

// --- table, summary, suggestion ---

Customer customer(const std::string& id, Segment segment, int cluster, std::int64_t frequency,
                  std::int64_t minor) {
  Customer c;
  c.id = id;
  c.segment = segment;
  c.cluster = cluster;
  c.epoch = 1;
  c.segment_since = kNoon;
  c.figures.frequency = frequency;
  c.figures.monetary_minor = minor;
  if (frequency > 0) c.figures.first_order_at = c.figures.last_order_at = kNoon - kMsPerDay;
  c.updated_at = kNoon;
  return c;
}

void put(CustomerTable& table, std::int32_t partition, const Customer& c) {
  EncodeContext context;
  context.currency = "GBP";
  context.decimals = 2;
  context.labels[static_cast<std::size_t>(Segment::kInsiders)] = "Insiders";
  context.labels[static_cast<std::size_t>(Segment::kLoyal)] = "Loyal";
  context.labels[static_cast<std::size_t>(Segment::kOccasional)] = "Occasional";
  std::string json;
  append_row(json, c, context);
  const auto ok = table.put(partition, c.id, json);
  ASSERT_TRUE(ok) << ok.error().what;
}

TEST(CustomerTableTest, KeepsTheNewestRowForgetsTheErasedAndKnowsTheClock) {
  CustomerTable table;
  put(table, 0, customer("a", Segment::kLoyal, 1, 2, 100));
  Customer later = customer("a", Segment::kInsiders, 0, 3, 300);
  later.updated_at = kNoon + 5;
  put(table, 0, later);
  put(table, 1, customer("b", Segment::kLoyal, 1, 2, 100));
  EXPECT_EQ(table.entries().size(), 2U);
  EXPECT_EQ(table.entries().at("a").row.segment, Segment::kInsiders);
  EXPECT_EQ(table.clock(0), kNoon + 5);
  EXPECT_EQ(table.clock(1), kNoon);
  EXPECT_EQ(table.clock(2), std::nullopt);
  ASSERT_TRUE(table.put(0, "a", std::nullopt));
  EXPECT_EQ(table.entries().size(), 1U);
  EXPECT_FALSE(table.put(0, "c", "{}"));
}

TEST(Summary, AddsUpSegmentsAndMoves) {
  CustomerTable table;
  put(table, 0, customer("a", Segment::kInsiders, 0, 9, 750'000));
  put(table, 1, customer("b", Segment::kLoyal, 1, 2, 150'050));
  put(table, 1, customer("c", Segment::kLoyal, 1, 2, 100'000));
  put(table, 1, customer("d", Segment::kNone, -1, 0, -50));
  MoveCounts moves(Segment::kInsiders);
  SegmentChange change;
  const auto move = [&](Segment from, Segment to, Cause cause) {
    change.from = from;
    change.to = to;
    change.cause = cause;
    moves.add(change);
  };
  move(Segment::kLoyal, Segment::kInsiders, Cause::kOrder);
  move(Segment::kNone, Segment::kInsiders, Cause::kOrder);
  move(Segment::kInsiders, Segment::kLoyal, Cause::kSilence);
  move(Segment::kLoyal, Segment::kOccasional, Cause::kSilence);
  move(Segment::kInsiders, Segment::kInsiders, Cause::kBackfill);
  EXPECT_EQ(moves.entered(), 2);
  EXPECT_EQ(moves.left(), 1);
  EXPECT_EQ(summary_text(table, moves),
            "  segment            customers                   revenue GBP\n"
            "  Insiders                   1    25.0 %            7,500.00    75.0 %\n"
            "  Loyal                      2    50.0 %            2,500.50    25.0 %\n"
            "  in no segment              1    25.0 %               -0.50     0.0 %\n"
            "  all                        4   100.0 %           10,000.00   100.0 %\n"
            "\n"
            "  5 moves: 2 by an order, 2 by silence, 1 by the starting point\n"
            "  Insiders: entered 2 times, left 1 times\n");
}

/// Insiders around 20 orders of 1,000, loyal around 6 of 400, occasional around one of 200.
Model three_segments() {
  Epoch epoch;
  epoch.number = 3;
  epoch.predecessor = 2;
  epoch.kind = EpochKind::kFirstFit;
  epoch.instant = kNoon;
  epoch.scale = {0.3, 0.9, 1.1};
  const auto centroid = [&](Segment segment, std::int64_t days, std::int64_t orders,
                            std::int64_t minor) {
    const Point point{kNoon - days * kMsPerDay, orders, minor};
    epoch.centroids.push_back({features_of(epoch.features, point, kNoon), segment, 0, 0});
  };
  centroid(Segment::kInsiders, 10, 20, 2'000'000);
  centroid(Segment::kLoyal, 40, 6, 240'000);
  centroid(Segment::kOccasional, 150, 1, 20'000);
  return Model(epoch);
}

TEST(SuggestionTest, OneMoreOrderOfTheSuggestedAmountMovesThatCustomer) {
  const Model model = three_segments();
  CustomerTable table;
  put(table, 0, customer("insider", Segment::kInsiders, 0, 20, 2'000'000));
  put(table, 0, customer("far", Segment::kLoyal, 1, 5, 100'000));
  put(table, 1, customer("near", Segment::kLoyal, 1, 9, 600'000));
  put(table, 1, customer("poor", Segment::kOccasional, 2, 1, 10'000));
  put(table, 1, customer("none", Segment::kNone, -1, 0, -1));
  const auto found = suggest_order(table, model, Segment::kInsiders);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->customer_id, "near");
  EXPECT_EQ(found->from, Segment::kLoyal);
  EXPECT_EQ(found->order_id, "extra-near-10");
  EXPECT_EQ(found->ordered_at, kNoon);
  EXPECT_EQ(found->currency, "GBP");
  const auto segment_after = [&](std::int64_t amount_minor) {
    return model.segment(model.place(Point{kNoon, 10, 600'000 + amount_minor}, kNoon).cluster);
  };
  EXPECT_EQ(segment_after(found->amount_minor), Segment::kInsiders);
  EXPECT_GE(found->amount_minor, 600'000 / 9 / 2) << "an order this customer could well place";
  EXPECT_EQ(found->amount_minor % 1000, 0) << "a round amount";
}

TEST(SuggestionTest, TheOrderComesAtTheClockOfTheCustomersOwnPartition) {
  const Model model = three_segments();
  CustomerTable table;
  put(table, 1, customer("near", Segment::kLoyal, 1, 9, 600'000));
  Customer other = customer("other", Segment::kOccasional, 2, 1, 10'000);
  other.updated_at = kNoon + kMsPerHour;
  put(table, 1, other);
  other.id = "elsewhere";
  other.updated_at = kNoon + kMsPerDay;
  put(table, 0, other);
  const auto found = suggest_order(table, model, Segment::kInsiders);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->ordered_at, kNoon + kMsPerHour);
}

TEST(SuggestionTest, NobodyInReachOrNoSuchSegmentIsNoSuggestion) {
  const Model model = three_segments();
  CustomerTable table;
  put(table, 0, customer("insider", Segment::kInsiders, 0, 20, 2'000'000));
  put(table, 0, customer("poor", Segment::kOccasional, 2, 1, 1'000));
  EXPECT_FALSE(suggest_order(table, model, Segment::kInsiders));
  EXPECT_FALSE(suggest_order(table, model, Segment::kDormant));
}

TEST(SuggestionTest, JsonIsOneLineThatAScriptCanTakeApart) {
  const Suggestion suggestion{"146 46\"", Segment::kLoyal, "extra-1", 1'234'500, kNoon, "GBP"};
  EXPECT_EQ(suggestion_json(suggestion, Segment::kInsiders, 3),
            R"({"customer_id":"146 46\"","from_segment":"loyal","to_segment":"insiders",)"
            R"("order_id":"extra-1","ordered_at":"2011-03-14T12:03:59.000Z","amount":"1234.500",)"
            R"("currency":"GBP"})");
}

}  // namespace
}  // namespace segmentd
