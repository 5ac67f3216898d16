#!/usr/bin/env python3
"""clang-tidy over every file of a compilation database, two or more at a time; clean files are remembered.

    tidy.py BUILD_DIR [-j N] [--tool clang-tidy-14] [--memory DIR]

A file that was found clean is not looked at again until something changes that matters: its text, the headers of ours
that it names itself, the configuration, its compiler flags, the tool, or the packages that bring headers. What those
headers include is the compiler's business: a widely included header would otherwise cost an hour, and what it changes
elsewhere has never been a finding. --anew looks at every file all the same. Findings are never remembered. The memory
is $XDG_CACHE_HOME/runner-tidy.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

INCLUDE = re.compile(rb'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
FINDING = re.compile(r"^(/.*?:\d+:\d+): (?:error|warning): ", re.MULTILINE)
HEADER_PACKAGES = re.compile(r"(-dev$|^g\+\+|^gcc|^clang|^libclang|^libstdc)")
# The analyzer walks the paths of each function; a few long functions have so many that they take most of the time. With
# a tenth of its usual patience, files take a quarter of the time.
PATIENCE = [f"--extra-arg={part}" for part in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=20000")]
KEEP_SECONDS = 60 * 24 * 3600


class Sources:
    """Which files of ours a file is made of, and their digests; each is read once."""

    def __init__(self, root):
        self.root = root
        self.read = {}

    def look(self, path):
        if path not in self.read:
            text = path.read_bytes().replace(os.fsencode(self.root), b".")
            included = []
            for name in INCLUDE.findall(text):
                for place in (self.root, path.parent):
                    target = (place / os.fsdecode(name)).absolute()
                    if target.is_file():
                        included.append(target)
                        break
            self.read[path] = (hashlib.sha256(text).hexdigest(), included)
        return self.read[path]

    def digests(self, path):
        """(name, digest) of the file and of the headers it names, sorted. Sources that are compiled as one are a file
        that names them."""
        parts = [path, *self.look(path)[1]]
        parts += [header for part in parts[1:] if part.suffix == ".cpp" for header in self.look(part)[1]]
        return sorted({f"{os.path.relpath(one, self.root)} {self.look(one)[0]}" for one in parts})

    def configurations(self, path):
        """The .clang-tidy files that hold for it."""
        above = [parent / ".clang-tidy" for parent in path.parents]
        return [hashlib.sha256(one.read_bytes()).hexdigest() for one in above if one.is_file()]


def output_of(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine(tool):
    """The tool and the packages that bring headers."""
    packages = [line for line in output_of(["dpkg-query", "-W", "-f", "${Package} ${Version}\n"]).splitlines()
                if HEADER_PACKAGES.search(line.split(" ")[0])]
    return [output_of([tool, "--version"]), *sorted(packages)]


def key_of(entry, sources, about_machine):
    path = pathlib.Path(entry["file"])
    flags = shlex.split(entry["command"]) if "command" in entry else entry["arguments"]
    root = str(sources.root)
    parts = [*about_machine, *PATIENCE, *(flag.replace(root, ".") for flag in flags), *sources.configurations(path),
             *sources.digests(path)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def check(build, jobs, tool, memory, anew=False):
    """(files, how many were remembered, [output of each file with findings])"""
    database = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    entries = sorted({entry["file"]: entry for entry in database}.items())
    home = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$", (build / "CMakeCache.txt").read_text(encoding="utf-8"),
                     re.MULTILINE)
    sources = Sources(pathlib.Path(home[1]) if home else build.parent.parent)
    about_machine = machine(tool)
    memory.mkdir(parents=True, exist_ok=True)
    (build / "findings.txt").write_text("", encoding="utf-8")
    waiting, bad = [], []
    for file, entry in entries:
        note = memory / key_of(entry, sources, about_machine)
        if note.exists() and not anew:
            os.utime(note)
        else:
            waiting.append((file, note))

    def run(item):
        file, note = item
        done = subprocess.run([tool, "-p", str(build), "--quiet", file, *PATIENCE], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            note.touch()
            return None
        text = done.stdout
        if not FINDING.search(text):
            text = f"{text}{done.stderr}\n{file}: {tool} ended with {done.returncode}\n"
        with open(build / "findings.txt", "a", encoding="utf-8") as findings:  # as they come: all of it takes a while
            findings.write(text)
        return text

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        bad = [text for text in pool.map(run, waiting) if text is not None]
    for note in memory.iterdir():
        if note.stat().st_mtime < time.time() - KEEP_SECONDS:
            note.unlink(missing_ok=True)
    return len(entries), len(entries) - len(waiting), bad


def main():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count())
    parser.add_argument("--tool", default="clang-tidy-14")
    parser.add_argument("--memory", type=pathlib.Path, default=pathlib.Path(cache, "runner-tidy"))
    parser.add_argument("--anew", action="store_true", help="also files that are known to be clean")
    given = parser.parse_args()
    files, remembered, bad = check(given.build.resolve(), given.jobs, given.tool, given.memory, given.anew)
    if files == 0:
        print(f"tidy: no files in {given.build}")
        return 1
    text = "\n".join(bad)
    findings = given.build / "findings.txt"
    here = os.getcwd() + "/"
    # A finding in a header is reported by every file that includes it.
    lines = sorted({line.replace(here, "") for line in text.splitlines() if FINDING.match(line)})
    print("\n".join(lines if lines else text.splitlines()[-20:]), end="\n" if bad else "")
    print(f"tidy: {len(lines)} findings in {files} files, {remembered} of them known to be clean"
          + (f"; the code around each is in {findings}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
