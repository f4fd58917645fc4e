"""What the daemons keep for themselves: the changelog's rows and progress, see state/FORMAT.md."""
import collections

ROW = b"c/"
META = b"META"

Progress = collections.namedtuple("Progress", "txn_seq topic partition first_offset next_offset")


class Bytes:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def text(self):
        length = self.varint()
        self.at += length
        return self.data[self.at - length:self.at].decode()


def progress_of(meta):
    """The beginning of a META of version 1."""
    data = Bytes(meta)
    version, _ = data.byte(), data.byte()
    assert version == 1, version
    return Progress(data.zigzag(), data.text(), data.varint(), data.zigzag(), data.zigzag())


class Changelog:
    """As a restore would read it. Each partition's transactions follow one another: none is missing, none
    begins where the one before did not end. (Compaction may have taken old ones.)"""

    def __init__(self, application, findings):
        self.findings = findings
        self.customers = collections.defaultdict(set)
        self.progress = {}
        for raw in application.kafka.stream(application.name + "-changelog"):
            self.take(raw.partition(), raw.key(), raw.value())

    def take(self, partition, key, value):
        if key.startswith(ROW):
            if value is None:
                self.customers[partition].discard(key[len(ROW):].decode())
            else:
                self.customers[partition].add(key[len(ROW):].decode())
            return
        assert key == META, key
        progress = progress_of(value)
        before = self.progress.get(partition)
        self.progress[partition] = progress
        if before is None:
            return
        what = f"transaction {progress.txn_seq} of partition {partition}"
        if progress.txn_seq <= before.txn_seq:
            self.findings.double(what, 1, f"comes after {before.txn_seq}")
        elif progress.txn_seq == before.txn_seq + 1 and progress.first_offset != before.next_offset:
            self.findings.blame(what, f"is {progress}, the one before {before}")

    def check(self, partition, end, rows):
        """At the end: all is applied, and there is a row for everybody of the customer table."""
        progress = self.progress.get(partition)
        reached = progress.next_offset if progress else 0
        if reached != end:
            self.findings.blame(f"changelog of partition {partition}", f"ends at {reached}, not {end}")
        for customer in self.customers[partition] ^ rows.keys():
            self.findings.blame(f"changelog row of {customer} in partition {partition}",
                                "has no row in the customer table, or the other way round")
