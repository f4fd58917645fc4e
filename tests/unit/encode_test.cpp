// Decisions to bytes and back: golden events and rows, rejects, epochs.
#include "daemon/wire/encode.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "daemon/wire/epoch_json.hpp"
#include "daemon/wire/json_writer.hpp"
#include "daemon/wire/read_back.hpp"
#include "daemon/wire/rejected.hpp"
#include "tests/support/wire_examples.hpp"

namespace segmentd {
namespace {

std::string event_of(const SegmentChange& change) {
  std::string out;
  append_event(out, change, example_context());
  return out;
}

std::string row_of(const Customer& customer, const RowExtras* extras = nullptr) {
  std::string out;
  append_row(out, customer, example_context(), extras);
  return out;
}

std::string epoch_json(const Epoch& epoch) {
  std::string out;
  append_epoch(out, epoch);
  return out;
}

/// `text` with the first `from` replaced.
std::string with(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string double_text(double number) {
  std::string out;
  append_json_double(out, number);
  return out;
}

// --- JSON ---

TEST(JsonWriterTest, EscapesWhatMustBeAndNothingElse) {
  std::string out = "x";
  append_json_string(out, std::string_view("a\"b\\c\n\r\t\0\x1f\x7f/\u00fc\U0001F600", 18));
  EXPECT_EQ(out, "x\"a\\\"b\\\\c\\n\\r\\t\\u0000\\u001f\x7f/\u00fc\U0001F600\"");
}

TEST(JsonWriterTest, DoublesAreShortestAndNeverIntegers) {
  EXPECT_EQ(double_text(0), "0.0");
  EXPECT_EQ(double_text(-0.0), "-0.0");
  EXPECT_EQ(double_text(12.25), "12.25");
  EXPECT_EQ(double_text(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(double_text(1e300), "1e+300");
  EXPECT_EQ(double_text(-3), "-3.0");
  EXPECT_EQ(double_text(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(double_text(-std::numeric_limits<double>::infinity()), "null");
}

// --- events ---

TEST(EncodeTest, TheEventOfTheContract) {
  EXPECT_EQ(
      event_of(example_change()),
      R"({"specversion":"1.0","type":"io.segmentd.segment.changed.v1",)"
      R"("source":"/segmentd/shop/0b8a1c6e-2f3d-4c5b-9a7e-1d2c3b4a5f60","id":"14646:7",)"
      R"("subject":"14646","time":"2011-03-14T12:03:00.000Z","datacontenttype":"application/json",)"
      R"("dataschema":"urn:segmentd:segment-changed:1","data":{"customer_id":"14646","sequence":7,)"
      R"("from_segment":"loyal","to_segment":"insiders","from_label":"Loyal","to_label":"Insiders",)"
      R"("from_since":"2011-01-09T00:00:00.000Z","cause":"order",)"
      R"("trigger":{"type":"order","id":"545475","order_id":"545475"},)"
      R"("before":{"last_order_at":"2011-03-02T06:03:00.000Z","recency_days":12.25,"frequency":11,)"
      R"("monetary":"21400.120","monetary_minor":21400120},)"
      R"("after":{"last_order_at":"2011-03-14T12:03:00.000Z","recency_days":0.0,"frequency":12,)"
      R"("monetary":"23400.120","monetary_minor":23400120},)"
      R"("currency":"GBP","decided_at":"2011-03-14T12:03:00.250Z","epoch":4,"provisional":false,)"
      R"("confidence":0.41,"next":{"segment":"at_risk","at":"2011-06-30T08:00:00.000Z"}}})");
}

TEST(EncodeTest, TheFirstEventComesFromNoSegment) {
  const std::string json = event_of(example_first_change());
  EXPECT_NE(
      json.find(R"("from_segment":null,"to_segment":"promising","from_label":null,)"
                R"("to_label":"Promising","from_since":null,"cause":"backfill","trigger":null,)"
                R"("before":{"last_order_at":null,"recency_days":null,"frequency":0,)"
                R"("monetary":"0.000","monetary_minor":0})"),
      std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("provisional":true,"confidence":null,"next":null}})"), std::string::npos);
}

TEST(EncodeTest, AFirstEventHasNoSinceEvenIfOneIsGiven) {
  SegmentChange change = example_first_change();
  change.from_since = example_change().from_since;
  EXPECT_EQ(event_of(change), event_of(example_first_change()));
}

TEST(EncodeTest, LosingTheLastOrderLeadsToNoSegment) {
  const std::string json = event_of(example_last_change());
  EXPECT_NE(json.find(R"("to_segment":null,"from_label":"At risk","to_label":null)"),
            std::string::npos);
  EXPECT_NE(json.find(R"("trigger":{"type":"refund","id":"r\"9\\","order_id":null})"),
            std::string::npos);
  EXPECT_NE(json.find(R"("monetary":"-10.250","monetary_minor":-10250)"), std::string::npos);
}

TEST(EncodeTest, IdsAreEscapedWhereverTheyStand) {
  SegmentChange change = example_change();
  change.customer_id = "a\"\\\u00fc\U0001F600\n";
  const std::string json = event_of(change);
  const std::string escaped = "a\\\"\\\\\u00fc\U0001F600\\n";
  EXPECT_NE(json.find("\"id\":\"" + escaped + ":7\",\"subject\":\"" + escaped + "\""),
            std::string::npos);
  EXPECT_NE(json.find("\"customer_id\":\"" + escaped + "\""), std::string::npos);
}

TEST(EncodeTest, LabelsAreASetting) {
  EncodeContext context = example_context();
  context.labels[static_cast<std::size_t>(Segment::kInsiders)] = "Stamm\"gast\"";
  std::string out;
  append_event(out, example_change(), context);
  EXPECT_NE(out.find(R"("to_label":"Stamm\"gast\"")"), std::string::npos);
}

TEST(EncodeTest, EventsAreAppended) {
  std::string out = "x";
  append_event(out, example_change(), example_context());
  append_event(out, example_change(), example_context());
  EXPECT_EQ(out, "x" + event_of(example_change()) + event_of(example_change()));
}

TEST(EncodeTest, HeadersSayTheSameAsTheEvent) {
  const auto headers = event_headers(example_change(), example_context());
  const std::array<std::pair<std::string_view, std::string_view>, 7> expected{
      {{"content-type", "application/cloudevents+json; charset=UTF-8"},
       {"ce_specversion", "1.0"},
       {"ce_type", "io.segmentd.segment.changed.v1"},
       {"ce_source", "/segmentd/shop/0b8a1c6e-2f3d-4c5b-9a7e-1d2c3b4a5f60"},
       {"ce_id", "14646:7"},
       {"ce_subject", "14646"},
       {"ce_time", "2011-03-14T12:03:00.000Z"}}};
  ASSERT_EQ(headers.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(headers[i].name, expected[i].first);
    EXPECT_EQ(headers[i].value, expected[i].second);
  }
}

TEST(ReadBackTest, AnEventReadAndWrittenAgainIsTheSame) {
  for (const SegmentChange& change : example_changes()) {
    const auto read = read_event(event_of(change));
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(event_of(read->change), event_of(change));
    EXPECT_EQ(read->id, event_id(change));
    EXPECT_EQ(read->source, event_source(example_context()));
    EXPECT_EQ(read->currency, "GBP");
    EXPECT_EQ(read->change.before.recency_ms,
              change.before.last_order_at ? change.before.recency_ms : 0);
  }
  const auto read = read_event(event_of(example_change()));
  EXPECT_EQ(read->monetary_before, "21400.120");
  EXPECT_EQ(read->monetary_after, "23400.120");
  EXPECT_EQ(read->from_label, "Loyal");
  EXPECT_EQ(read->change.next->segment, Segment::kAtRisk);
}

TEST(ReadBackTest, RecencyReadsBackToTheMillisecond) {
  SegmentChange change = example_change();
  for (const std::int64_t ms : {std::int64_t{1}, std::int64_t{86'399'999}, std::int64_t{-5},
                                std::int64_t{9'467'107'199'999}, std::int64_t{123'456'789'012}}) {
    change.before.recency_ms = ms;
    EXPECT_EQ(read_event(event_of(change))->change.before.recency_ms, ms);
  }
}

TEST(ReadBackTest, WhatIsNoEventSaysWhere) {
  const std::string good = event_of(example_change());
  const auto what = [](const std::string& json) { return read_event(json).error().what; };
  EXPECT_EQ(what("{"), "event: is not JSON");
  EXPECT_EQ(what("[]"), "event: is not an object");
  EXPECT_EQ(what(with(good, "changed.v1", "changed.v2")), "event: 'type' is not a segment change");
  EXPECT_EQ(what(with(good, R"("cause":"order")", R"("cause":"luck")")),
            "data: 'cause' is not known to this version");
  EXPECT_EQ(what(with(good, R"("sequence":7)", R"("sequence":"7")")),
            "data: 'sequence' is not an integer");
  EXPECT_EQ(what(with(good, R"("frequency":11,)", "")), "before: 'frequency' is missing");
  EXPECT_EQ(what(with(good, R"("loyal")", R"("none")")), "data: 'from_segment' is not a segment");
  EXPECT_EQ(what(with(good, "2011-06-30T08:00:00.000Z", "soon")),
            "next: 'at' is not an RFC 3339 time");
  EXPECT_EQ(what(with(good, R"("provisional":false)", R"("provisional":null)")),
            "data: 'provisional' is not a boolean");
  EXPECT_EQ(what(with(good, R"("data":{)", R"("data":null,"x":{)")), "event: 'data' is null");
  EXPECT_TRUE(read_event(with(good, R"("epoch":4)", R"("epoch":4,"new":{"a":[1]})")));
}

// --- rows ---

TEST(EncodeTest, TheRowOfTheContract) {
  EXPECT_EQ(
      row_of(example_customer()),
      R"({"customer_id":"14646","segment":"insiders","label":"Insiders","cluster":2,)"
      R"("segment_since":"2011-03-14T12:03:00.000Z",)"
      R"("first_order_at":"2010-12-20T10:09:00.000Z",)"
      R"("last_order_at":"2011-03-14T12:03:00.000Z","frequency":12,"monetary":"23400.120",)"
      R"("monetary_minor":23400120,"gross_minor":23500120,"refunded_minor":100000,"refunds":2,)"
      R"("cancellations":1,"purchase_days":9,"currency":"GBP","epoch":4,"provisional":false,)"
      R"("sequence":7,"updated_at":"2011-03-14T12:03:00.250Z"})");
}

TEST(EncodeTest, ARowWithoutSegmentSaysNull) {
  EXPECT_EQ(
      row_of(example_unplaced_customer()),
      R"({"customer_id":"12346","segment":null,"label":null,"cluster":null,)"
      R"("segment_since":null,"first_order_at":null,"last_order_at":null,"frequency":0,)"
      R"("monetary":"-10.250","monetary_minor":-10250,"gross_minor":0,"refunded_minor":10250,)"
      R"("refunds":1,"cancellations":0,"purchase_days":0,"currency":"GBP","epoch":null,)"
      R"("provisional":false,"sequence":0,"updated_at":"2011-01-18T10:17:00.000Z"})");
}

TEST(EncodeTest, ReplaysRowsSayMore) {
  const std::string plain = row_of(example_customer());
  const std::array<double, 3> distances{0.5, 2, 1.25};
  RowExtras extras;
  extras.recency_ms = kMsPerDay / 2;
  extras.raw_segment = Segment::kLoyal;
  extras.raw_next = Lapse{Segment::kAtRisk, instant_of_utc({2011, 6, 30})};
  extras.distances = distances;
  EXPECT_EQ(row_of(example_customer(), &extras),
            plain.substr(0, plain.size() - 1) +
                R"(,"recency_days":0.5,"raw_segment":"loyal","raw_next_segment":"at_risk",)"
                R"("raw_next_at":"2011-06-30T00:00:00.000Z","next_segment":null,"next_at":null,)"
                R"("distances":[0.5,2.0,1.25]})");
  const RowExtras none;
  EXPECT_TRUE(row_of(example_customer(), &none).ends_with(R"("next_at":null,"distances":[]})"));
}

TEST(ReadBackTest, ARowReadsBack) {
  const auto row = read_row(row_of(example_customer()));
  ASSERT_TRUE(row) << row.error().what;
  EXPECT_EQ(row->customer_id, "14646");
  EXPECT_EQ(row->segment, Segment::kInsiders);
  EXPECT_EQ(row->label, "Insiders");
  EXPECT_EQ(row->cluster, 2);
  EXPECT_EQ(row->frequency, 12);
  EXPECT_EQ(row->monetary, "23400.120");
  EXPECT_EQ(row->gross_minor, 23500120);
  EXPECT_EQ(row->refunded_minor, 100000);
  EXPECT_EQ(row->purchase_days, 9);
  EXPECT_EQ(row->epoch, 4);
  EXPECT_EQ(row->sequence, 7);
  EXPECT_EQ(row->last_order_at, instant_of_utc({2011, 3, 14, 12, 3}));
  const auto unplaced = read_row(row_of(example_unplaced_customer()));
  ASSERT_TRUE(unplaced) << unplaced.error().what;
  EXPECT_EQ(unplaced->segment, Segment::kNone);
  EXPECT_EQ(unplaced->epoch, std::nullopt);
  EXPECT_EQ(read_row("{}").error().what, "table row: 'customer_id' is missing");
}

// --- rejects ---

TEST(RejectedTest, HeadersSayWhatAndWhence) {
  const auto headers = rejected_headers({RejectReason::kBadAmount, "/amount: x"},
                                        {"orders", 3, 42, 1'291'191'960'000}, true);
  const std::array<std::pair<std::string_view, std::string_view>, 7> expected{
      {{"segmentd-reason", "bad_amount"},
       {"segmentd-detail", "/amount: x"},
       {"segmentd-topic", "orders"},
       {"segmentd-partition", "3"},
       {"segmentd-offset", "42"},
       {"segmentd-timestamp", "1291191960000"},
       {"segmentd-truncated", "true"}}};
  ASSERT_EQ(headers.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(headers[i].name, expected[i].first);
    EXPECT_EQ(headers[i].value, expected[i].second);
  }
  EXPECT_EQ(rejected_headers({RejectReason::kTooOld, ""}, {"o", 0, 0, -1}, false)[5].value, "");
}

TEST(RejectedTest, ARejectIsNeverTooLarge) {
  const std::string big(1000, 'v');
  const auto whole = fit_rejected("key", big, 1003);
  EXPECT_EQ(whole.value, big);
  EXPECT_FALSE(whole.truncated);
  const auto cut = fit_rejected("key", big, 1002);
  EXPECT_EQ(cut.key, "key");
  EXPECT_EQ(cut.value->size(), 999U);
  EXPECT_TRUE(cut.truncated);
  const auto both = fit_rejected(big, big, 600);
  EXPECT_EQ(both.key->size() + both.value->size(), 600U);
  EXPECT_TRUE(both.truncated);
  const auto nothing = fit_rejected(std::nullopt, std::nullopt, 600);
  EXPECT_EQ(nothing.key, std::nullopt);
  EXPECT_EQ(nothing.value, std::nullopt);
  EXPECT_FALSE(nothing.truncated);
}

// --- epochs ---

TEST(EpochJsonTest, EveryBitReadsBack) {
  for (const Epoch& epoch : example_epochs()) {
    const std::string json = epoch_json(epoch);
    const auto read = decode_epoch(json);
    ASSERT_TRUE(read) << read.error().what << json;
    EXPECT_EQ(*read, epoch);
    EXPECT_EQ(epoch_json(*read), json);
    EXPECT_EQ(std::signbit(read->centroids[0].at[0]), std::signbit(epoch.centroids[0].at[0]));
  }
}

TEST(EpochJsonTest, ReadsForPeopleToo) {
  const std::string json = epoch_json(example_epoch());
  EXPECT_TRUE(json.starts_with(
      R"({"format":1,"epoch":4,"predecessor":3,"kind":"means","provisional":false,)"
      R"("instant":"2011-03-14T00:00:00.000Z","currency":"GBP",)"
      R"("features":{"recency":"saturating","tau_ms":15552000000,"decimals":3,"floor":"3.750",)"
      R"("floor_minor":3750},"mean":[0.5,1.0,6.0],"scale":[0.25,0.5,2.0],)"
      R"("seed":"18446744073709551615",)"))
      << json;
  EXPECT_NE(
      json.find(R"({"cluster":0,"segment":"insiders","customers":310,"revenue":"5000000.125",)"
                R"("revenue_minor":5000000125,"at":[-0.0,2.5,8.0],"standardised":[-2.0,3.0,1.0]})"),
      std::string::npos)
      << json;
}

TEST(EpochJsonTest, RefusesWhatNoModelMade) {
  const std::string good = epoch_json(example_epoch());
  ASSERT_TRUE(decode_epoch(good));
  const auto what = [&](std::string_view from, std::string_view to) {
    const auto read = decode_epoch(with(good, from, to));
    return read ? "accepted" : read.error().what;
  };
  EXPECT_EQ(decode_epoch("").error().what, "epoch: is not JSON");
  EXPECT_EQ(decode_epoch("{}").error().what, "epoch: 'format' is missing");
  EXPECT_EQ(what(R"("format":1)", R"("format":2)"), "epoch: 'format' is not 1");
  EXPECT_EQ(what(R"("epoch":4)", R"("epoch":0)"), "epoch: 'epoch' is below 1");
  EXPECT_EQ(what(R"("predecessor":3)", R"("predecessor":4)"),
            "epoch: 'predecessor' is not an earlier epoch");
  EXPECT_EQ(what(R"("means")", R"("mean")"), "epoch: 'kind' is not one of the known words");
  EXPECT_EQ(what(R"("saturating")", R"("cubic")"),
            "features: 'recency' is not one of the known words");
  EXPECT_EQ(what(R"("tau_ms":15552000000)", R"("tau_ms":0)"), "features: 'tau_ms' is not above 0");
  EXPECT_EQ(what(R"("decimals":3)", R"("decimals":9)"), "features: 'decimals' is out of range");
  EXPECT_EQ(what(R"("floor_minor":3750)", R"("floor_minor":-1)"),
            "features: 'floor_minor' is below 0");
  EXPECT_EQ(what(R"("scale":[0.25)", R"("scale":[0.0)"), "epoch: 'scale' is not above 0");
  EXPECT_EQ(what(R"("scale":[0.25,)", R"("scale":[)"),
            "epoch: 'scale' does not hold one number per feature");
  EXPECT_EQ(what(R"("mean":[0.5)", R"("mean":[null)"), "epoch: 'mean' holds no number");
  EXPECT_EQ(what("18446744073709551615", "18446744073709551616"),
            "epoch: 'seed' is not a number of 64 bits");
  EXPECT_EQ(what(R"("insiders")", R"("occasional")"), "centroid: 'segment' is named twice");
  EXPECT_EQ(what(R"("insiders")", "null"), "centroid: 'segment' is null");
  EXPECT_EQ(what(R"("cluster":1)", R"("cluster":2)"),
            "centroid: 'cluster' is not its place in the list");
  EXPECT_EQ(what(R"("customers":310)", R"("customers":-1)"), "centroid: 'customers' is below 0");
  EXPECT_EQ(what(R"("centroids":[)", R"("centroids":[],"x":[)"),
            "epoch: 'centroids' are not 2 to 8");
  EXPECT_EQ(what("2011-03-14T00:00:00.000Z", "2011-03-14T00:00:00.000"),
            "epoch: 'instant' is not an RFC 3339 time");
  EXPECT_EQ(what(R"("format":1)", R"("format":1,"new":[{}])"), "accepted");
}

TEST(EpochJsonTest, KeysOfTheModelTopic) {
  EXPECT_EQ(epoch_key(17), "epoch/17");
  EXPECT_EQ(epoch_of_key("epoch/17"), 17);
  for (const char* key :
       {"command/17", "epoch/", "epoch/x", "epoch/1x", "epoch/0", "epoch/-1", ""}) {
    EXPECT_EQ(epoch_of_key(key), std::nullopt) << key;
  }
}

TEST(EpochJsonTest, WhereAnEpochTookEffect) {
  AppliedEpoch applied{3, 4, 17'000, instant_of_utc({2011, 3, 14, 12, 3})};
  EXPECT_EQ(applied_key(applied), "applied/3/4");
  std::string json;
  append_applied(json, applied);
  EXPECT_EQ(json,
            R"({"partition":3,"epoch":4,"input_offset":17000,"clock":"2011-03-14T12:03:00.000Z"})");
  EXPECT_EQ(*decode_applied(json), applied);
  applied.clock.reset();
  json.clear();
  append_applied(json, applied);
  EXPECT_EQ(*decode_applied(json), applied);
  EXPECT_FALSE(decode_applied(with(json, R"("epoch":4)", R"("epoch":0)")));
  EXPECT_FALSE(decode_applied(with(json, R"("partition":3)", R"("partition":-1)")));
  EXPECT_FALSE(decode_applied(with(json, "17000", "-1")));
  EXPECT_FALSE(decode_applied("[]"));
}

}  // namespace
}  // namespace segmentd
