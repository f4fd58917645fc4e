"""Recency, frequency and monetary of every Online Retail customer, computed from the shipped extract
without segmentd: whole invoices, integers of 1/1000 GBP, nothing but dictionaries."""
import collections
import csv

from documents import check_same
from harness import extract_lines
from instants import ms_of, rfc3339


class Figures:
    def __init__(self):
        self.frequency = 0
        self.monetary = 0
        self.gross = 0
        self.refunded = 0
        self.refunds = 0
        self.first = None
        self.last = None
        self.days = set()

    def order(self, at, minor):
        self.frequency += 1
        self.gross += minor
        self.monetary += minor
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)
        self.days.add(at[:10])

    def refund(self, minor):
        self.refunds += 1
        self.refunded += minor
        self.monetary -= minor

    def as_row(self):
        """The members of a customer's row that follow from the records alone."""
        return {"frequency": self.frequency, "monetary_minor": self.monetary,
                "monetary": decimal_of(self.monetary), "gross_minor": self.gross,
                "refunded_minor": self.refunded, "refunds": self.refunds,
                "first_order_at": self.first, "last_order_at": self.last,
                "purchase_days": len(self.days)}


def decimal_of(minor):
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 1000}.{abs(minor) % 1000:03d}"


def minor_of(amount):
    """'-27.500' -> -27500; exactly three decimals are written in the extract."""
    whole, fraction = amount.lstrip("-").split(".")
    assert len(fraction) == 3, amount
    minor = int(whole) * 1000 + int(fraction)
    return -minor if amount.startswith("-") else minor


Recomputed = collections.namedtuple("Recomputed", "customers anonymous_sales anonymous_refunds adjustments")


def recompute(shift_ms=0):
    """`shift_ms` later than it was."""
    customers = collections.defaultdict(Figures)
    sales = refunds = adjustments = 0
    for invoice, customer, at, amount in csv.reader(extract_lines()):
        minor = minor_of(amount)
        if invoice.startswith("A"):
            adjustments += 1
        elif not customer:
            refunds += invoice.startswith("C")
            sales += not invoice.startswith("C")
        elif invoice.startswith("C"):
            customers[customer].refund(-minor)
        else:
            customers[customer].order(rfc3339(ms_of(at) + shift_ms), minor)
    return Recomputed(customers, sales, refunds, adjustments)


def figures_of_row(row):
    return {name: row[name] for name in Figures().as_row()}


def check_rows(rows, shift_ms=0):
    """`rows`: {customer: row}, compared with the independent figures of every customer."""
    customers = recompute(shift_ms).customers
    expected = {customer: figures.as_row() for customer, figures in customers.items()}
    check_same({customer: figures_of_row(row) for customer, row in rows.items()}, expected, "figures")
