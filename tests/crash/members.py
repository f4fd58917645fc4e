"""The processes of a run: each with a name, a directory of state and one daemon at a time."""
import random
import re
import shutil
import signal

from harness import Daemon

# Small and large transactions, rows from memory and from the disk, stores that are hardly ever on the disk:
# each start draws from these.
CHOICES = {
    "limits.transaction_records": (40, 500, 10_000),
    "limits.commit_interval": ("2ms", "25ms", "200ms"),
    "limits.cache_rows": (300, 500_000),
    "limits.relabel_per_transaction": (20, 5_000),
    "rocksdb.flush_interval": ("200ms", "3s", "30s"),
}
PARKED = re.compile(r"^.* parked partition=.*$", re.MULTILINE)
TERM_SECONDS = 60  # a daemon gives up by itself after 50


class Member:
    """`running` as the system has it; `wanted` as the run would have it."""

    def __init__(self, number, directory, settings, seed):
        self.number = number
        self.chance = random.Random(f"member {seed} {number}")
        self.directory = directory / f"member-{number}"
        self.directory.mkdir()
        self.state = self.directory / "state"
        self.settings = {**settings, "state_dir": self.state}
        if self.chance.random() < 0.5:  # else the name is made and kept with the state
            self.settings["instance"] = f"m{number}"
        self.daemon = None
        self.daemons = []
        self.on_stop = None
        self.asleep = False
        self.terminating_since = None
        self.back_in = None  # seconds after it has ended; None = it leaves for good
        self.end_seen = False
        self.start_due = False  # it is down, and a start is on the agenda

    def start(self):
        chosen = {name: self.chance.choice(values) for name, values in CHOICES.items()}
        self.on_stop = self.chance.choice(("leave", "stay"))
        self.daemon = Daemon({**self.settings, **chosen, "on_stop": self.on_stop}, self.directory).start()
        self.daemons.append(self.daemon)
        self.asleep = False
        self.terminating_since = None
        self.end_seen = False
        self.start_due = False

    def alive(self):
        return self.daemon is not None and self.daemon.running()

    def working(self):
        return self.alive() and not self.asleep and self.terminating_since is None

    def kill(self):
        self.daemon.kill()
        self.end_seen = True
        self.asleep = False
        self.terminating_since = None

    def sleep(self):
        self.daemon.process.send_signal(signal.SIGSTOP)
        self.asleep = True

    def wake(self):
        if self.asleep and self.alive():
            self.daemon.process.send_signal(signal.SIGCONT)
        self.asleep = False

    def hold(self):
        """For an instant, which is no fault."""
        self.daemon.process.send_signal(signal.SIGSTOP)

    def let_go(self):
        self.daemon.process.send_signal(signal.SIGCONT)

    def has_begun(self):
        """It takes signals: before that they end it as they end any process."""
        return "segmentd starts" in self.daemon.log()

    def has_joined(self):
        """The group, since its last start."""
        return " assigned partitions=" in self.daemon.log()

    def terminate(self, now):
        self.daemon.process.send_signal(signal.SIGTERM)
        self.terminating_since = now

    def lose_state(self):
        shutil.rmtree(self.state, ignore_errors=True)

    def has_ended(self):
        """By itself, or as it was asked to, and that was not looked at yet."""
        return self.daemon is not None and not self.end_seen and not self.alive()

    def overdue(self, now):
        """It was asked to end long ago."""
        return self.alive() and self.terminating_since and now - self.terminating_since > TERM_SECONDS

    def parked(self):
        """Lines of its logs that say so."""
        return [line for daemon in self.daemons for line in PARKED.findall(daemon.log())]

    def count(self, words):
        """Lines of its logs with these words."""
        return sum(daemon.log().count(words) for daemon in self.daemons)
