"""What fails a run: what came out, how long a partition stood still, and faults that were planned and did not
happen, for then nothing was proved."""
import collections
import time

# Of the time in which somebody could have worked. A partition waits for its owner's session to end (6 s) or for
# one that starts again, for the end of a transaction that nobody answered (up to 8 s), then it is restored; and
# the next owner may be killed before it has committed once. Three brokers begin to work when two are up, and
# then still have leaders to choose. The longest seen were 9.5 s with one broker and 39.1 s with three; the
# rest is for slow machines.
STANDSTILL_SECONDS = {1: 90, 3: 120}
OFTEN = 3  # a kind of fault that was planned so often has to happen
MEMBERSHIP = ("join", "leave", "restart")  # what was planned as one may have had to be another


def kinds_planned(run):
    return collections.Counter(fault.kind for fault in run.faults)


def kinds_happened(run):
    """A request that came late has to have reached a broker."""
    return collections.Counter(fault["fault"] for fault in run.happened if fault.get("reached", True))


def never_happened(run):
    happened = kinds_happened(run)
    for kind, count in sorted(kinds_planned(run).items()):
        if count >= OFTEN and not any(happened[each] for each in (MEMBERSHIP if kind in MEMBERSHIP else (kind,))):
            yield f"{kind}: planned {count} times, and it never happened"
    if run.must_doubt and run.unknown == 0:
        yield "no transaction's outcome was ever unknown"


def stood_still(run):
    longest, most = run.sampler.longest(), STANDSTILL_SECONDS[len(run.cluster.nodes)]
    if longest.seconds > most:
        yield (f"partition {longest.partition} stood still for {longest.seconds:.1f} s, until "
               f"{time.strftime('%H:%M:%S', time.gmtime(longest.until))}; {most} s are allowed")


def problems_of(run):
    findings = [] if run.findings.none() else [run.findings.text()]
    return [*findings, *run.unexpected, *run.parked, *never_happened(run), *stood_still(run)]
