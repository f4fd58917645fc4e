#!/usr/bin/env python3
"""A year of real orders through import, broker and daemon: the known figures, and once more changes
nothing."""
import random
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_histories, check_same, check_same_table, newest, without_source  # noqa: E402
from harness import Application, metrics_of  # noqa: E402
from online_retail import check_rows, recompute  # noqa: E402
from waiting import until  # noqa: E402

CUSTOMERS = 4372
SHUFFLE_SEED = 20111209


def total(rows):
    return sum(row["monetary_minor"] for row in rows)


def topic_ends(application):
    return [application.kafka.ends(topic) for topic in (application.changes, application.table)]


class OnlineRetailTest(unittest.TestCase):
    def check_table(self, rows):
        self.assertEqual(len(rows), CUSTOMERS)
        placed = [row for row in rows.values() if row["segment"] is not None]
        unplaced = [row for row in rows.values() if row["segment"] is None]
        self.assertEqual((len(placed), total(placed)), (4339, 8_310_477_054))
        self.assertEqual((len(unplaced), total(unplaced)), (33, -10_411_240))
        self.assertEqual(sum(row["frequency"] for row in rows.values()), 18_536)
        self.assertEqual(total(rows.values()), 8_300_065_814)
        self.assertEqual((rows["14646"]["frequency"], rows["14646"]["monetary"]), (74, "279489.020"))
        self.assertEqual(max(rows.values(), key=lambda row: row["frequency"])["customer_id"], "12748")
        self.assertEqual(rows["12748"]["frequency"], 210)
        self.assertEqual((rows["13256"]["frequency"], rows["13256"]["monetary"]), (1, "0.000"))

    def check_whale(self, history, events):
        """12346 buys for 77,183.60 and gives it back sixteen minutes later."""
        rows = [row for row in history if row["customer_id"] == "12346"]
        self.assertTrue(all(row["frequency"] == 1 and row["segment"] is not None for row in rows))
        figures = [row["monetary"] for row in rows]
        self.assertEqual(figures[-1], "0.000")
        moves = [event["data"] for event in events if event["subject"] == "12346"]
        bought = [move for move in moves if move["cause"] == "order"]
        self.assertEqual([move["after"]["monetary"] for move in bought], ["77183.600"])
        back = [move for move in moves if move["cause"] == "refund"]
        self.assertEqual([(move["trigger"]["id"], move["before"]["monetary"], move["after"]["monetary"],
                           move["after"]["frequency"]) for move in back],
                         [("C541433", "77183.600", "0.000", 1)])
        self.assertIsNotNone(back[0]["to_segment"])

    def check_metrics(self, daemon, names):
        page = {}

        def reported():
            page.update(metrics_of(daemon.get("/metrics")[1]))
            return all(page.get(name) == value for name, value in names.items())

        until(reported, 30, lambda: {name: page.get(name) for name in names})

    def test_whole_and_once_more(self):
        plain = Application(self, "retail")
        few = Application(self, "few", input_topic=plain.input, orders__remembered=8)
        said = plain.import_to("kafka")
        self.assertIn("25,897 records from 25,900 rows", said)
        self.assertIn("skipped 3 adjustment", said)
        for application in (plain, few):
            application.daemon.start()
        for application in (plain, few):
            application.wait_until_consumed()

        history, events = plain.rows(), plain.events()
        self.check_table(newest(history))
        check_rows(newest(history))
        self.check_whale(history, events)
        check_histories(events)
        self.assertEqual(plain.rejects(), [])
        self.check_metrics(plain.daemon, {
            'segmentd_records_total{outcome="applied",type="order"}': 18_536,
            'segmentd_records_total{outcome="applied",type="refund"}': 3_654,
            'segmentd_records_total{outcome="anonymous",type="order"}': 3_525,
            'segmentd_records_total{outcome="anonymous",type="refund"}': 182})
        check_rows(newest(few.rows()))
        # Folding old orders into totals changes no decision.
        check_same([e["data"] for e in few.events()], [e["data"] for e in events], "events")
        self.assertEqual(few.rejects(), [])
        self.check_the_same_as_replay(plain, events, newest(history))

        before = {application: topic_ends(application) for application in (plain, few)}
        plain.import_to("kafka")
        for application in (plain, few):
            application.wait_until_consumed()
            self.assertEqual(topic_ends(application)[0], before[application][0], "events appeared")
        self.assertEqual(plain.rows(before[plain][1]), [], "rows changed")
        self.assertEqual(few.rows(before[few][1]), [], "rows changed")
        self.assertEqual(plain.rejects(), [])
        self.check_too_old(few)
        for application in (plain, few):
            application.daemon.stop()

    def check_the_same_as_replay(self, application, events, rows):
        file = application.directory / "records.ndjson"
        application.import_to(file)
        replayed = application.replay(file)
        check_same([without_source(e) for e in events], [without_source(e) for e in replayed.events],
                   "events")
        check_same_table(rows, replayed.table)
        summary = replayed.summary
        self.assertEqual((summary["anonymous"]["orders"], summary["anonymous"]["refunds"]), (3525, 182))

    def check_too_old(self, application):
        """What is no longer remembered is refused with its bytes; the rest was recognised."""
        rejected = application.rejects()
        reasons = {dict(message.headers)["segmentd-reason"] for message in rejected}
        self.assertEqual(reasons, {b"too_old"})
        self.check_metrics(application.daemon, {
            'segmentd_rejected_total{reason="too_old"}': len(rejected)})
        page = metrics_of(application.daemon.get("/metrics")[1])
        again = sum(page[f'segmentd_records_total{{outcome="{outcome}",type="{kind}"}}']
                    for kind in ("order", "refund") for outcome in ("unchanged", "rejected"))
        self.assertEqual(again, 18_536 + 3_654)

    def test_figures_do_not_depend_on_the_order_of_arrival(self):
        application = Application(self, "shuffled")
        file = application.directory / "records.ndjson"
        application.import_to(file)
        lines = file.read_text(encoding="utf-8").splitlines()
        random.Random(SHUFFLE_SEED).shuffle(lines)
        file.write_text("\n".join(lines), encoding="utf-8")
        replayed = application.replay(file)
        check_rows(replayed.table)
        self.check_table(replayed.table)

    def test_the_recomputation_meets_the_published_figures(self):
        found = recompute()
        self.assertEqual(len(found.customers), CUSTOMERS)
        self.assertEqual((found.anonymous_sales, found.anonymous_refunds, found.adjustments),
                         (3525, 182, 3))
        self.assertEqual(sum(f.monetary for f in found.customers.values()), 8_300_065_814)


if __name__ == "__main__":
    harness.main()
