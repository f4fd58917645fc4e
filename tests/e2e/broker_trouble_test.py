#!/usr/bin/env python3
"""The brokers' troubles while the daemon runs: each is waited for or ends the daemon with a clear word, none is
answered in a hurry, and nothing is lost or said twice."""
import sys
import time

sys.dont_write_bytecode = True
import harness  # noqa: E402
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition  # noqa: E402
from documents import check_histories  # noqa: E402
from harness import OwnBroker  # noqa: E402
from one_customer import SECONDS, OneCustomerAPartition, order  # noqa: E402
from waiting import until  # noqa: E402

BROKER = 3
AWAY_SECONDS = 20  # longer than a session and a transaction may last
LINES_A_SECOND = 20  # of the log while it waits; more is a hurry
BACK_SECONDS = 120
# A broker of Kafka 4 that stops forgets the ends of transactions it has not written yet (KAFKA-20734, see
# deploy/OPERATIONS.md), and then no client can tell. So it stops between two of them.
DECIDED_SECONDS = 0.4


class TroubleTest(OneCustomerAPartition):
    def check_everything_once(self, application, orders):
        application.wait_until_consumed(BACK_SECONDS)
        until(lambda: application.daemon.get("/readyz")[0] == 200, BACK_SECONDS, application.daemon.log_end)
        application.daemon.stop()
        for partition, count in enumerate(orders):
            rows = [row["frequency"] for row in application.rows() if row["customer_id"] == f"c{partition}"]
            self.assertEqual(rows[-1], count)
            self.assertEqual(rows, sorted(rows), "a row that was overtaken")
        check_histories(application.events())
        self.assertEqual(application.rejects(), [])

    def check_no_hurry(self, application, seconds):
        lines = len(application.daemon.log().splitlines())
        self.assertLess(lines, LINES_A_SECOND * seconds + 200, application.daemon.log_end())


class SharedBrokerTest(TroubleTest):
    def test_an_output_topic_deleted(self):
        application = self.begin("deleted", partitions=1)
        application.daemon.start(topics__check_every="1s").wait_active()
        application.kafka.delete(application.table)
        application.daemon.wait_for(r"\(table\) was deleted while segmentd runs")
        self.send(application, 0, [50])
        self.wait_ended(application, BROKER, application.table)
        self.assertEqual(application.progress(), 50)
        application.daemon.start()  # makes it anew
        self.check_everything_once(application, [51])


SECOND_NODE = """
process.roles=broker
node.id=2
listeners=PLAINTEXT://127.0.0.1:{port}
controller.quorum.voters=1@127.0.0.1:{controller}
"""


class TwoBrokersTest(TroubleTest):
    def setUp(self):
        self.first = OwnBroker()
        self.second = OwnBroker()
        for broker in (self.first, self.second):
            self.addCleanup(broker.close)
        self.second.properties.write_text(SECOND_NODE.format(port=self.second.port,
                                                             controller=self.first.controller_port))

    def have_coordinators(self):
        """The topics of groups and transactions, which have one copy here, are made by their first use."""
        client = {"bootstrap.servers": self.first.address}
        Producer({**client, "transactional.id": "first"}).init_transactions(SECONDS)
        consumer = Consumer({**client, "group.id": "first"})

        def answers():
            try:
                return consumer.committed([TopicPartition("none", 0)], SECONDS)
            except KafkaException:  # the coordinator is being made
                return None

        try:
            until(answers, SECONDS, "no group coordinator")
        finally:
            consumer.close()

    def test_not_enough_replicas(self):
        self.first.start()
        self.have_coordinators()
        application = self.application("replicas", brokers=self.first.address,
                                       topics__replication_factor=2, topics__min_insync_replicas=2)
        self.second.start()
        for partition in range(2):
            self.send(application, partition, range(50))
        application.daemon.start()
        application.wait_until_consumed()
        self.second.kill()
        for partition in range(2):
            self.send(application, partition, range(50, 60))
        until(lambda: "a commit is overdue" in application.daemon.get("/readyz")[1], BACK_SECONDS,
              application.daemon.log_end)
        # None is begun where the new leader, with too few replicas, does not tell its ends (KIP-966).
        application.daemon.wait_for(r"outcome is unknown; resolving|transaction aborted|no transaction can be begun",
                                    BACK_SECONDS)
        self.assertEqual(application.daemon.get("/healthz")[0], 200)  # a restart would not help
        self.assertEqual(application.progress(), 100)
        self.check_no_hurry(application, SECONDS)
        self.second.start()
        self.check_everything_once(application, [60, 60])


class OwnBrokerTest(TroubleTest):
    """One broker, lost in several ways, under load."""

    def setUp(self):
        self.broker = OwnBroker()
        self.addCleanup(self.broker.close)

    def begin_under_load(self, word, **settings):
        self.broker.start()
        application = self.application(word, brokers=self.broker.address, **settings)
        application.daemon.start().wait_active(2)
        self.sent = [0, 0]
        self.go_on(application, 200)
        return application

    def go_on(self, application, count):
        """More orders for both, without waiting for them to be delivered."""
        for partition in range(2):
            first = self.sent[partition]
            self.sent[partition] += count
            for n in range(first, first + count):
                customer = f"c{partition}"
                application.kafka.producer.produce(application.input, key=customer.encode(),
                                                   value=order(n, customer), partition=partition)
        application.kafka.producer.poll(0)

    def wait_for_sending(self, application):
        self.assertEqual(application.kafka.producer.flush(BACK_SECONDS), 0)

    def test_a_broker_that_is_down_for_a_while_and_back(self):
        application = self.begin_under_load("down", orders__remembered=2000)
        until(lambda: application.progress() > 10, SECONDS, application.daemon.log_end)
        with application.daemon.held():
            time.sleep(DECIDED_SECONDS)
            self.broker.kill()
        application.daemon.wait_for("refused")
        began = len(application.daemon.log().splitlines())
        time.sleep(AWAY_SECONDS)
        self.check_no_hurry(application, AWAY_SECONDS)
        self.assertGreater(len(application.daemon.log().splitlines()), began, "it says nothing")
        self.assertEqual(application.daemon.get("/healthz")[0], 200)
        self.assertEqual(application.daemon.get("/readyz")[0], 503)
        self.broker.start()
        self.wait_for_sending(application)
        self.go_on(application, 50)
        self.wait_for_sending(application)
        self.check_everything_once(application, self.sent)

    def test_a_broker_restarted_as_an_operator_does_it(self):
        application = self.begin_under_load("restarted", orders__remembered=2000)
        for _ in range(2):
            self.go_on(application, 100)
            with application.daemon.held():
                time.sleep(DECIDED_SECONDS)
                self.broker.stop()
            self.broker.start()
        self.wait_for_sending(application)
        self.check_everything_once(application, self.sent)


if __name__ == "__main__":
    harness.main()
