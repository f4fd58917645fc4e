#!/usr/bin/env python3
"""A partition whose state cannot be trusted is parked, loudly, and the others go on: here somebody has set
the group's offset of one by hand."""
import json
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from documents import check_histories, newest  # noqa: E402
from harness import Application, metrics_of  # noqa: E402
from waiting import until  # noqa: E402

PARKED_SECONDS = 60  # it is tried again for some seconds before
STATE = 4


class ParkedTest(unittest.TestCase):
    def begin(self, word, partitions):
        self.application = Application(self, word, partitions)
        self.daemon = self.application.daemon
        self.application.import_to("kafka")
        self.daemon.start()
        self.application.wait_until_settled()
        self.daemon.stop()

    def set_offset(self, partition, offset):
        """As an operator's tool does it: without what segmentd keeps beside the offset."""
        consumer = Consumer({**self.application.kafka.client, "group.id": self.application.name})
        try:
            consumer.commit(offsets=[TopicPartition(self.application.input, partition, offset)],
                            asynchronous=False)
        finally:
            consumer.close()

    def check_said(self, offset):
        """What happened and what to do; the reason in a word."""
        line = self.daemon.wait_for(r"error parked partition=0 reason=(\w+) .*", PARKED_SECONDS)
        for words in (f"the group's offset {offset} ", "put the offset back", "new application id"):
            self.assertIn(words, line[0])
        return line[1]

    def test_one_of_two(self):
        self.begin("parked", partitions=2)
        kafka, application = self.application.kafka, self.application
        rows = newest(application.rows())
        home = {message.key.decode(): message.partition for message in kafka.read(application.table)}
        before = application.ends()
        self.set_offset(0, 5)
        self.daemon.start()
        metric = f'segmentd_partition_parked{{partition="0",reason="{self.check_said(5)}"}}'
        until(lambda: metrics_of(self.daemon.get("/metrics")[1]).get(metric) == 1, PARKED_SECONDS,
              lambda: self.daemon.get("/metrics")[1])
        status, body = self.daemon.get("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("partition 0 is parked", body)
        self.assertNotIn("partition 1 ", body)
        self.assertEqual(self.daemon.get("/healthz")[0], 200)  # a restart would not help

        for partition in (0, 1):
            customer = max((row for row in rows.values() if row["segment"] == "at_risk" and
                            home[row["customer_id"]] == partition),
                           key=lambda row: (row["frequency"], row["customer_id"]))["customer_id"]
            self.send_order(customer, partition)
        until(lambda: self.daemon.require_running() and
              kafka.committed(application.name, application.input)[1] == kafka.ends(application.input)[1],
              PARKED_SECONDS, self.daemon.log_end)
        moved = application.events(before[application.changes])
        self.assertEqual([(event["subject"], event["data"]["cause"]) for event in moved],
                         [(customer, "order")])  # of partition 1
        check_histories(application.events())
        self.daemon.stop()
        self.assertEqual({topic: ends[0] for topic, ends in application.ends().items()},
                         {topic: ends[0] for topic, ends in before.items()})

    def send_order(self, customer, partition):
        self.application.kafka.send(self.application.input, customer.encode(), json.dumps(
            {"order_id": "later", "customer_id": customer, "ordered_at": "2011-12-09T13:00:00Z",
             "amount": "50000.000", "currency": "GBP"}).encode(), partition)

    def test_the_only_one(self):
        self.begin("alone", partitions=1)
        end = self.application.kafka.ends(self.application.input)[0]
        self.set_offset(0, end)  # even where it was
        self.daemon.start()
        self.check_said(end)
        self.assertEqual(self.daemon.wait(PARKED_SECONDS), STATE, self.daemon.log_end())


if __name__ == "__main__":
    harness.main()
