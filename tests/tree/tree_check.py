#!/usr/bin/env python3
"""Rules of the source tree that no compiler enforces. Prints one line for each breach, ends with 1 if any.

    tests/tree/tree_check.py [ROOT]

Debian puts the headers of all libraries in one place, so that linking enforces no layers: a
`#include <rocksdb/db.h>` in the core compiles. This finds it.
"""
import os
import re
import sys
from pathlib import Path

# Which folder may include from which, beside itself. A file belongs to the deepest folder named here.
MAY_INCLUDE = {
    "state/core": [],
    "state": ["state/core"],
    "config": ["state/core"],
    "daemon/wire": ["state/core"],
    "daemon/observe": ["state/core"],
    "daemon/kafka": ["daemon/ports.hpp", "state/core"],
    "daemon/http": ["daemon/observe", "state/core"],
    "daemon/import": ["daemon/wire", "state/core"],
    "daemon/watch": ["daemon/wire", "state/core"],
    "daemon/pipeline": ["daemon/ports.hpp", "daemon/observe", "daemon/wire", "state", "state/core"],
    "daemon/replay": ["daemon/pipeline", "daemon/import", "daemon/observe", "daemon/wire",
                      "daemon/ports.hpp", "state", "state/core"],
    "daemon/worker": ["daemon/pipeline", "daemon/http", "daemon/observe", "daemon/wire",
                      "daemon/ports.hpp", "state", "state/core"],
    "daemon/topics": ["daemon/kafka", "daemon/observe", "daemon/ports.hpp", "config", "state/core"],
    "daemon/inspect": ["daemon/pipeline", "daemon/wire", "daemon/ports.hpp", "state", "state/core"],
    "daemon/check": ["daemon/inspect", "daemon/pipeline", "daemon/wire", "daemon/ports.hpp", "config", "state",
                     "state/core"],
    "daemon/commands": ["daemon", "daemon/ports.hpp", "config", "state", "state/core"],
    "daemon": ["daemon/commands", "state/core"],
    "tests": ["daemon", "config", "state", "state/core"],
}
# Who may see a library, by the beginning of the header's name.
LIBRARY_ONLY_IN = {
    "librdkafka/": ["daemon/kafka", "tests"],
    "rocksdb/": ["state", "tests"],
    "prometheus/": ["daemon/observe"],
    "spdlog/": ["daemon/observe"],
    "civetweb": ["daemon/http"],
    "simdjson": ["daemon/wire", "daemon/import", "tests"],
    "toml++/": ["config"],
    "CLI/": ["daemon/commands", "daemon"],
    "tsl/": ["daemon/pipeline"],
    "xxhash": ["state", "daemon/pipeline", "tests"],
    "lzma": ["daemon/import", "tests"],
    "date/": ["config", "daemon/wire", "daemon/import", "tests"],
    "fmt/": ["daemon/wire", "daemon/observe", "tests"],
    "gtest/": ["tests"],
    "gmock/": ["tests"],
}
# The core knows no clock, no thread, no file, no chance: what it may include, and words it may not say.
CORE_HEADERS = set("""algorithm array bit cassert charconv cinttypes climits cmath compare concepts cstddef
    cstdint cstdio cstdlib cstring deque functional initializer_list iterator limits map memory numeric
    optional queue set span string string_view tuple type_traits unordered_map unordered_set utility
    variant vector""".split())
CORE_WORDS = re.compile(
    r"\b(system_clock|steady_clock|high_resolution_clock|random_device|std::thread|std::mutex|getenv|"
    r"fopen|printf|fprintf|puts|rand|srand|time\s*\(\s*(?:nullptr|NULL|0)\s*\)|clock_gettime|gettimeofday)\b")

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "config", "daemon", "deploy",
             "state", "tests"}
UNTRACKED = {"build"}
PROGRAMS = ["deploy/install-packages", "deploy/kafka/broker", "deploy/quickstart", "tests/run", ".ci/run"]
CODE = ("state", "config", "daemon", "tests")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
METRIC = re.compile(r"\bsegmentd_[a-z0-9_]+")
SETTING_SECTIONS = "input|orders|rejected|model|labels|output|table|topics|limits|rocksdb|http|log|clock"
SETTING = rf"(?:{SETTING_SECTIONS})(?:\.[a-z0-9_]+)+"
SETTING_QUOTED = re.compile(rf"`({SETTING})`")
SETTING_BARE = re.compile(rf"\b({SETTING})")  # a schema's descriptions are plain text


def strip_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.breaches = []

    def say(self, path, what):
        self.breaches.append(f"{path}: {what}")

    def files(self, *folders, suffixes=None):
        for folder in folders:
            for directory, names, files in os.walk(self.root / folder):
                names[:] = sorted(n for n in names if n != "__pycache__")
                for name in sorted(files):
                    if suffixes is None or name.endswith(suffixes):
                        yield (Path(directory) / name).relative_to(self.root).as_posix()

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    # --- includes ---

    def check_includes(self):
        for path in self.files(*CODE, suffixes=(".cpp", ".hpp")):
            folder = layer_of(path)
            if folder is None:
                self.say(path, "lies in a folder that tests/tree/tree_check.py has no rule for")
                continue
            for own, library in INCLUDE.findall(self.text(path)):
                if own:
                    self.check_own(path, folder, own)
                else:
                    self.check_library(path, folder, library)

    def check_own(self, path, folder, header):
        if header == "daemon/version.hpp":  # made by CMake
            return
        if not (self.root / header).is_file():
            self.say(path, f"includes {header}, which is no path from the project's root")
            return
        target = layer_of(header)
        allowed = MAY_INCLUDE[folder]
        within = target == folder or header in allowed or target in allowed
        if not within and folder in ("tests", "daemon/commands"):
            within = any(header.startswith(a + "/") for a in allowed)
        if not within:
            self.say(path, f"{folder} may not include {header}")

    def check_library(self, path, folder, header):
        if folder == "state/core" and header not in CORE_HEADERS:
            self.say(path, f"the core may not include <{header}>")
            return
        for beginning, folders in LIBRARY_ONLY_IN.items():
            if header.startswith(beginning) and folder not in folders:
                self.say(path, f"{folder} may not include <{header}>")

    def check_core_words(self):
        for path in self.files("state/core", suffixes=(".cpp", ".hpp")):
            for word in CORE_WORDS.findall(strip_comments(self.text(path))):
                self.say(path, f"the core may not use {word}")

    # --- files ---

    def check_top_level(self):
        present = {p.name for p in self.root.iterdir() if not p.name.startswith(".")} - UNTRACKED
        for name in sorted(present - TOP_LEVEL):
            self.say(name, "does not belong on the top level")
        for name in sorted(TOP_LEVEL - present):
            self.say(name, "is missing")

    def check_listed(self):
        """Every source is in a CMakeLists.txt: its own folder's or one above."""
        for path in self.files(*CODE):
            if not (path.endswith(".cpp") or path.endswith("_test.py")):
                continue
            if not any(self.lists(above, path) for above in Path(path).parents):
                self.say(path, "is in no CMakeLists.txt, so nobody builds or runs it")

    def lists(self, above, path):
        lists = self.root / above / "CMakeLists.txt"
        if not lists.is_file():
            return False
        relative = Path(path).relative_to(above).as_posix()
        stem, suffix = relative.rsplit(".", 1)  # foreach(name a b) ... SOURCES ${name}.cpp
        text = re.sub(r"#[^\n]*", "", lists.read_text(encoding="utf-8"))
        words = set(re.split(r"[\s()\"]+|\$\{CMAKE_CURRENT_SOURCE_DIR\}/", text))
        return relative in words or path in words or (stem in words and "}." + suffix in text)

    def check_programs(self):
        for path in PROGRAMS:
            if not os.access(self.root / path, os.X_OK):
                self.say(path, "is missing or cannot be executed")

    def check_unfinished(self):
        for path in self.files(*CODE, "deploy", suffixes=(".cpp", ".hpp", ".py", ".txt", ".md")):
            if path == "tests/tree/tree_check.py" or path == "tests/tree/tree_check_test.py":
                continue
            if re.search(r"\b(TODO|FIXME)\b", self.text(path)):
                self.say(path, "holds a TODO or FIXME")

    # --- what is documented ---

    def check_settings(self):
        documented = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", self.text("config/REFERENCE.md"), re.MULTILINE))
        section = ""
        for line in self.text("config/segmentd.toml").splitlines():
            if match := re.match(r"\[([a-z_.]+)\]", line):
                section = match[1] + "."
            elif match := re.match(r'#"?([a-z_.]+)"? = ', line):
                key = section + match[1]
                if section != "kafka." and key not in documented:
                    self.say("config/REFERENCE.md", f"says nothing of the setting {key}")
        for path in ["README.md", *self.files("deploy", "config", suffixes=".md"),
                     *self.files("deploy/schemas", suffixes=".json")]:
            if path != "config/REFERENCE.md" and (self.root / path).is_file():
                named = SETTING_BARE if path.endswith(".json") else SETTING_QUOTED
                for key in named.findall(self.text(path)):
                    if key not in documented and not any(d.startswith(key + ".") for d in documented):
                        self.say(path, f"names {key}, which is no setting")

    def check_metrics(self):
        declared = set(METRIC.findall(self.text("daemon/observe/metric_table.cpp")))
        documented = set(re.findall(r"^\| `(segmentd_[a-z0-9_]+)` \|", self.text("deploy/METRICS.md"),
                                    re.MULTILINE))
        for name in sorted(declared - documented):
            self.say("deploy/METRICS.md", f"says nothing of {name}")
        for name in sorted(documented - declared):
            self.say("deploy/METRICS.md", f"{name} does not exist")
        for path in ["README.md", *self.files("deploy")]:
            if path.endswith((".xz", ".json")) or not (self.root / path).is_file():
                continue
            for name in sorted(set(METRIC.findall(self.text(path)))):
                if re.sub(r"_(bucket|sum|count)$", "", name) not in declared and name not in declared:
                    self.say(path, f"{name} is no metric of ours")

    def check(self):
        self.check_includes()
        self.check_core_words()
        self.check_top_level()
        self.check_listed()
        self.check_programs()
        self.check_unfinished()
        self.check_settings()
        self.check_metrics()
        return self.breaches


def layer_of(path):
    for folder in sorted(MAY_INCLUDE, key=len, reverse=True):
        if path.startswith(folder + "/"):
            is_there = folder in ("tests", "daemon/commands") or "/" not in path[len(folder) + 1:]
            return folder if is_there else None
    return None


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    breaches = Tree(root).check()
    for breach in breaches:
        print(breach)
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
