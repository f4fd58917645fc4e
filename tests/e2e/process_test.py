#!/usr/bin/env python3
"""How `segmentd run` ends: what it refuses, with which exit code and in which words."""
import json
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from harness import Application, Daemon, free_ports, run, set_flags, start_broker  # noqa: E402
from waiting import until  # noqa: E402

CLEAN, USAGE, BROKER, STATE, FENCED = 0, 2, 3, 4, 5
REFUSED_SECONDS = 60
PROMPT_SECONDS = 15  # no time-out of a broker is waited for
HELD_SECONDS = 0.2
BURST = 3000


class ProcessTest(unittest.TestCase):
    def other_process(self, application, **settings):
        """A second daemon on the same directories and names."""
        other = Daemon({**application.daemon.settings, **settings}, application.directory)
        self.addCleanup(other.clean_up)
        return other.start()

    def order_line(self, n):
        return json.dumps({"order_id": f"o{n}", "customer_id": "c", "ordered_at": "2011-01-01T00:00:00Z",
                           "amount": "1.50", "currency": "GBP"})

    def order(self, application, n):
        application.kafka.send(application.input, b"c", self.order_line(n).encode())

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

    def fence(self, application, orders):
        """A second daemon of the same instance, elsewhere, while the first one has these to do."""
        instance = "twin"
        application.daemon.start(instance=instance, limits__transaction_records=5).wait_active()
        application.send_all(self.order_line(n) for n in range(orders))
        newer = self.other_process(application, instance=instance, state_dir=application.directory / "newer")
        self.assertEqual(application.daemon.wait(REFUSED_SECONDS), FENCED, application.daemon.log())
        application.daemon = newer  # and it goes on
        self.order(application, orders)
        application.wait_until_consumed()
        newer.stop()
        self.assertEqual(application.rows()[-1]["frequency"], orders + 1)
        self.assertEqual(application.rejects(), [])

    def test_a_newer_one_of_the_same_instance_fences_the_older(self):
        self.fence(Application(self, "fenced"), 1)

    def test_a_newer_one_fences_the_older_in_the_middle_of_its_work(self):
        self.fence(Application(self, "busy", orders__remembered=BURST + 1), BURST)

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
        self.assertIn("no command 'dance'; there are: run ", run([harness.SEGMENTD, "dance"]).stderr)

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

    def check_json(self, daemon):
        lines = daemon.log().splitlines()
        self.assertGreater(len(lines), 1)
        for line in lines:
            self.assertTrue(line.startswith("{"), f"no JSON: {line}")
            self.assertEqual(json.loads(line).keys(), {"time", "level", "message", "fields"}, line)

    def test_a_log_of_json(self):
        application = Application(self, "json")
        application.daemon.start(log__format="json").wait_for('"message":"active"')
        self.order(application, 1)
        application.wait_until_consumed()
        application.daemon.stop()
        self.check_json(application.daemon)

    def test_a_log_of_json_to_the_end_of_a_failed_start(self):
        application = Application(self, "jsonfail")
        missing = application.name + "-nowhere"
        daemon = self.other_process(application, **{"input.topic": missing, "log.format": "json"})
        self.assertEqual(daemon.wait(REFUSED_SECONDS), BROKER, daemon.log())
        self.assertIn(missing, daemon.log().splitlines()[-1])
        self.check_json(daemon)

    def test_asked_to_stop_while_no_broker_answers(self):
        application = Application(self, "nobroker")
        daemon = self.other_process(application, brokers=f"127.0.0.1:{free_ports(1)[0]}")
        daemon.wait_for("refused")  # it has tried
        daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(PROMPT_SECONDS), CLEAN, daemon.log())

    def test_asked_to_stop_while_the_broker_is_gone(self):
        address, end_broker = start_broker()
        self.addCleanup(end_broker)
        idle, busy = (Application(self, word, brokers=address) for word in ("idle", "busy"))
        for application in (idle, busy):
            application.daemon.start(limits__transaction_records=5).wait_active()
            self.order(application, 0)
            application.wait_until_consumed()
        busy.send_all(self.order_line(n) for n in range(BURST))
        until(lambda: busy.daemon.require_running() and busy.progress() > 1, REFUSED_SECONDS,
              busy.daemon.log_end)
        end_broker()  # in the middle of a transaction of one of them
        for application in (idle, busy):
            application.daemon.wait_for("refused")
            application.daemon.process.send_signal(signal.SIGTERM)
        busy.daemon.wait_for("asked to stop")
        busy.daemon.process.send_signal(signal.SIGSTOP)  # as a terminal does, or a cgroup
        time.sleep(HELD_SECONDS)
        busy.daemon.process.send_signal(signal.SIGCONT)
        self.assertEqual(idle.daemon.wait(PROMPT_SECONDS), CLEAN, idle.daemon.log())
        self.assertEqual(busy.daemon.wait(), CLEAN, busy.daemon.log())  # its transaction runs out first

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
