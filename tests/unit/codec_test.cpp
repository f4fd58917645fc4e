// The bytes of rows, META and positions: that they come back, that they never change unnoticed, and
// that no bytes whatever do harm.
#include "state/codec.hpp"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/core/money.hpp"
#include "tests/support/records.hpp"

namespace segmentd {
namespace {

using test::cancellation;
using test::day;
using test::order;
using test::payment;
using test::refund;

const Rules kRules{.money_from_payments = true, .remembered_max = 512};

std::string from_hex(std::string_view hex) {
  std::string bytes;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

/// Puts the checksum behind, as a writer who means it would.
std::string sealed(std::string_view subject, std::string bytes) {
  const std::uint32_t sum = checksum(subject, bytes);
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(sum >> shift);
  return bytes;
}

/// A customer with one of everything the row can hold, but for unknown sections.
Customer full_customer() {
  Customer customer = test::nobody();
  Rules rules{.money_from_payments = true, .remembered_max = 100};
  apply(customer, order("old1", day(100), 0).v(1), rules);
  apply(customer, payment("p", "old1", day(100), 900), rules);
  apply(customer, order("old2", day(101), 0), rules);
  apply(customer, payment("p", "old2", day(101), 70), rules);
  apply(customer, refund("r", "old2", day(102), 7), rules);
  apply(customer, order("536365", day(110) + 1234, 500).v(3), rules);
  apply(customer, payment("p1", "536365", day(110) + 5000, 500), rules);
  apply(customer, refund("r1", "536365", day(112), 120), rules);
  apply(customer, order("ended", day(111), 20).v(2), rules);
  apply(customer, cancellation("ended", day(113)), rules);
  apply(customer, order("revived", day(111), 20).v(2), rules);
  apply(customer, cancellation("revived", day(113)), rules);
  apply(customer, order("revived", day(111), 20).v(-7), rules);
  apply(customer, order("revived", day(111), 20).v(9), rules);
  apply(customer, cancellation("waits", day(114)), rules);
  apply(customer, refund("alone", "", day(115), 33), rules);
  rules.remembered_max = static_cast<int>(entries(customer)) - 4;  // old1 and old2 go
  apply(customer, order("new", day(120), 0).not_counting(), rules);
  customer.segment = Segment::kAtRisk;
  customer.segment_since = day(121);
  customer.cluster = 2;
  customer.epoch = 41;
  customer.provisional = true;
  customer.announced = {Segment::kInsiders, day(119), 7};
  customer.updated_at = day(122) + 1;
  return customer;
}

/// full_customer() as this program writes it: state/FORMAT.md, row version 2.
constexpr std::string_view kRowOfVersion2 =
    "020f0680f08bf24d042982e0bec44e018090a6cd4c0780a0c5d441ca07070100000280c0dfaf4080b0928241"
    "91d7310001c8010284070567063533363336358080c28c48aee6b25200f4030601027031f8c8b252f4030102"
    "723100789f05656e64656480f0f4de4880f0b252001404000401036e65778080d99f4d000000870772657669"
    "76656480f0f4de4880f0b252001412008805776169747380e0a7b149000105616c6f6e658188b2a00221d0fb"
    "6d96";

/// The same as the program before wrote it: groups without their activity, no sections. Put
/// together by hand from state/FORMAT.md, row version 1.
constexpr std::string_view kRowOfVersion1 =
    "010f0680f08bf24d042982e0bec44e018090a6cd4c0780a0c5d441ca07070100000280c0dfaf4080b0928241"
    "91d7310001c801028407056706353336333635a4b3dce74600f403060102703190eedce746f4030102723180"
    "80c28c48789f05656e64656480908fba4700140480f0f4de480401036e65778080d99f4d0000870772657669"
    "76656480908fba4700141280f0f4de488805776169747380e0a7b1490105616c6f6e6580d0da834a2105380f"
    "3a";

TEST(RowCodec, ARowComesBackAsItWas) {
  for (const Customer& customer : {test::nobody(), full_customer()}) {
    ASSERT_EQ(check(customer, kRules), "");
    const Result<Customer> back = decode_row(customer.id, encode_row(customer), kRules);
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(*back, customer);
  }
}

TEST(RowCodec, TheBytesAreThoseOfTheFormatPage) {
  EXPECT_EQ(to_hex(encode_row(full_customer())), kRowOfVersion2);
  const Result<Customer> back = decode_row("17850", from_hex(kRowOfVersion2), kRules);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, full_customer());
}

TEST(RowCodec, TheExampleOfTheFormatPageIsARow) {
  Customer customer = test::nobody();
  apply(customer, order("536365", Instant{1291191960000}, 13912), kRules);
  customer.segment = Segment::kOccasional;
  customer.segment_since = Instant{1291191960000};
  customer.cluster = 3;
  customer.epoch = 1;
  customer.provisional = true;
  customer.updated_at = Instant{1291191961500};
  EXPECT_EQ(to_hex(encode_row(customer)),
            "0204048087ce90944b0601b89ece90944b0103063533363336358087ce90944b0000d86c5799a243");
}

TEST(RowCodec, ARowOfTheFormatBeforeIsRead) {
  const Result<Customer> back = decode_row("17850", from_hex(kRowOfVersion1), kRules);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, full_customer());
  EXPECT_EQ(to_hex(encode_row(*back)), kRowOfVersion2) << "and written in the present one";
}

TEST(RowCodec, AnOrderMovedBehindTheFoldIsReadFromTheFormatBefore) {
  // The fold is at day 20; order `a` is open and of day 3.
  const std::string body = from_hex(
      "01010000010080a0f6a71380c0f9ef0c8407000000000180c0f9ef0c80c0f9ef0c90b83100012801840701030161"
      "80d098f70100f403");
  const Result<Customer> back = decode_row("17850", sealed("17850", body), kRules);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->folded.until, day(20));
  EXPECT_EQ(back->orders.at(0).at, day(3));
  EXPECT_EQ(back->orders.at(0).newest, day(20));
  EXPECT_EQ(back->figures.frequency, 2);
}

TEST(RowCodec, AnUnsoundRowIsRefusedThoughItsBytesAreInOrder) {
  const auto refused = [](auto&& spoil) {
    Customer customer = full_customer();
    spoil(customer);
    const Result<Customer> back = decode_row("17850", encode_row(customer), kRules);
    return !back && back.error().code == Errc::kCorrupt;
  };
  EXPECT_FALSE(refused([](Customer&) {}));
  EXPECT_TRUE(refused([](Customer& c) { c.folded.first_day_minor = c.folded.gross_minor + 1; }));
  EXPECT_TRUE(refused([](Customer& c) { c.folded.gross_minor = kFigureMinorMax; }));
  EXPECT_TRUE(refused([](Customer& c) { c.folded.gross_minor = kFigureMinorMax + 1; }));
  EXPECT_TRUE(refused([](Customer& c) { c.folded.squared_minor = {~0ULL, ~0ULL}; }));
  EXPECT_TRUE(refused([](Customer& c) { c.folded.days.push_back({102, 1}); }));
  EXPECT_TRUE(refused([](Customer& c) { c.folded.days.back().days = 1 << 30; }));
  EXPECT_TRUE(refused([](Customer& c) { c.folded.until = day(116); }));
  EXPECT_TRUE(refused([](Customer& c) { c.orders[0].amount_minor = kAmountMinorMax + 1; }));
  EXPECT_TRUE(refused([](Customer& c) { std::swap(c.orders[0], c.orders[1]); }));
  EXPECT_TRUE(refused([](Customer& c) { c.orders[0].order_id = std::string(257, 'x'); }));
  EXPECT_TRUE(refused([](Customer& c) { c.updated_at = kLastInstant + 1; }));
}

TEST(RowCodec, OtherFormatsAreRefusedByName) {
  for (const char version : {'\0', '\3', '\x7f'}) {
    std::string bytes = encode_row(full_customer());
    bytes.resize(bytes.size() - 4);
    bytes[0] = version;
    const Result<Customer> back = decode_row("17850", sealed("17850", bytes), kRules);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, Errc::kCorrupt);
    EXPECT_NE(back.error().what.find("format " + std::to_string(version)), std::string::npos);
  }
}

TEST(RowCodec, EveryFlippedBitIsNoticed) {
  for (const std::string_view hex : {kRowOfVersion1, kRowOfVersion2}) {
    std::string bytes = from_hex(hex);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      const auto mask = static_cast<char>(1 << (bit % 8));
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
      const Result<Customer> back = decode_row("17850", bytes, kRules);
      ASSERT_FALSE(back) << "bit " << bit;
      ASSERT_EQ(back.error().code, Errc::kCorrupt);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
    }
  }
}

TEST(RowCodec, EveryTruncationIsNoticed) {
  const std::string bytes = encode_row(full_customer());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(decode_row("17850", bytes.substr(0, size), kRules));
    // Also when the checksum fits what is left.
    if (size < bytes.size() - 4) {
      ASSERT_FALSE(decode_row("17850", sealed("17850", bytes.substr(0, size)), kRules)) << size;
    }
  }
  const auto longer = decode_row("17850", sealed("17850", from_hex(kRowOfVersion2) + "x"), kRules);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().what.find("17850"), std::string::npos) << "it is logged at error";
}

TEST(RowCodec, ARowUnderAnotherCustomersKeyIsRefused) {
  const Result<Customer> back = decode_row("17851", encode_row(full_customer()), kRules);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, Errc::kCorrupt);
  EXPECT_EQ(back.error().what.find("17851"), std::string::npos) << "it is logged at error";
}

TEST(RowCodec, PaymentsAreRefusedWhereAmountIsMoney) {
  EXPECT_FALSE(decode_row("17850", encode_row(full_customer()), Rules{}));
}

TEST(RowCodec, ARowWrittenUnderALargerMemoryIsRead) {
  Rules smaller = kRules;
  smaller.remembered_max = 1;
  EXPECT_TRUE(decode_row("17850", encode_row(full_customer()), smaller));
}

TEST(RowCodec, UnknownSectionsAreCarriedAlong) {
  Customer customer = full_customer();
  customer.sections = std::string(
      "\x02\x03"
      "abc"
      "\x04\x00"
      "\x80\x01\x01x",
      11);
  const Result<Customer> back = decode_row("17850", encode_row(customer), kRules);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, customer);
}

TEST(RowCodec, SectionsThatMustBeUnderstoodOrAreBrokenAreRefused) {
  for (const std::string& sections : {std::string("\x03\x01x"), std::string("\x04\x00\x02\x00", 4),
                                      std::string("\x02\x00\x02\x00", 4),
                                      std::string("\x02\x05"
                                                  "abc"),
                                      std::string("\x00\x00", 2)}) {
    Customer customer = full_customer();
    customer.sections = sections;
    EXPECT_FALSE(decode_row("17850", encode_row(customer), kRules)) << to_hex(sections);
  }
}

/// A customer after some random records, with random fields beside them.
Customer random_customer(std::mt19937_64& random) {
  const auto below = [&random](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  Rules rules = kRules;
  rules.remembered_max = 1 + static_cast<int>(below(30));
  Customer customer = test::nobody(std::string(1 + random() % 20, 'x'));
  for (std::int64_t i = below(80); i > 0; --i) {
    const std::string id = "order-" + std::to_string(below(25));
    const std::string part = std::to_string(below(5));
    const Instant at{below(4'000'000'000'000) - 1'000'000'000'000};
    const std::int64_t amount = below(2) == 0 ? below(10'000) : below(kAmountMinorMax);
    test::OrderRecord made = order(id, at, amount);
    made.local_day += static_cast<std::int32_t>(below(3)) - 1;
    if (below(2) == 0) made = made.v(static_cast<std::int64_t>(random()));
    if (below(5) == 0) made = made.not_counting();
    const Record records[] = {made, made, payment(part, id, at, amount),
                              refund(part, below(2) == 0 ? "" : id, at, amount),
                              cancellation(id, at)};
    apply(customer, records[below(5)], rules);
  }
  customer.segment = static_cast<Segment>(below(kSegmentWords));
  customer.segment_since = {below(4'000'000'000'000)};
  customer.cluster = static_cast<std::int32_t>(below(9)) - 1;
  customer.epoch = below(100'000);
  customer.provisional = below(2) == 0;
  if (below(2) == 0) customer.announced = {Segment::kLoyal, {below(1'000)}, below(1'000)};
  customer.updated_at = {below(4'000'000'000'000)};
  return customer;
}

TEST(RowCodec, RandomRowsComeBackAsTheyWere) {
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    std::mt19937_64 random(seed);
    const Customer customer = random_customer(random);
    const Result<Customer> back = decode_row(customer.id, encode_row(customer), kRules);
    ASSERT_TRUE(back) << "seed " << seed << ": " << back.error().what;
    ASSERT_EQ(*back, customer) << "seed " << seed;
  }
}

TEST(RowCodec, HostileBytesGiveASoundRowOrAnError) {
  const std::string good = from_hex(kRowOfVersion2).substr(0, kRowOfVersion2.size() / 2 - 4);
  int sound = 0;
  for (std::uint64_t seed = 0; seed < 50'000; ++seed) {
    std::mt19937_64 random(seed);
    std::string bytes = good;
    for (std::uint64_t i = 1 + random() % 3; i > 0; --i) {
      bytes[1 + random() % (bytes.size() - 1)] = static_cast<char>(random());
    }
    const std::string stored = sealed("17850", bytes);
    const Result<Customer> back = decode_row("17850", stored, kRules);
    if (!back) continue;
    ++sound;
    ASSERT_EQ(check(*back, kRules), "") << "seed " << seed;
    ASSERT_EQ(encode_row(*back), stored) << "one spelling only; seed " << seed;
  }
  EXPECT_GT(sound, 1'000) << "else this proves too little";
}

Meta full_meta() {
  Meta meta;
  meta.txn_seq = 812;
  meta.input_topic = "orders";
  meta.partition = 3;
  meta.first_offset = 1000;
  meta.next_offset = 1400;
  meta.clock = day(15000);
  meta.now = day(15000) + 5;
  meta.epoch = 12;
  meta.evaluated_upto = day(14999);
  meta.timers_fired_upto = day(15000) + 4;
  meta.store_uuid = "5f8f2a6e-3f1c-4a5e-9d4e-0c9e6f6a1b2c";
  meta.writer = "segmentd-a1b2c3-0";
  meta.last_applied = {1399, 1291191960000, 0x0123456789abcdef};
  meta.anonymous = {4, 700, 2, -30, 1};
  meta.sweep = Sweep{Sweep::Kind::kRelabel, day(14998), 11};
  meta.fingerprint = "currency=GBP\ndecimals=2\n";
  return meta;
}

TEST(MetaCodec, MetaComesBackAsItWas) {
  for (const Meta& meta : {Meta{}, full_meta()}) {
    const Result<Meta> back = decode_meta(encode_meta(meta));
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(*back, meta);
  }
}

TEST(MetaCodec, TheBytesStayTheSame) {
  EXPECT_EQ(to_hex(encode_meta(full_meta())),
            "0107d80c066f726465727303d00ff0158080f5f9b74b8a80f5f9b74b188090c2a7b74b8880f5f9b74b24"
            "35663866326136652d336631632d346135652d396434652d306339653666366131623263117365676d65"
            "6e74642d6131623263332d30ee158087ce90944befcdab896745230108f80a043b020180a08fd5b64b16"
            "1863757272656e63793d4742500a646563696d616c733d320a97b1f469");
}

/// Flips every bit and cuts at every place; `decodes` must refuse each.
template <class Decodes>
void expect_damage_noticed(std::string bytes, std::string_view subject, Decodes decodes) {
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<char>(1 << (bit % 8));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
    ASSERT_FALSE(decodes(bytes)) << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(decodes(bytes.substr(0, size))) << size;
    if (size < bytes.size() - 4) {
      ASSERT_FALSE(decodes(sealed(subject, bytes.substr(0, size)))) << size;
    }
  }
  ASSERT_TRUE(decodes(bytes));
}

TEST(MetaCodec, DamageIsNoticed) {
  expect_damage_noticed(encode_meta(full_meta()), kMetaKey,
                        [](const std::string& bytes) { return bool(decode_meta(bytes)); });
}

TEST(MetaCodec, HostileBytesDoNoHarm) {
  const std::string good = encode_meta(full_meta());
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    std::mt19937_64 random(seed);
    std::string bytes = good.substr(0, good.size() - 4);
    bytes[1 + random() % (bytes.size() - 1)] = static_cast<char>(random());
    const std::string stored = sealed(kMetaKey, bytes);
    const Result<Meta> back = decode_meta(stored);
    if (back) {
      ASSERT_EQ(encode_meta(*back), stored) << "seed " << seed;
    }
  }
}

TEST(PositionCodec, APositionComesBackAsItWasAndDamageIsNoticed) {
  for (const Position& position : {Position{}, Position{1234567, day(15000)}}) {
    const std::string bytes = encode_position(position);
    const Result<Position> back = decode_position(bytes);
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(*back, position);
    expect_damage_noticed(bytes, kPositionKey,
                          [](const std::string& b) { return bool(decode_position(b)); });
  }
}

TEST(Keys, ARowsKeyHoldsItsCustomer) {
  EXPECT_EQ(row_key("17850"), "c/17850");
  EXPECT_EQ(customer_of("c/17850"), "17850");
  EXPECT_EQ(customer_of("c/c/x"), "c/x");
  EXPECT_EQ(customer_of(kMetaKey), std::nullopt);
  EXPECT_EQ(customer_of(kPositionKey), std::nullopt);
}

}  // namespace
}  // namespace segmentd
