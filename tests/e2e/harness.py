"""The world of an end-to-end test: the broker, a segmentd of its own, its topics and its replay.

    some_test.py SEGMENTD [unittest's arguments]

The broker's address is in the file that SEGMENTD_TEST_BROKER names (CTest's fixture); a test run alone
starts a broker of its own.
"""
import atexit
import collections
import contextlib
import ctypes
import itertools
import json
import lzma
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from documents import (PROJECT, epochs_of, events_of, events_of_lines, newest, rows_of,
                       rows_of_lines)
from kafka_topics import KafkaTopics
from waiting import until

EXTRACT = PROJECT / "deploy" / "data" / "online-retail-invoices.csv.xz"
BROKER = PROJECT / "deploy" / "kafka" / "broker"
KAFKA_VERSION = os.environ.get("SEGMENTD_TEST_KAFKA", "4.3.1")
SEGMENTD = None  # the program under test

START_SECONDS = 60
STOP_SECONDS = 60
COMMAND_SECONDS = 120
BROKER_STOP_SECONDS = 60
WORK_SECONDS = 240
SETTLED_POLLS = 60  # of 20 ms, in which nothing more is written
PR_SET_PDEATHSIG = 1
LOG_SHOWN_BYTES = 4000

LIBC = ctypes.CDLL(None)
NUMBERS = itertools.count()


def end_with_parent():
    """Between fork and exec: what a test started does not outlive it, however it ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def environment():
    """Ours without what segmentd would take for settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTD_")}


def spawn(command, output, **more):
    return subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, preexec_fn=end_with_parent, env=environment(),
                            **more)


def run(command, seconds=COMMAND_SECONDS, **more):
    """Runs to the end; the caller looks at the exit code."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=seconds, check=False, preexec_fn=end_with_parent, env=environment(),
                          **more)


def set_flags(settings):
    return [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]


# --- the broker ---

def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class OwnBroker:
    """A broker of a test's own: there to be lost, started again, or told more than the usual."""

    def __init__(self, properties=""):
        """Further lines of server.properties."""
        self.directory = tempfile.TemporaryDirectory(prefix="segmentd-kafka-")
        self.port, self.controller_port = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        self.properties = pathlib.Path(self.directory.name) / "further.properties"
        self.properties.write_text(properties)
        self.log = pathlib.Path(self.directory.name) / "start.log"
        self.process = None
        atexit.register(self.close)

    def start(self):
        """With the data it had, on the port it had. Returns when it answers."""
        with open(self.log, "wb") as output:
            self.process = spawn([BROKER, "start", "--dir", self.directory.name, "--port", self.port,
                                  "--controller-port", self.controller_port, "--properties",
                                  self.properties, "--version", KAFKA_VERSION], output)
        until(lambda: self.process.poll() is not None or "ready on" in self.log.read_text(), 120,
              "the broker's start")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """As an operator does it: it flushes and tells the clients."""
        self.process.terminate()
        self.process.wait(BROKER_STOP_SECONDS)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.directory.cleanup()


def start_broker():
    """Its address, and a function that ends it."""
    broker = OwnBroker().start()
    return broker.address, broker.close


def broker_address(found=[]):  # the default is the memory: one broker a process
    if not found:
        file = pathlib.Path(os.environ.get("SEGMENTD_TEST_BROKER", ""))
        found.append(file.read_text().split()[0] if file.is_file() else start_broker()[0])
    return found[0]


def unique_name(word):
    return f"{word}-{os.getpid()}-{time.time_ns() // 1000 % 10**9}-{next(NUMBERS)}"


# --- a daemon ---

class Daemon:
    """`segmentd run`, started and ended as often as the test likes."""

    def __init__(self, settings, directory):
        self.settings = settings
        self.directory = directory
        self.process = None
        self.log_file = None

    def start(self, **settings):
        """Further settings are of this start only."""
        self.log_file = self.directory / f"daemon-{next(NUMBERS)}.log"
        given = {**self.settings, **{k.replace("__", "."): v for k, v in settings.items()}}
        with open(self.log_file, "wb") as output:
            self.process = spawn([SEGMENTD, "run", *set_flags(given)], output)
        return self

    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def log_end(self):
        return self.log()[-LOG_SHOWN_BYTES:]

    def running(self):
        return self.process is not None and self.process.poll() is None

    def require_running(self):
        assert self.running(), f"segmentd ended, exit code {self.process.returncode}:\n{self.log_end()}"
        return True

    def wait_for(self, pattern, seconds=START_SECONDS):
        """The match in its log."""
        return until(lambda: re.search(pattern, self.log()) or (self.require_running() and None), seconds,
                     lambda: f"{pattern!r} in the log:\n{self.log_end()}")

    def wait_active(self, partitions=1):
        until(lambda: self.require_running() and
              len(re.findall(r" active partition=", self.log())) >= partitions, START_SECONDS,
              lambda: f"{partitions} active partitions:\n{self.log_end()}")
        return self

    def get(self, path):
        """(status, body) of its HTTP port."""
        port = self.wait_for(r"http_port=(\d+)").group(1)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as response:
                return response.status, response.read().decode("utf-8")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode("utf-8")

    def wait(self, seconds=STOP_SECONDS):
        """The exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.log_end()}") from None

    def stop(self):
        """TERM, and it has to end clean."""
        self.require_running()
        self.process.send_signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"TERM: exit code {code}:\n{self.log_end()}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    @contextlib.contextmanager
    def held(self):
        """Stopped in its tracks meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def clean_up(self):
        if self.running():
            self.kill()


# --- one application ---

Replayed = collections.namedtuple("Replayed", "events table summary")


class Application:
    """An application of its own: names, topics, state, daemon; on the broker that the tests share, or on
    the one given."""

    def __init__(self, test, word, partitions=1, input_topic=None, brokers=None, **settings):
        temporary = tempfile.TemporaryDirectory(prefix="segmentd-e2e-")
        test.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        # A broker of its own is there to be lost: no complaints then.
        self.kafka = KafkaTopics(brokers, log_level=0) if brokers else KafkaTopics(broker_address())
        test.addCleanup(self.kafka.close)
        self.name = unique_name(word)
        self.input = input_topic or self.name + "-orders"
        if input_topic is None:
            self.kafka.create(self.input, partitions, max_message_bytes="4194304")
        self.changes = self.name + "-changes"
        self.table = self.name + "-table"
        self.state = self.directory / "state"
        self.decisions = {"application": self.name, "currency": "GBP", "decimals": 3,
                          **{k.replace("__", "."): v for k, v in settings.items()}}
        self.client = {"brokers": self.kafka.brokers, "input.topic": self.input}
        self.daemon = Daemon({**self.decisions, **self.client, "clock": "event", "state_dir": self.state,
                              "output.changes_topic": self.changes, "output.table_topic": self.table,
                              "http.address": "127.0.0.1:0"}, self.directory)
        test.addCleanup(self.daemon.clean_up)

    # what goes in

    def import_to(self, target, history=EXTRACT, layout=("--layout", "online-retail-invoices")):
        """`segmentd import` to a file, or to "kafka"; returns what it says at the end."""
        more = set_flags({**self.decisions, **self.client}) if target == "kafka" else []
        done = run([SEGMENTD, "import", *layout, "--to", target, *more, history])
        assert done.returncode == 0, done.stderr
        return done.stderr

    def send_all(self, lines):
        """Records of an NDJSON, into partition 0, each with its customer as key."""
        for line in lines:
            customer = json.loads(line).get("customer_id")
            while True:
                try:
                    self.kafka.producer.produce(self.input, value=line, key=customer, partition=0)
                    break
                except BufferError:
                    self.kafka.producer.poll(0.1)
        assert self.kafka.producer.flush(COMMAND_SECONDS) == 0

    # how far it is

    def progress(self):
        """Input records whose effect is committed."""
        return sum(self.kafka.committed(self.name, self.input).values())

    def wait_until_consumed(self, seconds=WORK_SECONDS):
        """Everything sent is decided and committed."""
        self.wait_until_consumed_by(self.daemon, seconds)

    def wait_until_consumed_by(self, daemon, seconds=WORK_SECONDS):
        ends = self.kafka.ends(self.input)
        until(lambda: daemon.require_running() and
              self.kafka.committed(self.name, self.input) == ends, seconds,
              lambda: f"committed {self.kafka.committed(self.name, self.input)} of {ends}:\n"
                      f"{daemon.log_end()}")

    def ends(self):
        """{topic: {partition: offset}} of what it writes for others and for itself."""
        topics = (self.changes, self.table, self.name + "-rejected", self.name + "-changelog")
        return {topic: self.kafka.ends(topic) for topic in topics}

    def wait_until_settled(self):
        """Everything sent is consumed, and nothing more is written: also the epochs are adopted that come
        after the last record. The ends then."""
        self.wait_until_consumed()
        seen = []

        def settled():
            self.daemon.require_running()
            seen.append(self.ends())
            return len(seen) > SETTLED_POLLS and all(e == seen[-1] for e in seen[-SETTLED_POLLS:])

        until(settled, WORK_SECONDS, self.daemon.log_end)
        return seen[-1]

    # what comes out, each message checked

    def events(self, since=None):
        return events_of(self.kafka.read(self.changes, since))

    def rows(self, since=None):
        return rows_of(self.kafka.read(self.table, since))

    def rejects(self, since=None):
        return self.kafka.read(self.name + "-rejected", since)

    def epochs(self):
        return epochs_of([m for m in self.kafka.read(self.name + "-model")
                          if m.key.startswith(b"epoch/")])

    # the same without a broker

    def replay(self, ndjson, *flags, **settings):
        """What comes out, each document checked by its schema."""
        files = self.replay_to_files(ndjson, *flags, **settings)
        lines = {name: file.read_bytes().splitlines() for name, file in files.items()}
        return Replayed(events_of_lines(lines["events"]), newest(rows_of_lines(lines["table"])),
                        json.loads(lines["summary"][0]))

    def replay_to_files(self, ndjson, *flags, **settings):
        """{"events", "table", "summary": file}."""
        files = {name: self.directory / f"replay-{next(NUMBERS)}" for name in Replayed._fields}
        given = {**self.decisions, **{k.replace("__", "."): v for k, v in settings.items()}}
        outputs = [part for name, file in files.items() for part in (f"--{name}", file)]
        done = run([SEGMENTD, "replay", *set_flags(given), *outputs, *flags, ndjson])
        assert done.returncode == 0, done.stderr
        return files


def extract_lines():
    """The shipped extract, without its header."""
    with lzma.open(EXTRACT, "rt", encoding="utf-8", newline="") as file:
        return file.read().splitlines()[1:]


def metrics_of(page):
    """{name with labels: value} of a metrics page."""
    values = {}
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in values, f"twice on the page: {name}"
            values[name] = float(value)
    return values


def main():
    global SEGMENTD
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(f"usage: {sys.argv[0]} SEGMENTD [unittest's arguments]")
    SEGMENTD = os.path.abspath(sys.argv.pop(1))
    unittest.main(module="__main__", verbosity=2)
