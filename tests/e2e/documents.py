"""What segmentd writes, checked: every document by its published schema, every message by the contract."""
import json
import multiprocessing
import os
import pathlib
import re
import sys
import time

from jsonschema import Draft202012Validator

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests" / "support"))
from validate_schemas import problem_of  # noqa: E402  found through the line above

SOURCE = re.compile(rb'"source":"(/segmentd/[a-z0-9._-]{1,64}/[0-9a-z-]+)"')
CLOUD_EVENT_HEADERS = ("id", "type", "source", "subject", "time", "specversion")
CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
RECENT_SECONDS = 3600
WORTH_PROCESSES = 2000


class Schema:
    """A published schema. What was found valid once is not looked at again."""

    def __init__(self, name):
        text = (PROJECT / "deploy" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
        self.name = name
        self.validator = Draft202012Validator(json.loads(text))
        self.valid = set()

    def problem_of(self, value):
        return problem_of(value.decode("utf-8", "strict"), self.validator)

    def documents(self, values, kind=bytes):
        """The JSON of each; `kind` of a value: bytes equal for documents that are equally valid."""
        unseen = {kind(value): value for value in values if kind(value) not in self.valid}
        for value, problem in zip(unseen.values(), side_by_side(self.problem_of, list(unseen.values()))):
            assert problem is None, f"no valid {self.name}: {problem}: {value[:2000]!r}"
        self.valid.update(unseen)
        return [json.loads(value) for value in values]


def side_by_side(function, values):
    """[function(value) ...], on all processors where it is worth it."""
    if len(values) < WORTH_PROCESSES:
        return [function(value) for value in values]
    global forked  # the children have it by the fork: no pickling of schemas
    forked = function
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        return pool.map(call_forked, values, chunksize=500)


def call_forked(value):
    return forked(value)


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
