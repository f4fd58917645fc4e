"""What lies in the daemons' state directories and in the changelog, as `segmentd state` tells it."""
import json

import harness
from findings import compare
from harness import run, set_flags

SAFE_SECONDS = 300


def ask(settings, *arguments):
    return run([harness.SEGMENTD, "state", *arguments, *set_flags(settings)], SAFE_SECONDS)


def rows_of(settings, partition, source, file):
    """[(customer, row without white space)] of a store or of the changelog, by customer."""
    done = ask(settings, "rows", "--partition", str(partition), "--from", source, "--out", file)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in file.read_bytes().splitlines()]
    file.unlink()
    return named(rows)


def named(rows):
    return sorted((row["customer_id"], json.dumps(row, sort_keys=True).encode()) for row in rows)


class Stores:
    """`settings` of each state directory that is left; `table`: {partition: {customer: row}}, the customer
    table."""

    def __init__(self, findings, directory, table):
        self.findings = findings
        self.file = directory / "rows"
        self.table = table
        self.equal = {}  # partition: how many stores were compared, and are as the changelog is

    def check(self, settings):
        done = ask(settings, "show", "--json")
        assert done.stdout, f"exit code {done.returncode}: {done.stderr}"
        for partition in json.loads(done.stdout)["partitions"]:
            self.check_one(settings, partition)

    def check_one(self, settings, told):
        partition, what = told["partition"], f"{settings['state_dir']}/partition-{told['partition']}"
        if not told["safe"]:
            self.findings.blame(what, f"is not safe: {told['remarks']}")
        store, changelog = told["store"], told["changelog"]
        if not store["exists"] or store["meta"] != changelog["meta"]:
            return  # an owner of before: behind, and what it lacks is in the changelog
        if store["rows_digest"] != changelog["rows_digest"]:
            self.findings.blame(what, "has other rows than the changelog")
        self.compare(settings, partition, "store", what)
        if partition not in self.equal:
            self.compare(settings, partition, "changelog", f"changelog of partition {partition}")
        self.equal[partition] = self.equal.get(partition, 0) + 1

    def compare(self, settings, partition, source, what):
        compare(self.findings, f"{what}, row", rows_of(settings, partition, source, self.file),
                named(self.table.get(partition, {}).values()))

    def check_owners(self):
        """Whoever had a partition last has stopped clean: its store is all there."""
        for partition in self.table.keys() - self.equal.keys():
            self.findings.lose(f"store of partition {partition}", "none is as the changelog is")
