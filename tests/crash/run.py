"""One run: members at work on a stream of records, faults, rest, and what came of it."""
import collections
import heapq
import itertools
import json
import signal
import subprocess
import sys
import time

from confluent_kafka import KafkaException

from documents import PROJECT
from findings import Findings
from harness import Application, end_with_parent, environment
from members import TERM_SECONDS, Member
from oracle import Verdict
from reader import Reader
from schedule import PRODUCE, Fault, schedule
from standstill import Sampler
from stores import Stores
from waiting import until

WORKLOAD = PROJECT / "tests" / "crash" / "workload.py"
PARTITIONS = 6
MEMBERS = (2, 5)  # no more leave, no more join
MEMBERS_AT_FIRST = 3
TICK_SECONDS = 0.02
UNKNOWN = "a transaction's outcome is unknown; resolving"  # as the daemons say it
DOUBT_KILLS = 20  # from so many on some outcome has to be unknown, in the longer run
DOUBT_TRIES = 20
DOUBT_LATE_SECONDS = 2
FENCED = "an open transaction hides the changelog's end: fencing its writer"
BROKER_EXIT = 3  # a daemon that finds no broker at its start says so and ends: whoever keeps it tries again
WARM_SECONDS = 90
WARM_RECORDS = 1000
BROKER_SECONDS = 120
HARM_SECONDS = 300  # later than planned a fault must be possible
REST_SECONDS = 300
REST_RECORDS_SECONDS = 60  # about so long records are fed beside the faults
FEED_SECONDS = 180
QUIET_SECONDS = 3
READ_SECONDS = 120
OF_CONNECTIONS = ("cut", "stall", "delay", "late", "unanswered", "silent")
TRANSACTION_MS = 5_000  # so long a daemon waits for the end of one, that it lives to see it
OUTLIVES_RESTART_MS = 60_000
SILENT_SECONDS = 2  # more than that
DECIDED_SECONDS = 0.4  # in which the brokers finish what was asked of them, see Cluster.forgets_markers
AGAIN_SECONDS = 1.0  # a member that ended by itself is started again after so long

# Few customers are enough for a first fit; rows of a customer stay open to change all along.
SETTINGS = {"event": {"model__min_customers": 25, "orders__remembered": 3000},
            "wall": {"model__min_customers": 25, "model__min_days": 0, "model__evaluate_every": "5s",
                     "orders__remembered": 3000}}


def patiently(ask):
    """`ask` of a cluster that may have lost a broker just now: None = no answer."""
    def asked():
        try:
            return ask()
        except (KafkaException, TypeError, AssertionError):  # also a time-out, or a topic not yet known
            return None

    return asked


class Run:
    """`test` takes cleanups (addCleanup); `say` tells people how far it is."""

    def __init__(self, test, cluster, clock, seed, kills, rebalances, workers, rate, say):
        self.cluster, self.clock, self.seed, self.say = cluster, clock, seed, say
        self.faults, self.seconds = schedule(f"{clock} {seed}", kills, rebalances, len(cluster.nodes))
        self.must_doubt = clock == "event" and kills >= DOUBT_KILLS
        self.findings = Findings()
        self.unexpected = []
        self.happened = []  # faults
        self.agenda = []    # (time, number, what to do)
        self.numbers = itertools.count()
        self.application = Application(test, f"crash-{clock}", PARTITIONS, brokers=cluster.direct,
                                       **SETTINGS[clock])
        self.directory = self.application.directory
        if cluster.forgets_markers:  # and their time-out is too long for a member to live to see
            self.faults = [fault for fault in self.faults if fault.kind != "silent"]
        self.log = open(self.directory / "faults.log", "w", encoding="utf-8")
        self.members = []
        self.settings = {**self.application.daemon.settings, "clock": clock, "workers": workers,
                         "brokers": cluster.proxied}
        # Nor may a dead member's transaction time out while that broker starts again.
        self.transaction_ms = OUTLIVES_RESTART_MS if cluster.forgets_markers else TRANSACTION_MS
        self.settings["kafka.transaction.timeout.ms"] = self.transaction_ms
        cluster.tell = self.note
        test.addCleanup(self.end)
        self.feed = self.start_feed(rate)
        for _ in range(MEMBERS_AT_FIRST):
            self.join()

    def start_feed(self, rate):
        expected = int((self.seconds + REST_RECORDS_SECONDS) * rate)
        return subprocess.Popen(
            [sys.executable, "-B", str(WORKLOAD), self.cluster.direct, self.application.input,
             str(self.seed), str(rate), str(expected), self.clock],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
            env=environment())

    def end(self):
        """Nothing of it is left."""
        self.cluster.tell = lambda fault: None
        for member in self.members:
            if member.alive():
                member.kill()
        self.feed.kill()
        self.feed.wait()
        self.log.close()

    # --- what is noted ---

    def note(self, fault):
        self.happened.append(fault)
        self.write(json.dumps(fault))

    def write(self, text):
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        self.log.write(f"{stamp}.{int(now * 1000) % 1000:03d} {text}\n")
        self.log.flush()

    def later(self, seconds, what):
        heapq.heappush(self.agenda, (time.monotonic() + seconds, next(self.numbers), what))

    # --- members ---

    def join(self):
        member = Member(len(self.members) + 1, self.directory, self.settings, f"{self.clock} {self.seed}")
        self.members.append(member)
        self.start(member)

    def start(self, member):
        member.start()
        self.write(f"start member {member.number}: {member.daemon.log_file.name}, "
                   f"on_stop={member.on_stop}")

    def start_later(self, member, seconds):
        member.start_due = True
        self.later(seconds, lambda: self.start(member))

    def ours(self):
        """Members that are at work, or will be again."""
        return [m for m in self.members if m.working() or m.asleep or m.start_due]

    def can_work(self):
        return self.cluster.available() and any(m.alive() and not m.asleep for m in self.members)

    def look_after(self):
        """Members and brokers that have ended."""
        for member in self.members:
            if member.overdue(time.monotonic()):
                self.complain(member, f"still there {TERM_SECONDS} s after TERM")
                member.kill()
            elif member.has_ended():
                self.look_at_end(member)
        for node in self.cluster.nodes:
            assert node.running() or node.start_due, f"broker {node.number} ended: {node.log.read_text()}"

    def look_at_end(self, member):
        member.end_seen = True
        code = member.daemon.process.returncode
        if member.terminating_since is None:
            if code == BROKER_EXIT and not member.has_joined():
                self.note({"fault": "no start", "member": member.number})
            else:
                self.complain(member, f"ended by itself, exit code {code}")
            self.start_later(member, AGAIN_SECONDS)
            return
        if code != 0 and not (code == -signal.SIGTERM and not member.has_begun()):
            self.complain(member, f"TERM: exit code {code}")
        member.terminating_since = None
        if member.back_in is not None:
            self.start_later(member, member.back_in)

    def complain(self, member, what):
        text = f"member {member.number} ({member.daemon.log_file.name}) {what}"
        self.unexpected.append(f"{text}:\n{member.daemon.log_end()}")
        self.write(text)

    # --- faults ---

    def do(self, fault):
        """False: not possible now, to be tried again."""
        how = fault.how
        if fault.kind == "silent":
            how = {**how, "seconds": self.transaction_ms / 1000 + SILENT_SECONDS}
        if fault.kind in OF_CONNECTIONS:
            self.cluster.proxy.do({"fault": fault.kind, **how})
            return True
        return getattr(self, "do_" + fault.kind)(how)

    def pick(self, members, how):
        return members[int(how["pick"] * len(members))] if members else None

    def do_kill(self, how):
        member = self.pick([m for m in self.members if m.alive()], how)
        if member is None:
            return False
        member.kill()
        self.note({"fault": "kill", "member": member.number, "fate": how["fate"]})
        if how["fate"] == "lost":
            member.lose_state()
        if how["fate"] == "replaced":
            member.lose_state()
            self.later(how["seconds"], self.join)
        else:
            self.start_later(member, how["seconds"])
        return True

    def do_sleep(self, how):
        member = self.pick([m for m in self.members if m.working()], how)
        if member is None:
            return False
        daemon = member.daemon
        member.sleep()
        self.note({"fault": "sleep", "member": member.number, "seconds": how["seconds"]})

        def wake():
            if member.daemon is daemon:
                self.write(f"wake member {member.number}")
                member.wake()

        self.later(how["seconds"], wake)
        return True

    def do_join(self, how):
        if len(self.ours()) >= MEMBERS[1]:
            return self.do_leave(how)
        self.join()
        self.note({"fault": "join", "member": self.members[-1].number})
        return True

    def do_leave(self, how):
        """For good, or for a restart: as the member keeps it, but somebody has to stay."""
        member = self.pick([m for m in self.members if m.working()], how)
        if member is None:
            return False
        stays = member.on_stop == "stay" or len(self.ours()) <= MEMBERS[0]
        member.back_in = how["seconds"] if stays else None
        member.terminate(time.monotonic())
        self.note({"fault": "restart" if stays else "leave", "member": member.number})
        return True

    def do_broker(self, how):
        nodes = self.cluster.nodes
        if not all(node.up() and not node.start_due for node in nodes):
            return False
        node = nodes[int(how["pick"] * len(nodes))]
        node.start_due = True
        if not self.cluster.forgets_markers:
            self.kill_broker(node, how["seconds"])
            return True
        held = [member for member in self.members if member.alive() and not member.asleep]
        for member in held:
            member.hold()

        def kill():
            self.kill_broker(node, how["seconds"])
            for member in held:
                if member.alive() and not member.asleep:
                    member.let_go()

        self.later(DECIDED_SECONDS, kill)
        return True

    def kill_broker(self, node, seconds):
        node.kill()
        self.note({"fault": "broker", "broker": node.number})

        def restart():
            self.cluster.restart(node)
            node.start_due = False
            self.write(f"start broker {node.number}")

        self.later(seconds, restart)

    # --- the run ---

    def warm_up(self):
        """Until all work and there is something to read."""
        kafka = self.application.kafka
        committed = patiently(lambda: kafka.committed(self.application.name, self.application.input))
        until(lambda: self.step() or self.unexpected or
              sum((committed() or {}).values()) > WARM_RECORDS and kafka.exists(self.application.changes),
              WARM_SECONDS, self.logs)
        assert not self.unexpected, "\n".join(self.unexpected)
        self.reader = Reader(kafka, self.application.changes, self.findings)
        self.sampler = Sampler(kafka, self.application.name, self.application.input, self.can_work)

    def check_watchers(self):
        self.reader.check()
        self.sampler.check()

    def logs(self):
        return "\n".join(f"member {m.number}:\n{m.daemon.log_end()}" for m in self.members if m.daemon)

    def step(self):
        """What is due."""
        now = time.monotonic()
        while self.agenda and self.agenda[0][0] <= now:
            heapq.heappop(self.agenda)[2]()
        self.look_after()
        assert self.feed.poll() is None, "the workload has ended"

    def harm(self):
        begin = time.monotonic()
        waiting = collections.deque(self.faults)
        said_at = begin
        while waiting:
            now = time.monotonic()
            assert now - begin < self.seconds + HARM_SECONDS, f"could not be done: {list(waiting)}\n{self.logs()}"
            due = [f for f in itertools.takewhile(lambda f: f.at <= now - begin, waiting)]
            for fault in due:
                waiting.popleft()
                if not self.do(fault):
                    waiting.append(fault)  # tried again each tick, until it is possible
            self.step()
            self.check_watchers()
            if now - said_at > 15:
                said_at = now
                self.say(f"{now - begin:.0f} of {self.seconds:.0f} s, {len(self.happened)} faults, "
                         f"{self.reader.count()} events, {self.findings.counts()}")
            time.sleep(TICK_SECONDS)

    def make_doubt(self):
        """Until the outcome of some transaction was unknown: no fault alone is sure to bring that about."""
        for _ in range(DOUBT_TRIES):
            if not self.must_doubt or self.said(UNKNOWN) > 0:
                return
            fault = Fault(self.seconds, "late", {"keys": [PRODUCE], "seconds": DOUBT_LATE_SECONDS})
            self.faults.append(fault)
            self.do(fault)
            over = time.monotonic() + 2 * DOUBT_LATE_SECONDS
            until(lambda: self.step() or self.check_watchers() or time.monotonic() > over, REST_SECONDS, self.logs)

    def said(self, words):
        """Lines of all logs with these words."""
        return sum(member.count(words) for member in self.members)

    def rest(self):
        """No faults any more: everybody comes back, and everything is consumed."""
        until(lambda: self.step() or not self.agenda, BROKER_SECONDS, "what was on the agenda")
        until(lambda: self.step() or all(node.up() for node in self.cluster.nodes), BROKER_SECONDS,
              "the brokers' return")
        fed, _ = self.feed.communicate("", FEED_SECONDS)
        assert self.feed.returncode == 0, f"the workload could not deliver everything: {fed}"
        self.fed = json.loads(fed)
        kafka, application = self.application.kafka, self.application
        ends = until(patiently(lambda: kafka.ends(application.input)), BROKER_SECONDS, "the input's ends")
        committed = patiently(lambda: kafka.committed(application.name, application.input))
        until(lambda: self.tend() or committed() == ends, REST_SECONDS,
              lambda: f"committed {committed()} of {ends}\n{self.logs()}{self.suspicion()}")
        self.wait_until_quiet()

    def tend(self):
        """As step(), when nothing is fed any more."""
        now = time.monotonic()
        while self.agenda and self.agenda[0][0] <= now:
            heapq.heappop(self.agenda)[2]()
        self.look_after()

    def suspicion(self):
        if not self.cluster.forgets_markers:
            return ""
        return ("\nIf a partition is not restored because a transaction stays open: the broker may have "
                "forgotten its markers (KAFKA-20734), more likely the longer it took to start again. "
                "Try another --seed, --brokers 3 or --kafka 3.9.2.")

    def wait_until_quiet(self):
        """Epochs are adopted after the last record, too."""
        topics = [self.application.changes, self.application.table, self.application.name + "-changelog",
                  self.application.name + "-statistics"]
        last = {}

        ends_now = patiently(lambda: [self.application.kafka.ends(topic) for topic in topics])

        def quiet():
            self.tend()
            ends = ends_now()
            if ends is None or ends != last.get("ends"):
                last.update(ends=ends, at=time.monotonic())
            return self.clock == "wall" or time.monotonic() - last["at"] > QUIET_SECONDS

        until(quiet, REST_SECONDS, self.logs)

    def stop_all(self):
        """TERM: they end clean, and nothing comes after."""
        for member in self.members:
            if member.alive():
                member.back_in = None
                member.terminate(time.monotonic())
        until(lambda: self.tend() or not any(m.alive() for m in self.members), TERM_SECONDS + 20, self.logs)
        self.tend()
        ends = self.application.kafka.ends(self.application.changes)
        expected = sum(1 for _ in self.application.kafka.stream(self.application.changes))
        until(lambda: self.check_watchers() or self.reader.count() >= expected, READ_SECONDS,
              lambda: f"the reader has {self.reader.count()} of {expected} events, ends {ends}")

    def go(self):
        self.warm_up()
        self.say(f"warm; {len(self.faults)} faults in {self.seconds:.0f} s")
        self.harm()
        self.make_doubt()
        self.say("no more faults; waiting until all is consumed")
        self.rest()
        self.stop_all()
        self.sampler.close()
        self.reader.close()
        self.verdict = Verdict(self.application, self.findings)
        self.say(f"comparing {self.reader.count()} events with the oracle")
        self.verdict.check(self.clock, self.reader.events)
        self.check_stores()
        self.parked = [line for member in self.members for line in member.parked()]
        self.unknown = self.said(UNKNOWN)
        self.fenced = self.said(FENCED)

    def check_stores(self):
        self.stores = Stores(self.findings, self.directory, self.verdict.table)
        for member in self.members:
            if member.state.is_dir():
                self.stores.check({**member.settings, "brokers": self.cluster.direct})
        self.stores.check_owners()
