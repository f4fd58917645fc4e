#!/usr/bin/env python3
"""Feeds the input topic all along a run, from a seed, as a process of its own.

    workload.py BROKERS TOPIC SEED RATE EXPECTED_RECORDS event|wall

Ends at the end of its standard input, when all is delivered, and prints how many records the brokers have
taken. A record whose delivery fails is sent again: what lies in the topic is the truth, not what was said.
"""
import json
import pathlib
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from confluent_kafka import Producer  # noqa: E402

from instants import DAY_MS, ms_of, now_ms, rfc3339  # noqa: E402
from records import Shop  # noqa: E402

BEGIN_MS = ms_of("2010-12-01T08:00:00Z")
SPAN_MS = 540 * DAY_MS
TICK_SECONDS = 0.02
PAUSE_EVERY_SECONDS = 15
PAUSE_SECONDS_MAX = 3
FLUSH_SECONDS = 120
FIRST_NOW = 2000  # records: with the wall's clock no partition begins long ago
OLD = 0.5
OLD_MS = 200 * DAY_MS


class Workload:
    def __init__(self, brokers, topic, seed, rate, expected, clock):
        self.topic, self.rate, self.expected, self.clock = topic, rate, expected, clock
        self.random = random.Random(f"workload {seed}")
        self.shop = Shop(seed, rfc3339)
        # Murmur2 as Java; Kafka itself may double or swap records, each is one more record then.
        self.producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random",
                                  "acks": "all", "linger.ms": 5, "message.timeout.ms": 600_000,
                                  "socket.timeout.ms": 10_000, "log_level": 0})
        self.said = 0
        self.taken = 0
        self.stop = threading.Event()

    def at_ms(self):
        if self.clock == "event":
            return BEGIN_MS + self.said * SPAN_MS // self.expected
        if self.said < FIRST_NOW or self.random.random() > OLD:
            return now_ms() - 1000
        return now_ms() - self.random.randrange(OLD_MS)

    def say(self):
        key, value = self.shop.next(self.at_ms())
        self.said += 1
        self.send(key, value)

    def send(self, key, value):
        def done(error, message):
            if error is None:
                self.taken += 1
            else:
                self.send(key, value)

        while True:
            try:
                self.producer.produce(self.topic, value=value, key=key, on_delivery=done)
                return
            except BufferError:
                self.producer.poll(0.1)

    def run(self):
        begin = time.monotonic()
        pause_at = begin + self.random.uniform(0, PAUSE_EVERY_SECONDS)
        owed = 0.0
        last = begin
        while not self.stop.is_set():
            now = time.monotonic()
            owed += min(now - last, 1) * self.rate
            last = now
            if now > pause_at:
                self.producer.poll(0)
                self.stop.wait(self.random.uniform(0, PAUSE_SECONDS_MAX))
                last = time.monotonic()
                pause_at = last + self.random.uniform(0, 2 * PAUSE_EVERY_SECONDS)
            while owed >= 1:
                self.say()
                owed -= 1
            self.producer.poll(0)
            self.stop.wait(TICK_SECONDS)
        left = self.producer.flush(FLUSH_SECONDS)
        print(json.dumps({"said": self.said, "taken": self.taken, "left": left}), flush=True)
        return left


def main():
    brokers, topic, seed, rate, expected, clock = sys.argv[1:]
    workload = Workload(brokers, topic, seed, float(rate), int(expected), clock)

    def wait_for_end():
        sys.stdin.read()
        workload.stop.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    sys.exit(1 if workload.run() else 0)


if __name__ == "__main__":
    main()
