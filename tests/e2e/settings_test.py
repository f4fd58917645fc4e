#!/usr/bin/env python3
"""What settings do, through the whole daemon: a few records in, rows, events and rejects out. No customer
is named in its log."""
import collections
import json
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from documents import check_histories, check_same, newest, without_source  # noqa: E402
from harness import Application, metrics_of  # noqa: E402
from instants import DAY_MS, ms_of, rfc3339  # noqa: E402
from waiting import until  # noqa: E402

MARK = "zebra"  # in every customer's id, in no log line
CUSTOMER = f"cust-{MARK}-1"
BEGIN_MS = ms_of("2011-01-03T00:00:00Z")
METRIC_SECONDS = 30


def at(days, clock="12:00:00"):
    return rfc3339(BEGIN_MS + days * DAY_MS)[:11] + clock + "Z"


def order(order_id, when=at(0), amount="10.000", customer=CUSTOMER, **more):
    return {"order_id": order_id, "customer_id": customer, "ordered_at": when, "amount": amount,
            "currency": "GBP", **more}


def payment(payment_id, order_id, amount, when=at(0), customer=CUSTOMER):
    return {"type": "payment", "payment_id": payment_id, "order_id": order_id, "customer_id": customer,
            "paid_at": when, "amount": amount, "currency": "GBP"}


def refund(refund_id, order_id, amount, when=at(1), customer=CUSTOMER):
    return {"type": "refund", "refund_id": refund_id, "order_id": order_id, "customer_id": customer,
            "refunded_at": when, "amount": amount, "currency": "GBP"}


def cancellation(order_id, when=at(1), customer=CUSTOMER):
    return {"type": "cancellation", "order_id": order_id, "customer_id": customer, "cancelled_at": when}


class SettingsTest(unittest.TestCase):
    def begin(self, word, partitions=1, **settings):
        self.application = Application(self, word, partitions, **settings)
        self.application.daemon.start()
        return self.application

    def finish(self, *applications):
        for application in applications or (self.application,):
            application.wait_until_consumed()
            application.daemon.stop()
            for file in application.directory.glob("daemon-*.log"):
                self.assertNotIn(MARK, file.read_text(encoding="utf-8"))

    def send(self, *records, key=None, partition=0):
        """In this order; each with its customer as key, or with `key`."""
        for record in records:
            name = key if key is not None else record["customer_id"]
            self.application.kafka.send(self.application.input, name.encode(), json.dumps(record).encode(),
                                        partition)

    def row(self, customer=CUSTOMER):
        return newest(self.application.rows())[customer]

    def check_row(self, **expected):
        row = self.row()
        self.assertEqual({name: row[name] for name in expected}, expected)

    def reasons(self):
        return [dict(message.headers)["segmentd-reason"].decode() for message in self.application.rejects()]

    def check_outcomes(self, **expected):
        """`stale=1` and so on: what became of order records."""
        names = {f'segmentd_records_total{{outcome="{outcome}",type="order"}}': count
                 for outcome, count in expected.items()}
        page = {}

        def counted():
            page.update(metrics_of(self.application.daemon.get("/metrics")[1]))
            return all(page.get(name) == count for name, count in names.items())

        until(counted, METRIC_SECONDS, lambda: {name: page.get(name) for name in names})

    # --- what a record means ---

    def test_money_of_payments(self):
        self.begin("payments", input__money="payments")
        self.send(payment("p1", "early", "4.000"),  # waits for its order
                  order("early", amount="99.000"),  # worth what is paid, not this
                  payment("p2", "early", "6.000"),
                  payment("p2", "early", "6.000"),  # once only
                  order("unpaid", at(1)),
                  refund("r1", "early", "2.500", at(2)),
                  order("back", at(3)), payment("p3", "back", "5.000", at(3)),
                  refund("r2", "back", "5.000", at(4)))  # whole: it does not count any more
        self.finish()
        self.check_row(frequency=2, monetary="7.500", gross_minor=15_000, refunded_minor=7_500, refunds=2,
                       last_order_at=at(1).replace("Z", ".000Z"))
        self.assertEqual(self.reasons(), [])

    def test_a_payment_moves(self):
        self.begin("paying", input__money="payments", model__k=2)
        for n, amount in enumerate(("5.000", "6.000", "90.000", "100.000")):
            customer = f"cust-{MARK}-{n}"
            self.send(order("o1", customer=customer), payment("p1", "o1", amount, customer=customer))
        self.send(order("a day later", at(1), customer=None), key="")  # there is a model now
        paid = payment("p2", "o1", "500.000", at(1, "13:00:00"), customer=f"cust-{MARK}-0")
        self.send(paid)
        self.finish()
        moves = [(e["data"]["cause"], e["data"]["to_segment"], e["data"]["trigger"], e["time"])
                 for e in self.application.events() if e["subject"] == paid["customer_id"]]
        self.assertEqual(moves, [
            ("model", "occasional", None, at(1, "00:00:00.000")),
            ("order", "insiders", {"type": "payment", "id": "p2", "order_id": "o1"}, at(1, "13:00:00.000"))])

    def test_money_of_amounts_ignores_payments(self):
        self.begin("amounts")
        self.send(payment("p1", "o1", "4.000"), order("o1"), payment("p2", "o1", "6.000"))
        self.finish()
        self.check_row(frequency=1, monetary="10.000", gross_minor=10_000)

    def test_statuses_that_count(self):
        self.begin("statuses", input__counting_statuses="shipped,SETTLED")
        self.send(order("o1", status="Shipped"), order("o2", at(1), status="settled"), order("o3", at(2)),
                  order("o4", at(3), status="completed"),  # counts by default, not here
                  order("o5", at(4), status="pending"))
        self.application.wait_until_consumed()
        self.check_row(frequency=3, monetary="30.000", last_order_at=at(2).replace("Z", ".000Z"))
        self.send(order("o5", at(4), status="shipped"), order("o1", status="returned"))
        self.finish()
        self.check_row(frequency=3, monetary="30.000", first_order_at=at(1).replace("Z", ".000Z"),
                       last_order_at=at(4).replace("Z", ".000Z"))

    def test_statuses_that_count_by_default(self):
        self.begin("defaults")
        statuses = ("completed", "PAID", "Delivered", "pending", "cancelled", "")
        self.send(*(order(f"o{n}", at(n), status=status) for n, status in enumerate(statuses)))
        self.finish()
        self.check_row(frequency=3, last_order_at=at(2).replace("Z", ".000Z"))

    def test_versions(self):
        self.begin("versions")
        self.send(order("o1", amount="20.000", version=2), order("o1", amount="10.000", version=1),
                  order("o1", amount="20.000", version=2), order("o1", amount="30.000", version=10))
        self.application.wait_until_consumed()
        self.check_outcomes(applied=2, stale=1, unchanged=1)
        self.finish()
        self.check_row(frequency=1, monetary="30.000")

    def test_cancellations(self):
        self.begin("cancellations")
        self.send(order("gone", version=1), cancellation("gone"),
                  order("gone", version=1, amount="11.000"),  # no later version: it stays ended
                  order("back", at(1), version=1), cancellation("back", at(2)),
                  order("back", at(1), version=2),
                  cancellation("early", at(2)), order("early", at(1)))  # the cancellation waited
        self.finish()
        self.check_row(frequency=1, monetary="10.000", cancellations=2,
                       last_order_at=at(1).replace("Z", ".000Z"))

    # --- how records are written ---

    def test_keys_of_json(self):
        self.begin("keys", input__key="json")
        self.send(order("o1"), key=json.dumps(CUSTOMER))
        self.send(order("o2"), key=f'"cust-\\u007a{MARK[1:]}-1"')  # the same text, written otherwise
        self.send(order("o3"), key=CUSTOMER)
        self.finish()
        self.check_row(frequency=2)
        self.assertEqual(self.reasons(), ["key_mismatch"])

    def test_times_in_milliseconds(self):
        self.begin("times", input__time_format="ms")
        self.send(order("o1", BEGIN_MS + 123), order("o2", str(BEGIN_MS + 456)), order("o3", at(1)))
        self.finish()
        self.check_row(frequency=2, first_order_at=rfc3339(BEGIN_MS + 123),
                       last_order_at=rfc3339(BEGIN_MS + 456))
        self.assertEqual(self.reasons(), ["bad_time"])

    def test_fields_that_stand_elsewhere(self):
        self.begin("fields", **{f"input__field__{name}": pointer for name, pointer in {
            "type": "/kind", "order_id": "/payload/order/id", "customer_id": "/payload/buyer/a~1b",
            "ordered_at": "/payload/order/at", "amount": "/payload/order/total/0",
            "currency": "/payload/order/total/1", "status": "/payload/order/state"}.items()})
        envelope = {"kind": "order", "order_id": "no", "payload": {"buyer": {"a/b": CUSTOMER}, "order": {
            "id": "o1", "at": at(0), "total": ["12.500", "GBP"], "state": "paid"}}}
        self.send(envelope, key=CUSTOMER)
        self.send(order("flat"))  # nothing stands where it has to
        self.finish()
        self.check_row(frequency=1, monetary="12.500", last_order_at=at(0).replace("Z", ".000Z"))
        self.assertEqual(self.reasons(), ["missing_field"])

    def test_times_without_zone(self):
        self.begin("zone", time_zone="Europe/Berlin")
        self.send(order("o1", "2011-07-01T00:30:00"),  # summer time
                  order("o2", "2011-07-01T21:30:00Z"),  # 23:30 of the same day there
                  order("o3", "2011-07-01T22:30:00Z"),  # the next day
                  order("o4", "2011-12-01T00:30:00"))
        self.finish()
        self.check_row(frequency=4, purchase_days=3, first_order_at="2011-06-30T22:30:00.000Z",
                       last_order_at="2011-11-30T23:30:00.000Z")

    # --- where records lie, and where reading begins ---

    def test_start_at_the_latest(self):
        application = Application(self, "latest", input__start="latest")
        self.application = application
        self.send(order("before"))
        application.daemon.start().wait_active()
        self.send(order("after", at(1)))
        self.wait_for_frequency(1)
        application.daemon.stop()
        self.send(order("while it was down", at(2)))  # there is a committed offset now
        application.daemon.start()
        self.wait_for_frequency(2)
        self.finish()
        self.check_row(frequency=2, first_order_at=at(1).replace("Z", ".000Z"))

    def test_start_at_the_earliest(self):
        self.application = Application(self, "earliest")
        self.send(order("before"))
        self.application.daemon.start()
        self.wait_for_frequency(1)
        self.finish()

    def wait_for_frequency(self, frequency):
        application = self.application
        application.daemon.wait_active()
        until(lambda: application.daemon.require_running() and
              [row for row in application.rows() if row["frequency"] == frequency], METRIC_SECONDS,
              application.daemon.log_end)

    def produced(self, partitioner, customers):
        """Sends an order of each, where librdkafka's own partitioner puts it: {customer: partition}."""
        producer = Producer({**self.application.kafka.client, "partitioner": partitioner})
        home = {}

        def note(error, message):
            self.assertIsNone(error)
            home[message.key().decode()] = message.partition()

        for customer in customers:
            producer.produce(self.application.input, key=customer, on_delivery=note,
                             value=json.dumps(order("o1", customer=customer)))
        self.assertEqual(producer.flush(METRIC_SECONDS), 0)
        return home

    def test_the_partitioner_of_librdkafka(self):
        self.begin("crc32", partitions=3, input__partitioner="consistent")
        customers = [f"cust-{MARK}-{n}" for n in range(30)]
        home = self.produced("consistent", customers)
        self.assertEqual(set(home.values()), {0, 1, 2})
        self.application.wait_until_consumed()
        self.assertEqual(self.reasons(), [])
        rows = {m.key.decode(): m.partition for m in self.application.kafka.read(self.application.table)}
        self.assertEqual(rows, home)

        strays = [c for c, partition in self.produced("murmur2", customers).items()
                  if partition != home[c]]
        self.assertGreater(len(strays), 1)
        self.finish()
        self.assertEqual(self.reasons(), ["wrong_partition"] * len(strays))
        self.assertEqual({m.key.decode() for m in self.application.rejects()}, set(strays))
        said = [line for line in self.application.daemon.log().splitlines() if "would_fit" in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn("would_fit=murmur2", said[0])


class TwinsTest(unittest.TestCase):
    """Two applications over the same history, which differ in one setting."""
    RECORDS = 3000
    EARLY_FIT = {"model__min_days": 20, "model__min_customers": 50}

    def run_twins(self, setting, values):
        one = Application(self, "one", **self.EARLY_FIT, **{setting: values[0]})
        other = Application(self, "other", input_topic=one.input, **self.EARLY_FIT, **{setting: values[1]})
        self.file = one.directory / "whole.ndjson"
        one.import_to(self.file)
        lines = self.file.read_text(encoding="utf-8").splitlines()[:self.RECORDS]
        self.file.write_text("\n".join(lines), encoding="utf-8")
        one.send_all(lines)
        for application in (one, other):
            application.daemon.start()
        for application in (one, other):
            application.wait_until_consumed()
            application.daemon.stop()
            self.assertEqual(application.rejects(), [])
        return one, other

    def test_the_first_fit_announced_and_not(self):
        loud, silent = self.run_twins("model__announce_first_fit", ("true", "false"))
        for application in (loud, silent):
            events = application.events()
            check_histories(events)
            replayed = application.replay(self.file)
            check_same([without_source(e) for e in events], [without_source(e) for e in replayed.events],
                       "events")
            fit, = (epoch for epoch in application.epochs() if epoch["kind"] == "first_fit")
            said = [e for e in events if e["data"]["epoch"] == fit["epoch"] and
                    e["time"] == fit["instant"] and e["data"]["cause"] in ("model", "silence")]
            if application is loud:
                self.assertGreater(len(said), 10)
            else:
                self.assertEqual(said, [])
            # Before it, and after it, the model speaks in any case.
            others = {e["data"]["epoch"] < fit["epoch"] for e in events if e["data"]["cause"] == "model" and
                      e["data"]["epoch"] != fit["epoch"]}
            self.assertEqual(others, {True, False})

    def test_the_table_on_orders_and_on_segments(self):
        """On segments: a row only of a customer who is new or went to another one, be it there and back
        within one commit. In the end it says of each where the other table says it is."""
        every, some = self.run_twins("table__on", ("order", "segment"))
        check_same([without_source(e) for e in some.events()], [without_source(e) for e in every.events()],
                   "events")
        rows = some.rows()
        places = {customer: place_of(row) for customer, row in newest(every.rows()).items()}
        check_same({customer: place_of(row) for customer, row in newest(rows).items()}, places, "places")
        self.assertIn((None, None), places.values())
        last = {}
        for row in rows:
            customer = row["customer_id"]
            self.assertNotEqual(place_of(row), last.get(customer, "new"), row)
            last[customer] = place_of(row)


def place_of(row):
    return row["segment"], row["segment_since"]


if __name__ == "__main__":
    harness.main()
