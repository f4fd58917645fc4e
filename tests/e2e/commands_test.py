#!/usr/bin/env python3
"""The commands beside `run`, as a person uses them: what they refuse, in which words and with which exit
code, and that what was there before is still there after a refusal."""
import fcntl
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_same  # noqa: E402
from harness import Application, free_ports, run, set_flags, spawn  # noqa: E402

CLEAN, USAGE, BROKER, STATE = 0, 2, 3, 4
COLUMNS = ("--columns", "customer=who,time=when,amount=paid")
HISTORY = "who,when,paid\n7,2011-01-01,1.125\n8,2011-01-02,2.5\n"
RECORDS = "".join(
    json.dumps({"order_id": f"o{n}", "customer_id": str(n % 7), "amount": "2.50", "currency": "GBP",
                "ordered_at": f"2011-01-{n + 1:02}T00:00:00Z"}) + "\n" for n in range(20))


def picture(directory):
    """{path: (time of the last change, content)} of all below."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
            for path in pathlib.Path(directory).rglob("*")}


class InADirectory(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="segmentd-commands-")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.history = self.file("history.csv", HISTORY)
        self.records = self.file("records.ndjson", RECORDS)

    def file(self, name, content):
        path = self.directory / name
        path.write_text(content, encoding="utf-8")
        return path

    def segmentd(self, code, *arguments):
        """What it says, ended with this exit code."""
        done = run([harness.SEGMENTD, *arguments])
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr}")
        return done.stderr


class ImportTest(InADirectory):
    def refused(self, *arguments):
        return self.segmentd(USAGE, "import", *arguments)

    def test_files_that_cannot_be(self):
        out = self.directory / "out"
        for source in (self.directory / "absent", self.directory):
            self.assertIn(str(source), self.refused(*COLUMNS, "--currency", "EUR", "--to", out, source))
        self.assertFalse(out.exists())
        for target in ("/dev/full", self.directory, self.directory / "absent" / "out"):
            self.assertIn(str(target),
                          self.refused(*COLUMNS, "--currency", "EUR", "--decimals", 3, "--to", target,
                                       self.history))

    def test_what_is_refused_leaves_the_target_alone(self):
        for wrong in (["--currency", "eur", *COLUMNS], ["--currency", "EUR", "--time-format", "when", *COLUMNS],
                      ["--currency", "EUR", "--columns", "customer=1,time=2,amount=sum"], COLUMNS):
            self.refused(*wrong, "--to", self.records, self.history)
            self.assertEqual(self.records.read_text(), RECORDS)
        self.refused("--layout", "online-retail", "--extract", self.records, self.history)
        self.assertEqual(self.records.read_text(), RECORDS)

    def test_a_history_is_not_written_over(self):
        link = self.directory / "link"
        link.symlink_to(self.history)
        for target in (self.history, link):
            self.assertIn("destroyed", self.refused(*COLUMNS, "--currency", "EUR", "--to", target, self.history))
            self.refused("--layout", "online-retail", "--extract", target, self.history)
            self.assertEqual(self.history.read_text(), HISTORY)

    def test_flags_without_effect_are_named(self):
        for layout in ("online-retail", "online-retail-invoices"):
            said = self.refused("--layout", layout, *COLUMNS, "--no-header", "--delimiter", ",", self.history)
            self.assertIn("--columns, --no-header, --delimiter: without effect", said)
        said = self.refused("--layout", "online-retail-invoices", "--no-header", harness.EXTRACT)
        self.assertIn("--no-header: without effect", said)

    def test_currency_and_decimals_come_from_the_settings_where_nobody_tells_them(self):
        out = self.directory / "out"
        settings = set_flags({"currency": "EUR", "decimals": 3})
        self.segmentd(CLEAN, "import", *COLUMNS, *settings, "--to", out, self.history)
        first = json.loads(out.read_text().splitlines()[0])
        self.assertEqual((first["amount"], first["currency"]), ("1.125", "EUR"))
        self.assertIn("colour", self.refused(*COLUMNS, *settings, "--set", "colour=red", self.history))


class ReplayTest(InADirectory):
    def setUp(self):
        super().setUp()
        self.state = self.directory / "state"

    def replay(self, code, *arguments, **settings):
        return self.segmentd(code, "replay", *set_flags({"currency": "GBP", **settings}), *arguments)

    def test_files_that_cannot_be(self):
        absent = self.directory / "absent"
        for arguments in ([absent], [self.directory], [self.records, absent], ["--epochs", absent, self.records],
                          ["--events", "/dev/full", self.records], ["--table", absent / "x", self.records],
                          ["--summary", self.directory, self.records]):
            self.replay(USAGE, "--state", self.state, *arguments)
        self.assertIn("1 records", self.replay(CLEAN, "--state", self.state, self.file(
            "one", RECORDS.splitlines()[0])))

    def test_an_input_is_not_written_over(self):
        for output in ("--events", "--table", "--summary"):
            self.replay(USAGE, output, self.records, self.records)
            self.assertEqual(self.records.read_text(), RECORDS)

    def test_state_that_is_not_safe(self):
        self.replay(CLEAN, "--state", self.state, self.records)
        self.assertIn("decimals is '3'", self.replay(STATE, "--state", self.state, self.records, decimals=3))
        self.replay(STATE, "--state", self.state, self.records, application="other")
        with open(self.state / "LOCK", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertIn("held", self.replay(STATE, "--state", self.state, self.records))
        self.replay(STATE, "--state", self.records, self.records)
        (self.state / "partition-0" / "CURRENT").write_text("gone")
        self.replay(STATE, "--state", self.state, self.records)

    def test_the_state_of_a_daemon_is_not_taken(self):
        self.state.mkdir()
        self.file("state/identity",
                  "segmentd state directory, format 1\napplication=segmentd\ninstance=a1b2\n")
        self.assertIn("segmentd run", self.replay(STATE, "--state", self.state, self.records))

    def test_a_second_file_is_gone_on_with(self):
        lines = RECORDS.splitlines(keepends=True)
        table = self.directory / "table"
        for name, part in (("first", lines[:12]), ("second", lines[12:])):
            said = self.replay(CLEAN, "--state", self.state, "--table", table, self.file(name, "".join(part)))
            self.assertIn(f"{len(part)} records: {len(part)} applied", said)
        in_two = table.read_text()
        self.replay(CLEAN, "--table", table, self.records)
        untimed = [[{**json.loads(line), "updated_at": 0} for line in text.splitlines()]
                   for text in (in_two, table.read_text())]
        self.assertEqual(*untimed)
        said = self.replay(CLEAN, "--state", self.state, self.records)
        self.assertIn("20 records: 20 unchanged", said)

    def test_an_epochs_file_is_told_and_an_empty_one_refused(self):
        told = run([harness.SEGMENTD, "replay", "--help"]).stdout
        self.assertRegex(told, r"epoch/<n>[\s\S]*applied/<partition>/<n>")
        self.assertIn("no epoch would be applied",
                      self.replay(USAGE, "--epochs", self.file("epochs", ""), self.records))


class OnABrokerTest(unittest.TestCase):
    def import_into(self, application, *arguments, **settings):
        given = {**application.decisions, **application.client, **settings}
        return run([harness.SEGMENTD, "import", "--to", "kafka", *set_flags(given), *arguments])

    def orders(self, application):
        path = application.directory / "history.csv"
        path.write_text(HISTORY, encoding="utf-8")
        return (*COLUMNS, path)

    def test_nothing_is_sent_that_the_application_would_not_take(self):
        application = Application(self, "misfit")
        done = self.import_into(application, "--layout", "online-retail-invoices", harness.EXTRACT, **{
            "currency": "EUR", "decimals": 2, "input.time_format": "ms", "input.partitioner": "consistent",
            "input.field.amount": "/order/amount"})
        self.assertEqual(done.returncode, USAGE, done.stderr)
        for line in ("currency = 'EUR' (--set): import would write GBP",
                     "decimals = '2' (--set): import would write 3",
                     "input.time_format = 'ms' (--set): import would write rfc3339",
                     "input.partitioner = 'consistent' (--set): import would write where murmur2",
                     "input.field.amount = '/order/amount' (--set): import would write it at /amount"):
            self.assertIn(line, done.stderr)
        done = self.import_into(application, *self.orders(application), "--currency", "eur")
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertEqual(sum(application.kafka.ends(application.input).values()), 0)

    def test_no_such_topic(self):
        application = Application(self, "absent")
        done = self.import_into(application, *self.orders(application),
                                **{"input.topic": application.name + "-nowhere"})
        self.assertEqual(done.returncode, BROKER, done.stderr)
        self.assertIn(f"broker {application.kafka.brokers}: topic {application.name}-nowhere", done.stderr)

    def test_nobody_answers(self):
        application = Application(self, "nobody")
        address = f"127.0.0.1:{free_ports(1)[0]}"
        given = {**application.decisions, **application.client, "brokers": address}
        asked = [spawn([harness.SEGMENTD, *command, *set_flags(given)], subprocess.PIPE)
                 for command in (["import", "--to", "kafka", *self.orders(application)], ["topics"], ["check"])]
        for process in asked:
            said, _ = process.communicate(timeout=harness.COMMAND_SECONDS)
            self.assertEqual(process.returncode, BROKER, said)
            self.assertRegex(said.decode(), f"broker {address}: .* [Cc]onnect.*{address}")

    def test_what_is_sent_is_taken(self):
        application = Application(self, "taken", partitions=3, currency="EUR", input__key="json")
        done = self.import_into(application, *self.orders(application))
        self.assertEqual(done.returncode, CLEAN, done.stderr)
        sent = application.kafka.read(application.input)
        self.assertEqual({m.key for m in sent}, {b'"7"', b'"8"'})
        self.assertEqual({json.loads(m.value)["amount"] for m in sent}, {"1.125", "2.500"})
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertEqual(application.rejects(), [])
        self.assertEqual({row["customer_id"] for row in application.rows()}, {"7", "8"})

    def test_a_check_changes_nothing(self):
        application = Application(self, "check")
        application.send_all(RECORDS.splitlines())
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        before = picture(application.state)
        done = run([harness.SEGMENTD, "check", *set_flags(application.daemon.settings)])
        self.assertEqual(done.returncode, CLEAN, done.stdout)
        self.assertIn("made under these settings, next offset 20", done.stdout)
        self.assertEqual(picture(application.state), before)

    def test_the_epochs_of_a_daemon_give_its_events(self):
        application = Application(self, "epochs")
        file = application.directory / "records.ndjson"
        application.import_to(file)
        lines = file.read_text(encoding="utf-8").splitlines()[:9000]
        application.send_all(lines)
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        epochs = application.directory / "epochs.ndjson"
        epochs.write_bytes(b"".join(m.value + b"\n" for topic in ("-model", "-statistics")
                                    for m in application.kafka.read(application.name + topic)))
        file.write_text("\n".join(lines), encoding="utf-8")
        replayed = application.replay(file, "--epochs", epochs)

        def moves(events):
            return [[e["id"], e["time"], e["data"]["from_segment"], e["data"]["to_segment"], e["data"]["epoch"]]
                    for e in events]
        self.assertGreater(len(replayed.events), 100)
        check_same(moves(replayed.events), moves(application.events()), "events")


if __name__ == "__main__":
    harness.main()
