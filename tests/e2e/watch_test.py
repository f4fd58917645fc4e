#!/usr/bin/env python3
"""`segmentd watch`: its sentences say what the events say, its summary what table and events say, and the
order that it suggests - sent by the very line that the quick start prints - moves one customer into
Insiders, and nobody else."""
import collections
import json
import re
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_same, events_of, newest, rows_of  # noqa: E402
from harness import PROJECT, Application, run, set_flags  # noqa: E402

PARTITIONS = 4
RATE = 20
QUICKSTART = PROJECT / "deploy" / "quickstart"
SENTENCE = re.compile(
    r"(?P<when>\d{4}-\d\d-\d\d \d\d:\d\d)  Customer (?P<who>\S+) "
    r"(?:moves from (?P<origin>.+?) to (?P<to>.+?)|starts in (?P<start>.+?)|"
    r"leaves (?P<left>.+?) and is in no segment): (?P<why>.+)\. "
    r"(?P<orders>No order that counts|[\d,]+ orders?), (?P<money>-?[\d,.]+) GBP net so far\."
    r"(?P<learning> \(still learning\))?")
MORE = re.compile(r"\.\.\. and ([\d,]+) more in this second")
SUMMARY = re.compile(r"  (?P<label>\S.*?) {2,}(?P<customers>[\d,]+) +(?P<share>[\d.]+ %) "
                     r"+(?P<revenue>-?[\d,.]+) +(?P<part>-?[\d.]+ %)")
BY = {"order": "an order", "refund": "a refund or cancellation", "silence": "silence",
      "model": "segments drawn anew"}


def crosses(event):
    data = event["data"]
    return (data["from_segment"] == "insiders") != (data["to_segment"] == "insiders")


def readable(decimal):
    """'-1234567.890' -> '-1,234,567.89'"""
    sign = "-" if decimal.startswith("-") else ""
    whole, fraction = decimal.lstrip("-").split(".")
    return f"{sign}{int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"


def decimal_of(minor):
    return f"{'-' if minor < 0 else ''}{abs(minor) // 1000}.{abs(minor) % 1000:03d}"


def reason(event):
    data = event["data"]
    gained = data["after"]["monetary_minor"] - data["before"]["monetary_minor"]
    if data["cause"] == "order":
        return f"order {data['trigger']['id']} brought {readable(decimal_of(gained))} GBP"
    if data["cause"] == "refund":
        return f"refund {data['trigger']['id']} gave back {readable(decimal_of(-gained))} GBP"
    if data["cause"] == "silence":
        days = data["after"]["recency_days"]
        age, unit = (int(days), "day") if days >= 1 else (int(days * 24), "hour")
        return f"no order for {age:,} {unit}{'' if age == 1 else 's'}"
    return f"the segments were drawn anew (epoch {data['epoch']})"


def facts_of_event(event):
    """Who, and what a sentence has to say: when, where from, where to, why, how many orders, how much
    money."""
    data = event["data"]
    orders = data["after"]["frequency"]
    counted = "No order that counts" if orders == 0 else f"{orders:,} order{'' if orders == 1 else 's'}"
    return event["subject"], (event["time"][:16].replace("T", " "), data["from_label"], data["to_label"],
                              reason(event), counted, readable(data["after"]["monetary"]),
                              data["provisional"])


def facts_of_sentence(line):
    found = SENTENCE.fullmatch(line)
    assert found, f"no sentence: {line!r}"
    return found["who"], (found["when"], found["origin"] or found["left"], found["to"] or found["start"],
                          found["why"], found["orders"], found["money"], found["learning"] is not None)


def by_customer(pairs):
    found = collections.defaultdict(list)
    for customer, facts in pairs:
        found[customer].append(facts)
    return found


class WatchTest(unittest.TestCase):
    def setUp(self):
        self.application = Application(self, "watch", partitions=PARTITIONS)

    def watch(self, *flags):
        done = run([harness.SEGMENTD, "watch", *flags, *set_flags(self.application.daemon.settings)])
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_year_and_one_more_order(self):
        application = self.application
        application.import_to("kafka")
        application.daemon.start()
        ends = application.wait_until_settled()
        rows, events = newest(application.rows()), application.events()
        crossings = [event for event in events if crosses(event)]
        for check in (self.check_sentences, self.check_rate):
            with self.subTest(check.__name__):
                check(crossings)
        with self.subTest("check_summary"):
            self.check_summary(rows, events)
        with self.subTest("check_suggestion"):
            self.check_suggestion(rows, ends)
        application.daemon.stop()

    def check_sentences(self, crossings):
        """Every move into or out of Insiders, each customer's in order, with all that matters."""
        lines = self.watch("--once", "--segment", "insiders", "--rate", "0").splitlines()
        check_same(by_customer(map(facts_of_sentence, lines)), by_customer(map(facts_of_event, crossings)),
                   "sentences")
        self.assertEqual({event["data"]["cause"] for event in crossings}, set(BY))

    def check_rate(self, crossings):
        begin = time.monotonic()
        lines = self.watch("--once", "--segment", "insiders", "--rate", RATE).splitlines()
        seconds = int(time.monotonic() - begin) + 2  # seconds of a clock that it may have had a part of
        sentences = counted = shown = 0
        for line in lines:
            more = MORE.fullmatch(line)
            if more:
                self.assertGreaterEqual(shown, RATE, "counted instead of said, though there was room")
                counted, shown = counted + int(more[1].replace(",", "")), 0
            else:
                self.assertTrue(SENTENCE.fullmatch(line), line)
                sentences, shown = sentences + 1, shown + 1
        self.assertLessEqual(sentences, RATE * seconds)
        self.assertEqual(sentences + counted, len(crossings))

    def check_summary(self, rows, events):
        table, said = self.watch("--once", "--quiet", "--summary").split("\n\n")
        groups = collections.defaultdict(list)
        for row in rows.values():
            groups[row["label"] or "in no segment"].append(row["monetary_minor"])
            groups["all"].append(row["monetary_minor"])
        whole = groups["all"]
        found = [SUMMARY.fullmatch(line).groups() for line in table.splitlines()[1:]]
        check_same({label: figures for label, *figures in found}, {
            label: [f"{len(each):,}", percent(len(each), len(whole)), readable(decimal_of(sum(each))),
                    percent(sum(each), sum(whole))] for label, each in groups.items()}, "summary")

        causes = collections.Counter(event["data"]["cause"] for event in events)
        counts = re.fullmatch(r"  ([\d,]+) moves: (.*)", said.splitlines()[0])
        self.assertEqual(counts[1], f"{len(events):,}")
        self.assertEqual(sorted(counts[2].split(", ")),
                         sorted(f"{n:,} by {BY[cause]}" for cause, n in causes.items()))
        entered = sum(e["data"]["to_segment"] == "insiders" for e in events)
        left = sum(e["data"]["from_segment"] == "insiders" for e in events)
        self.assertEqual(said.splitlines()[1:],
                         [f"  Insiders: entered {entered:,} times, left {left:,} times"])

    def check_suggestion(self, rows, before):
        application = self.application
        order = json.loads(self.watch("--suggest"))
        customer = order["customer_id"]
        self.assertEqual((order["from_segment"], order["to_segment"]),
                         (rows[customer]["segment"], "insiders"))
        done = run(["bash", "-c", self.line_to_paste(customer)])
        self.assertEqual(done.returncode, 0, done.stderr)
        after = application.wait_until_settled()

        rejected = application.name + "-rejected"
        self.assertEqual(after[rejected], before[rejected])
        moves = events_of(application.kafka.read(application.changes, before[application.changes]))
        self.assertEqual([move["subject"] for move in moves], [customer])
        self.assertEqual((moves[0]["data"]["cause"], moves[0]["data"]["to_segment"]), ("order", "insiders"))
        self.assertEqual(moves[0]["data"]["trigger"]["id"], order["order_id"])
        written = rows_of(application.kafka.read(application.table, before[application.table]))
        self.assertEqual([(row["customer_id"], row["frequency"], row["segment"]) for row in written],
                         [(customer, rows[customer]["frequency"] + 1, "insiders")])

    def line_to_paste(self, customer):
        """What the quick start's own function prints, with our program and settings."""
        folder = self.application.directory / "deploy"
        folder.mkdir()
        functions = folder / "quickstart"
        script = QUICKSTART.read_text(encoding="utf-8")
        self.assertTrue(script.endswith('\nmain "$@"\n'))
        functions.write_text(script.removesuffix('main "$@"\n'), encoding="utf-8")
        config = self.application.directory / "segmentd.toml"
        config.write_text("".join(f"{name} = {json.dumps(str(value))}\n" if name != "decimals" else
                                  f"{name} = {value}\n"
                                  for name, value in self.application.daemon.settings.items()),
                          encoding="utf-8")
        done = run(["bash", "-c", 'source "$0"; segmentd=$1 config=$2 work=$3; print_one_more_order',
                    functions, harness.SEGMENTD, config, folder])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"makes customer {customer}, and nobody else, an Insider", done.stdout)
        lines = [line for line in done.stdout.splitlines() if line.startswith("  printf ")]
        self.assertEqual(len(lines), 1, done.stdout)
        return lines[0]


def percent(part, whole):
    """To a tenth; a half goes away from zero."""
    tenths = (abs(part) * 2000 + whole) // (2 * whole)
    return f"{'-' if part < 0 and tenths else ''}{tenths // 10}.{tenths % 10} %"


if __name__ == "__main__":
    harness.main()
