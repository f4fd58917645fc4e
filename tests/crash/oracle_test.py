#!/usr/bin/env python3
"""The oracle has to be able to say no: each way in which a run may have gone wrong is told as what it is."""
import json
import pathlib
import sys
import tempfile
import types
import unittest
import unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import stores  # noqa: E402
from findings import Findings  # noqa: E402
from histories import Histories  # noqa: E402
from instants import rfc3339  # noqa: E402
from judgement import problems_of  # noqa: E402
from oracle import check_events, check_figures, check_rejects, check_table  # noqa: E402
from records import Figures, Shop, expected_reject  # noqa: E402
from schedule import schedule  # noqa: E402
from standstill import Standstill, Watch  # noqa: E402
from state_rows import Changelog, progress_of  # noqa: E402

SEGMENTS = ("loyal", "insiders", "at_risk")


def event(customer, sequence, segment=None, source="uuid-0", before=None):
    """One customer's events lead from each segment to the next."""
    if before is None and sequence > 1:
        before = SEGMENTS[(sequence - 1) % 3]
    data = {"customer_id": customer, "sequence": sequence, "from_segment": before,
            "to_segment": segment or SEGMENTS[sequence % 3]}
    return json.dumps({"source": f"/segmentd/app/{source}", "id": f"{customer}:{sequence}", "data": data},
                      separators=(",", ":")).encode()


def named(values):
    return [(json.loads(value)["id"], value) for value in values]


EXPECTED = [event(customer, sequence, source="replay") for sequence in (1, 2, 3) for customer in "ab"]
READ = [event(customer, sequence) for sequence in (1, 2, 3) for customer in "ab"]


class EventsTest(unittest.TestCase):
    def counts(self, read):
        """Lost, doubled, wrong; by the oracle, and by both it and the reader that checks as it goes."""
        alone, both = Findings(), Findings()
        histories = Histories(both)
        for value in read:
            histories.take(0, value)
        for findings in (alone, both):
            check_events(findings, named(read), EXPECTED)
        return tuple(alone.counts().values()), tuple(both.counts().values())

    def test_the_same_but_for_the_source(self):
        self.assertEqual(self.counts(READ), ((0, 0, 0), (0, 0, 0)))

    def test_lost(self):
        for n in range(len(READ)):
            self.assertEqual(self.counts(READ[:n] + READ[n + 1:])[0], (1, 0, 0))
        alone, both = self.counts(READ[:2] + READ[3:])  # what follows is told as one gap, and no more
        self.assertEqual((alone, both), ((1, 0, 0), (1, 0, 0)))

    def test_doubled(self):
        for n in range(len(READ)):
            self.assertEqual(self.counts(READ + [READ[n]]), ((0, 1, 0), (0, 1, 0)))
        self.assertEqual(self.counts(READ + [READ[0], READ[0]])[0], (0, 2, 0))

    def test_altered(self):
        altered = [READ[0], READ[1], event("a", 2, "dormant"), *READ[3:]]
        alone, both = self.counts(altered)
        self.assertEqual(alone, (0, 0, 1))
        self.assertEqual(both, (0, 0, 2))  # and number 3 does not begin where it led to

    def test_made_up(self):
        self.assertEqual(self.counts(READ + [event("c", 1)])[0], (0, 0, 1))
        self.assertEqual(self.counts(READ + [event("a", 4)])[0], (0, 0, 1))

    def test_in_another_order(self):
        self.assertEqual(self.counts([READ[1], READ[0], *READ[2:]])[0], (0, 0, 1))

    def test_lost_and_doubled_and_altered_at_once(self):
        read = [READ[0], READ[0], READ[1], event("a", 2, "dormant"), READ[3], READ[5]]
        self.assertEqual(self.counts(read)[0], (1, 1, 1))


class HistoriesTest(unittest.TestCase):
    def counts(self, *values):
        findings = Findings()
        histories = Histories(findings)
        for value in values:
            histories.take(0, value)
        return tuple(findings.counts().values())

    def test_begins_with_one(self):
        self.assertEqual(self.counts(event("a", 1)), (0, 0, 0))
        self.assertEqual(self.counts(event("a", 2)), (1, 0, 0))
        self.assertEqual(self.counts(event("a", 1, before="loyal")), (0, 0, 1))

    def test_a_gap(self):
        self.assertEqual(self.counts(event("a", 1), event("a", 4)), (2, 0, 0))

    def test_not_from_where_the_last_one_led(self):
        self.assertEqual(self.counts(event("a", 1), event("a", 2, before="dormant")), (0, 0, 1))

    def test_from_another_store(self):
        self.assertEqual(self.counts(event("a", 1), event("a", 2, source="uuid-1")), (0, 0, 1))

    def test_leads_nowhere(self):
        self.assertEqual(self.counts(event("a", 1, "loyal", before=None),
                                     event("a", 2, "loyal", before="loyal")), (0, 0, 1))


class TableTest(unittest.TestCase):
    ROWS = {"a": {"customer_id": "a", "frequency": 1}, "b": {"customer_id": "b", "frequency": 2}}
    REPLAYED = {customer: {**row, "recency_days": 3.5} for customer, row in ROWS.items()}

    def counts(self, rows):
        findings = Findings()
        check_table(findings, 0, rows, self.REPLAYED)
        return tuple(findings.counts().values())

    def test_rows(self):
        self.assertEqual(self.counts(self.ROWS), (0, 0, 0))
        self.assertEqual(self.counts({"a": self.ROWS["a"]}), (1, 0, 0))
        self.assertEqual(self.counts({**self.ROWS, "c": self.ROWS["a"]}), (0, 0, 1))
        self.assertEqual(self.counts({**self.ROWS, "b": {"customer_id": "b", "frequency": 3}}), (0, 0, 1))
        self.assertEqual(self.counts({}), (2, 0, 0))

    def test_rejects(self):
        expected = [(3, "bad_time"), (7, "bad_amount")]

        def counts(found):
            findings = Findings()
            check_rejects(findings, 0, found, expected)
            return tuple(findings.counts().values())

        self.assertEqual(counts(expected), (0, 0, 0))
        self.assertEqual(counts(expected[:1]), (1, 0, 0))
        self.assertEqual(counts(expected + expected[1:]), (0, 1, 0))
        self.assertEqual(counts([(3, "bad_time"), (7, "bad_id")]), (0, 0, 1))
        self.assertEqual(counts([(4, "bad_time"), (7, "bad_amount")]), (1, 0, 1))


class FiguresTest(unittest.TestCase):
    def counts(self, rows, expected):
        findings = Findings()
        check_figures(findings, 0, rows, expected)
        return tuple(findings.counts().values())

    def test_an_order_without_effect_is_found(self):
        rows = {"a": {"frequency": 2, "monetary_minor": 5000}}
        self.assertEqual(self.counts(rows, {"a": (2, 5000)}), (0, 0, 0))
        self.assertEqual(self.counts(rows, {"a": (3, 5000)}), (0, 0, 1))
        self.assertEqual(self.counts(rows, {"a": (2, 5001)}), (0, 0, 1))
        self.assertEqual(self.counts(rows, {"a": (2, 5000), "b": (1, 1)}), (1, 0, 0))

    def test_sums(self):
        figures = Figures()
        for record in (
                {"order_id": "1", "amount": "10.000"}, {"order_id": "2", "amount": "5.000"},
                {"order_id": "2", "amount": "5.000"},  # the same again
                {"order_id": "3", "amount": "7.000", "status": "open"},
                {"order_id": "4", "amount": "3.000"}, {"type": "cancellation", "order_id": "4"},
                {"type": "refund", "refund_id": "r1", "order_id": "2", "amount": "5.000"},
                {"type": "refund", "refund_id": "r1", "order_id": "2", "amount": "5.000"},
                {"type": "refund", "refund_id": "r2", "amount": "1.000"},
                {"type": "refund", "refund_id": "r3", "order_id": "unknown", "amount": "1.000"}):
            figures.take(json.dumps({"customer_id": "a", **record}).encode())
        self.assertEqual(figures.customers(), {"a": (1, 9000)})


class ChangelogTest(unittest.TestCase):
    @staticmethod
    def meta(txn_seq, first, following):
        """Small numbers only: a byte each."""
        return bytes([1, 0, 2 * txn_seq, 6]) + b"orders" + bytes([0, 2 * first, 2 * following])

    def counts(self, *metas, rows=(), end=9):
        kafka = types.SimpleNamespace(stream=lambda topic: [])
        findings = Findings()
        changelog = Changelog(types.SimpleNamespace(kafka=kafka, name="app"), findings)
        for meta in metas:
            changelog.take(0, b"META", meta)
        for row in rows:
            changelog.take(0, b"c/" + row, b"x")
        changelog.check(0, end, {"a": {}})
        return tuple(findings.counts().values())

    def test_progress(self):
        progress = progress_of(self.meta(3, 5, 9))
        self.assertEqual((progress.txn_seq, progress.topic, progress.first_offset, progress.next_offset),
                         (3, "orders", 5, 9))

    def test_transactions(self):
        meta = self.meta
        self.assertEqual(self.counts(meta(1, 0, 5), meta(2, 5, 9), rows=[b"a"]), (0, 0, 0))
        self.assertEqual(self.counts(meta(1, 0, 5), meta(2, 4, 9), rows=[b"a"]), (0, 0, 1))
        self.assertEqual(self.counts(meta(1, 0, 5), meta(1, 5, 9), rows=[b"a"]), (0, 1, 0))
        self.assertEqual(self.counts(meta(1, 0, 5), rows=[b"a"]), (0, 0, 1))
        self.assertEqual(self.counts(meta(1, 0, 9)), (0, 0, 1))
        self.assertEqual(self.counts(meta(1, 0, 9), rows=[b"a", b"b"]), (0, 0, 1))


class StoresTest(unittest.TestCase):
    ROW = {"customer_id": "a", "frequency": 1}

    def counts(self, rows=(ROW,), safe=True, changed=None, digests=("1", "1"), meta=5):
        """Of one partition whose store is as told here; its customer table has ROW."""
        told = {"partition": 0, "safe": safe, "remarks": [],
                "store": {"exists": True, "meta": {"txn_seq": meta}, "rows_digest": digests[0]},
                "changelog": {"meta": {"txn_seq": 5}, "rows_digest": digests[1]}}

        def run(command, seconds):
            if "show" in command:
                return types.SimpleNamespace(returncode=0, stdout=json.dumps({"partitions": [told]}))
            source = command[command.index("--from") + 1]
            command[command.index("--out") + 1].write_text(
                "\n".join(json.dumps(row) for row in ([changed] if source == changed_in else rows)))
            return types.SimpleNamespace(returncode=0, stderr="")

        changed_in = "changelog" if changed else None
        findings = Findings()
        with tempfile.TemporaryDirectory() as directory, unittest.mock.patch.object(stores, "run", run):
            looked = stores.Stores(findings, pathlib.Path(directory), {0: {"a": self.ROW}})
            looked.check({"state_dir": "s"})
            looked.check_owners()
        return tuple(findings.counts().values())

    def test_stores(self):
        self.assertEqual(self.counts(), (0, 0, 0))
        self.assertEqual(self.counts(rows=[]), (2, 0, 0))  # neither the store nor the changelog has it
        self.assertEqual(self.counts(changed={"customer_id": "a", "frequency": 2}), (0, 0, 1))
        self.assertEqual(self.counts(rows=[self.ROW, {"customer_id": "b"}]), (0, 0, 2))
        self.assertEqual(self.counts(safe=False), (0, 0, 1))
        self.assertEqual(self.counts(digests=("1", "2")), (0, 0, 1))
        self.assertEqual(self.counts(meta=4), (1, 0, 0))  # behind, and nobody else has it


class StandstillTest(unittest.TestCase):
    def test_only_time_with_work_counts(self):
        watch = Watch(0)
        for offset, end, seconds in ((5, 9, 1), (5, 9, 2), (5, 9, 0), (5, 9, 3), (6, 9, 1), (6, 9, 1),
                                     (9, 9, 1), (9, 9, 50), (9, 10, 1)):
            watch.look(offset, end, seconds, 0)
        self.assertEqual(watch.longest.seconds, 5)


class JudgementTest(unittest.TestCase):
    def problems(self, missing=(), late_reached=True, unknown=1, must_doubt=True, stood=100.0, brokers=3):
        """Of a run in which all that was planned happened but the kinds that are missing."""
        faults = schedule(7, 20, 6, brokers)[0]
        happened = [{"fault": fault.kind, **({"reached": late_reached} if fault.kind == "late" else {})}
                    for fault in faults if fault.kind not in missing]
        longest = Standstill(stood, 0, 0.0)
        return problems_of(types.SimpleNamespace(
            faults=faults, happened=happened, unknown=unknown, must_doubt=must_doubt, findings=Findings(),
            unexpected=[], parked=[], sampler=types.SimpleNamespace(longest=lambda: longest),
            cluster=types.SimpleNamespace(nodes=[None] * brokers)))

    def test_what_was_planned_has_to_happen(self):
        self.assertEqual(self.problems(), [])
        for kind in ("cut", "stall", "delay", "late", "unanswered", "silent"):
            self.assertRegex("".join(self.problems(missing=[kind])), rf"^{kind}: planned \d+ times, and it never")
        self.assertRegex("".join(self.problems(late_reached=False)), "^late: planned")
        self.assertEqual(self.problems(missing=["join"]), [])  # they were leaves
        self.assertEqual(len(self.problems(missing=["join", "leave"])), 2)
        self.assertEqual(self.problems(missing=["broker"]), [])  # planned once, which may fail

    def test_some_outcome_has_to_be_unknown(self):
        self.assertRegex("".join(self.problems(unknown=0)), "outcome was ever unknown")
        self.assertEqual(self.problems(unknown=0, must_doubt=False), [])

    def test_nobody_stands_still_for_long(self):
        self.assertRegex("".join(self.problems(stood=121.0)), "partition 0 stood still for 121.0 s")
        self.assertRegex("".join(self.problems(stood=91.0, brokers=1)), "stood still for 91.0 s")
        self.assertEqual(self.problems(stood=89.0, brokers=1), [])


class SeedTest(unittest.TestCase):
    def test_a_seed_gives_the_same(self):
        self.assertEqual(schedule(7, 20, 5, 1), schedule(7, 20, 5, 1))
        self.assertNotEqual(schedule(7, 20, 5, 1), schedule(8, 20, 5, 1))
        one, other = Shop(7, rfc3339), Shop(7, rfc3339)
        self.assertEqual([one.next(n) for n in range(2000)], [other.next(n) for n in range(2000)])

    def test_the_counts_asked_for(self):
        kinds = [fault.kind for fault in schedule(7, 20, 5, 3)[0]]
        self.assertEqual((kinds.count("kill"), kinds.count("join") + kinds.count("leave")), (20, 5))
        for kind in ("sleep", "broker", "cut", "stall", "delay", "late", "unanswered", "silent"):
            self.assertIn(kind, kinds)

    def test_malformed_records_say_what_they_are(self):
        shop = Shop(7, rfc3339)
        values = [shop.next(1_000_000_000_000 + n)[1] for n in range(20_000)]
        expected = [expected_reject(value) for value in values]
        self.assertEqual(set(expected), {None, "malformed_json", "bad_amount", "too_many_decimals",
                                         "unknown_currency", "bad_time", "unknown_type",
                                         "unsupported_type", "missing_field", "bad_id"})
        self.assertFalse(any(b"\n" in value for value in values))


if __name__ == "__main__":
    unittest.main()
