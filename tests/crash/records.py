"""What a shop says, made up from a seed: orders, refunds, cancellations, the same again, and nonsense. And
what is right after all of it, by plain sums."""
import collections
import json
import random

CURRENCY = "GBP"
DECIMALS = 3
NEW_CUSTOMER = 0.04
REGULAR = 0.4  # of the orders are by the few who come often
REGULARS = 8   # one of so many customers
REFUND = 0.05
LOOSE_REFUND = 0.01  # names no order
CANCELLATION = 0.03
AGAIN = 0.05
MALFORMED = 0.01
OUT_OF_ORDER = 0.1
RECENT_RECORDS = 2000
LATE_MS_MAX = 2 * 24 * 3600 * 1000

# Records that are refused, and the reason that segmentd has to give. The reason stands in the record, for
# who reads the topic.
MALFORMED_FIELDS = {
    "bad_amount": {"amount": "1,50"}, "too_many_decimals": {"amount": "1.2345"},
    "unknown_currency": {"currency": "XXX"}, "bad_time": {"ordered_at": "yesterday"},
    "unknown_type": {"type": "parcel"}, "unsupported_type": {"type": "erasure"},
    "missing_field": {"amount": None}, "bad_id": {"order_id": ""},
}
NO_JSON = b'{"expected":"malformed_json"'


def money(minor):
    return f"{minor // 1000}.{minor % 1000:03d}"


class Shop:
    """`rfc3339(ms)` writes times; `next(ms)` makes the record of that instant."""

    def __init__(self, seed, rfc3339):
        self.random = random.Random(f"shop {seed}")
        self.rfc3339 = rfc3339
        self.customers = 0
        self.orders = 0
        self.refunds = 0
        self.recent = collections.deque(maxlen=RECENT_RECORDS)  # (customer, order, amount, bytes)

    def customer(self):
        if self.customers < 20 or self.random.random() < NEW_CUSTOMER:
            self.customers += 1
            return f"c{self.customers}"
        known = self.customers
        if self.random.random() < REGULAR:
            return f"c{self.random.randrange(known // REGULARS + 1) * REGULARS + 1}"
        return f"c{self.random.randrange(known) + 1}"

    def next(self, at_ms):
        """(customer, the record's bytes)."""
        chance = self.random.random()
        if self.random.random() < OUT_OF_ORDER:
            at_ms -= self.random.randrange(LATE_MS_MAX)
        for part, make in ((MALFORMED, self.malformed), (REFUND, self.refund),
                           (LOOSE_REFUND, self.loose_refund), (CANCELLATION, self.cancellation),
                           (AGAIN, self.again)):
            if chance < part and (self.recent or make == self.malformed):
                return make(at_ms)
            chance -= part
        return self.order(at_ms)

    def order(self, at_ms, **more):
        customer = self.customer()
        self.orders += 1
        amount = int(self.random.lognormvariate(10, 1)) + (self.random.random() < 0.99)
        record = {"order_id": f"o{self.orders}", "customer_id": customer, "currency": CURRENCY,
                  "ordered_at": self.rfc3339(at_ms), "amount": money(amount), **more}
        if self.random.random() < 0.3:
            record["status"] = self.random.choice(("paid", "Completed", "delivered", "open"))
        value = json.dumps(record, separators=(",", ":")).encode()
        self.recent.append((customer, record["order_id"], amount, value))
        return customer, value

    def refund(self, at_ms):
        customer, order, amount, _ = self.random.choice(self.recent)
        back = amount if self.random.random() < 0.4 else self.random.randrange(amount + 1)
        return self.say(customer, {"type": "refund", "refund_id": self.refund_id(), "order_id": order,
                                   "refunded_at": self.rfc3339(at_ms), "amount": money(back),
                                   "currency": CURRENCY})

    def loose_refund(self, at_ms):
        customer, _, amount, _ = self.random.choice(self.recent)
        return self.say(customer, {"type": "refund", "refund_id": self.refund_id(),
                                   "refunded_at": self.rfc3339(at_ms), "amount": money(amount // 3),
                                   "currency": CURRENCY})

    def refund_id(self):
        self.refunds += 1
        return f"r{self.refunds}"

    def cancellation(self, at_ms):
        customer, order, _, _ = self.random.choice(self.recent)
        return self.say(customer, {"type": "cancellation", "order_id": order,
                                   "cancelled_at": self.rfc3339(at_ms)})

    def say(self, customer, record):
        value = json.dumps({**record, "customer_id": customer}, separators=(",", ":")).encode()
        self.recent.append((customer, record.get("order_id", "o1"), 1000, value))
        return customer, value

    def again(self, _):
        customer, _, _, value = self.random.choice(self.recent)
        return customer, value

    def malformed(self, at_ms):
        reason = self.random.choice([*MALFORMED_FIELDS, "malformed_json"])
        customer = f"nobody{self.random.randrange(1000)}"
        if reason == "malformed_json":
            return customer, NO_JSON
        record = {"expected": reason, "type": "order", "order_id": "o", "customer_id": customer,
                  "currency": CURRENCY, "ordered_at": self.rfc3339(at_ms), "amount": "1.000",
                  **MALFORMED_FIELDS[reason]}
        return customer, json.dumps({name: value for name, value in record.items() if value is not None},
                                    separators=(",", ":")).encode()


def expected_reject(value):
    """The reason for which this record has to be refused; None if it is to be taken."""
    if value == NO_JSON:
        return "malformed_json"
    return json.loads(value).get("expected") if value.startswith(b'{"expected"') else None


class Figures:
    """Frequency and money of every customer, whatever order the records came in."""

    def __init__(self):
        self.orders = {}                              # (customer, order): (amount, counts)
        self.refunds = collections.defaultdict(dict)  # (customer, order): {refund: amount}
        self.cancelled = set()

    def take(self, value):
        if expected_reject(value):
            return
        record = json.loads(value)
        kind, key = record.get("type", "order"), (record["customer_id"], record.get("order_id"))
        if kind == "order":
            counts = record.get("status", "paid").lower() != "open"
            self.orders[key] = (minor_of(record["amount"]), counts)
        elif kind == "refund":
            self.refunds[key][record["refund_id"]] = minor_of(record["amount"])
        else:
            self.cancelled.add(key)

    def customers(self):
        """{customer: (frequency, monetary in minor units)}."""
        found = collections.defaultdict(lambda: [0, 0])
        for key in self.refunds.keys() | self.cancelled:
            found[key[0]]  # known, also if the order never came
        for key, (amount, counts) in self.orders.items():
            row = found[key[0]]
            if not counts or key in self.cancelled:
                continue
            back = self.refunds.get(key)
            row[1] += amount
            if back:
                row[1] -= sum(back.values())
            if not (back and sum(back.values()) >= amount > 0):
                row[0] += 1
        for (customer, order), back in self.refunds.items():
            if order is None:
                found[customer][1] -= sum(back.values())
        return {customer: tuple(row) for customer, row in found.items()}


def minor_of(amount):
    whole, fraction = amount.split(".")
    return int(whole) * 1000 + int(fraction)
