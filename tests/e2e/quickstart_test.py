#!/usr/bin/env python3
"""What `deploy/quickstart` refuses before it does anything, and that a plain `cmake -B build` needs no preset.
The quick start's whole way, `--once`, is run by .ci/run."""
import shutil
import socket
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import harness  # noqa: E402
from harness import PROJECT, run  # noqa: E402


class QuickStart(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="segmentd-quickstart-")
        self.addCleanup(self.folder.cleanup)
        self.project = Path(self.folder.name)
        (self.project / "deploy").mkdir()
        shutil.copy(PROJECT / "deploy" / "quickstart", self.project / "deploy")

    def quickstart(self, *flags):
        return run([self.project / "deploy" / "quickstart", *flags])

    def test_a_taken_port_is_named_with_the_way_out(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for base in (port, port - 1, port - 2):
                done = self.quickstart("--once", "--port-base", str(base))
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(f"port {port} on 127.0.0.1 is taken", done.stderr)
                self.assertIn("--port-base N", done.stderr)
                self.assertNotIn("packages", done.stdout)  # nothing was begun

    def test_a_flag_it_does_not_know_or_a_port_that_is_none(self):
        for flags in (["--twice"], ["--port-base"], ["--port-base", "80"], ["--port-base", "70000"]):
            done = self.quickstart(*flags)
            self.assertEqual(done.returncode, 2, (flags, done.stdout, done.stderr))

    def test_every_script_explains_itself(self):
        """With all that stands at its beginning."""
        for script in ("deploy/quickstart", "deploy/install-packages", "deploy/kafka/broker", "tests/run"):
            done = run([PROJECT / script, "--help"])
            self.assertEqual((done.returncode, done.stderr), (0, ""), script)
            header = (PROJECT / script).read_text(encoding="utf-8").split("\nset -", 1)[0].splitlines()[1:]
            self.assertEqual(done.stdout.splitlines(), [line[2:] for line in header])
            self.assertIn(f"  {script} ", done.stdout)

    def test_cmake_without_a_preset(self):
        build = self.project / "build"
        done = run(["cmake", "-S", PROJECT, "-B", build])
        self.assertEqual(done.returncode, 0, done.stderr)
        cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
        self.assertIn("CMAKE_BUILD_TYPE:STRING=Rel", cache)  # optimised unless one says otherwise


if __name__ == "__main__":
    harness.main()
