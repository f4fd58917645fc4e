#!/usr/bin/env python3
"""deploy/OPERATIONS.md and deploy/segmentd.service say what the program does.

    operations_page_test.py [SOURCE DIRECTORY]
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else __file__).resolve()
ROOT = ROOT if ROOT.is_dir() else ROOT.parents[2]
PAGE = (ROOT / "deploy" / "OPERATIONS.md").read_text(encoding="utf-8")
UNIT = ROOT / "deploy" / "segmentd.service"
NO_RESTART = {"2", "4", "5"}


def source(path):
    return (ROOT / path).read_text(encoding="utf-8")


def joined_texts(cpp):
    """The string literals of a source, those that follow each other put together."""
    return ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', run))
            for run in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', cpp)]


def words_of(text):
    return re.findall(r"[A-Za-z0-9_']+", text)


class PageTest(unittest.TestCase):
    def test_every_reason_to_park_has_a_row(self):
        words = re.search(r"Words<ParkReason> \{.*?kList\{(.*?)\};", source("daemon/observe/words.hpp"), re.DOTALL)
        reasons = re.findall(r'"(\w+)"', words[1])
        self.assertGreaterEqual(len(reasons), 8)
        for reason in reasons:
            self.assertRegex(PAGE, rf"(?m)^\| `{reason}` \|")
        rows = re.findall(r"(?m)^\| `(\w+)` \|", PAGE[PAGE.index("## When a partition is parked"):
                                                    PAGE.index("## When a broker is in trouble")])
        self.assertEqual(sorted(rows), sorted(reasons))

    def test_every_exit_code_has_a_row(self):
        codes = re.findall(r"constexpr int kExit\w+ = (\d+);", source("daemon/commands/command.hpp"))
        self.assertGreaterEqual(len(codes), 6)
        for code in codes:
            self.assertRegex(PAGE, rf"(?m)^\| {code} \|")

    def test_what_it_quotes_is_what_the_program_says(self):
        """Each text of the second column stands in a source, but for what the system says."""
        said = [text for folder in ("daemon", "state") for path in sorted((ROOT / folder).rglob("*.cpp"))
                for text in joined_texts(path.read_text(encoding="utf-8"))]
        everything = "\n".join(said)
        table = PAGE[PAGE.index("| reason | the text says"):PAGE.index("Not parked but mended")]
        quoted = re.findall(r"(?m)^\| (?:`\w+`)? ?\| ([^|]+) \|", table)
        self.assertGreater(len(quoted), 12)
        for cell in quoted:
            for text in re.findall(r"`([^`]+)`", cell):
                if text in SYSTEM_SAYS:
                    continue
                for part in re.split(r"<\w+>|'\w'|\.\.\.|\bN\b|\bM\b", text):
                    self.assertTrue(part.strip() in everything, f"the program does not say: {text}")

    def test_what_stops_or_parks_is_on_it(self):
        """Of each text with which the program ends, parks or refuses a state directory, three words in a row
        stand in a quotation of the page."""
        quoted = " | ".join(" ".join(words_of(text)) for text in re.findall(r"`([^`\n]+)`", PAGE))
        calls = 0
        for path in (*sorted((ROOT / "daemon" / "worker").glob("*.cpp")), *map(ROOT.joinpath, STOPPING)):
            cpp = path.read_text(encoding="utf-8")
            for call in STOPS.finditer(cpp):
                texts = [words_of(text) for text in joined_texts(cpp[call.start():cpp.find(";", call.start())])]
                threes = [" ".join(text[i:i + 3]) for text in texts for i in range(len(text) - 2)]
                if not threes or any(three in NO_STOP for three in threes):
                    continue
                calls += 1
                self.assertTrue(any(three in quoted for three in threes),
                                f"{path.name}: not on the page: {' ... '.join(' '.join(t) for t in texts)}")
        self.assertGreater(calls, 15)

    def test_links_lead_somewhere(self):
        headings = {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
                    for line in re.findall(r"(?m)^#+ (.*)$", PAGE)}
        for target in re.findall(r"\]\(([^)]+)\)", PAGE):
            if target.startswith("#"):
                self.assertIn(target[1:], headings)
            else:
                self.assertTrue((ROOT / "deploy" / target).exists(), target)

    def test_the_program_names_a_heading_that_exists(self):
        named = 0
        for path in sorted((ROOT / "daemon").rglob("*.cpp")):
            for text in joined_texts(path.read_text(encoding="utf-8")):
                for heading in re.findall(r'[Ss]ee \\"([^"\\]+)\\" in OPERATIONS.md', text):
                    named += 1
                    self.assertRegex(PAGE, rf"(?m)^#+ {heading}$")
        self.assertGreaterEqual(named, 2)


# Where a text ends the process, parks a partition, or refuses a state directory.
STOPS = re.compile(r"\b(?:park|end|fail_logged|restore_again)\(|\bFailure\{|Error\{Errc::k(?:BadInput|Corrupt|"
                   r"Misconfigured|Unavailable)|what =")
STOPPING = ("daemon/commands/run.cpp", "daemon/commands/crew.cpp", "daemon/pipeline/fingerprint.cpp",
            "daemon/pipeline/last_applied.cpp", "daemon/pipeline/partition.cpp", "state/disk_room.cpp",
            "state/state_dir.cpp")
# It is tried again; only commands that look say it; a program's own fault, which a damaged store is taken for.
NO_STOP = {"the changelog tells", "has no identity", "does not exist", "names no customer", "customer of the"}
# And what the brokers say.
SYSTEM_SAYS = {"Permission denied", "Read-only file system", "No space left", "Unknown topic or partition"}


class UnitTest(unittest.TestCase):
    def test_what_is_not_started_again(self):
        unit = UNIT.read_text(encoding="utf-8")
        self.assertEqual(set(re.search(r"(?m)^RestartPreventExitStatus=(.*)$", unit)[1].split()), NO_RESTART)
        for code in NO_RESTART:
            self.assertRegex(PAGE, rf"(?m)^\| {code} \|.*\| no[ :|]")
        shutdown = int(re.search(r"kShutdownPatience\{(\d+)\}", source("daemon/commands/run.cpp"))[1])
        self.assertGreater(int(re.search(r"(?m)^TimeoutStopSec=(\d+)$", unit)[1]), shutdown)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not here")
    def test_systemd_understands_it(self):
        with tempfile.TemporaryDirectory() as directory:
            here = pathlib.Path(directory) / UNIT.name  # with a program that exists
            here.write_text(UNIT.read_text(encoding="utf-8").replace("/usr/bin/segmentd", "/bin/true"),
                            encoding="utf-8")
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True,
                                  check=False)
            complaints = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
            self.assertEqual((done.returncode, complaints), (0, []), done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
