#!/usr/bin/env python3
"""How long partitions stand still when a member dies, comes back, leaves or has lost its disk.

    recovery_bench.py SEGMENTD [--customers N] [--partitions P] [--repeat R] [--slack F]

Orders arrive all the time; a partition stands still while its committed offset does not move. Prints
the median and the longest of each case, in seconds, and how fast a lost store is read again, each beside its
bound. Exit code 1 if a figure is worse than its bound by more than the factor --slack.
"""
import argparse
import json
import pathlib
import random
import re
import shutil
import signal
import statistics
import sys
import threading
import time
import types

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from waiting import until  # noqa: E402

FEED_SECONDS = 0.02  # between batches
FEED_BATCH = 40
SAMPLE_SECONDS = 0.02
SETTLED_SECONDS = 120
STANDS_STILL_SECONDS = 0.3
BACK_SECONDS = 1.5  # how long a member that stays is away
FILL_SECONDS = 900
START_MS = 1_600_000_000_000

STARTED_AT_ONCE = "killed, started at once"
NOT_STARTED = "killed, not started: the others take over"
JOINS = "a member joins (has its old stores)"
LEAVES = "asked to stop, leaves"
STAYS = f"asked to stop, stays, back after {BACK_SECONDS} s"
STANDSTILL_MAX = {STARTED_AT_ONCE: 3.0, NOT_STARTED: 9.0, LEAVES: 1.0}  # seconds
RESTORE_MIN = 300_000  # rows/s into the store
RESTORE_ROWS = 500_000  # of a partition: with fewer, the rate is that of beginning and ending
SLACK = 1.5  # for machines that do other things too


class Feed(threading.Thread):
    """Orders, a few thousand a second, with Java's partitioner."""

    def __init__(self, brokers, topic, customers):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 2,
                                  "queue.buffering.max.messages": 1_000_000})
        self.topic, self.customers = topic, customers
        self.number = 0
        self.random = random.Random(1)
        self.ending = threading.Event()

    def send(self, customer):
        self.number += 1
        seconds = (START_MS + self.number) // 1000
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
        value = json.dumps({"order_id": str(self.number), "customer_id": str(customer), "ordered_at": at,
                            "amount": f"{self.random.randint(100, 99999) / 100:.2f}", "currency": "GBP"})
        while True:
            try:
                self.producer.produce(self.topic, value=value, key=str(customer))
                return
            except BufferError:
                self.producer.poll(0.1)

    def fill(self):
        for customer in range(self.customers):
            self.send(customer)
        assert self.producer.flush(FILL_SECONDS) == 0

    def run(self):
        while not self.ending.wait(FEED_SECONDS):
            for _ in range(FEED_BATCH):
                self.send(self.random.randrange(self.customers))
            self.producer.poll(0)


class Watch(threading.Thread):
    """When each partition's committed offset last moved."""

    def __init__(self, brokers, group, topic, partitions):
        super().__init__(daemon=True)
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": group,
                                  "isolation.level": "read_uncommitted"})
        self.asked = [TopicPartition(topic, p) for p in range(partitions)]
        self.moves = {p: [] for p in range(partitions)}  # (time, offset)
        self.ending = threading.Event()

    def run(self):
        last = {}
        while not self.ending.wait(SAMPLE_SECONDS):
            for found in self.consumer.committed(self.asked, 30):
                if found.offset >= 0 and last.get(found.partition) != found.offset:
                    last[found.partition] = found.offset
                    self.moves[found.partition].append((time.monotonic(), found.offset))

    def standstill(self, since, until_time):
        """The longest gap of any partition that overlaps the time given."""
        longest = 0.0
        for moves in self.moves.values():
            times = [t for t, _ in moves if since - 5 <= t <= until_time]
            gaps = [b - a for a, b in zip(times, times[1:]) if b >= since]
            longest = max([longest, *gaps])
        return longest

    def all_moved_since(self, since):
        return all(moves and moves[-1][0] > since for moves in self.moves.values())


class Bench:
    def __init__(self, options):
        self.cleanups = []
        self.test = types.SimpleNamespace(addCleanup=lambda f, *a: self.cleanups.append((f, a)))
        self.partitions = options.partitions
        self.application = harness.Application(self.test, "recovery", partitions=options.partitions,
                                               decimals=2, model__evaluate_every="1d")
        first = self.application.daemon
        self.members = [first]
        for n in range(1, 2):
            settings = {**first.settings, "state_dir": self.application.directory / f"state-{n}"}
            other = harness.Daemon(settings, self.application.directory)
            self.test.addCleanup(other.clean_up)
            self.members.append(other)
        self.feed = Feed(self.application.kafka.brokers, self.application.input, options.customers)
        self.watch = Watch(self.application.kafka.brokers, self.application.name, self.application.input,
                           options.partitions)
        self.repeat = options.repeat
        self.slack = options.slack
        self.seen = {}
        self.worse = []  # figures

    def settle(self):
        """Everything moves, for a while."""
        begin = time.monotonic()
        until(lambda: self.watch.all_moved_since(max(begin, time.monotonic() - 0.5)) and
              time.monotonic() - begin > 4, SETTLED_SECONDS, "all partitions moving")

    def measure(self, name, act):
        self.settle()
        since = time.monotonic()
        act()
        self.settle()
        self.seen.setdefault(name, []).append(self.watch.standstill(since, time.monotonic()))

    def kill_and_start(self):
        self.members[0].kill()
        self.members[0].start()

    def kill_and_lose(self):
        self.members[0].kill()
        time.sleep(12)

    def leave(self):
        self.members[0].stop()

    def start(self):
        self.members[0].start()

    def stay(self):
        self.members[0].stop()
        time.sleep(BACK_SECONDS)
        self.members[0].start()

    def run(self):
        self.feed.fill()
        for member in self.members:
            member.start()
        self.application.wait_until_consumed(FILL_SECONDS)
        self.feed.start()
        self.watch.start()
        if self.partitions >= len(self.members):  # else it would measure a member that has none
            self.stand_still()
        self.restore()
        self.feed.ending.set()
        self.watch.ending.set()
        self.report()

    def stand_still(self):
        for _ in range(self.repeat):
            self.measure(STARTED_AT_ONCE, self.kill_and_start)
        for _ in range(self.repeat):
            self.measure(NOT_STARTED, self.kill_and_lose)
            self.measure(JOINS, self.start)
        for _ in range(self.repeat):
            self.measure(LEAVES, self.leave)
            self.measure(JOINS, self.start)
        for member in self.members:
            member.settings["on_stop"] = "stay"
        self.members[0].stop()
        self.members[0].start()
        for _ in range(self.repeat):
            self.measure(STAYS, self.stay)

    def restore(self):
        """One member alone without its disk."""
        for member in self.members:
            member.settings["on_stop"] = "leave"
        self.members[0].stop()
        self.members[0].start()
        self.settle()
        self.feed.ending.set()
        for member in self.members:
            member.stop()
        rows = sum(self.application.kafka.ends(self.application.name + "-changelog").values())
        shutil.rmtree(self.application.state)
        begin = time.monotonic()
        self.members[0].start()
        self.members[0].wait_active(self.partitions)
        took = time.monotonic() - begin
        print(f"full restore of {self.partitions} partitions, {rows} changelog offsets: {took:.1f} s from the start "
              f"of the process, {rows / took:,.0f} offsets/s")
        for said in re.findall(r" restored (.*)", self.members[0].log()):
            told = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", said)}
            into_store = 1000 * told["rows_read"] / told["read_ms"]
            judged = told["rows_read"] >= RESTORE_ROWS
            bound = f"bound {RESTORE_MIN:,}" if judged else f"not judged below {RESTORE_ROWS:,} rows"
            print(f"  {said}: {into_store:,.0f} rows/s into the store ({bound}), "
                  f"{1000 * told['rows_read'] / told['all_ms']:,.0f} rows/s until it is ready")
            if judged and into_store * self.slack < RESTORE_MIN:
                self.worse.append(f"restore: {into_store:,.0f} rows/s")

    def report(self):
        for name, values in self.seen.items():
            bound = STANDSTILL_MAX.get(name)
            print(f"{name}: median {statistics.median(values):.2f} s, longest {max(values):.2f} s of {len(values)}"
                  f"{f' (bound {bound:g} s)' if bound else ''}")
            if bound and max(values) > bound * self.slack:
                self.worse.append(f"{name}: {max(values):.2f} s")

    def close(self):
        for function, arguments in reversed(self.cleanups):
            function(*arguments)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("segmentd")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--slack", type=float, default=SLACK, help=f"how much worse than its bound a figure may be ({SLACK})")
    options = parser.parse_args()
    harness.SEGMENTD = pathlib.Path(options.segmentd).resolve()
    bench = Bench(options)
    try:
        bench.run()
    finally:
        bench.close()
    for figure in bench.worse:
        print(f"recovery: worse than its bound by more than {options.slack:g} times: {figure}", file=sys.stderr)
    sys.exit(1 if bench.worse else 0)


if __name__ == "__main__":
    main()
