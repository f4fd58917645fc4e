#!/usr/bin/env python3
"""What marketing automation does with segment changes: acts when a customer enters or leaves Insiders.

Delivery is at least once: what was seen is dropped, by the event's source and the customer's sequence.
To survive restarts keep `seen` where your actions are kept. Needs confluent-kafka.
"""
import argparse
import json
import time

from confluent_kafka import Consumer, KafkaException

usage = argparse.ArgumentParser(description=__doc__.splitlines()[0])
usage.add_argument("--brokers", default="localhost:9092")
usage.add_argument("--topic", default="segment-changes")
usage.add_argument("--group", default="insiders-campaign")
usage.add_argument("--once", type=float, metavar="SECONDS", help="end after this long without a message")
options = usage.parse_args()
consumer = Consumer({"bootstrap.servers": options.brokers, "group.id": options.group,
                     "auto.offset.reset": "earliest", "enable.auto.offset.store": False,
                     "isolation.level": "read_committed"})  # without it: moves that never happened
consumer.subscribe([options.topic])
seen, heard = {}, time.monotonic()  # (source, customer) -> the last sequence acted on
while options.once is None or time.monotonic() - heard < options.once:
    message = consumer.poll(0.5)
    if message is None or (message.error() and not message.error().fatal()):
        continue  # of an error: the library tries again by itself
    if message.error():
        raise KafkaException(message.error())
    heard, event = time.monotonic(), json.loads(message.value())
    if event["type"] == "io.segmentd.segment.changed.v1":
        change, customer = event["data"], (event["source"], event["subject"])
        if change["sequence"] > seen.get(customer, 0):  # a customer's events come in this order
            was, now = (change[side] == "insiders" for side in ("from_segment", "to_segment"))
            if was != now:
                print("welcome" if now else "win back", event["subject"], change["cause"],
                      change["after"]["monetary"], change["currency"], event["time"], flush=True)
            seen[customer] = change["sequence"]
    consumer.store_offsets(message)  # only now: what was not acted on comes again
consumer.close()
