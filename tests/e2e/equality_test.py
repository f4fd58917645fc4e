#!/usr/bin/env python3
"""Stopping and starting again, in every way and at any instant, changes no event: what a consumer reads
is what replay says, and replay was never stopped."""
import os
import random
import shutil
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_histories, newest, without_source  # noqa: E402
from harness import WORK_SECONDS, Application  # noqa: E402
from waiting import until  # noqa: E402

RECORDS = 7000  # four months: the cold start, the first fit and epochs after it
STOPS = 4
LATER_SECONDS_MAX = 0.05
# Small transactions: more instants to be stopped at. A cache that forgets: rows come from the disk.
SMALL = {"limits__transaction_records": 40, "limits__commit_interval": "2ms", "limits__cache_rows": 200,
         "limits__relabel_per_transaction": 100}
SEED = int(os.environ.get("SEGMENTD_TEST_SEED", time.time_ns() % 1_000_000))


class EqualityTest(unittest.TestCase):
    def setUp(self):
        print(f"(SEGMENTD_TEST_SEED={SEED})", end=" ", file=sys.stderr, flush=True)
        self.random = random.Random(f"{SEED} {self.id()}")

    def begin(self, word, **settings):
        application = Application(self, word, **settings)
        whole = application.directory / "whole.ndjson"
        application.import_to(whole)
        self.records = application.directory / "records.ndjson"
        lines = whole.read_text(encoding="utf-8").splitlines()[:RECORDS]
        self.records.write_text("\n".join(lines), encoding="utf-8")
        application.send_all(lines)
        return application

    def wait_for_instant(self, application, offset):
        """Somewhere behind `offset`: not at the end of a commit, where we look."""
        until(lambda: application.daemon.require_running() and application.progress() >= offset,
              WORK_SECONDS, lambda: f"record {offset}:\n{application.daemon.log_end()}")
        time.sleep(self.random.uniform(0, LATER_SECONDS_MAX))

    def offsets(self):
        """Of the stops; the last leaves work to do."""
        return sorted(self.random.sample(range(1, RECORDS * 3 // 4), STOPS))

    def finish_and_compare(self, application, interrupted):
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertGreater(interrupted, 0, "no stop came while there was work")
        replayed = application.replay(self.records)
        events = application.events()
        self.assertEqual([without_source(e) for e in events],
                         [without_source(e) for e in replayed.events])
        self.assertEqual(len({e["source"] for e in events}), 1)
        check_histories(events)
        kinds = [epoch["kind"] for epoch in application.epochs()]
        self.assertIn("first_fit", kinds)
        self.assertEqual(len(kinds), replayed.summary["model"]["epoch"])
        rows = newest(application.rows())
        shared = next(iter(rows.values())).keys()
        self.assertEqual(rows, {customer: {name: row[name] for name in shared}
                                for customer, row in replayed.table.items()})
        self.assertEqual(application.rejects(), [])

    def test_asked_to_stop(self):
        application = self.begin("term", **SMALL)
        interrupted = 0
        for n, offset in enumerate(self.offsets()):
            application.daemon.start(on_stop=("leave", "stay")[n % 2])
            self.wait_for_instant(application, offset)
            application.daemon.stop()
            interrupted += application.progress() < RECORDS
        application.daemon.start()
        self.finish_and_compare(application, interrupted)

    def test_killed(self):
        application = self.begin("kill", **SMALL)
        interrupted = 0
        for offset in self.offsets():
            application.daemon.start()
            self.wait_for_instant(application, offset)
            application.daemon.kill()
            self.assertEqual(application.daemon.process.returncode, -signal.SIGKILL)
            interrupted += application.progress() < RECORDS
        application.daemon.start()
        self.finish_and_compare(application, interrupted)

    def test_killed_and_the_disk_lost(self):
        application = self.begin("lost", instance="one")
        interrupted = 0
        for offset in self.offsets()[:2]:
            application.daemon.start(limits__transaction_records=100)
            self.wait_for_instant(application, offset)
            application.daemon.kill()
            shutil.rmtree(application.state)
            interrupted += application.progress() < RECORDS
        application.daemon.start()
        self.finish_and_compare(application, interrupted)


if __name__ == "__main__":
    harness.main()
