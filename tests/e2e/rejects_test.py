#!/usr/bin/env python3
"""Every reason to refuse a record: its bytes arrive on the rejected topic, in the transaction of its
offset, and the stream goes on."""
import datetime
import json
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_same_table, check_time, newest  # noqa: E402
from harness import Application, metrics_of, run, set_flags  # noqa: E402
from waiting import until  # noqa: E402

CUSTOMER = "c-1"
COMMIT_SECONDS = 60
REASONS = ("malformed_json invalid_utf8 missing_field unknown_type unsupported_type bad_id bad_time future "
           "bad_amount too_many_decimals overflow unknown_currency oversized key_mismatch wrong_partition "
           "null_value too_old clock_jump skipped").split()
HEADERS = ["segmentd-reason", "segmentd-detail", "segmentd-topic", "segmentd-partition",
           "segmentd-offset", "segmentd-timestamp", "segmentd-truncated"]
INPUT_BYTES_MAX = 1 << 20
REJECTED_BYTES_MAX = 900_000
REMEMBERED = 8
BURST = 1000


def rfc3339(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def order(order_id, at="2011-01-01T00:00:00Z", **changed):
    """A good order but for what is `changed`; None takes a member out."""
    record = {"order_id": order_id, "customer_id": CUSTOMER, "ordered_at": at, "amount": "10.000",
              "currency": "GBP", **changed}
    return json.dumps({name: value for name, value in record.items() if value is not None}).encode()


def bad_records():
    """(reason, key, value) of what is refused in the home partition of CUSTOMER."""
    key = CUSTOMER.encode()
    tomorrow = rfc3339(datetime.datetime.utcnow() + datetime.timedelta(days=1))
    return [
        ("malformed_json", key, b'{"order_id":"1",'),
        ("malformed_json", key, b""),
        ("malformed_json", None, b'["no object"]'),
        ("invalid_utf8", key, order("1").replace(b'"1"', b'"\xff\xfe"')),
        ("missing_field", key, order("1", amount=None)),
        ("missing_field", key, order(None)),
        ("unknown_type", key, order("1", type="gift")),
        ("unsupported_type", key, order("1", type="erasure")),
        ("bad_id", key, order(1.5)),
        ("bad_id", key, order("x" * 257)),
        ("bad_time", key, order("1", at="yesterday")),
        ("future", key, order("1", at=tomorrow)),
        ("bad_amount", key, order("1", amount="-1")),
        ("too_many_decimals", key, order("1", amount="1.0001")),
        ("overflow", key, order("1", amount="9007199254740.992")),
        ("unknown_currency", key, order("1", currency="EUR")),
        ("oversized", key, order("1", note="n" * (2 * INPUT_BYTES_MAX))),
        ("key_mismatch", b"\x00someone else\xff", order("1")),
        ("key_mismatch", None, order("1")),
        ("null_value", key, None),
        ("too_old", key, order("never seen", at="2010-12-31T00:00:00Z")),
        ("clock_jump", key, order("1", at="2013-01-01T00:00:00Z")),
    ]


class RejectsTest(unittest.TestCase):
    def setUp(self):
        self.application = Application(self, "rejects", partitions=2, orders__remembered=REMEMBERED)
        self.kafka = self.application.kafka
        self.orders = 0
        self.seen = {}

    def home(self):
        """Where the partitioner of Java puts CUSTOMER: told by where the import puts it."""
        history = self.application.directory / "one.csv"
        history.write_text(f"{CUSTOMER},2011-01-01T00:00:00Z,10,first\n", encoding="utf-8")
        self.application.import_to("kafka", history, ("--layout", "orders", "--no-header", "--currency",
                                                      "GBP", "--columns",
                                                      "customer=1,time=2,amount=3,order=4"))
        self.orders = 1
        ends = self.kafka.ends(self.application.input)
        return max(ends, key=ends.get)

    def send_good_order(self, partition):
        """Each a day later than the one before."""
        self.orders += 1
        at = datetime.datetime(2011, 1, 1) + datetime.timedelta(days=self.orders)
        return self.kafka.send(self.application.input, CUSTOMER.encode(),
                               order(f"good-{self.orders}", rfc3339(at)), partition)

    def wait_committed(self, partition, next_offset):
        application = self.application
        until(lambda: application.daemon.require_running() and
              self.kafka.committed(application.name, application.input)[partition] >= next_offset,
              COMMIT_SECONDS, lambda: f"offset {next_offset}:\n{application.daemon.log_end()}")

    def refused(self, reason, key, value, partition):
        """Sends one; as soon as its offset is committed it is on the rejected topic, and nothing else."""
        offset = self.kafka.send(self.application.input, key, value, partition)
        self.wait_committed(partition, offset + 1)
        new = self.application.rejects(self.seen)
        self.assertEqual(len(new), 1, reason)
        message = new[0]
        self.seen[message.partition] = message.offset + 1
        self.check(message, reason, key, value, partition, offset)

    def check(self, message, reason, key, value, partition, offset):
        check_time(message)
        headers = dict(message.headers)
        self.assertEqual([name for name, _ in message.headers], HEADERS)
        self.assertEqual(headers["segmentd-reason"].decode(), reason, headers)
        self.assertGreater(len(headers["segmentd-detail"].decode("utf-8")), 10)
        self.assertEqual((headers["segmentd-topic"].decode(), headers["segmentd-partition"].decode(),
                          headers["segmentd-offset"].decode()),
                         (self.application.input, str(partition), str(offset)))
        self.assertLess(abs(int(headers["segmentd-timestamp"]) - message.timestamp_ms), 3_600_000)
        self.assertEqual((message.partition, message.key), (partition, key))
        cut = value is not None and len(key or b"") + len(value) > REJECTED_BYTES_MAX
        self.assertEqual(headers["segmentd-truncated"], b"true" if cut else b"false")
        if cut:
            self.assertEqual(message.value, value[:REJECTED_BYTES_MAX - len(key)])
        else:
            self.assertEqual(message.value, value)

    def test_every_reason(self):
        home = self.home()
        self.application.daemon.start().wait_active(2)
        for _ in range(2 * REMEMBERED):
            self.send_good_order(home)
        tried = []
        for reason, key, value in bad_records():
            self.refused(reason, key, value, home)
            self.send_good_order(home)
            tried.append(reason)
        self.refused("wrong_partition", CUSTOMER.encode(), order("1"), 1 - home)
        tried.append("wrong_partition")
        self.assertEqual({*tried, "skipped"}, set(REASONS))  # the latter below

        self.application.wait_until_consumed()
        self.assertEqual(self.kafka.committed(self.application.name, self.application.input),
                         self.kafka.ends(self.application.input))
        self.check_the_stream_went_on()
        self.check_counted(tried)
        self.application.daemon.stop()
        self.assertEqual(len(self.application.rejects()), len(tried))

    def test_what_is_named_by_hand_is_skipped_and_the_replay_agrees(self):
        application = Application(self, "skip", input__partitioner="unchecked")
        self.application = application
        lines = [order(n, f"2011-01-{n:02}T00:00:00Z").decode() for n in range(1, 21)]
        application.send_all(lines)
        named = [3, 7, 8]
        skip = ",".join([f"{application.input}/0/{n}" for n in named] +
                        [f"{application.input}/1/4", "elsewhere/0/5", f"{application.input}/0/99"])
        application.daemon.start(input__skip=skip)
        application.wait_until_consumed()
        page = metrics_of(application.daemon.get("/metrics")[1])
        application.daemon.stop()
        self.assertEqual(page['segmentd_rejected_total{reason="skipped"}'], len(named))
        self.assertRegex(application.daemon.log(), "input.skip = elsewhere/0/5 .*: without effect")
        rejects = application.rejects()
        for message, offset in zip(rejects, named):
            self.check(message, "skipped", CUSTOMER.encode(), lines[offset].encode(), 0, offset)
        self.assertEqual(len(rejects), len(named))
        rows = newest(application.rows())
        self.assertEqual(rows[CUSTOMER]["frequency"], len(lines) - len(named))
        file = application.directory / "records.ndjson"
        file.write_text("\n".join(lines), encoding="utf-8")
        check_same_table(rows, application.replay(
            file, **{"input.skip": skip, "input.topic": application.input}).table)
        refused = run([harness.SEGMENTD, "run", *set_flags({**application.daemon.settings,
                                                            "input.skip": "orders/0"})])
        self.assertEqual(refused.returncode, 2)
        self.assertIn("item 'orders/0' must be topic/partition/offset, such as orders/0/4711",
                      refused.stderr)

    def test_killed_among_them_each_arrives_once(self):
        # What went out in another transaction than its offset would be lost or doubled by a kill.
        home = self.home()
        application = self.application
        bad = {self.kafka.send(application.input, b"", b"bad %d" % n, home): b"bad %d" % n
               for n in range(BURST)}
        for part in (1, 2):
            application.daemon.start(limits__transaction_records=5)
            until(lambda: application.daemon.require_running() and
                  application.progress() >= BURST * part // 4, COMMIT_SECONDS, application.daemon.log_end)
            application.daemon.kill()
        self.assertLess(application.progress(), BURST)
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        found = [(int(dict(m.headers)["segmentd-offset"]), m.value) for m in application.rejects()]
        self.assertEqual(found, list(bad.items()))

    def check_the_stream_went_on(self):
        rows = newest(self.application.rows())
        self.assertEqual(list(rows), [CUSTOMER])
        self.assertEqual((rows[CUSTOMER]["frequency"], rows[CUSTOMER]["monetary_minor"]),
                         (self.orders, 10_000 * self.orders))

    def check_counted(self, tried):
        expected = {f'segmentd_rejected_total{{reason="{r}"}}': tried.count(r) for r in REASONS}
        page = {}

        def counted():
            page.update(metrics_of(self.application.daemon.get("/metrics")[1]))
            return all(page.get(name) == count for name, count in expected.items())

        until(counted, COMMIT_SECONDS, lambda: page)


if __name__ == "__main__":
    harness.main()
