"""A read_committed consumer of the segment changes that reads all along a run and checks as it goes."""
import collections
import threading
import traceback

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from histories import Histories


class Reader:
    def __init__(self, kafka, topic, findings):
        self.topic = topic
        self.partitions = kafka.partitions(topic)
        self.histories = Histories(findings)
        self.events = collections.defaultdict(list)  # partition: [(id, bytes)]
        self.next = dict.fromkeys(self.partitions, 0)
        self.stopping = False
        self.failed = None
        self.consumer = Consumer({**kafka.client, "group.id": "segmentd-crash-reader",
                                  "isolation.level": "read_committed", "enable.auto.commit": False,
                                  "fetch.wait.max.ms": 50, "log_level": 0})
        self.consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in self.partitions])
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            while not self.stopping:
                for raw in self.consumer.consume(500, 0.2):
                    if raw.error() is None:  # else a broker is down: the library tries again
                        self.take(raw)
        except Exception:  # of a thread: told by check()
            self.failed = traceback.format_exc()

    def take(self, raw):
        partition = raw.partition()
        assert raw.offset() >= self.next[partition], f"read twice: {partition}/{raw.offset()}"
        self.next[partition] = raw.offset() + 1
        value = raw.value()
        self.events[partition].append((self.histories.take(partition, value), value))

    def count(self):
        return self.histories.events

    def check(self):
        assert self.failed is None, self.failed

    def close(self):
        self.stopping = True
        self.thread.join()
        self.consumer.close()
