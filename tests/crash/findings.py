"""What is not as it must be: lost, doubled, wrong. Each thing counts once, whoever finds it."""
import collections

SHOWN = 20


class Findings:
    def __init__(self):
        self.lost = {}     # what: text
        self.doubled = {}  # what: (how many too many, text)
        self.wrong = {}    # what: text

    def lose(self, what, text=""):
        self.lost.setdefault(what, text)

    def double(self, what, extra=1, text=""):
        had = self.doubled.get(what, (0, ""))
        self.doubled[what] = max(had, (extra, text))

    def blame(self, what, text):
        self.wrong.setdefault(what, text)

    def counts(self):
        return {"lost": len(self.lost), "doubled": sum(extra for extra, _ in self.doubled.values()),
                "wrong": len(self.wrong)}

    def none(self):
        return not (self.lost or self.doubled or self.wrong)

    def text(self):
        lines = [f"lost    {what} {text}" for what, text in list(self.lost.items())[:SHOWN]]
        lines += [f"doubled {what} {text}" for what, (_, text) in list(self.doubled.items())[:SHOWN]]
        lines += [f"wrong   {what} {text}" for what, text in list(self.wrong.items())[:SHOWN]]
        return "\n".join(lines)


def compare(findings, kind, found, expected):
    """Both are lists of (name, bytes) in their order; a name that is there once should be there once."""
    if found == expected:
        return
    values = collections.defaultdict(list)
    for name, value in found:
        values[name].append(value)
    right = dict(expected)
    assert len(right) == len(expected), f"{kind}: what is expected is not single"
    lost = right.keys() - values.keys()
    made_up = values.keys() - right.keys()
    doubled = {name for name, there in values.items() if len(there) > 1}
    altered = {name for name, value in right.items() if any(there != value for there in values[name])}
    for name in sorted(lost):
        findings.lose(f"{kind} {name}", "is not there")
    for name in sorted(made_up):
        findings.blame(f"{kind} {name}", f"was made up: {values[name]}")
    for name in sorted(doubled):
        findings.double(f"{kind} {name}", len(values[name]) - 1, f"is there {len(values[name])} times")
    for name in sorted(altered):
        findings.blame(f"{kind} {name}", f"is\n{values[name]}\nand not\n{right[name]}")
    if not (lost or made_up or doubled or altered):
        at = next(n for n, (one, other) in enumerate(zip(found, expected)) if one != other)
        findings.blame(f"{kind} order", f"number {at} is {found[at][0]}, not {expected[at][0]}")
