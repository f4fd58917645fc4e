#!/usr/bin/env python3
"""The CDNOW sample (2,357 customers of 1997) through import and replay. Needs the folder that
SEGMENTD_DATA names; skipped, visibly, without it."""
import collections
import os
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_same  # noqa: E402
from harness import Application  # noqa: E402

FILE = pathlib.Path(os.environ.get("SEGMENTD_DATA", "")) / "cdnow-sample" / "CDNOW_sample.txt"
LAYOUT = ("--layout", "orders", "--no-header", "--delimiter", "blank", "--columns",
          "customer=2,time=3,amount=5", "--time-format", "%Y%m%d", "--currency", "USD", "--decimals", "2",
          "--sort", "time")


def recompute():
    """{customer: (orders, cents, days, last day)} from the lines."""
    customers = collections.defaultdict(lambda: [0, 0, set()])
    for line in FILE.read_text(encoding="ascii").split("\n"):
        if line.strip():
            _, customer, day, _, dollars = line.split()
            whole, cents = dollars.split(".")
            figures = customers[customer]
            figures[0] += 1
            figures[1] += int(whole) * 100 + int(cents)
            figures[2].add(day)
    return {customer: (orders, cents, len(days), max(days))
            for customer, (orders, cents, days) in customers.items()}


@unittest.skipUnless(FILE.is_file(), "SEGMENTD_DATA names no folder with the CDNOW sample")
class CdnowTest(unittest.TestCase):
    def test_through_import_and_replay(self):
        application = Application(self, "cdnow", currency="USD", decimals=2)
        records = application.directory / "records.ndjson"
        said = application.import_to(records, FILE, LAYOUT)
        self.assertIn("6,919", said)
        replayed = application.replay(records)
        self.assertEqual(replayed.summary["customers"], 2357)
        self.assertEqual(replayed.summary["records"]["order"]["applied"], 6919)
        self.assertEqual(sum(replayed.summary["rejected"].values()), 0)
        self.assertEqual(sum(row["monetary_minor"] for row in replayed.table.values()), 244_091_94)
        found = {customer: (row["frequency"], row["monetary_minor"], row["purchase_days"],
                            row["last_order_at"][:10].replace("-", ""))
                 for customer, row in replayed.table.items()}
        check_same(found, recompute(), "figures")


if __name__ == "__main__":
    harness.main()
