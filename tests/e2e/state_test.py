#!/usr/bin/env python3
"""`segmentd state`: what it says of a state directory and its changelog, sound or not, and that the rows
of store, changelog, customer table and replay are the same."""
import json
import shutil
import sys
import threading
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402
from commands_test import picture  # noqa: E402
from documents import check_same, newest, rows_of_lines  # noqa: E402
from harness import Application, Daemon, free_ports, run, set_flags  # noqa: E402
from kafka_topics import KafkaTopics  # noqa: E402
from recovery_test import damage, order  # noqa: E402

CLEAN, USAGE, BROKER, STATE = 0, 2, 3, 4
ORDERS = 50


class StateTest(unittest.TestCase):
    def begin(self, word, partitions=2, orders=ORDERS, **settings):
        """An application that has consumed some orders of one customer a partition, and is stopped."""
        application = Application(self, word, partitions, input__partitioner="unchecked", **settings)
        self.send(application, range(partitions), range(orders))
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        return application

    def send(self, application, partitions, numbers):
        for p in partitions:
            for n in numbers:
                application.kafka.send(application.input, b"c%d" % p, order(n, f"c{p}"), p)

    def send_until(self, application, done):
        """Orders of hundreds of customers as fast as they are acknowledged."""
        topics = KafkaTopics(application.kafka.brokers)
        n = 0
        while not done.is_set():
            topics.send(application.input, b"%d" % (n % 500), order(n, str(n % 500)))
            n += 1
        topics.close()

    def state(self, of, code, *arguments, **settings):
        """What it writes, ended with this exit code; what it complains of is kept."""
        given = {**of.daemon.settings, **{k.replace("__", "."): v for k, v in settings.items()}}
        done = run([harness.SEGMENTD, "state", *arguments, *set_flags(given)])
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.complained = done.stderr
        return done.stdout

    def show(self, application, code, *arguments, **settings):
        """(its text, its JSON)."""
        text = self.state(application, code, *arguments, **settings)
        found = json.loads(self.state(application, code, "show", *arguments, "--json", **settings))
        self.assertEqual(found["safe"], "NOT SAFE" not in text, text)
        return text, found

    def remarks(self, partition, grade):
        return [r["what"] for r in partition["remarks"] if r["grade"] == grade]

    def test_nothing_yet(self):
        application = Application(self, "nothing", 2)
        text, found = self.show(application, CLEAN)
        self.assertEqual(text.count("no state yet, neither here nor in the changelog"), 2)
        self.assertIn("held              by nobody", text)
        self.assertIsNone(found["instance"])
        self.assertFalse(application.state.exists())
        _, found = self.show(application, CLEAN, "--offline")
        self.assertEqual(found["partitions"], [])
        self.show(application, BROKER, input__topic="nowhere")
        self.assertIn("nowhere", self.complained)

    def test_consistent_and_untouched(self):
        application = self.begin("sound")
        before = picture(application.state)
        text, found = self.show(application, CLEAN)
        self.assertEqual(picture(application.state), before)
        self.assertTrue(text.endswith("consistent\n"), text)
        self.assertEqual((found["application"], found["held_by"]), (application.name, None))
        for number, partition in enumerate(found["partitions"]):
            store, log, group = partition["store"], partition["changelog"], partition["group"]
            self.assertEqual((partition["partition"], store["customers"], log["customers"]), (number, 1, 1))
            self.assertEqual(store["meta"], log["meta"])
            self.assertEqual(store["rows_digest"], log["rows_digest"])
            self.assertEqual((store["meta"]["next_offset"], group["next_offset"]), (ORDERS, ORDERS))
            mark, _, process = group["metadata"].rpartition("#")
            self.assertEqual(mark, f"{store['meta']['txn_seq']}/{store['meta']['writer']}")
            self.assertRegex(process, r"^[0-9a-f]{8}/\d+$")
            self.assertEqual(log["records_ahead"], 0)
            self.assertEqual(partition["input"]["last_applied"], "same")
            self.assertIn("the store is equal to the changelog", self.remarks(partition, "ok"))
        _, found = self.show(application, CLEAN, "--partition", "1")
        self.assertEqual([p["partition"] for p in found["partitions"]], [1])

    def test_partitions_that_lie_elsewhere_are_told_from_the_changelog(self):
        application = self.begin("elsewhere")
        shutil.rmtree(application.state / "partition-1")
        _, found = self.show(application, CLEAN)
        partition = found["partitions"][1]
        self.assertFalse(partition["store"]["exists"])
        self.assertEqual(partition["changelog"]["meta"]["next_offset"], ORDERS)
        self.assertIn("no store here: the changelog gives it back, 1 customer",
                      self.remarks(partition, "ok"))

    def test_while_it_is_worked_on(self):
        application = self.begin("worked", partitions=1, orders=2)
        application.daemon.start(rocksdb__flush_interval="1s").wait_active()
        done = threading.Event()
        sender = threading.Thread(target=self.send_until, args=(application, done))
        sender.start()
        self.addCleanup(sender.join)
        self.addCleanup(done.set)
        for _ in range(8):
            text, found = self.show(application, CLEAN)
            self.assertEqual(found["held_by"], str(application.daemon.process.pid))
            self.assertIn(f"by process {application.daemon.process.pid}", text)
        self.state(application, CLEAN, "rows", "--partition", "0")
        self.assertIn("as of its last flush", self.complained)
        self.state(application, STATE, "rebuild", "--all")
        self.assertIn(f"held by another segmentd, process {application.daemon.process.pid}", self.complained)
        done.set()
        sender.join()
        application.wait_until_consumed()
        application.daemon.stop()
        _, found = self.show(application, CLEAN)
        self.assertGreater(found["partitions"][0]["store"]["meta"]["txn_seq"], 10)

    def test_before_anything_was_flushed_and_when_the_partition_went_elsewhere(self):
        application = Application(self, "unflushed", 1, input__partitioner="unchecked")
        self.send(application, [0], range(ORDERS))
        application.daemon.start()
        application.wait_until_consumed()

        def behind(*words):
            text, found = self.show(application, CLEAN)
            partition = found["partitions"][0]
            records = partition["changelog"]["records_ahead"]
            self.assertEqual(records, partition["changelog"]["records"])
            self.assertGreater(records, 0)
            for word in (f"the store holds nothing yet and is behind the changelog by {records} records", *words):
                self.assertIn(word, text)
            self.assertNotIn("equal to the changelog", text)

        behind("as of its last flush: it is worked on")
        application.daemon.kill()
        behind(": normal after a kill")
        other = Daemon({**application.daemon.settings, "state_dir": application.directory / "other"},
                       application.directory)
        self.addCleanup(other.clean_up)
        other.start().wait_active()
        self.send(application, [0], range(ORDERS, ORDERS + 5))
        application.wait_until_consumed_by(other)
        writer = other.wait_for(r" instance=(\S+)").group(1) + "-0"
        behind(f"{writer} has worked on the partition since")
        other.stop()

    def test_behind_after_a_kill(self):
        application = self.begin("behind", partitions=1)
        application.daemon.start().wait_active()
        self.send(application, [0], range(ORDERS, ORDERS + 10))
        application.wait_until_consumed()
        application.daemon.kill()
        text, found = self.show(application, CLEAN)
        ahead = found["partitions"][0]["changelog"]["records_ahead"]
        self.assertGreater(ahead, 0)
        self.assertIn(f"the store is behind the changelog by {ahead} records: normal after a kill", text)

    def test_a_damaged_store_and_its_rebuilding(self):
        application = self.begin("damaged")
        rows = [self.rows(application, p, "store") for p in range(2)]
        damage(application.state / "partition-0")
        text, found = self.show(application, STATE)
        self.assertEqual([p["safe"] for p in found["partitions"]], [False, True])
        self.assertIn("the store is damaged", text)
        self.assertIn("segmentd state rebuild", text)
        self.show(application, STATE, "--offline")
        before = picture(application.state)
        said = self.state(application, CLEAN, "rebuild", "--partition", "0", "--dry-run")
        self.assertIn("would be moved to", said)
        self.assertEqual({k: v[1] for k, v in before.items() if k.is_file() and k.name != "LOCK"},
                         {k: v[1] for k, v in picture(application.state).items()
                          if k.is_file() and k.name != "LOCK"})
        said = self.state(application, CLEAN, "rebuild", "--partition", "0")
        self.assertIn("the next start restores 1 customer from", said)
        self.assertTrue((application.state / "partition-0.kept").is_dir())
        self.assertFalse((application.state / "partition-0").exists())
        application.daemon.start().wait_active(2)
        application.daemon.stop()
        _, found = self.show(application, CLEAN)
        self.assertEqual(found["partitions"][0]["store"]["set_aside"][0]["name"], "partition-0.kept")
        self.assertEqual([self.rows(application, p, "store") for p in range(2)], rows)

    def test_a_rebuild_that_would_lose_is_refused(self):
        application = self.begin("loses", partitions=1)
        changelog = application.name + "-changelog"
        application.kafka.delete(changelog)
        text, _ = self.show(application, STATE)
        self.assertIn("this store is the only copy", text)
        before = picture(application.state)
        self.state(application, STATE, "rebuild", "--all")
        self.assertIn("the changelog does not exist", self.complained)
        application.kafka.create(changelog, 1, cleanup_policy="compact")
        self.state(application, STATE, "rebuild", "--partition", "0")
        self.assertIn("holds no state of this partition", self.complained)
        self.assertIn("--force", self.complained)
        without_lock = {k: v for k, v in picture(application.state).items()
                        if k.name != "LOCK" and k.is_file()}
        self.assertEqual(without_lock, {k: v for k, v in before.items()
                                        if k.name != "LOCK" and k.is_file()})
        text, _ = self.show(application, STATE)
        self.assertIn("the store has state, the changelog has none", text)
        self.assertIn("was deleted", self.state(application, CLEAN, "rebuild", "--all", "--force"))
        self.assertEqual(list(application.state.glob("partition-*")), [])
        text, _ = self.show(application, STATE)
        self.assertIn("committed offset (50) but there is no state", text)
        self.assertIn("holds no store", (self.state(application, USAGE, "rebuild", "--all"), self.complained)[1])

    def test_what_is_not_this_applications(self):
        application = self.begin("mine", partitions=1)
        text, _ = self.show(application, STATE, "--offline", decimals=2)
        self.assertIn("decimals is '2', the state was made under '3'", text)
        self.state(application, STATE, application=application.name + "-x")
        self.assertIn(f"belongs to application '{application.name}'", self.complained)
        self.state(application, STATE, "rebuild", "--all", application=application.name + "-x")
        self.assertTrue((application.state / "partition-0").is_dir())

    def test_an_offset_set_by_hand_and_an_input_made_anew(self):
        application = self.begin("hand", partitions=1)
        application.kafka.commit(application.name, application.input, 0, 7)
        text, _ = self.show(application, STATE)
        self.assertIn("the group's offset 7 does not say which transaction it belongs to", text)
        application.kafka.delete(application.input)
        application.kafka.create(application.input, 1)
        text, _ = self.show(application, STATE)
        self.assertIn("the topic was made anew", text)

    def test_nobody_answers(self):
        application = self.begin("alone", partitions=1)
        address = f"127.0.0.1:{free_ports(1)[0]}"
        text = self.state(application, BROKER, brokers=address)
        self.assertIn(f"broker {address}", self.complained)
        self.assertIn("the store reads well: 1 row", text)
        self.state(application, BROKER, "rebuild", "--all", brokers=address)
        self.assertTrue((application.state / "partition-0").is_dir())
        self.state(application, USAGE, "rebuild")
        self.state(application, USAGE, "rows")
        self.state(application, USAGE, "--partition", "5", "--offline")
        self.assertIn("there is no partition 5", self.complained)
        self.state(application, USAGE, "rows", "--partition", "5")
        self.assertIn("there is no store of partition 5", self.complained)

    # rows

    def rows(self, application, partition, source):
        """{customer: row}, in the order of the ids."""
        out = application.directory / f"rows-{source}"
        self.state(application, CLEAN, "rows", "--partition", partition, "--from", source, "--out", out)
        rows = rows_of_lines(out.read_bytes().splitlines())
        ids = [row["customer_id"] for row in rows]
        self.assertEqual(ids, sorted(ids))
        self.assertEqual(len(set(ids)), len(ids))
        return newest(rows)

    def test_four_tellings_of_the_same_rows(self):
        application = Application(self, "rows")
        file = application.directory / "records.ndjson"
        application.import_to(file)
        lines = file.read_text(encoding="utf-8").splitlines()[:9000]
        file.write_text("\n".join(lines), encoding="utf-8")
        application.send_all(lines)
        application.daemon.start()
        application.wait_until_settled()
        application.daemon.stop()
        table = newest(application.rows())
        self.assertGreater(len(table), 1000)
        for source in ("store", "changelog"):
            check_same(self.rows(application, 0, source), table, source)
        replayed = application.replay(file).table
        check_same(table, {customer: {name: row[name] for name in table[customer]}
                           for customer, row in replayed.items()}, "replay")
        customer = next(c for c, row in table.items() if row["frequency"] > 2 and row["refunds"] > 0)
        for source in ("store", "changelog"):
            text = self.state(application, CLEAN, "rows", "--partition", 0, "--from", source,
                              "--customer", customer)
            self.assertRegex(text, rf"customer +{customer}\n")
            self.assertIn(f"{table[customer]['frequency']} counting orders", text)
            self.assertIn("the checksum is right", text)
            anywhere = self.state(application, CLEAN, "rows", "--from", source, "--customer", customer)
            self.assertEqual(anywhere, text)
        self.state(application, USAGE, "rows", "--partition", 0, "--customer", "nobody")
        self.assertIn("no row of customer 'nobody' in this partition", self.complained)
        self.state(application, USAGE, "rows", "--customer", "nobody")
        self.assertIn("no row of customer 'nobody' in any partition of the store", self.complained)

    def test_help(self):
        told = run([harness.SEGMENTD, "state", "--help"]).stdout
        for word in ("show", "rows", "rebuild", "--offline", "--json"):
            self.assertIn(word, told)
        for part, words in {"rows": ("--from", "--out", "--customer"), "rebuild": ("--all", "--force")}.items():
            told = run([harness.SEGMENTD, "state", part, "--help"]).stdout
            for word in words:
                self.assertIn(word, told)


if __name__ == "__main__":
    harness.main()
