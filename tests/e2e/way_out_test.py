#!/usr/bin/env python3
"""What stops an application for good or until somebody acts, one by one: how it ends or parks, in which
words, and that the way out which it names leads out (deploy/OPERATIONS.md has them all)."""
import collections
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from confluent_kafka.admin import NewPartitions  # noqa: E402
from documents import check_histories, check_same_table, newest  # noqa: E402
from harness import Application, metrics_of, run  # noqa: E402
from instants import SECOND_MS, now_ms, rfc3339  # noqa: E402
from kafka_topics import TIMEOUT_SECONDS, KafkaTopics  # noqa: E402
from one_customer import SECONDS, STATE, OneCustomerAPartition, order  # noqa: E402
from silence import check_silences, check_the_same_as_replay  # noqa: E402
from waiting import until  # noqa: E402

BROKER = 3
NOTICED = {"kafka.topic.metadata.refresh.interval.ms": 1000}  # the library looks every 5 minutes
EVERYTHING = 2000  # records of the history that is read once more
HOUR = 3600
CUSTOMERS = 40_000
MIB = 1 << 20


def raise_partitions(application, *topics, to):
    for topic in topics:
        for made in application.kafka.admin.create_partitions([NewPartitions(topic, to)]).values():
            made.result(TIMEOUT_SECONDS)
        until(lambda: len(application.kafka.partitions(topic)) == to, SECONDS, f"{topic} has not {to}")


class AnotherApplicationIdTest(OneCustomerAPartition):
    """State that does not fit any more: the way out is a new application id, which reads the input from its
    beginning and comes to what a replay of it says."""

    def history(self):
        """The first records of the extract, as a file."""
        whole, first = (self.temporary / name for name in ("whole.ndjson", "first.ndjson"))
        self.old.import_to(whole)
        with open(whole, encoding="utf-8") as lines:
            first.write_text("".join(itertools.islice(lines, EVERYTHING)), encoding="utf-8")
        return first

    def read_once_more(self, **settings):
        """Under a new id, with the settings that did not fit; compared with a replay."""
        new = Application(self, "anew", input_topic=self.old.input, input__partitioner="unchecked",
                          **settings)
        new.daemon.start()
        new.wait_until_consumed()
        new.daemon.stop()
        return new

    def test_a_setting_of_the_fingerprint_changed(self):
        self.old = self.application("meaning", partitions=1)
        self.temporary = self.old.directory
        history = self.history()
        self.old.send_all(history.read_text(encoding="utf-8").splitlines())
        self.old.daemon.start()
        self.old.wait_until_consumed()
        self.old.daemon.stop()
        written = self.old.ends()
        self.old.daemon.start(input__counting_statuses="shipped")
        self.wait_ended(self.old, STATE, "reason=fingerprint", "input.counting_statuses is 'shipped'",
                        "Set it back, or start a new application id")
        self.assertEqual(self.old.ends(), written)

        new = self.read_once_more(input__counting_statuses="shipped")
        replayed = new.replay(history)
        check_same_table(newest(new.rows()), replayed.table)
        self.assertEqual(len(new.events()), len(replayed.events))
        check_histories(new.events())

    def test_partitions_added_while_it_runs(self):
        self.old = self.begin("grown")
        self.old.daemon.start(**NOTICED).wait_active(2)
        raise_partitions(self.old, self.old.input, to=3)
        self.wait_ended(self.old, STATE, "reason=partition_count", "has 3 partitions now, it had 2",
                        "Start a new application id")
        self.old.daemon.start()
        self.wait_ended(self.old, BROKER, "has 2 partitions, needs 3", "start a new application id")
        self.check_new_id()

    def test_partitions_added_to_the_topics_of_the_application_too(self):
        self.old = self.begin("stretched")
        raise_partitions(self.old, self.old.input, self.old.changes, self.old.table,
                         *(self.old.name + suffix for suffix in ("-rejected", "-changelog", "-statistics")),
                         to=3)
        self.old.daemon.start()
        self.wait_ended(self.old, STATE, "reason=partition_count", "has 3 partitions now, it had 2",
                        "Start a new application id")
        self.assertNotIn(" active partition=", self.old.daemon.log())

    def check_new_id(self):
        fresh = KafkaTopics(self.old.kafka.brokers)  # which knows of the new partition
        self.addCleanup(fresh.close)
        for n in range(7):
            fresh.send(self.old.input, b"c2", order(n, "c2"), 2)
        new = self.read_once_more()
        self.assertEqual([self.frequency(new, customer) for customer in ("c0", "c1", "c2")], [50, 50, 7])

    def test_the_changelog_deleted(self):
        self.old = self.begin("forgot", partitions=1)
        self.old.kafka.delete(self.old.name + "-changelog")  # and made anew, empty, at the start
        self.old.daemon.start()
        for _ in range(2):  # it stays so, and nothing is read as if it were new
            self.wait_ended(self.old, STATE, "reason=state_behind_log", "the changelog was deleted",
                            "Start a new application id")
            self.old.daemon.start()
        self.wait_ended(self.old, STATE, "the changelog was deleted")
        shutil.rmtree(self.old.state)
        self.old.daemon.start()
        self.wait_ended(self.old, STATE, "reason=state_behind_log", "there is a committed offset but no state",
                        "Start a new application id")
        self.assertEqual(len(self.old.rows()), len({row["frequency"] for row in self.old.rows()}))
        new = self.read_once_more()
        self.assertEqual(self.frequency(new, "c0"), 50)

    def test_the_changelog_deleted_while_it_runs(self):
        self.old = self.begin("sawn", partitions=1)
        self.old.daemon.start(topics__check_every="1s").wait_active()
        self.old.kafka.delete(self.old.name + "-changelog")
        self.old.daemon.wait_for(r"changelog \(changelog\) was deleted while segmentd runs")
        self.send(self.old, 0, [50])
        self.wait_ended(self.old, BROKER, self.old.name + "-changelog")
        self.assertEqual(self.frequency(self.old, "c0"), 50)
        new = self.read_once_more()
        self.assertEqual(self.frequency(new, "c0"), 51)


class WayOutTest(OneCustomerAPartition):
    def test_the_state_directory_of_another_application(self):
        one = self.begin("one", partitions=1)
        other = self.application("other", partitions=1)
        other.daemon.start(state_dir=one.state)
        self.wait_ended(other, STATE, str(one.state), f"belongs to application '{one.name}', not to "
                                                      f"'{other.name}'")
        self.send(one, 0, [50])  # it is none the worse
        one.daemon.start()
        one.wait_until_consumed()
        one.daemon.stop()
        self.assertEqual(self.frequency(one, "c0"), 51)

    def test_a_moved_state_directory(self):
        application = self.begin("moved", partitions=1)
        elsewhere = application.directory / "elsewhere"
        shutil.move(application.state, elsewhere)
        self.send(application, 0, [50])
        application.daemon.start(state_dir=elsewhere)
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertNotIn("restoring", application.daemon.log())
        self.assertEqual(self.frequency(application, "c0"), 51)

    def test_a_row_that_is_larger_than_the_changelog_takes(self):
        application = self.begin("oversized")
        changelog = application.name + "-changelog"
        application.daemon.start().wait_active(2)
        application.kafka.configure(changelog, cleanup_policy="compact", max_message_bytes="9000")
        noise = random.Random(1)
        wide = [f"{noise.getrandbits(1000):0250x}" for _ in range(100)]  # ids that no compression makes small
        for order_id in wide:
            application.kafka.send(application.input, b"c0",
                                   order(0, "c0", order_id=order_id), 0)
        self.wait_parked(application, 0, "max.message.bytes")
        self.assertRegex(application.daemon.log(), f"reason=repeated_failure what=.*{changelog}/0")
        self.send(application, 1, [50])  # the other one goes on
        self.wait_for_offset(application, 1, 51)
        application.daemon.stop()
        application.daemon.start()  # as long as it is so it does not begin
        self.wait_ended(application, BROKER, f"topic {changelog} (changelog) has max.message.bytes = 9000")

        application.kafka.configure(changelog, cleanup_policy="compact", max_message_bytes="1048588")
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertEqual(self.frequency(application, "c0"), 50 + len(wide))
        self.assertEqual(self.frequency(application, "c1"), 51)
        check_histories(application.events())

    def test_policies_that_become_worse(self):
        application = self.begin("policies", partitions=1)
        application.daemon.start(topics__check_every="1s").wait_active()
        table = application.table
        application.kafka.configure(table, cleanup_policy="delete")
        application.daemon.wait_for(rf"warning a topic is not as it has to be any more "
                                    rf"what=\"topic {table} \(table\) has cleanup.policy = delete, needs compact")
        self.wait_for_metric(application, 'segmentd_topic_problems{role="table"}', 1)
        self.assertEqual(application.daemon.get("/readyz")[0], 200)  # it stops nothing
        application.kafka.configure(table, cleanup_policy="compact")
        application.daemon.wait_for("no longer so")
        self.wait_for_metric(application, 'segmentd_topic_problems{role="table"}', 0)
        application.daemon.stop()
        self.assertEqual(application.daemon.log().count("needs compact"), 2)  # once each way

    def wait_for_metric(self, application, name, value):
        until(lambda: metrics_of(application.daemon.get("/metrics")[1])[name] == value, SECONDS,
              lambda: f"{name} is not {value}:\n{application.daemon.log_end()}")


class SmallDisk:
    """A file system of its own for the state directory, where the test may mount one."""

    def __init__(self, test, directory, size):
        directory.mkdir()
        mounted = run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", directory])
        if mounted.returncode != 0:
            test.skipTest(f"no file system may be mounted here: {mounted.stderr.strip()}")
        test.addCleanup(subprocess.run, ["umount", "-l", directory], check=True)
        self.ballast = directory / "ballast"

    def leave_free(self, size):
        with open(self.ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self.ballast.parent).free - size)

    def empty(self):
        self.ballast.unlink()


class FullDiskTest(OneCustomerAPartition):
    def test_a_full_disk_is_waited_for(self):
        application = self.application("full", partitions=1)
        disk = SmallDisk(self, application.directory / "disk", 96 * MIB)
        application.daemon.settings["state_dir"] = application.directory / "disk" / "state"
        application.daemon.settings["limits.disk_free_bytes"] = 32 * MIB
        self.send(application, 0, range(50))
        application.daemon.start()
        application.wait_until_consumed()
        disk.leave_free(20 * MIB)
        self.send(application, 0, [50])
        self.wait_parked(application, 0, "limits.disk_free_bytes")
        self.assertIn("reason=disk_full", application.daemon.log())
        self.send(application, 0, [51])
        self.assertEqual(application.daemon.get("/healthz")[0], 200)  # a restart would not help
        disk.empty()
        application.daemon.wait_for("there is room on the disk again")
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertEqual(self.frequency(application, "c0"), 52)
        check_histories(application.events())

    def test_a_disk_without_any_room(self):
        """Not the bound: the file system itself says so, in the middle of a flush."""
        application = self.application("packed", partitions=1)
        disk = SmallDisk(self, application.directory / "disk", 96 * MIB)
        application.daemon.settings.update({
            "state_dir": application.directory / "disk" / "state", "limits.disk_free_bytes": MIB,
            "rocksdb.flush_interval": "2s", "rocksdb.write_buffer_bytes": 64 * MIB})
        application.daemon.start().wait_active()
        disk.leave_free(3 * MIB)
        noise = random.Random(2)  # no compression makes it small
        for n in range(CUSTOMERS):
            customer = f"d{n}"
            application.kafka.producer.produce(
                application.input, partition=0, key=customer.encode(),
                value=order(n, customer, order_id=f"{noise.getrandbits(1000):0250x}"))
            application.kafka.producer.poll(0)
        self.assertEqual(application.kafka.producer.flush(SECONDS), 0)
        self.wait_parked(application, 0, "No space left")
        self.assertIn("reason=disk_full", application.daemon.log())
        disk.empty()
        application.daemon.wait_for("there is room on the disk again")
        application.wait_until_consumed()
        application.daemon.stop()
        rows = newest(application.rows())
        self.assertEqual(len(rows), CUSTOMERS)
        self.assertEqual({row["frequency"] for row in rows.values()}, {1})


class OutageTest(unittest.TestCase):
    SETTINGS = {"model__evaluate_every": "10m", "model__min_customers": 10, "model__min_days": 0,
                "model__recency_tau": "1d"}

    def test_an_hour_of_orders_that_came_meanwhile(self):
        """In service: what lay unread is applied at its own time, once, and silence passes over nobody."""
        self.end_ms, self.chance = now_ms(), random.Random(5)
        orders = [self.order(n) for n in range(0, 2 * HOUR, 3)]
        application = Application(self, "outage", **self.SETTINGS)
        application.daemon.settings["clock"] = "wall"
        application.send_all(orders)
        applied = self.die_in_the_middle(application, orders)
        self.check_somebody_may_be_passed_over(application, orders, applied)
        application.daemon.start(limits__transaction_records=50)  # so that some lie unread for a while
        application.wait_until_consumed()
        application.daemon.stop()

        events, records = application.events(), [json.loads(order) for order in orders]
        self.assertTrue(check_silences(events, records, now_ms()), "nobody lapsed")
        check_histories(events)
        check_the_same_as_replay(application, events, records[-1]["ordered_at"])
        self.assertEqual({customer: row["frequency"] for customer, row in newest(application.rows()).items()},
                         collections.Counter(record["customer_id"] for record in records))
        self.assertEqual(application.rejects(), [])

    def order(self, n):
        """Some customers buy all the time, some hardly ever."""
        return json.dumps({"order_id": f"o{n}", "customer_id": f"c{int(90 * self.chance.random() ** 3)}",
                           "amount": f"{n % 97 + 1}.000", "currency": "GBP",
                           "ordered_at": rfc3339(self.end_ms - (2 * HOUR - n) * SECOND_MS)})

    def die_in_the_middle(self, application, orders):
        """About an hour ago by its clock, which is that of the orders as long as some lie unread. How many it
        has applied."""
        application.daemon.start(limits__transaction_records=5)  # takes its time
        until(lambda: application.daemon.require_running() and application.progress() > len(orders) / 2,
              harness.WORK_SECONDS, application.daemon.log_end)
        application.daemon.kill()
        applied = application.progress()
        self.assertLess(applied, len(orders) * 3 / 4, "it was too quick to be stopped in the middle")
        return applied

    def check_somebody_may_be_passed_over(self, application, orders, applied):
        """Who would lapse in the hour if it were not for an order that lies unread."""
        file = application.directory / "applied.ndjson"
        file.write_text("\n".join(orders[:applied]), encoding="utf-8")
        saved = set()
        table = application.replay(file).table
        for record in map(json.loads, orders[applied:]):
            at = table.get(record["customer_id"], {}).get("next_at")
            if at is not None and record["ordered_at"] < at < rfc3339(self.end_ms):
                saved.add(record["customer_id"])
        self.assertGreater(len(saved), 3)


def become_one_who_may_mount():
    """In a namespace of his own, where the system lets him only there."""
    alone = ["unshare", "--map-root-user", "--mount"]
    if run(["unshare", "--mount", "true"]).returncode != 0 and run([*alone, "true"]).returncode == 0:
        os.execvp(alone[0], [*alone, sys.executable, *sys.argv])


if __name__ == "__main__":
    become_one_who_may_mount()
    harness.main()
