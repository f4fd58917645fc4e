#!/usr/bin/env python3
"""Four partitions: customers lie where Java puts them, an order of a Java client finds its customer, and
exactly that customer moves. Metrics and health tell what consumers see."""
import bisect
import collections
import json
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_histories, check_same, events_of, newest, rows_of  # noqa: E402
from harness import BROKER, COMMAND_SECONDS, KAFKA_VERSION, Application, metrics_of, run  # noqa: E402
from online_retail import check_rows, recompute  # noqa: E402
from waiting import until  # noqa: E402

PARTITIONS = 4
PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
SEPARATOR = "|"


class FourPartitionsTest(unittest.TestCase):
    def setUp(self):
        self.application = Application(self, "four", partitions=PARTITIONS)
        self.kafka = self.application.kafka
        self.daemon = self.application.daemon

    def send_by_java(self, customer, record):
        classpath = run([BROKER, "classpath", "--version", KAFKA_VERSION]).stdout.strip()
        done = subprocess.run(
            ["java", "-cp", classpath, PRODUCER, "--bootstrap-server", self.kafka.brokers, "--topic",
             self.application.input, "--reader-property", "parse.key=true", "--reader-property",
             f"key.separator={SEPARATOR}"],
            input=customer + SEPARATOR + json.dumps(record) + "\n", capture_output=True, text=True,
            timeout=COMMAND_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def check_partitions(self):
        """A customer's input, moves, row and changelog lie in the partition of the same number."""
        home = {}
        for message in self.kafka.read(self.application.input):
            if message.key is not None:
                self.assertEqual(home.setdefault(message.key, message.partition), message.partition)
        self.assertEqual(set(home.values()), set(range(PARTITIONS)))
        for topic in (self.application.changes, self.application.table):
            for message in self.kafka.read(topic):
                self.assertEqual(message.partition, home[message.key], topic)

    def check_metrics(self, rows, events):
        """The page agrees with the topics."""
        customers = collections.Counter(row["segment"] or "none" for row in rows.values())
        revenue = collections.Counter()
        for row in rows.values():
            revenue[row["segment"] or "none"] += row["monetary_minor"]
        moves = collections.Counter((e["data"]["from_segment"] or "none", e["data"]["to_segment"] or "none",
                                     e["data"]["cause"]) for e in events)
        expected = {
            'segmentd_records_total{outcome="applied",type="order"}': 18_536,
            'segmentd_records_total{outcome="anonymous",type="refund"}': 182,
            "segmentd_model_epoch": self.application.epochs()[-1]["epoch"],
            **{f'segmentd_customers{{segment="{s}"}}': n for s, n in customers.items()},
            **{f'segmentd_consumer_lag_records{{partition="{p}"}}': 0 for p in range(PARTITIONS)},
            **{f'segmentd_segment_changes_total{{cause="{c}",from="{f}",to="{t}"}}': n
               for (f, t, c), n in moves.items()}}
        page = {}

        def agrees():
            page.clear()
            page.update(metrics_of(self.daemon.get("/metrics")[1]))
            return all(page.get(name) == value for name, value in expected.items())

        until(agrees, 30, lambda: {name: (value, page.get(name)) for name, value in expected.items()
                                   if page.get(name) != value})
        self.assertEqual(sum(v for n, v in page.items() if n.startswith("segmentd_segment_changes_total{")),
                         len(events))
        self.assertEqual(sum(v for n, v in page.items() if n.startswith("segmentd_rejected_total{")), 0)
        for segment, minor in revenue.items():
            name = f'segmentd_revenue{{currency="GBP",segment="{segment}"}}'
            self.assertAlmostEqual(page[name], minor / 1000, 2, name)
        self.assertGreater(page["segmentd_commit_duration_seconds_count"], 0)
        self.assertGreater(page["segmentd_order_to_commit_seconds_count"], 0)
        self.assertEqual([v for n, v in page.items() if n.startswith("segmentd_build_info{")], [1])

    def check_health(self):
        for path, word in (("/healthz", "healthy"), ("/readyz", "ready")):
            status, body = self.daemon.get(path)
            self.assertEqual((status, json.loads(body)["status"], json.loads(body)["reasons"]),
                             (200, word, []), path)
        self.assertIn("/metrics", self.daemon.get("/")[1])
        self.assertEqual(self.daemon.get("/nowhere")[0], 404)

    def test_a_java_client_moves_one_customer(self):
        self.application.import_to("kafka")
        self.daemon.start()
        before = self.application.wait_until_settled()
        rows, events = newest(self.application.rows()), self.application.events()
        check_rows(rows)
        check_histories(events)
        self.assertEqual(self.application.rejects(), [])
        self.check_partitions()
        self.check_metrics(rows, events)
        self.check_health()

        waiting = [row for row in rows.values() if row["segment"] == "at_risk"]
        customer = max(waiting, key=lambda row: (row["frequency"], row["customer_id"]))["customer_id"]
        newest_order = max(row["last_order_at"] or "" for row in rows.values())
        self.send_by_java(customer, {"order_id": "from-java", "customer_id": customer, "currency": "GBP",
                                     "ordered_at": newest_order, "amount": "50000.000"})
        after = self.application.wait_until_settled()
        self.check_one_move(rows[customer], before, after)
        self.daemon.stop()

    def test_epochs_judge_everybody(self):
        """Whichever partition of a history is taken up first: at each instant they meet."""
        self.application.import_to("kafka")
        self.daemon.start()
        self.application.wait_until_settled()
        self.daemon.stop()
        firsts = sorted(figures.first for figures in recompute().customers.values() if figures.first)
        found = [(epoch["instant"], sum(c["customers"] for c in epoch["centroids"]))
                 for epoch in self.application.epochs()]
        check_same(found, [(at, bisect.bisect_left(firsts, at)) for at, _ in found], "epochs")

    def check_one_move(self, row, before, after):
        application = self.application
        rejected = application.name + "-rejected"
        self.assertEqual(after[rejected], before[rejected])
        moves = self.kafka.read(application.changes, before[application.changes])
        self.assertEqual(len(moves), 1)
        event = events_of(moves)[0]["data"]
        self.assertEqual((event["customer_id"], event["cause"], event["trigger"]["order_id"]),
                         (row["customer_id"], "order", "from-java"))
        self.assertEqual(event["from_segment"], "at_risk")
        self.assertIn(event["to_segment"], ("insiders", "loyal"))
        self.assertEqual(event["sequence"], row["sequence"] + 1)
        written = rows_of(self.kafka.read(application.table, before[application.table]))
        self.assertEqual([r["customer_id"] for r in written], [row["customer_id"]])
        self.assertEqual((written[0]["frequency"], written[0]["monetary_minor"], written[0]["segment"]),
                         (row["frequency"] + 1, row["monetary_minor"] + 50_000_000, event["to_segment"]))


if __name__ == "__main__":
    harness.main()
