"""Each customer's events as they come: numbered from 1 without gaps, each from where the one before led to,
nothing twice."""
import collections
import json

Last = collections.namedtuple("Last", "sequence segment")
NOTHING = Last(0, None)


class Histories:
    def __init__(self, findings):
        self.findings = findings
        self.last = {}     # customer: Last
        self.sources = {}  # partition: source
        self.seen = set()  # (source, id)
        self.events = 0

    def take(self, partition, value):
        """One event's bytes. Returns its id."""
        event = json.loads(value)
        data, name = event["data"], event["id"]
        what = f"event {name}"
        self.events += 1
        source = self.sources.setdefault(partition, event["source"])
        if source != event["source"]:
            self.findings.blame(what, f"comes from {event['source']}, those before from {source}")
        if (event["source"], name) in self.seen:
            self.findings.double(what, 1, "was read twice")
            return name
        self.seen.add((event["source"], name))
        self.check(what, data)
        return name

    def check(self, what, data):
        customer, sequence = data["customer_id"], data["sequence"]
        before = self.last.get(customer, NOTHING)
        if sequence <= before.sequence:
            self.findings.blame(what, f"comes after number {before.sequence}")
            return
        for missing in range(before.sequence + 1, sequence):
            self.findings.lose(f"event {customer}:{missing}", f"number {sequence} came instead")
        if sequence == before.sequence + 1 and data["from_segment"] != before.segment:
            self.findings.blame(what, f"is from {data['from_segment']}, the one before led to "
                                      f"{before.segment}")
        if data["from_segment"] == data["to_segment"]:
            self.findings.blame(what, f"leads from {data['to_segment']} to itself")
        self.last[customer] = Last(sequence, data["to_segment"])
