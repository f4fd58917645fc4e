#!/usr/bin/env python3
"""The example consumer acts on customers entering and leaving Insiders: on each move once, in order."""
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_same  # noqa: E402
from harness import PROJECT, Application, run  # noqa: E402

EXAMPLE = PROJECT / "deploy" / "examples" / "insiders_consumer.py"
RECORDS = 7000
SILENCE_SECONDS = 6


def expected_lines(events):
    for event in events:
        data = event["data"]
        was, now = (data[name] == "insiders" for name in ("from_segment", "to_segment"))
        if was != now:
            yield " ".join(["welcome" if now else "win back", event["subject"], data["cause"],
                            data["after"]["monetary"], data["currency"], event["time"]])


class ConsumerTest(unittest.TestCase):
    def consume(self, application):
        done = run([sys.executable, EXAMPLE, "--brokers", application.kafka.brokers, "--topic",
                    application.changes, "--group", application.name + "-campaign", "--once",
                    SILENCE_SECONDS])
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_the_example(self):
        application = Application(self, "consumer")
        file = application.directory / "records.ndjson"
        application.import_to(file)
        application.send_all(file.read_text(encoding="utf-8").splitlines()[:RECORDS])
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()

        expected = list(expected_lines(application.events()))
        words = {line.split()[0] for line in expected}
        self.assertEqual(words, {"welcome", "win"}, "nobody entered, or nobody left")
        check_same(self.consume(application), expected, "lines")
        self.assertEqual(self.consume(application), [], "the same group sees nothing twice")


if __name__ == "__main__":
    harness.main()
