#!/usr/bin/env python3
"""Says once more, at the end of a long run, what failed in it.

usage: failures.py BUILD_DIR ...

Reads what ctest keeps of its last run. Of a program of GoogleTest it shows the tests that failed and, when it ended
in the middle of one, that one; of any other program what it wrote.
"""
import pathlib
import re
import sys

MOST_LINES = 60  # of one test; of more, the first and the last half
LOG = "Testing/Temporary/LastTest.log"
# One test of ctest, and what it wrote.
RUN = re.compile(r'^\d+/\d+ Test: (?P<name>\S+)\n.*?^Output:\n-+\n(?P<output>.*?)<end of output>\n[^\n]*\n-+\n(?P<end>[^\n]*?)\.?\n',
                 re.DOTALL | re.MULTILINE)
TEST = re.compile(r"^\[ RUN      \] (?P<name>\S+)\n(?P<text>.*?)(?P<end>^\[ +(OK|FAILED|SKIPPED) +\] |\Z)",
                  re.DOTALL | re.MULTILINE)


def shortened(text):
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= MOST_LINES:
        return lines
    half = MOST_LINES // 2
    return lines[:half] + [f"... {len(lines) - 2 * half} lines more"] + lines[-half:]


def failures_of(log):
    """Pairs of a name and its lines."""
    found = []
    for run in RUN.finditer(log):
        if run["end"].startswith(("Test Passed", "Test Skipped")):
            continue
        tests = [test for test in TEST.finditer(run["output"])
                 if "FAILED" in test["end"] or not test["end"]]
        if not tests:
            found.append((f"{run['name']} ({run['end']})", shortened(run["output"])))
        for test in tests:
            how = "" if test["end"] else f" (in the middle of it: {run['end']})"
            found.append((f"{run['name']}: {test['name']}{how}", shortened(test["text"])))
    return found


def main(directories):
    for directory in directories:
        log = pathlib.Path(directory, LOG)
        if not log.exists():
            print(f"{directory}: no test was begun")
            continue
        for name, lines in failures_of(log.read_text(encoding="utf-8", errors="replace")):
            print(f"{directory}: {name}")
            print("\n".join("  " + line for line in lines))


if __name__ == "__main__":
    main(sys.argv[1:])
