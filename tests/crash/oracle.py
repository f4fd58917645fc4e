"""What must have come out. With the event clock: `segmentd replay --epochs` of each partition's log, the
epochs where the daemons applied them. With the wall clock: plain sums over the log."""
import collections
import json

from documents import but_its_source
from findings import compare
from records import Figures, expected_reject
from state_rows import Changelog

Replayed = collections.namedtuple("Replayed", "events table rejected")


class Log:
    """An input partition as it lies there, in a file of a line a record; offset n in line n."""

    def __init__(self, directory, partition):
        self.partition = partition
        self.file = directory / f"input-{partition}.ndjson"
        self.output = open(self.file, "wb")
        self.records = 0
        self.rejects = []  # (offset, reason) that are to be expected
        self.figures = Figures()

    def take(self, offset, value, with_figures):
        assert offset == self.records, f"partition {self.partition}: {offset} follows {self.records - 1}"
        assert value and b"\n" not in value, value
        self.records += 1
        self.output.write(value + b"\n")
        if reason := expected_reject(value):
            self.rejects.append((offset, reason))
        elif with_figures:
            self.figures.take(value)


def read_logs(application, with_figures):
    """{partition: Log}"""
    logs = {p: Log(application.directory, p) for p in application.kafka.partitions(application.input)}
    for raw in application.kafka.stream(application.input):
        logs[raw.partition()].take(raw.offset(), raw.value(), with_figures)
    for log in logs.values():
        log.output.close()
    return logs


def read_table(application):
    """{partition: {customer: newest row}}"""
    table = collections.defaultdict(dict)
    for raw in application.kafka.stream(application.table):
        table[raw.partition()][raw.key().decode()] = raw.value()
    return {p: {customer: json.loads(value) for customer, value in rows.items()}
            for p, rows in table.items()}


def read_rejects(application):
    """{partition: [(offset, reason)]}"""
    rejects = collections.defaultdict(list)
    for raw in application.kafka.stream(application.name + "-rejected"):
        headers = dict(raw.headers())
        assert int(headers["segmentd-partition"]) == raw.partition(), headers
        rejects[raw.partition()].append((int(headers["segmentd-offset"]),
                                         headers["segmentd-reason"].decode()))
    return rejects


def read_epochs(application):
    """([an epoch's document], {partition: [where it applied one]})"""
    epochs = {raw.key(): raw.value() for raw in application.kafka.stream(application.name + "-model")
              if raw.key().startswith(b"epoch/")}
    applied = collections.defaultdict(dict)
    for raw in application.kafka.stream(application.name + "-statistics"):
        if raw.key().startswith(b"applied/"):
            partition = int(raw.key().split(b"/")[1])
            assert raw.key() not in applied[partition], f"{raw.key()} twice"
            applied[partition][raw.key()] = raw.value()
    return list(epochs.values()), {p: list(rows.values()) for p, rows in applied.items()}


def replay(application, log, epochs, applied):
    assert applied, f"partition {log.partition} has met no epoch: the run was too short to prove anything"
    file = application.directory / f"epochs-{log.partition}.ndjson"
    file.write_bytes(b"".join(line + b"\n" for line in [*epochs, *applied]))
    files = application.replay_to_files(log.file, "--epochs", file)
    events = files["events"].read_bytes().splitlines()
    table = [json.loads(line) for line in files["table"].read_bytes().splitlines()]
    summary = json.loads(files["summary"].read_bytes())
    for file in files.values():
        file.unlink()
    return Replayed(events, {row["customer_id"]: row for row in table}, summary["rejected"])


def check_events(findings, found, expected):
    """`found`: [(id, bytes)] as read; `expected`: bytes. They differ in their source only."""
    compare(findings, "event", [(name, but_its_source(value)) for name, value in found],
            [(json.loads(value)["id"], but_its_source(value)) for value in expected])


def check_table(findings, partition, found, expected):
    """Rows of the topic, and those of replay, which tell more."""
    names = next(iter(found.values())).keys() if found else ()
    shown = {customer: {name: row[name] for name in names} for customer, row in expected.items()}
    for customer in shown.keys() | found.keys():
        what = f"row of {customer} in partition {partition}"
        if customer not in found:
            findings.lose(what, f"is not there: {shown[customer]}")
        elif customer not in shown:
            findings.blame(what, f"was made up: {found[customer]}")
        elif found[customer] != shown[customer]:
            findings.blame(what, f"is\n{found[customer]}\nand not\n{shown[customer]}")


def check_rejects(findings, partition, found, expected):
    def named(rejects):
        return [(f"of {partition}/{offset}", reason.encode()) for offset, reason in rejects]

    compare(findings, "reject", named(found), named(expected))


def check_figures(findings, partition, found, expected):
    """Every order's effect is in the customer table."""
    shown = {customer: (row["frequency"], row["monetary_minor"]) for customer, row in found.items()}
    for customer in shown.keys() | expected.keys():
        what = f"figures of {customer} in partition {partition}"
        if customer not in shown:
            findings.lose(what, f"no row; should be {expected[customer]}")
        elif customer not in expected:
            findings.blame(what, f"made up: {shown[customer]}")
        elif shown[customer] != expected[customer]:
            findings.blame(what, f"{shown[customer]}, not {expected[customer]} (frequency, minor units)")


def check_reject_sums(findings, partition, log, replayed):
    """By our own list and by replay's, which knows the reasons that depend on what came before."""
    counted = collections.Counter(reason for _, reason in log.rejects)
    told = {reason: n for reason, n in replayed.rejected.items() if n}
    if counted != told:
        findings.blame(f"rejects of partition {partition}", f"replay has {told}, not {dict(counted)}")


class Verdict:
    """Compares everything that a run has left with what it must be."""

    def __init__(self, application, findings):
        self.application = application
        self.findings = findings
        self.logs = {}
        self.table = {}
        self.epochs = 0

    def records(self):
        return sum(log.records for log in self.logs.values())

    def check(self, clock, events):
        """`events`: {partition: [(id, bytes)]} as they were read."""
        event_clock = clock == "event"
        self.logs = read_logs(self.application, not event_clock)
        self.table, rejects = read_table(self.application), read_rejects(self.application)
        changelog = Changelog(self.application, self.findings)
        epochs, applied = read_epochs(self.application)
        self.epochs = len(epochs)
        for partition, log in self.logs.items():
            rows = self.table.get(partition, {})
            check_rejects(self.findings, partition, rejects[partition], log.rejects)
            changelog.check(partition, log.records, rows)
            if not event_clock:
                check_figures(self.findings, partition, rows, log.figures.customers())
                continue
            replayed = replay(self.application, log, epochs, applied.get(partition, []))
            check_events(self.findings, events[partition], replayed.events)
            check_table(self.findings, partition, rows, replayed.table)
            check_reject_sums(self.findings, partition, log, replayed)
