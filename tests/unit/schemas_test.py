#!/usr/bin/env python3
"""What we write is valid by the published schemas, and the schemas refuse what they should.

    schemas_test.py WRITE_WIRE_EXAMPLES     (the program that writes the examples)
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from jsonschema import Draft202012Validator

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "support"))
sys.dont_write_bytecode = True
from validate_schemas import problem_of  # noqa: E402  found through the line above
SCHEMAS = SOURCE / "deploy" / "schemas"
VALIDATE = SOURCE / "tests" / "support" / "validate_schemas.py"
WRITE_EXAMPLES = None

EXAMPLES = {
    "events": "segment-changed",
    "rows": "customer-row",
    "epochs": "model-epoch",
}

# Each is put over the first example of its kind (a path of member names, and the value; ... = removed)
# and must then be refused.
REFUSED = {
    "events": [
        (("type",), "io.segmentd.segment.changed.v2"),
        (("data",), ...),
        (("time",), "2011-03-14T12:03:00Z"),
        (("source",), "/elsewhere/shop/1"),
        (("data", "sequence"), 0),
        (("data", "sequence"), "7"),
        (("data", "to_segment"), "vip"),
        (("data", "from_segment"), None),
        (("data", "from_since"), None),
        (("data", "cause"), "luck"),
        (("data", "trigger"), None),
        (("data", "trigger", "type"), "erasure"),
        (("data", "after", "monetary"), 12.5),
        (("data", "after", "last_order_at"), None),
        (("data", "confidence"), 2),
        (("data", "next", "segment"), None),
        (("data", "provisional"), ...),
    ],
    "rows": [
        (("customer_id",), ""),
        (("segment",), None),
        (("segment",), "none"),
        (("label",), None),
        (("monetary",), "1e3"),
        (("frequency",), 0),
        (("purchase_days",), -1),
        (("updated_at",), ...),
        (("raw_segment",), "vip"),
    ],
    "epochs": [
        (("epoch",), 0),
        (("kind",), "guess"),
        (("scale",), [1.0, 0.0, 1.0]),
        (("mean",), [1.0, 0.0]),
        (("seed",), 5),
        (("centroids",), []),
        (("features", "recency"), "cubic"),
    ],
}

REFUSED_RECORDS = [
    {"type": "erasure", "customer_id": "1"},
    {"ordered_at": "2010-12-01", "amount": 1, "currency": "GBP"},
    {"order_id": "", "ordered_at": "2010-12-01", "amount": 1, "currency": "GBP"},
    {"order_id": "a\n", "ordered_at": "2010-12-01", "amount": 1, "currency": "GBP"},
    {"order_id": 1.5, "ordered_at": "2010-12-01", "amount": 1, "currency": "GBP"},
    {"order_id": 1, "ordered_at": "yesterday", "amount": 1, "currency": "GBP"},
    {"order_id": 1, "ordered_at": "2010-12-01", "amount": -1, "currency": "GBP"},
    {"order_id": 1, "ordered_at": "2010-12-01", "amount": "1,5", "currency": "GBP"},
    {"order_id": 1, "ordered_at": "2010-12-01", "amount": 1},
    {"order_id": 1, "ordered_at": "2010-12-01", "amount": 1, "currency": "GBP", "version": 1.5},
    {"order_id": 1, "ordered_at": "2010-12-01", "amount": 1, "currency": "GBP", "status": True},
    {"type": "refund", "refunded_at": "2010-12-01", "amount": 1, "currency": "GBP"},
    {"type": "payment", "payment_id": 1, "paid_at": "2010-12-01", "amount": 1, "currency": "GBP"},
    {"type": "cancellation", "cancelled_at": "2010-12-01"},
]


def changed(document, path, value):
    copy = json.loads(json.dumps(document))
    place = copy
    for name in path[:-1]:
        place = place[name]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copy


class SchemasTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        subprocess.run([WRITE_EXAMPLES, self.directory], check=True, timeout=60)

    def validate(self, schema, file):
        return subprocess.run(
            [sys.executable, VALIDATE, SCHEMAS / f"{schema}.schema.json", file],
            capture_output=True, text=True, timeout=60, check=False)

    def assert_valid(self, schema, file):
        done = self.validate(schema, file)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def assert_all_refused(self, schema, documents):
        text = (SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")
        validator = Draft202012Validator(json.loads(text))
        for document in documents:
            problem = problem_of(json.dumps(document), validator)
            self.assertIsNotNone(problem, f"accepted by {schema}: {document}")

    def test_what_we_write_is_valid(self):
        for name, schema in EXAMPLES.items():
            self.assert_valid(schema, self.directory / f"{name}.ndjson")

    def test_records_that_the_decoder_accepts_are_valid(self):
        self.assert_valid("order-record", SOURCE / "tests" / "support" / "order_records.ndjson")

    def test_what_is_wrong_is_refused(self):
        for name, changes in REFUSED.items():
            lines = (self.directory / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()
            first = json.loads(lines[0])
            self.assert_all_refused(EXAMPLES[name], [changed(first, p, v) for p, v in changes])

    def test_records_that_are_wrong_are_refused(self):
        self.assert_all_refused("order-record", REFUSED_RECORDS)

    def test_later_versions_may_add_members(self):
        for name, schema in EXAMPLES.items():
            lines = (self.directory / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()
            file = self.directory / "more.ndjson"
            file.write_text(json.dumps({**json.loads(lines[0]), "more": {"x": 1}}), encoding="utf-8")
            self.assert_valid(schema, file)

    def test_the_validator_is_strict(self):
        good = (self.directory / "rows.ndjson").read_text(encoding="utf-8").splitlines()[0]
        file = self.directory / "strict.ndjson"
        for text, why in [("", "holds no line"),
                          ("\n", ":1: not JSON"),
                          (good[:-1], ":1: not JSON"),
                          (good + "\n" + good[:-1] + ',"frequency":1}', ":2: not JSON: member given twice"),
                          (good[:-1] + ',"x":NaN}', ":1: not JSON: NaN")]:
            file.write_text(text, encoding="utf-8")
            done = self.validate("customer-row", file)
            self.assertEqual(done.returncode, 1, text)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    WRITE_EXAMPLES = sys.argv.pop(1)
    unittest.main()
