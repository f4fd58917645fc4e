#!/usr/bin/env python3
"""clock = wall, as in service: a history that ends now, silence without any input, and an outage. Silence
moves a customer at the instant that was announced, and never before an order that lies unread."""
import collections
import json
import math
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_histories, events_of, newest  # noqa: E402
from harness import Application, metrics_of  # noqa: E402
from instants import DAY_MS, HOUR_MS, SECOND_MS, ms_of, now_ms, rfc3339  # noqa: E402
from online_retail import check_rows  # noqa: E402
from silence import check_silences, check_the_same_as_replay, silences  # noqa: E402
from waiting import until  # noqa: E402

PARTITIONS = 4
SHIFTED = ("--layout", "online-retail-invoices", "--shift-to-now")
EXTRACT_END_MS = ms_of("2011-12-09T12:50:00Z")
WALL_LAG_SECONDS = 10  # less than this is behind no order of the history, but the wall clock
METRIC_SECONDS = 60
SILENCE_SECONDS = 120
LATE = "all of them had lapsed before they could be looked at"


def order(customer, order_id, at_ms, amount="10.000"):
    return json.dumps({"order_id": order_id, "customer_id": customer, "ordered_at": rfc3339(at_ms),
                       "amount": amount, "currency": "GBP"})


class ShiftedHistoryTest(unittest.TestCase):
    def setUp(self):
        self.application = Application(self, "wall", partitions=PARTITIONS)
        self.daemon = self.application.daemon

    def test_a_history_that_ends_now(self):
        application = self.application
        application.import_to("kafka", layout=SHIFTED)
        sent = application.kafka.read(application.input)
        records = [json.loads(message.value) for message in sent]
        last_ms = max(ms_of(record["ordered_at"]) for record in records if record["type"] == "order")
        self.daemon.start(clock="wall")  # all of it lies there, unread
        application.wait_until_consumed()
        self.wait_for_wall_clock()
        rows, changes = newest(application.rows()), application.kafka.read(application.changes)
        events, end_ms = events_of(changes), now_ms()

        check_rows(rows, last_ms - EXTRACT_END_MS)
        check_histories(events)
        self.assertEqual(application.rejects(), [])
        self.assertGreater(len(check_silences(events, records, end_ms)), 100)
        self.check_clocks(changes, events)
        self.check_next_order(rows, {message.key: message.partition for message in sent})
        self.daemon.stop()

    def wait_for_wall_clock(self):
        """Also of the partitions whose last order is long ago."""
        names = [f'segmentd_clock_lag_seconds{{partition="{p}"}}' for p in range(PARTITIONS)]
        page = {}

        def at_the_wall():
            page.update(metrics_of(self.daemon.get("/metrics")[1]))
            return all(page.get(name, math.inf) < WALL_LAG_SECONDS for name in names)

        until(at_the_wall, METRIC_SECONDS, lambda: {name: page.get(name) for name in names})

    def check_clocks(self, changes, events):
        """A partition's clock never goes back, and nothing was decided ahead of the orders read."""
        last = collections.Counter()
        for message, event in zip(changes, events):
            decided_ms = ms_of(event["data"]["decided_at"])
            self.assertGreaterEqual(decided_ms, last[message.partition], event)
            last[message.partition] = decided_ms
            if event["data"]["cause"] == "order":  # while it was behind
                self.assertEqual(event["data"]["decided_at"], event["time"])

    def check_next_order(self, rows, home):
        """Read to the end, the clock is the wall's: an order of an hour ago is decided now."""
        application = self.application
        waiting = [row for row in rows.values() if row["segment"] == "at_risk"]
        row = max(waiting, key=lambda row: (row["frequency"], row["customer_id"]))
        customer, before_ms = row["customer_id"], now_ms()
        since = application.kafka.ends(application.changes)
        application.kafka.send(application.input, customer.encode(),
                               order(customer, "late", before_ms - HOUR_MS, "50000.000").encode(),
                               home[customer.encode()])
        application.wait_until_consumed()
        event = [event for event in application.events(since) if event["subject"] == customer][0]
        self.assertEqual((event["data"]["cause"], event["time"]),
                         ("order", rfc3339(before_ms - HOUR_MS)))
        self.assertLessEqual(before_ms, ms_of(event["data"]["decided_at"]))
        self.assertLessEqual(ms_of(event["data"]["decided_at"]), now_ms())


class SilenceTest(unittest.TestCase):
    """A small shop whose customers differ by their last order alone, so that it can be told here, and not
    by segmentd, when one of them lapses. Its time constant is long enough and its customers are enough
    for the model to stay as it is for the minutes this takes."""
    TAU_MS = 10 * DAY_MS
    EACH = 1000  # customers who came lately, and as many who did not
    SETTINGS = {"model__k": 2, "model__min_days": 0, "model__min_customers": EACH,
                "model__recency_tau": "10d", "model__evaluate_every": "1s",
                "limits__transaction_records": 50}

    def setUp(self):
        self.application = Application(self, "silence", **self.SETTINGS)
        self.daemon = self.application.daemon
        self.daemon.settings["clock"] = "wall"

    def open_shop(self):
        """The newest order first: the clock starts there, and no evaluation comes before the last."""
        begin_ms = now_ms() - 5 * SECOND_MS
        ages = [n * 5 * DAY_MS // self.EACH for n in range(self.EACH)]
        ages += [12 * DAY_MS + n * 28 * DAY_MS // self.EACH for n in range(self.EACH)]
        self.application.send_all(order(f"base-{n}", f"b{n}", begin_ms - age)
                                  for n, age in enumerate(ages))
        self.daemon.start().wait_active()
        until(lambda: self.daemon.require_running() and self.application.epochs(), SILENCE_SECONDS,
              self.daemon.log_end)
        epoch = self.application.epochs()[0]
        self.assertEqual((epoch["kind"], epoch["features"]["tau_ms"]), ("first_fit", self.TAU_MS))
        self.assertEqual([c["segment"] for c in epoch["centroids"]], ["insiders", "occasional"])
        middle = sum(c["at"][0] for c in epoch["centroids"]) / 2
        return -math.log1p(-middle) * self.TAU_MS  # the age at which Insiders ends

    def place(self, lapse_age_ms, seconds):
        """Customers who leave Insiders so many seconds from now, each, unless they buy. Those who are
        Insiders yet, by the events: {customer: (when silence moves it, to where)}."""
        begin_ms = now_ms()
        self.application.send_all(
            order(f"{word}-{after}", "first", begin_ms + after * SECOND_MS - int(lapse_age_ms))
            for after in seconds for word in ("silent", "buyer"))
        self.application.wait_until_consumed()
        placed = {}
        for event in self.application.events():
            data = event["data"]
            if data["sequence"] == 1 and data["to_segment"] == "insiders":
                self.assertEqual((data["cause"], data["from_segment"]), ("order", None), event)
                after = int(event["subject"].split("-")[1])
                self.assertAlmostEqual(ms_of(data["next"]["at"]), begin_ms + after * SECOND_MS, delta=5)
                self.assertEqual(data["next"]["segment"], "occasional")
                placed[event["subject"]] = data["next"]["at"]
        return placed

    def check_silence(self, event, at):
        data = event["data"]
        self.assertEqual((data["cause"], data["from_segment"], data["to_segment"], event["time"]),
                         ("silence", "insiders", "occasional", at), event)
        self.assertLessEqual(ms_of(event["time"]), ms_of(data["decided_at"]))
        self.assertLessEqual(ms_of(data["decided_at"]), now_ms())

    def moved(self, customers):
        """{customer: its move by silence}, once all of these moved."""
        found = {}

        def all_there():
            self.daemon.require_running()
            found.update({event["subject"]: event for event in silences(self.application.events())})
            return found.keys() >= set(customers)

        until(all_there, SILENCE_SECONDS, lambda: f"{customers}, moved: {list(found)}")
        return found

    def test_silence_moves_without_any_input(self):
        application = self.application
        placed = self.place(self.open_shop(), (2, 5, 12))
        self.assertTrue(placed, LATE)
        ends = application.kafka.ends(application.input)
        found = self.moved(placed)
        self.assertEqual(application.kafka.ends(application.input), ends)
        for customer, at in placed.items():
            self.check_silence(found[customer], at)
        self.assertEqual([epoch["kind"] for epoch in application.epochs()], ["first_fit"])
        check_histories(application.events())
        rows = newest(application.rows())
        for customer, at in placed.items():
            self.assertEqual((rows[customer]["segment"], rows[customer]["segment_since"]),
                             ("occasional", at))
        self.daemon.stop()

    def test_an_order_that_lay_unread_comes_before_the_silence(self):
        application = self.application
        seconds = (4, 10, 25)
        placed = self.place(self.open_shop(), seconds)
        self.daemon.stop()
        still = placed.keys() - {event["subject"] for event in silences(application.events())}
        pairs = [(f"silent-{after}", f"buyer-{after}") for after in seconds]
        pairs = [pair for pair in pairs if still >= set(pair)]
        self.assertTrue(pairs, LATE)
        silent, buyer = pairs[0]
        until(lambda: now_ms() > ms_of(placed[silent]) + 2 * SECOND_MS, SILENCE_SECONDS, "its instant")
        bought_ms = ms_of(placed[buyer]) - 1
        application.send_all(order(None, f"n{n}", bought_ms - 1) for n in range(1000))
        application.send_all([order(buyer, "in time", bought_ms)])
        self.daemon.start()
        self.check_silence(self.moved([silent])[silent], placed[silent])
        application.wait_until_consumed()
        self.daemon.stop()

        events = application.events()
        check_histories(events)
        self.assertEqual([e["data"]["cause"] for e in events if e["subject"] == buyer], ["order"])
        row = newest(application.rows())[buyer]
        self.assertEqual((row["frequency"], row["segment"]), (2, "insiders"))
        check_the_same_as_replay(application, events,
                                 max(event["data"]["decided_at"] for event in silences(events)))


if __name__ == "__main__":
    harness.main()
