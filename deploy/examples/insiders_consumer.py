#!/usr/bin/env python3
"""What marketing automation does with segment changes: acts when a customer enters or leaves Insiders.

Needs confluent-kafka (Debian: python3-confluent-kafka). Delivery to a consumer is at least once: a
message may come again after a restart, so what was seen is dropped, by source and sequence (they make
the event's source + id). To survive restarts keep `seen` where your actions are kept.
"""
import argparse
import json
import sys
import time

from confluent_kafka import Consumer, KafkaException

usage = argparse.ArgumentParser(description=__doc__.splitlines()[0])
usage.add_argument("--brokers", default="localhost:9092")
usage.add_argument("--topic", default="segment-changes")
usage.add_argument("--group", default="insiders-campaign")
usage.add_argument("--once", type=float, metavar="SECONDS", help="end after this long without a message")
options = usage.parse_args()

consumer = Consumer({
    "bootstrap.servers": options.brokers,
    "group.id": options.group,
    "auto.offset.reset": "earliest",
    "enable.auto.offset.store": False,    # an offset is committed only once we have acted, see below
    "isolation.level": "read_committed",  # without it: moves that never happened
})
consumer.subscribe([options.topic])
seen = {}  # (source, customer) -> the last sequence acted on
idle_since = time.monotonic()
try:
    while options.once is None or time.monotonic() - idle_since < options.once:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            if message.error().fatal():
                raise KafkaException(message.error())
            print(message.error().str(), file=sys.stderr)  # the library tries again by itself
            continue
        idle_since = time.monotonic()
        event = json.loads(message.value())
        if event["type"] == "io.segmentd.segment.changed.v1":
            change, customer = event["data"], (event["source"], event["subject"])
            if change["sequence"] > seen.get(customer, 0):  # a customer's events come in this order
                seen[customer] = change["sequence"]
                was, now = change["from_segment"] == "insiders", change["to_segment"] == "insiders"
                if was != now:
                    print("welcome" if now else "win back", event["subject"], change["cause"],
                          change["after"]["monetary"], change["currency"], event["time"], flush=True)
        consumer.store_offsets(message)
except KeyboardInterrupt:
    sys.exit(0)
finally:
    consumer.close()
