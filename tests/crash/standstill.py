"""How long partitions stand still: their committed offset does not move although there is more to read. Time
in which nobody could have worked, no member or no broker, does not count."""
import collections
import threading
import time
import traceback

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

INTERVAL_SECONDS = 0.15
ENDS_EVERY_SECONDS = 1
TIMEOUT_SECONDS = 2

Standstill = collections.namedtuple("Standstill", "seconds partition until")


def answer_of(ask):
    """None = the brokers do not answer now. What was true a while ago, an end, still is a bound."""
    try:
        return ask()
    except KafkaException:
        return None


class Watch:
    """Of one partition: told its offset, its end and the time again and again. No clock of its own."""

    def __init__(self, partition):
        self.partition = partition
        self.offset = None
        self.stood = 0.0
        self.longest = Standstill(0.0, partition, 0.0)

    def look(self, offset, end, seconds, now):
        """`seconds` that could have been worked in since the last look."""
        if offset != self.offset or offset >= end:
            self.offset = offset
            self.stood = 0.0
            return
        self.stood += seconds
        self.longest = max(self.longest, Standstill(self.stood, self.partition, now))


class Sampler:
    """`can_work()` tells whether a member and the brokers are there."""

    def __init__(self, kafka, group, topic, can_work):
        self.can_work = can_work
        self.topic = topic
        self.watches = [Watch(p) for p in kafka.partitions(topic)]
        self.ends = {}
        self.failed = None
        self.consumer = Consumer({**kafka.client, "group.id": group, "log_level": 0,
                                  "isolation.level": "read_uncommitted"})
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            self.sample()
        except Exception:  # of a thread: told by check()
            self.failed = traceback.format_exc()

    def check(self):
        assert self.failed is None, self.failed

    def sample(self):
        last = time.monotonic()
        ends_at = 0.0
        worked = 0.0
        while not self.stopping.wait(INTERVAL_SECONDS):
            now = time.monotonic()
            if self.can_work():
                worked += now - last
            last = now
            if now - ends_at > ENDS_EVERY_SECONDS:
                ends_at = now
                self.ends = answer_of(self.read_ends) or self.ends
            offsets = answer_of(self.offsets)
            if not self.ends or not offsets:  # no answer: the next look sees it
                continue
            for watch in self.watches:
                watch.look(offsets[watch.partition], self.ends[watch.partition], worked, time.time())
            worked = 0.0

    def read_ends(self):
        self.consumer.list_topics(self.topic, TIMEOUT_SECONDS)  # who leads its partitions now
        ends = {}
        for watch in self.watches:
            where = TopicPartition(self.topic, watch.partition)
            found = self.consumer.get_watermark_offsets(where, TIMEOUT_SECONDS)
            if found is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            ends[watch.partition] = found[1]
        return ends

    def offsets(self):
        asked = [TopicPartition(self.topic, watch.partition) for watch in self.watches]
        found = self.consumer.committed(asked, TIMEOUT_SECONDS)
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
        return {each.partition: max(0, each.offset) for each in found}

    def longest(self):
        return max(watch.longest for watch in self.watches)

    def close(self):
        self.stopping.set()
        self.thread.join()
        self.consumer.close()
