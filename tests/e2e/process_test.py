#!/usr/bin/env python3
"""How `segmentd run` ends: what it refuses, with which exit code and in which words."""
import json
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from harness import Application, Daemon, free_ports, run, set_flags  # noqa: E402

CLEAN, USAGE, BROKER, STATE = 0, 2, 3, 4
REFUSED_SECONDS = 60


class ProcessTest(unittest.TestCase):
    def other_process(self, application, **settings):
        """A second daemon on the same directories and names."""
        other = Daemon({**application.daemon.settings, **settings}, application.directory)
        self.addCleanup(other.clean_up)
        return other.start()

    def order(self, application, n):
        application.kafka.send(application.input, b"c", json.dumps(
            {"order_id": f"o{n}", "customer_id": "c", "ordered_at": "2011-01-01T00:00:00Z", "amount": "1.50",
             "currency": "GBP"}).encode())

    def test_one_process_per_state_directory(self):
        application = Application(self, "lock")
        application.daemon.start().wait_active()
        other = self.other_process(application)
        self.assertEqual(other.wait(REFUSED_SECONDS), STATE, other.log())
        self.assertIn(str(application.state), other.log())
        self.order(application, 1)  # the first one is none the worse
        application.wait_until_consumed()
        application.daemon.stop()
        self.order(application, 2)
        application.daemon.start()  # and its lock ended with it
        application.wait_until_consumed()
        application.daemon.stop()

    def test_all_that_is_wrong_with_the_configuration_is_said_at_once(self):
        wrong = {"application": "No Spaces", "currency": "xx", "model.k": 99, "nonsense": 1, "brokers": "",
                 "clock": "sundial", "http.address": "nowhere", "kafka.enable.idempotence": "false"}
        done = run([harness.SEGMENTD, "run", *set_flags(wrong)], REFUSED_SECONDS)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        for name in wrong:
            self.assertIn(f"\n{name} ", done.stderr)

    def test_unknown_flags_and_commands(self):
        for arguments in (["run", "--nonsense"], ["dance"], []):
            self.assertEqual(run([harness.SEGMENTD, *arguments], REFUSED_SECONDS).returncode, USAGE)

    def test_no_broker(self):
        application = Application(self, "nobroker")
        daemon = self.other_process(application, brokers=f"127.0.0.1:{free_ports(1)[0]}")
        status, body = daemon.get("/readyz")
        self.assertEqual((status, json.loads(body)["status"]), (503, "not ready"))
        self.assertEqual(daemon.get("/healthz")[0], 200)  # a restart would not help
        self.assertEqual(daemon.wait(REFUSED_SECONDS), BROKER, daemon.log())

    def test_no_input_topic(self):
        application = Application(self, "notopic")
        missing = application.name + "-nowhere"
        daemon = self.other_process(application, **{"input.topic": missing})
        self.assertEqual(daemon.wait(REFUSED_SECONDS), BROKER, daemon.log())
        self.assertIn(missing, daemon.log())

    def test_state_of_other_settings_is_not_touched(self):
        application = Application(self, "fingerprint")
        self.order(application, 1)
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        ends = application.kafka.ends(application.name + "-changelog")
        application.daemon.start(decimals=2)
        self.assertEqual(application.daemon.wait(REFUSED_SECONDS), STATE, application.daemon.log())
        self.assertIn("parked", application.daemon.log())
        self.assertRegex(application.daemon.log(), r"decimals is '2', the state was made under '3'")
        self.assertEqual(application.kafka.ends(application.name + "-changelog"), ends)
        self.order(application, 2)  # set back, it goes on
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertEqual(application.rows()[-1]["frequency"], 2)

    def test_asked_to_stop_while_it_waits_and_while_it_starts(self):
        application = Application(self, "stop")
        for on_stop in ("leave", "stay"):
            application.daemon.start(on_stop=on_stop).wait_active()
            application.daemon.stop()
            self.assertIn("stopped", application.daemon.log())
            application.daemon.start(on_stop=on_stop).wait_for("segmentd starts")
            application.daemon.stop()


if __name__ == "__main__":
    harness.main()
