#!/usr/bin/env python3
"""Stopping and starting again, in every way and at any instant, changes no event, nor does the size of a
transaction: what a consumer reads is what replay says, and replay was never stopped."""
import os
import random
import shutil
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_histories, check_same, check_same_table, newest, without_source  # noqa: E402
from harness import WORK_SECONDS, Application  # noqa: E402
from waiting import until  # noqa: E402

RECORDS = 7000  # four months: the cold start, the first fit and epochs after it
STOPS = 5
LATER_SECONDS_MAX = 0.05
# Small transactions: more instants to be stopped at. A cache that forgets: rows come from the disk. Replay
# has none of it.
SMALL = {"limits__transaction_records": 40, "limits__commit_interval": "2ms", "limits__cache_rows": 200,
         "limits__relabel_per_transaction": 20}
SEED = int(os.environ.get("SEGMENTD_TEST_SEED", time.time_ns() % 1_000_000))


class EqualityTest(unittest.TestCase):
    def setUp(self):
        print(f"(SEGMENTD_TEST_SEED={SEED})", end=" ", file=sys.stderr, flush=True)
        self.random = random.Random(f"{SEED} {self.id()}")

    def begin(self, word, records=RECORDS, **settings):
        application = Application(self, word, **settings)
        whole = application.directory / "whole.ndjson"
        application.import_to(whole)
        self.records = application.directory / "records.ndjson"
        lines = whole.read_text(encoding="utf-8").splitlines()[:records]
        self.records.write_text("\n".join(lines), encoding="utf-8")
        application.send_all(lines)
        return application

    def wait_for_instant(self, application, rows):
        """Somewhere behind so many rows of the changelog: in the middle of records, of evaluations and
        of relabelling alike, and not just where we look."""
        changelog = application.name + "-changelog"
        application.daemon.wait_active()  # by then the topic exists
        until(lambda: application.daemon.require_running() and
              application.kafka.ends(changelog)[0] >= rows,
              WORK_SECONDS, lambda: f"row {rows} of the changelog:\n{application.daemon.log_end()}")
        time.sleep(self.random.uniform(0, LATER_SECONDS_MAX))

    def instants(self):
        """Of the stops, as rows of the changelog; it will hold more than records."""
        return sorted(self.random.sample(range(1, RECORDS), STOPS))

    def finish_and_compare(self, application, interrupted):
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertGreater(interrupted, 0, "no stop came while there was work")
        self.compare(application)

    def compare(self, application):
        replayed = application.replay(self.records)
        events = application.events()
        check_same([without_source(e) for e in events], [without_source(e) for e in replayed.events],
                   "events")
        self.assertEqual(len({e["source"] for e in events}), 1)
        check_histories(events)
        kinds = [epoch["kind"] for epoch in application.epochs()]
        self.assertIn("first_fit", kinds)
        self.assertEqual(len(kinds), replayed.summary["model"]["epoch"])
        check_same_table(newest(application.rows()), replayed.table)
        self.assertEqual(application.rejects(), [])

    def test_asked_to_stop(self):
        application = self.begin("term")
        interrupted = 0
        for n, rows in enumerate(self.instants()):
            application.daemon.start(on_stop=("leave", "stay")[n % 2], **SMALL)
            self.wait_for_instant(application, rows)
            application.daemon.stop()
            interrupted += application.progress() < RECORDS
        application.daemon.start(**SMALL)
        self.finish_and_compare(application, interrupted)

    def test_killed(self):
        application = self.begin("kill")
        interrupted = 0
        for rows in self.instants():
            application.daemon.start(**SMALL)
            self.wait_for_instant(application, rows)
            application.daemon.kill()
            self.assertEqual(application.daemon.process.returncode, -signal.SIGKILL)
            interrupted += application.progress() < RECORDS
        application.daemon.start(**SMALL)
        self.finish_and_compare(application, interrupted)

    def test_killed_and_the_disk_lost(self):
        application = self.begin("lost", instance="one")
        interrupted = 0
        for rows in self.instants()[:2]:
            application.daemon.start(limits__transaction_records=100)
            self.wait_for_instant(application, rows)
            application.daemon.kill()
            shutil.rmtree(application.state)
            interrupted += application.progress() < RECORDS
        application.daemon.start()
        self.finish_and_compare(application, interrupted)

    def run_to_the_end(self, application, **limits):
        """With limits that replay does not have. The number of transactions."""
        application.daemon.start(**limits)
        application.wait_until_consumed()
        application.daemon.stop()
        self.compare(application)
        return sum(m.key == b"META" for m in application.kafka.read(application.name + "-changelog"))

    def test_transactions_of_a_few_records(self):
        transactions = self.run_to_the_end(self.begin("few"), limits__transaction_records=7)
        self.assertGreater(transactions, RECORDS // 7)

    def test_commits_at_any_interval(self):
        """Each epoch ends a transaction: with one a day nothing else would, as fast as this is read."""
        rarely = {"model__evaluate_every": "120d"}
        hasty = self.begin("hasty", None, **rarely)
        slow = Application(self, "slow", input_topic=hasty.input, **rarely)
        self.assertGreater(
            self.run_to_the_end(hasty, limits__commit_interval="1ms", limits__cache_rows=2),
            self.run_to_the_end(slow, limits__commit_interval="500ms", limits__cache_rows=500_000))


if __name__ == "__main__":
    harness.main()
