#!/usr/bin/env python3
"""Kills, stops, cuts off and adds daemons and brokers at random instants under load, and then proves by an
oracle that no event was lost, doubled or made up.

    crash.py SEGMENTD [--kills N] [--rebalances M] [--seed S] [--kafka V] [--brokers 1|3] [--workers W]
                      [--rate R] [--clock event|wall|both] [--sums FILE] [--logs]

First with the event clock, where every event is compared with `segmentd replay`; then, shorter, with the
wall clock. Exit code 0 only if nothing was lost, doubled, wrong or parked, nobody ended by himself, every kind
of fault that was planned happened, and no partition stood still for too long (judgement.py). On failure the
directory with all logs stays, and is named.

With --sums every run adds its figures to FILE, a line of JSON each, failed ones too, and prints the sums of
the runs on that version of Kafka.

One broker of Kafka 4 may lose the end of a transaction when it is killed and started again, which no client
can mend (KAFKA-20734). There the daemons are held for 0.4 s before their only broker is killed, and no end of
a transaction is left unanswered; --brokers 3 and --kafka 3.9.2 do without.
"""
import argparse
import collections
import json
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402
from cluster import Cluster  # noqa: E402
from judgement import kinds_happened, kinds_planned, problems_of  # noqa: E402
from run import Run  # noqa: E402

WALL_PART = 5  # the wall clock's run has one of so many kills
WALL_KILLS_MIN = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("segmentd")
    parser.add_argument("--kills", type=int, default=20, help="of daemons by SIGKILL (20)")
    parser.add_argument("--rebalances", type=int, default=5, help="members joining and leaving (5)")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1000 % 1_000_000)
    parser.add_argument("--kafka", default=harness.KAFKA_VERSION, help="version of the brokers")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--workers", type=int, default=2, help="of each daemon (2)")
    parser.add_argument("--rate", type=int, default=2000, help="records a second (2000)")
    parser.add_argument("--clock", choices=("event", "wall", "both"), default="both")
    parser.add_argument("--sums", type=pathlib.Path, help="file that the figures of all runs are kept in")
    parser.add_argument("--logs", action="store_true", help="keep the logs of a run that passes, too, and everything of one that fails")
    given = parser.parse_args()
    if given.kills < 1 or given.rebalances < 0 or given.rate < 100:
        parser.error("at least one kill, no negative rebalances, 100 records a second")
    return given


class Cleanups:
    """As a unittest's: what was added last is cleaned up first. `keep` leaves the directories."""

    def __init__(self):
        self.all = []

    def addCleanup(self, function):  # the name that Application calls
        self.all.append(function)

    def run(self):
        while self.all:
            self.all.pop()()


def say(text):
    print(f"[{time.strftime('%H:%M:%S', time.gmtime())}] {text}", flush=True)


def runs(given):
    """[(clock, kills, rebalances)]"""
    wall = ("wall", max(WALL_KILLS_MIN, given.kills // WALL_PART), max(1, given.rebalances // WALL_PART))
    whole = ("event", given.kills, given.rebalances)
    return {"event": [whole], "both": [whole, wall],
            "wall": [("wall", given.kills, given.rebalances)]}[given.clock]


def figures(run):
    """What is told of one run, in this order."""
    kinds = kinds_happened(run)
    found = run.findings.counts()
    return {"kills": kinds["kill"],
            "rebalances": kinds["join"] + kinds["leave"],
            "faults": dict(kinds), "planned": dict(kinds_planned(run)),
            "records": run.verdict.records(),
            "events": run.reader.count(), "epochs": run.verdict.epochs,
            "stores": sum(run.stores.equal.values()), **found,
            "unknown outcomes": run.unknown, "writers fenced": run.fenced,
            "parked": len(run.parked), "unexpected exits": len(run.unexpected),
            "longest standstill s": round(run.sampler.longest().seconds, 1)}


def sum_of(all_figures):
    total = dict(all_figures[0])
    for more in all_figures[1:]:
        for name, value in more.items():
            if isinstance(value, dict):
                total[name] = dict(collections.Counter(total.get(name, {})) + collections.Counter(value))
            elif name.startswith("longest"):
                total[name] = max(total[name], value)
            else:
                total[name] += value
    return total


def happened_of_planned(figure):
    """{kind: "4/5"}, or "4" of what nobody plans."""
    planned = figure["planned"]
    return {kind: f"{figure['faults'].get(kind, 0)}" + (f"/{planned[kind]}" if kind in planned else "")
            for kind in sorted({*figure["faults"], *planned})}


def table(told):
    """One column a run."""
    clocks = [clock for clock, _ in told]
    lines = [f"{'clock':24}" + "".join(f"{clock:>12}" for clock in clocks)]
    for name in told[0][1]:
        if name == "planned":
            kinds = [happened_of_planned(figure) for _, figure in told]
            lines += ["faults: happened/planned"]
            lines += [f"  {kind:22}" + "".join(f"{each.get(kind, '0/0'):>12}" for each in kinds)
                      for kind in sorted(set().union(*kinds))]
        elif name != "faults":
            lines.append(f"{name:24}" + "".join(f"{figure[name]:12}" for _, figure in told))
    return "\n".join(lines)


def line(given, total):
    faults = " ".join(f"{kind}={n}" for kind, n in happened_of_planned(total).items())
    return (f"crash: kafka {given.kafka}, brokers {given.brokers}, workers {given.workers}, seed {given.seed}: "
            f"kills {total['kills']}, rebalances {total['rebalances']}, faults (happened/planned) {faults}, records "
            f"{total['records']}, events checked {total['events']}, lost {total['lost']}, doubled "
            f"{total['doubled']}, wrong {total['wrong']}, unknown outcomes "
            f"{total['unknown outcomes']}, parked {total['parked']}, unexpected exits {total['unexpected exits']}, longest standstill {total['longest standstill s']} s")


def keep(given, total, failed):
    """Adds a run to the file of sums and tells what they come to."""
    run = {"kafka": given.kafka, "brokers": given.brokers, "workers": given.workers, "seed": given.seed,
           "failed": failed, "figures": total}
    with open(given.sums, "a", encoding="utf-8") as file:
        file.write(json.dumps(run) + "\n")
    kept = [json.loads(each) for each in given.sums.read_text(encoding="utf-8").splitlines()]
    same = [each for each in kept if each["kafka"] == given.kafka]
    told = sum_of([each["figures"] for each in same])
    return (f"crash: {len(same)} runs on kafka {given.kafka}, {sum(each['failed'] for each in same)} failed: "
            f"kills {told['kills']}, rebalances {told['rebalances']}, events checked {told['events']}, lost "
            f"{told['lost']}, doubled {told['doubled']}, wrong {told['wrong']}, longest standstill "
            f"{told['longest standstill s']} s")


LARGE = ("data", "input-*.ndjson", "segmentd", "partition-*")  # the brokers' logs, the inputs, the stores


def keep_logs(directory, word, leave_out=LARGE):
    """Where they are. What still runs may take its files away meanwhile."""
    kept = directory.with_name(f"{directory.name}-{word}")
    try:
        shutil.copytree(directory, kept, symlinks=True, ignore_dangling_symlinks=True,
                        ignore=shutil.ignore_patterns(*leave_out))
    except shutil.Error as missing:
        print(f"crash: not all was kept: {str(missing)[:300]}", file=sys.stderr)
    return kept


def perform(given, directory, cleanups):
    """[(clock, figures)], [problem]"""
    told, problems = [], []
    cluster = Cluster(directory, given.brokers, given.kafka)
    cleanups.addCleanup(cluster.close)
    say(f"starting {given.brokers} broker(s), Apache Kafka {given.kafka}; seed {given.seed}")
    cluster.start()
    for clock, kills, rebalances in runs(given):
        say(f"{clock} clock: {kills} kills, {rebalances} rebalances")
        run = Run(cleanups, cluster, clock, given.seed, kills, rebalances, given.workers, given.rate, say)
        run.go()
        run.end()
        told.append((clock, figures(run)))
        longest = run.sampler.longest()
        say(f"partition {longest.partition} stood still longest, {longest.seconds:.1f} s until "
            f"{time.strftime('%H:%M:%S', time.gmtime(longest.until))}")
        problems += problems_of(run)
    return told, problems


def main():
    given = arguments()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="segmentd-crash-"))
    harness.SEGMENTD = shutil.copy(given.segmentd, directory)  # a build may replace it while we run
    harness.KAFKA_VERSION = given.kafka
    tempfile.tempdir = str(directory)  # all that is made lies there
    cleanups = Cleanups()
    told, problems = [], []
    try:
        told, problems = perform(given, directory, cleanups)
    except Exception:  # whatever it is, it is told, and the logs stay
        problems.append(traceback.format_exc())
    if told:
        total = sum_of([figure for _, figure in told])
        print(table(told))
        print(line(given, total))
        if given.sums:
            print(keep(given, total, bool(problems)))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"crash: FAILED; seed {given.seed}; logs in {keep_logs(directory, 'failed', () if given.logs else LARGE)}",
              file=sys.stderr)
    elif given.logs:
        print(f"crash: logs in {keep_logs(directory, 'passed')}")
    cleanups.run()
    shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
