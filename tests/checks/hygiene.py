#!/usr/bin/env python3
"""Fails on files that hold what belongs to one machine only, and on headers without an include guard.

    hygiene.py [ROOT]
"""
import pathlib
import re
import subprocess
import sys

# Spelled in pieces, so that this file passes its own check.
HOSTS = ["registry." + "npmjs", "deb." + "debian.org", "security." + "debian.org", "pypi" + ".org", "crates" + ".io"]
# Somebody's folder; /home/user and the like are what examples and tests legitimately say.
MACHINE_PATH = re.compile(r"(?<![\w./$}~-])/(?:work/(?:main|shared|wt)\b|Users/\w|home/(?!user\b|ci\b|runner\b)\w+/)")
GUARD = re.compile(r"^#pragma once$", re.MULTILINE)


def files(root):
    if (root / ".git").exists():
        listed = subprocess.run(["git", "-C", str(root), "ls-files", "-coz", "--exclude-standard"], check=True,
                                capture_output=True).stdout
        return [root / name for name in listed.decode().split("\0") if name]
    return [path for path in root.rglob("*") if path.is_file()]


def check(root):
    problems = []
    for path in files(root):
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        if b"\0" in data[:4096]:
            continue
        name, text = path.relative_to(root).as_posix(), data.decode("utf-8", "replace")
        if name.endswith(".h") and not name.startswith("examples/") and not GUARD.search(text):
            problems.append(f"{name}:1: error: header without '#pragma once'")
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line):
                problems.append(f"{name}:{number}: error: names a folder of one machine: {line.strip()[:80]}")
            for host in HOSTS:
                if host in line.lower():
                    problems.append(f"{name}:{number}: error: names the registry '{host}'; packages are named, hosts are not")
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    problems = check(root)
    print("\n".join(problems), end="\n" if problems else "")
    print(f"hygiene: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
