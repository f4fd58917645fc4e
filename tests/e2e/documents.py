"""What segmentd writes, checked: every document by its published schema, every message by the contract."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
VALIDATE = PROJECT / "tests" / "support" / "validate_schemas.py"

SOURCE = re.compile(rb'"source":"(/segmentd/[a-z0-9._-]{1,64}/[0-9a-z-]+)"')
CLOUD_EVENT_HEADERS = ("id", "type", "source", "subject", "time", "specversion")
CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
RECENT_SECONDS = 3600
VALIDATE_SECONDS = 300


class Schema:
    """A published schema. What was found valid once is not looked at again."""

    def __init__(self, name):
        self.name = name
        self.file = PROJECT / "deploy" / "schemas" / f"{name}.schema.json"
        self.valid = set()

    def documents(self, values, kind=bytes):
        """The JSON of each; `kind` of a value: bytes equal for documents that are equally valid."""
        unseen = {kind(value): value for value in values if kind(value) not in self.valid}
        problems = self.problems_of(list(unseen.values()))
        assert not problems, f"no valid {self.name}:\n{problems}"
        self.valid.update(unseen)
        return [json.loads(value) for value in values]

    def problems_of(self, values):
        """By the validator of the project, on all processors."""
        problems = ""
        with tempfile.TemporaryDirectory(prefix="segmentd-e2e-") as directory:
            running = []
            for n in range(min(os.cpu_count(), len(values))):
                lines = pathlib.Path(directory) / f"{n}.ndjson"
                lines.write_bytes(b"".join(value + b"\n" for value in values[n::os.cpu_count()]))
                running.append(subprocess.Popen([sys.executable, VALIDATE, self.file, lines],
                                                stderr=subprocess.PIPE, text=True))
            for process in running:
                told = process.communicate(timeout=VALIDATE_SECONDS)[1]
                problems += told if process.returncode != 0 else ""
        return problems


EVENT = Schema("segment-changed")
ROW = Schema("customer-row")
EPOCH = Schema("model-epoch")


def but_its_source(value):
    """Events of two runs differ in their source only, and are validated once."""
    sources = SOURCE.findall(value)
    assert len(sources) == 1, f"no source, or several: {value[:300]!r}"
    return value.replace(sources[0], b"", 1)


def events_of_lines(lines):
    return EVENT.documents(lines, but_its_source)


def rows_of_lines(lines):
    return ROW.documents(lines)


def check_time(message):
    """We write wall-clock CreateTime, whatever the clock of the decisions is."""
    assert message.timestamp_kind == "create", message
    away = abs(time.time() - message.timestamp_ms / 1000)
    assert away < RECENT_SECONDS, f"CreateTime is {away} s from now"


def events_of(messages):
    events = events_of_lines([message.value for message in messages])
    for message, event in zip(messages, events):
        check_time(message)
        headers = dict(message.headers)
        assert len(headers) == len(message.headers), message.headers
        assert headers["content-type"] == CONTENT_TYPE.encode(), headers
        for name in CLOUD_EVENT_HEADERS:
            assert headers["ce_" + name] == event[name].encode(), (name, headers, event)
        data = event["data"]
        assert message.key == event["subject"].encode() == data["customer_id"].encode(), message
        assert event["id"] == f"{data['customer_id']}:{data['sequence']}", event["id"]
    return events


def rows_of(messages):
    rows = rows_of_lines([message.value for message in messages])
    for message, row in zip(messages, rows):
        check_time(message)
        assert message.key == row["customer_id"].encode(), message
    return rows


def epochs_of(messages):
    epochs = EPOCH.documents([message.value for message in messages])
    for message, epoch in zip(messages, epochs):
        check_time(message)
        assert message.key == f"epoch/{epoch['epoch']}".encode(), message
    return epochs


def without_source(event):
    return {name: value for name, value in event.items() if name != "source"}


def check_same(found, expected, what):
    """Both are lists, or dictionaries. Tells the first difference: unittest would compare all of them
    for minutes."""
    pairs = zip(found, expected) if isinstance(found, list) else (
        (found.get(key), expected.get(key)) for key in sorted({*found, *expected}))
    for n, (one, other) in enumerate(pairs):
        assert one == other, f"{what}: number {n} is\n{one}\nand not\n{other}"
    assert len(found) == len(expected), f"{what}: {len(found)}, not {len(expected)}"


def check_same_table(rows, replayed):
    """Newest rows of the topic and those of `replay --table`, which tell more."""
    names = next(iter(rows.values())).keys()
    check_same(rows, {customer: {name: row[name] for name in names}
                      for customer, row in replayed.items()}, "table")


def newest(rows):
    """What is left of a compacted table."""
    return {row["customer_id"]: row for row in rows}


def check_histories(events):
    """Each customer's events: numbered from 1 without gaps, each from where the one before led to."""
    last = {}
    for event in events:
        data = event["data"]
        before = last.get(data["customer_id"])
        expected = (1, None) if before is None else (before["sequence"] + 1, before["to_segment"])
        found = (data["sequence"], data["from_segment"])
        assert found == expected, f"customer {data['customer_id']}: {found}, not {expected}"
        assert data["from_segment"] != data["to_segment"], event
        last[data["customer_id"]] = data
    return last
