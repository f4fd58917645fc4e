#!/usr/bin/env python3
"""What was changed or damaged behind the daemon's back: mended where that is provably right, else the
partition is parked and says what to do. Nothing is ever decided from state that may be wrong."""
import json
import pathlib
import random
import shutil
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from harness import Application  # noqa: E402
from waiting import until  # noqa: E402

STATE = 4
SECONDS = 60
NOISE = random.Random(1).randbytes(80_000)  # no compression makes it small


def order(n, customer="c", **more):
    return json.dumps({"order_id": f"o{n}", "customer_id": customer, "amount": "1.50", "currency": "GBP",
                       "ordered_at": f"2011-01-{1 + n % 28:02}T00:00:00Z", **more}).encode()


def damage(directory):
    """Overwrites the middle of every table file of a store."""
    files = list(pathlib.Path(directory).glob("*.sst"))
    assert files, f"no table file in {directory}"
    for file in files:
        content = bytearray(file.read_bytes())
        for at in range(8, len(content) - 100):
            content[at] ^= 0x5A
        file.write_bytes(content)


class RecoveryTest(unittest.TestCase):
    def begin(self, word, partitions=2, orders=50, **settings):
        """An application that has consumed some orders of one customer a partition, and is stopped."""
        application = Application(self, word, partitions, input__partitioner="unchecked", **settings)
        for p in range(partitions):
            self.send(application, p, range(orders))
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        return application

    def send(self, application, partition, numbers):
        customer = f"c{partition}"
        for n in numbers:
            application.kafka.send(application.input, customer.encode(), order(n, customer), partition)

    def frequency(self, application, customer):
        return [row["frequency"] for row in application.rows() if row["customer_id"] == customer][-1]

    def wait_for_offset(self, application, partition, offset):
        until(lambda: application.daemon.require_running() and
              application.kafka.committed(application.name, application.input)[partition] >= offset,
              SECONDS, application.daemon.log_end)

    def wait_parked(self, application, partition, words):
        def found():
            application.daemon.require_running()
            status, body = application.daemon.get("/readyz")
            return status == 503 and f"partition {partition} is parked" in body and words in body
        until(found, SECONDS, application.daemon.log_end)

    def test_a_damaged_store_is_made_anew_but_not_over_and_over(self):
        application = self.begin("damaged")
        store = application.state / "partition-0"
        damage(store)
        application.daemon.start()
        self.send(application, 0, [50])
        application.wait_until_consumed()
        self.assertIn("set aside, it is restored from the changelog", application.daemon.log())
        self.assertTrue((application.state / "partition-0.aside").is_dir())
        self.assertEqual(self.frequency(application, "c0"), 51)
        application.daemon.stop()

        damage(store)
        application.daemon.start()
        self.send(application, 1, [50])
        self.wait_for_offset(application, 1, 51)  # the other one goes on
        self.wait_parked(application, 0, "set aside not long ago")
        application.daemon.stop()
        self.assertEqual(self.frequency(application, "c1"), 51)

    def test_an_input_that_was_made_anew_is_not_taken_for_the_old_one(self):
        application = self.begin("anew", partitions=1)
        rows = application.rows()
        application.kafka.delete(application.input)
        application.kafka.create(application.input, 1)
        for n in range(60):  # more than there were: the next offset exists
            application.kafka.send(application.input, b"c0", order(100 + n, "c0"))
        application.daemon.start()
        self.assertEqual(application.daemon.wait(SECONDS), STATE, application.daemon.log())
        self.assertIn("input_recreated", application.daemon.log())
        self.assertIn("the topic was made anew", application.daemon.log())
        self.assertEqual(application.rows(), rows)

    def test_state_of_another_input_is_refused(self):
        application = self.begin("other", partitions=1)
        other = application.name + "-other"
        application.kafka.create(other, 1)
        for n in range(60):
            application.kafka.send(other, b"c0", order(100 + n, "c0"))
        application.daemon.start(input__topic=other)
        self.assertEqual(application.daemon.wait(SECONDS), STATE, application.daemon.log())
        self.assertIn(f"the state was made from '{application.input}'", application.daemon.log())

    def test_what_the_broker_refuses_parks_its_partition_alone(self):
        application = self.begin("refused")
        rejected = application.name + "-rejected"
        application.daemon.start().wait_active(2)
        application.kafka.configure(rejected, max_message_bytes="10000")  # at the start it would be refused
        application.kafka.send(application.input, b"c0", NOISE, 0)
        self.wait_parked(application, 0, "max.message.bytes")
        self.send(application, 1, [50])
        self.wait_for_offset(application, 1, 51)
        application.daemon.stop()
        self.assertEqual(application.rejects(), [])

        application.kafka.configure(rejected, max_message_bytes="1048588")
        application.daemon.start()  # mended, it goes on where it stood
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertEqual([m.value for m in application.rejects()], [NOISE])
        self.assertEqual(self.frequency(application, "c1"), 51)

    def test_a_lost_state_directory_is_restored(self):
        application = self.begin("lost", instance="one")
        before = application.rows()
        shutil.rmtree(application.state)
        application.daemon.start().wait_active(2)
        for p in range(2):
            self.send(application, p, range(40))  # said before: no change
            self.send(application, p, [50])
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertEqual(len(application.rows()), len(before) + 2)
        self.assertEqual(self.frequency(application, "c0"), 51)


if __name__ == "__main__":
    harness.main()
