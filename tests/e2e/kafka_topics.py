"""Topics of a real broker: made, written, read to the end as a consumer would read them."""
import collections
import time

from confluent_kafka import (OFFSET_BEGINNING, TIMESTAMP_CREATE_TIME, Consumer, KafkaError, KafkaException,
                             Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from waiting import until

TIMEOUT_SECONDS = 30
READ_SECONDS = 120
LARGEST_MESSAGE = 8 << 20
NO_COORDINATOR = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE,
                  KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
BROKERS_DEFAULT = -1  # of a topic's replicas

Message = collections.namedtuple(
    "Message", "partition offset key value headers timestamp_ms timestamp_kind")


def message_of(raw):
    kind, timestamp_ms = raw.timestamp()
    return Message(raw.partition(), raw.offset(), raw.key(), raw.value(), raw.headers() or [],
                   timestamp_ms, "create" if kind == TIMESTAMP_CREATE_TIME else "other")


class KafkaTopics:
    def __init__(self, brokers, **client):
        self.brokers = brokers
        self.client = {"bootstrap.servers": brokers, **client}
        self.admin = AdminClient(self.client)
        self.producer = Producer({**self.client, "message.max.bytes": LARGEST_MESSAGE,
                                  "enable.idempotence": True, "linger.ms": 0})
        self.watermarks = Consumer({**self.client, "group.id": "segmentd-e2e",
                                    "isolation.level": "read_uncommitted"})
        self.groups = {}

    def close(self):
        for consumer in [self.watermarks, *self.groups.values()]:
            consumer.close()

    def create(self, topic, partitions, **config):
        new = NewTopic(topic, partitions, BROKERS_DEFAULT, config={k.replace("_", "."): v for k, v in config.items()})
        for made in self.admin.create_topics([new], operation_timeout=TIMEOUT_SECONDS).values():
            made.result(TIMEOUT_SECONDS)
        until(lambda: self.exists(topic), TIMEOUT_SECONDS, f"{topic} is not there yet")

    def delete(self, topic):
        for gone in self.admin.delete_topics([topic], operation_timeout=TIMEOUT_SECONDS).values():
            gone.result(TIMEOUT_SECONDS)
        until(lambda: not self.exists(topic), TIMEOUT_SECONDS, f"{topic} is still there")

    def configure(self, topic, **config):
        """Also what is not named here goes back to its default."""
        change = ConfigResource(ConfigResource.Type.TOPIC, topic,
                                set_config={k.replace("_", "."): v for k, v in config.items()})
        for done in self.admin.alter_configs([change]).values():
            done.result(TIMEOUT_SECONDS)

    def partitions(self, topic, client=None):
        """`client` learns by it who leads them now: by itself it goes on asking who did."""
        found = (client or self.admin).list_topics(topic, TIMEOUT_SECONDS).topics[topic]
        assert found.error is None, f"{topic}: {found.error}"
        return sorted(found.partitions)

    def exists(self, topic):
        return topic in self.admin.list_topics(timeout=TIMEOUT_SECONDS).topics

    def send(self, topic, key, value, partition=0):
        """Returns its offset; sent and acknowledged."""
        said = []
        self.producer.produce(topic, value=value, key=key, partition=partition,
                              on_delivery=lambda error, message: said.append((error, message)))
        left = self.producer.flush(TIMEOUT_SECONDS)
        assert left == 0 and said[0][0] is None, (left, said)
        return said[0][1].offset()

    def ends(self, topic):
        """{partition: offset behind its last record}, open transactions included."""
        return {p: until(lambda p=p: self.answer_of_leader(topic, p), TIMEOUT_SECONDS, f"the end of {topic}/{p}")[1]
                for p in self.partitions(topic, self.watermarks)}

    def answer_of_leader(self, topic, partition):
        """None while there is none, or while the one known is another: a broker began just now."""
        try:
            return self.watermarks.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_SECONDS)
        except KafkaException as problem:
            if problem.args[0].code() not in NO_LEADER:
                raise
            self.partitions(topic, self.watermarks)
            return None

    def committed(self, group, topic):
        """{partition: the group's committed offset}; 0 where there is none. An offset in a transaction
        that is still open is neither told nor waited for."""
        if group not in self.groups:
            self.groups[group] = Consumer({**self.client, "group.id": group,
                                           "isolation.level": "read_uncommitted"})
        asked = [TopicPartition(topic, p) for p in self.partitions(topic)]
        found = until(lambda: self.answer_of_coordinator(group, asked), TIMEOUT_SECONDS,
                      f"the offsets of {group}")
        for each in found:
            assert each.error is None, f"{topic}/{each.partition}: {each.error}"
        return {each.partition: max(0, each.offset) for each in found}

    def answer_of_coordinator(self, group, asked):
        """None while there is none: a broker began just now."""
        try:
            return self.groups[group].committed(asked, TIMEOUT_SECONDS)
        except KafkaException as problem:
            if problem.args[0].code() not in NO_COORDINATOR:
                raise
            return None

    def commit(self, group, topic, partition, offset):
        """Sets a group's offset by hand, as a tool would: without metadata. The group has no members."""
        consumer = Consumer({**self.client, "group.id": group})
        try:
            consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
        finally:
            consumer.close()

    def read(self, topic, since=None):
        """All that is committed, read_committed, each partition to its end as of now; from the
        offsets `since` ({partition: offset}) on."""
        return [message_of(raw) for raw in self.stream(topic, since)]

    def stream(self, topic, since=None):
        """The same one by one, as the client library has them."""
        since = since or {}
        left = {p: end for p, end in self.ends(topic).items() if end > since.get(p, 0)}
        reader = Consumer({**self.client, "group.id": "segmentd-e2e", "enable.partition.eof": True,
                           "isolation.level": "read_committed", "enable.auto.commit": False,
                           "fetch.wait.max.ms": 10})
        try:
            reader.assign([TopicPartition(topic, p, since.get(p, OFFSET_BEGINNING)) for p in left])
            yield from read_until(reader, left, topic)
        finally:
            reader.close()


def read_until(reader, left, topic):
    """Yields messages until each partition's end is reached, which takes it out of `left`."""
    deadline = time.monotonic() + READ_SECONDS
    while left:
        assert time.monotonic() < deadline, f"{topic}: the ends {left} were not reached"
        for raw in reader.consume(1000, 0.2):
            if raw.error() is None:
                yield raw
            elif raw.error().code() != KafkaError._PARTITION_EOF:
                raise AssertionError(f"{topic}: {raw.error()}")
            elif raw.offset() >= left.get(raw.partition(), 0):
                left.pop(raw.partition(), None)
