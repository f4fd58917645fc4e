// META and the store's position. state/FORMAT.md tells the layouts; this file follows their order.
#include "state/codec.hpp"
#include "state/sealed.hpp"

namespace segmentd {
namespace {

namespace meta_flag {
constexpr std::uint8_t kClock = 1;
constexpr std::uint8_t kEvaluated = 2;
constexpr std::uint8_t kSweep = 4;
constexpr std::uint8_t kAll = 7;
}  // namespace meta_flag

std::uint8_t flags_of(const Meta& meta) {
  using namespace meta_flag;
  return static_cast<std::uint8_t>((meta.clock ? kClock : 0) |
                                   (meta.evaluated_upto ? kEvaluated : 0) |
                                   (meta.sweep ? kSweep : 0));
}

void write_anonymous(ByteWriter& out, const Anonymous& anonymous) {
  out.zigzag(anonymous.orders);
  out.zigzag(anonymous.orders_minor);
  out.zigzag(anonymous.refunds);
  out.zigzag(anonymous.refunds_minor);
  out.zigzag(anonymous.others);
}

Anonymous read_anonymous(ByteReader& in) {
  Anonymous anonymous;
  anonymous.orders = in.zigzag();
  anonymous.orders_minor = in.zigzag();
  anonymous.refunds = in.zigzag();
  anonymous.refunds_minor = in.zigzag();
  anonymous.others = in.zigzag();
  return anonymous;
}

void write_sweep(ByteWriter& out, const Sweep& sweep) {
  out.byte(static_cast<std::uint8_t>(sweep.kind));
  out.zigzag(sweep.as_of.ms);
  out.zigzag(sweep.from_epoch);
}

Sweep read_sweep(ByteReader& in) {
  Sweep sweep;
  const std::uint8_t kind = in.byte();
  if (kind > static_cast<std::uint8_t>(Sweep::Kind::kRelabel)) in.fail();
  sweep.kind = in.ok() ? static_cast<Sweep::Kind>(kind) : Sweep::Kind::kSilence;
  sweep.as_of.ms = in.zigzag();
  sweep.from_epoch = in.zigzag();
  return sweep;
}

std::int32_t read_partition(ByteReader& in) {
  const std::uint64_t partition = in.varint();
  if (partition > INT32_MAX) in.fail();
  return in.ok() ? static_cast<std::int32_t>(partition) : 0;
}

void read_body(ByteReader& in, Meta& meta) {
  const std::uint8_t flags = in.byte();
  if ((flags & ~meta_flag::kAll) != 0) in.fail();
  meta.txn_seq = in.zigzag();
  meta.input_topic = in.text();
  meta.partition = read_partition(in);
  meta.first_offset = in.zigzag();
  meta.next_offset = in.zigzag();
  if ((flags & meta_flag::kClock) != 0) meta.clock = Instant{in.zigzag()};
  meta.now.ms = in.zigzag();
  meta.epoch = in.zigzag();
  if ((flags & meta_flag::kEvaluated) != 0) meta.evaluated_upto = Instant{in.zigzag()};
  meta.timers_fired_upto.ms = in.zigzag();
  meta.store_uuid = in.text();
  meta.writer = in.text();
  meta.last_applied.offset = in.zigzag();
  meta.last_applied.timestamp_ms = in.zigzag();
  meta.last_applied.hash = in.fixed64();
  meta.anonymous = read_anonymous(in);
  if ((flags & meta_flag::kSweep) != 0) meta.sweep = read_sweep(in);
  meta.fingerprint = in.text();
}

}  // namespace

std::string encode_meta(const Meta& meta) {
  std::string bytes;
  ByteWriter out(bytes);
  out.byte(kMetaVersion);
  out.byte(flags_of(meta));
  out.zigzag(meta.txn_seq);
  out.text(meta.input_topic);
  out.varint(static_cast<std::uint64_t>(meta.partition));
  out.zigzag(meta.first_offset);
  out.zigzag(meta.next_offset);
  if (meta.clock) out.zigzag(meta.clock->ms);
  out.zigzag(meta.now.ms);
  out.zigzag(meta.epoch);
  if (meta.evaluated_upto) out.zigzag(meta.evaluated_upto->ms);
  out.zigzag(meta.timers_fired_upto.ms);
  out.text(meta.store_uuid);
  out.text(meta.writer);
  out.zigzag(meta.last_applied.offset);
  out.zigzag(meta.last_applied.timestamp_ms);
  out.fixed64(meta.last_applied.hash);
  write_anonymous(out, meta.anonymous);
  if (meta.sweep) write_sweep(out, *meta.sweep);
  out.text(meta.fingerprint);
  seal(kMetaKey, bytes);
  return bytes;
}

Result<Meta> decode_meta(std::string_view bytes) {
  const Result<std::string_view> body = unseal(kMetaKey, bytes, kMetaVersion, kMetaVersion);
  if (!body) return body.error().within("META");
  Meta meta;
  ByteReader in(body->substr(1));
  read_body(in, meta);
  if (!in.ok() || in.left() != 0) return Error{Errc::kCorrupt, "META: the bytes are no META"};
  return meta;
}

std::string encode_position(const Position& position) {
  std::string bytes;
  ByteWriter out(bytes);
  out.byte(kPositionVersion);
  out.zigzag(position.next_offset);
  out.byte(position.complete_at ? 1 : 0);
  if (position.complete_at) out.zigzag(position.complete_at->ms);
  seal(kPositionKey, bytes);
  return bytes;
}

Result<Position> decode_position(std::string_view bytes) {
  const Result<std::string_view> body =
      unseal(kPositionKey, bytes, kPositionVersion, kPositionVersion);
  if (!body) return body.error().within("POSITION");
  Position position;
  ByteReader in(body->substr(1));
  position.next_offset = in.zigzag();
  const std::uint8_t complete = in.byte();
  if (complete == 1) position.complete_at = Instant{in.zigzag()};
  if (complete > 1 || !in.ok() || in.left() != 0) {
    return Error{Errc::kCorrupt, "POSITION: the bytes are no position"};
  }
  return position;
}

}  // namespace segmentd
