#!/usr/bin/env python3
"""Checks files of one JSON document a line against a JSON Schema.

    validate_schemas.py SCHEMA.json FILE.ndjson...

Stricter than most readers: a member given twice, NaN, or a file without any line is an error too.
Exit code 0: every line is valid; 1: says which are not, at most ten, as file:line: where: why.
"""
import argparse
import json
import sys

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

SHOWN_MAX = 10


def no_duplicates(pairs):
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError("member given twice: " + next(n for n in names if names.count(n) > 1))
    return members


def no_constant(text):
    raise ValueError(text + " is not JSON")


def problem_of(line, validator):
    """What is wrong with one line; None = nothing."""
    try:
        document = json.loads(line, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except ValueError as error:
        return f"not JSON: {error}"
    error = best_match(validator.iter_errors(document))
    return None if error is None else f"{error.json_path}: {error.message}"


def problems_of(path, validator):
    """Yields `path:line: problem`; also for a file with no line."""
    number = 0
    with open(path, encoding="utf-8", errors="strict", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            problem = problem_of(line.rstrip("\n"), validator)
            if problem:
                yield f"{path}:{number}: {problem}"
    if number == 0:
        yield f"{path}: holds no line"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("schema")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    with open(arguments.schema, encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    found = 0
    for path in arguments.files:
        for problem in problems_of(path, validator):
            found += 1
            if found <= SHOWN_MAX:
                print(problem, file=sys.stderr)
    if found > SHOWN_MAX:
        print(f"... and {found - SHOWN_MAX} more", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
