#!/usr/bin/env python3
"""The tree keeps its rules, and a tree that breaks one is found out."""
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from tree_check import CODE, PROGRAMS, TOP_LEVEL, Tree  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


class TheTree(unittest.TestCase):
    def test_keeps_its_rules(self):
        self.assertEqual(Tree(ROOT).check(), [])


class ABreach(unittest.TestCase):
    """Each is planted in a copy of the tree."""

    @classmethod
    def setUpClass(cls):
        cls.copy = Path(tempfile.mkdtemp(prefix="segmentd-tree-"))
        for name in [*TOP_LEVEL, ".ci"]:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, cls.copy / name, ignore=shutil.ignore_patterns("*.xz", "__pycache__"))
            elif source.exists():
                shutil.copy(source, cls.copy / name)
        cls.before = set(Tree(cls.copy).check())

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.copy)

    def found(self):
        return sorted(set(Tree(self.copy).check()) - self.before)

    def plant(self, path, text):
        """Appends to a file, or makes it, until the test ends."""
        file = self.copy / path
        old = file.read_text() if file.exists() else None
        file.write_text((old or "") + text)
        self.addCleanup(lambda: file.write_text(old) if old is not None else file.unlink())

    def assert_found(self, *parts):
        found = self.found()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_a_library_in_the_core(self):
        self.plant("state/core/money.hpp", '\n#include <rocksdb/db.h>\n')
        self.assert_found("state/core/money.hpp", "the core may not include <rocksdb/db.h>")

    def test_a_thread_in_the_core(self):
        self.plant("state/core/money.cpp", "\n#include <thread>\n")
        self.assert_found("state/core/money.cpp", "<thread>")

    def test_a_clock_in_the_core(self):
        self.plant("state/core/money.cpp", "\nauto now() { return std::chrono::steady_clock::now(); }\n")
        self.assert_found("state/core/money.cpp", "steady_clock")

    def test_a_clock_in_a_comment_of_the_core_is_none(self):
        self.plant("state/core/money.cpp", "\n// never steady_clock here\n")
        self.assertEqual(self.found(), [])

    def test_the_state_including_the_daemon(self):
        self.plant("state/store.hpp", '\n#include "daemon/ports.hpp"\n')
        self.assert_found("state/store.hpp", "state may not include daemon/ports.hpp")

    def test_the_configuration_including_the_state(self):
        self.plant("config/load.hpp", '\n#include "state/store.hpp"\n')
        self.assert_found("config/load.hpp", "state/store.hpp")

    def test_the_pipeline_including_kafka(self):
        self.plant("daemon/pipeline/pipeline.hpp", '\n#include "daemon/kafka/client.hpp"\n')
        self.assert_found("daemon/pipeline may not include daemon/kafka/client.hpp")

    def test_librdkafka_outside_its_folder(self):
        self.plant("daemon/worker/worker.cpp", "\n#include <librdkafka/rdkafka.h>\n")
        self.assert_found("daemon/worker may not include <librdkafka/rdkafka.h>")

    def test_an_include_that_is_no_path_from_the_root(self):
        self.plant("daemon/wire/encode.cpp", '\n#include "encode.hpp"\n')
        self.assert_found("encode.hpp", "no path from the project's root")

    def test_a_source_nobody_builds(self):
        self.plant("tests/unit/forgotten_test.cpp", "\n")
        self.assert_found("tests/unit/forgotten_test.cpp", "in no CMakeLists.txt")

    def test_a_source_named_only_in_a_comment(self):
        self.plant("tests/unit/forgotten_test.cpp", "\n")
        self.plant("tests/unit/CMakeLists.txt", "\n# forgotten_test.cpp\n")
        self.assert_found("in no CMakeLists.txt")

    def test_a_folder_without_a_rule(self):
        (self.copy / "daemon/novel").mkdir()
        self.addCleanup(lambda: (self.copy / "daemon/novel").rmdir())
        self.plant("daemon/novel/a.hpp", "\n")
        self.assert_found("daemon/novel/a.hpp", "no rule")

    def test_a_stranger_on_the_top_level(self):
        self.plant("notes.txt", "\n")
        self.assert_found("notes.txt", "top level")

    def test_an_undocumented_setting(self):
        self.plant("config/segmentd.toml", "\n[http]\n#colour = \"red\"\n")
        self.assert_found("http.colour")

    def test_a_setting_that_does_not_exist(self):
        self.plant("deploy/data/README.md", "\nSet `input.colour`.\n")
        self.assert_found("deploy/data/README.md", "input.colour")

    def test_a_setting_of_a_schema_that_does_not_exist(self):
        self.plant("deploy/schemas/colour.schema.json", '{"description": "Set input.colour, not input.field.*."}\n')
        self.assert_found("deploy/schemas/colour.schema.json", "input.colour")

    def test_an_undocumented_metric(self):
        self.plant("daemon/observe/metric_table.cpp", '\n// "segmentd_colour_total"\n')
        self.assert_found("deploy/METRICS.md", "segmentd_colour_total")

    def test_a_metric_that_does_not_exist(self):
        self.plant("deploy/METRICS.md", "\n| `segmentd_colour_total` | counter | - | None. |\n")
        self.assertIn("deploy/METRICS.md: segmentd_colour_total does not exist", self.found())

    def test_a_program_that_cannot_be_executed(self):
        program = self.copy / PROGRAMS[0]
        mode = program.stat().st_mode
        self.addCleanup(program.chmod, mode)
        program.chmod(0o644)
        self.assert_found(PROGRAMS[0], "cannot be executed")

    def test_something_unfinished(self):
        self.plant("daemon/main.cpp", "\n// TO" "DO: later\n")
        self.assert_found("daemon/main.cpp")


if __name__ == "__main__":
    unittest.main()
