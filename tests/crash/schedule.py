"""What goes wrong, and when: a seed gives the same list."""
import collections
import random

SECONDS_PER_KILL = 3
SESSION_SECONDS = 6

# Requests of Kafka's protocol that are worth losing, delaying or sending late, each as often as it stands
# here: EndTxn, Produce, TxnOffsetCommit, AddPartitionsToTxn, AddOffsetsToTxn, InitProducerId, JoinGroup,
# SyncGroup, OffsetFetch.
REQUESTS = [26, 26, 26, 26, 0, 0, 0, 28, 28, 24, 25, 22, 11, 14, 9]

END_TXN = 26
PRODUCE = 0

Fault = collections.namedtuple("Fault", "at kind how")

# What becomes of a killed member, each as often as it stands here: the same again at once, or after its
# session has ended, or without its state; or another member with an identity of its own.
FATES = ["again"] * 7 + ["later", "lost", "replaced"]


def fate(chance):
    kind = chance.choice(FATES)
    seconds = {"again": (0, 2), "later": (SESSION_SECONDS, SESSION_SECONDS + 4), "lost": (0, 2),
               "replaced": (0, 3)}[kind]
    return {"fate": kind, "seconds": chance.uniform(*seconds)}


def schedule(seed, kills, rebalances, brokers):
    """(faults in order of their time, seconds from the first to the last at most). Members to harm are
    chosen by `pick` in [0, 1) among those there are then."""
    chance = random.Random(f"faults {seed}")
    seconds = max(kills * SECONDS_PER_KILL, 10)
    faults = []

    def some(count, kind, how):
        for _ in range(count):
            faults.append(Fault(chance.uniform(0, seconds), kind, {"pick": chance.random(), **how()}))

    some(kills, "kill", lambda: fate(chance))
    some(max(1, kills // 12), "sleep", lambda: {
        "seconds": chance.uniform(SESSION_SECONDS + 1, SESSION_SECONDS + 5)})
    for n in range(rebalances):
        joins = n % 2 == 0
        some(1, "join" if joins else "leave", lambda: {"seconds": chance.uniform(0, 4)})
    some(max(1, kills // (20 if brokers == 1 else 12)), "broker", lambda: {
        "seconds": chance.uniform(0, 2 if brokers == 1 else 10)})
    some(kills // 4, "cut", dict)
    some(kills // 5, "stall", lambda: {"seconds": chance.uniform(0.2, 8)})
    some(kills // 5, "delay", lambda: {"seconds": chance.uniform(1, 8), "by": chance.uniform(0.02, 0.5)})
    some(kills // 3, "late", lambda: {"keys": [chance.choice(REQUESTS)], "seconds": chance.uniform(0.1, 6)})
    some(kills // 3, "unanswered", lambda: {"keys": [chance.choice(REQUESTS)]})
    some(max(2, kills // 5), "silent", lambda: {"keys": [END_TXN]})
    return sorted(faults, key=lambda fault: fault.at), seconds
