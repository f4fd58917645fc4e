#!/usr/bin/env python3
"""Every event, row and epoch that the tests before this one let the pipeline write is valid by its
published schema.

    documents_test.py DIRECTORY     (where tests/support/kept_documents.cpp has put them; emptied at the end)
"""
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
VALIDATE = SOURCE / "tests" / "support" / "validate_schemas.py"
SCHEMAS = ("segment-changed", "customer-row", "model-epoch")


def unique_lines(files):
    return sorted({line for file in files for line in file.read_bytes().splitlines(keepends=True)})


def main():
    directory = pathlib.Path(sys.argv[1])
    running = []
    for schema in SCHEMAS:
        files = sorted(directory.glob(schema + ".*.ndjson"))
        lines = unique_lines(files)
        if not lines:
            sys.exit(f"no {schema} was kept in {directory}: the tests before this one did not run")
        print(f"{schema}: {len(lines)} documents of {len(files)} processes")
        for n in range(os.cpu_count()):
            part = directory / f"{schema}-part-{n}"
            part.write_bytes(b"".join(lines[n::os.cpu_count()]) or lines[0])
            running.append(subprocess.Popen(
                [sys.executable, VALIDATE, SOURCE / "deploy" / "schemas" / f"{schema}.schema.json", part]))
    failed = sum(process.wait() != 0 for process in running)
    for file in directory.iterdir():
        file.unlink()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
