#!/usr/bin/env python3
"""What was changed or damaged behind the daemon's back: mended where that is provably right, else the
partition is parked and says what to do. Nothing is ever decided from state that may be wrong."""
import pathlib
import random
import shutil
import sys

sys.dont_write_bytecode = True
import harness  # noqa: E402
from confluent_kafka import KafkaException, Producer  # noqa: E402
from one_customer import BROKER, SECONDS, STATE, OneCustomerAPartition, order  # noqa: E402

LEFT_OPEN_MS = 600_000  # far longer than anybody waits here
OPEN_SECONDS = 30
NOISE = random.Random(1).randbytes(80_000)  # no compression makes it small


def damage(directory):
    """Overwrites the middle of every table file of a store."""
    files = list(pathlib.Path(directory).glob("*.sst"))
    assert files, f"no table file in {directory}"
    for file in files:
        content = bytearray(file.read_bytes())
        for at in range(8, len(content) - 100):
            content[at] ^= 0x5A
        file.write_bytes(content)


class RecoveryTest(OneCustomerAPartition):
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

    def test_an_input_that_is_deleted_while_it_runs_ends_it(self):
        application = self.begin("deleted", partitions=1)
        application.daemon.start().wait_active()
        application.kafka.delete(application.input)
        self.wait_ended(application, BROKER, "the input was deleted while segmentd worked on it")

    def test_an_input_that_is_made_anew_while_it_runs_is_not_taken_for_the_old_one(self):
        application = self.begin("anew-running", partitions=1)
        application.daemon.start().wait_active()
        rows = application.rows()
        application.kafka.delete(application.input)
        application.kafka.create(application.input, 1)
        for n in range(10):
            application.kafka.send(application.input, b"c0", order(100 + n, "c0"))
        self.wait_ended(application, STATE, "input_recreated")
        self.assertEqual(application.rows(), rows)

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

    def leave_open(self, application, writer, topic, headers):
        """A transaction with one record, whose writer is gone for all that anybody knows."""
        gone = Producer({**application.kafka.client, "transactional.id": writer,
                         "transaction.timeout.ms": LEFT_OPEN_MS})
        gone.init_transactions(OPEN_SECONDS)
        gone.begin_transaction()
        gone.produce(topic, partition=0, key="c0", value=b"never decided", headers=headers)
        gone.flush(OPEN_SECONDS)
        return gone

    def test_a_transaction_left_open_by_another_is_ended_by_its_first_record(self):
        """Nothing else tells of it: there is no META, or it names whoever wrote before."""
        application = self.begin("leftopen", instance="one")
        writer = f"{application.name}-gone-0"
        gone = self.leave_open(application, writer, application.name + "-changelog", {"writer": writer})
        application.daemon.start().wait_active(2)
        self.assertIn(f"fencing its writer partition=0 writer={writer}", application.daemon.log())
        self.end_with_order_50(application, gone)

    def test_a_transaction_left_open_in_another_output_topic_is_ended_too(self):
        application = self.begin("outputopen", instance="one")
        writer = f"{application.name}-one-0"  # META names it
        gone = self.leave_open(application, writer, application.table, {})
        application.daemon.start(instance="two").wait_active(2)
        self.assertIn(f"fencing the last writer partition=0 writer={writer}", application.daemon.log())
        self.end_with_order_50(application, gone)

    def end_with_order_50(self, application, gone):
        self.send(application, 0, [50])
        application.wait_until_consumed()
        application.daemon.stop()
        with self.assertRaises(KafkaException):
            gone.commit_transaction(OPEN_SECONDS)
        self.assertEqual(self.frequency(application, "c0"), 51)


if __name__ == "__main__":
    harness.main()
