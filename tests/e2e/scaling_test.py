#!/usr/bin/env python3
"""Several workers and several processes in one group: partitions spread, move and come back, and every
partition's events stay those of its records alone."""
import collections
import re
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from documents import check_histories, check_same, check_same_table, events_of, newest, without_source  # noqa: E402
from harness import Application, Daemon, metrics_of  # noqa: E402
from online_retail import check_rows  # noqa: E402
from waiting import until  # noqa: E402

PARTITIONS = 4
MOVED_SECONDS = 60
KEPT = "1s"
SESSION_MS = 30_000  # so that nothing here is a session that has ended
AWAY_SECONDS = 3  # many times what the others need to hear of a member that left
LEFT_SECONDS = 15


class ScalingTest(unittest.TestCase):
    def begin(self, word, partitions=PARTITIONS, **settings):
        self.application = Application(self, word, partitions=partitions, **settings)
        self.kafka = self.application.kafka
        self.daemon = self.application.daemon

    def other(self, name, **settings):
        """One more process of the group, with a state directory of its own."""
        more = Daemon({**self.daemon.settings, "state_dir": self.application.directory / name,
                       **{k.replace("__", "."): v for k, v in settings.items()}}, self.application.directory)
        self.addCleanup(more.clean_up)
        return more

    def partitions_of(self, daemon):
        """{partition: worker} of those that are at work."""
        page = metrics_of(daemon.get("/metrics")[1])
        prefix = "segmentd_partition_worker{"
        return {int(name.split('"')[1]): int(value) for name, value in page.items()
                if name.startswith(prefix)}

    def wait_for_share(self, daemon, count):
        until(lambda: daemon.require_running() and len(self.partitions_of(daemon)) == count and
              daemon.get("/readyz")[0] == 200, MOVED_SECONDS,
              lambda: f"{self.partitions_of(daemon)}, {daemon.get('/readyz')}\n{daemon.log_end()}")

    def check_everything(self):
        """Each partition by itself is what replay makes of its records, with its epochs where it applied
        them."""
        events = collections.defaultdict(list)
        messages = self.kafka.read(self.application.changes)
        for message, event in zip(messages, events_of(messages)):
            events[message.partition].append(event)
        rows = newest(self.application.rows())
        check_rows(rows)
        check_histories(self.application.events())
        epochs = [m.value for m in self.kafka.read(self.application.name + "-model")]
        applied = self.kafka.read(self.application.name + "-statistics")
        records = collections.defaultdict(list)
        for message in self.kafka.read(self.application.input):
            records[message.partition].append(message.value)
        for partition in range(PARTITIONS):
            lines = self.application.directory / f"records-{partition}.ndjson"
            lines.write_bytes(b"\n".join(records[partition]))
            given = self.application.directory / f"epochs-{partition}.ndjson"
            given.write_bytes(b"\n".join(epochs + [m.value for m in applied if m.partition == partition]))
            replayed = self.application.replay(lines, "--epochs", given)
            check_same([without_source(e) for e in events[partition]],
                       [without_source(e) for e in replayed.events], f"events of partition {partition}")
            mine = {c: row for c, row in rows.items() if c in replayed.table}
            check_same_table(mine, replayed.table)

    def test_workers_of_one_process(self):
        self.begin("workers", workers=3)
        self.application.import_to("kafka")
        self.daemon.start()
        self.application.wait_until_settled()
        self.wait_for_share(self.daemon, PARTITIONS)
        self.assertEqual(set(self.partitions_of(self.daemon).values()), {0, 1, 2})
        self.daemon.kill()
        self.daemon.start(workers=2)  # another number over the same directory
        self.wait_for_share(self.daemon, PARTITIONS)
        self.assertEqual(set(self.partitions_of(self.daemon).values()), {0, 1})
        self.check_everything()
        self.daemon.stop()

    def test_processes_come_and_go(self):
        self.begin("processes", state_keep=KEPT)
        self.daemon.start(limits__transaction_records=50)
        self.wait_for_share(self.daemon, PARTITIONS)
        others = [self.other(f"state-{n}", limits__transaction_records=50) for n in range(3)]
        self.application.import_to("kafka")
        for n, other in enumerate(others):
            other.start()
            for daemon, share in zip([self.daemon, *others[:n + 1]], {0: (2, 2), 1: (2, 1, 1), 2: (1, 1, 1, 1)}[n]):
                if n != 1:
                    self.wait_for_share(daemon, share)
        others[0].stop()
        others[1].kill()
        self.wait_for_share(self.daemon, 2)
        self.wait_for_share(others[2], 2)
        self.daemon.stop()
        self.wait_for_share(others[2], PARTITIONS)
        self.daemon.start()
        self.wait_for_share(self.daemon, 2)
        self.application.daemon = self.daemon
        self.application.wait_until_settled()
        self.check_everything()
        # What went elsewhere is kept for a while only.
        stores = lambda: sorted(path.name for path in (self.application.directory / "state-2").glob("partition-*"))
        held = sorted(f"partition-{p}" for p in self.partitions_of(others[2]))
        until(lambda: stores() == held, MOVED_SECONDS, lambda: f"{stores()}, {held}")
        others[2].stop()
        self.daemon.stop()

    def test_a_member_that_stays_and_one_that_leaves(self):
        """on_stop: who stays is back within its session, and the others hear nothing of it; who leaves is done
        without at once."""
        self.begin("stay", on_stop="stay", kafka__session__timeout__ms=SESSION_MS)
        other = self.other("state-other").start()
        self.daemon.start()
        for daemon in (self.daemon, other):
            self.wait_for_share(daemon, 2)
        before, heard = self.shares(other), self.rebalances_of(other)
        self.daemon.stop()
        time.sleep(AWAY_SECONDS)
        self.daemon.start(on_stop="leave")
        self.wait_for_share(self.daemon, 2)
        self.assertEqual((self.shares(other), self.rebalances_of(other)), (before, heard), other.log_end())

        self.daemon.stop()
        until(lambda: len(self.partitions_of(other)) == PARTITIONS, LEFT_SECONDS, other.log_end)
        other.stop()

    def shares(self, other):
        return self.partitions_of(self.daemon).keys(), self.partitions_of(other).keys()

    def rebalances_of(self, daemon):
        return re.findall(r"^.* (?:assigned|revoked|lost).* partitions=.*$", daemon.log(), re.MULTILINE)

    def test_more_members_than_partitions(self):
        self.begin("standby", partitions=1)
        self.daemon.start()
        self.wait_for_share(self.daemon, 1)
        standby = self.other("state-standby").start()
        standby.wait_for("assigned partitions=none")
        self.wait_for_share(standby, 0)
        self.daemon.kill()  # and does not come back
        self.wait_for_share(standby, 1)
        standby.stop()


if __name__ == "__main__":
    harness.main()
