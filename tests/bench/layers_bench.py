#!/usr/bin/env python3
"""Workspaces, caches, artifacts and archives against git, tar, zip and bsdtar, in one run.

    layers_bench.py --runner BINARY --program RUNNER_LAYERS_BENCH [--place DIR] [--runs N] [--json FILE]

Prints medians, the ratio to the alternative (smaller is faster) and the aim. Aims are for a quiet machine; nothing
fails on them. Everything is made below DIR (default: a temporary directory), so name one on the disk the data lie on.
Needs root.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

FILES_OF_REPOSITORY = 50_000
CHANGED_BY_COMMIT = 20
FILES_OF_CACHE = 40_000
FILES_OF_ARTIFACT = 10_000
JOBS = 200
IN_DIRECTORY = 100


def say(text):
    print(f"-- {text}", file=sys.stderr, flush=True)


def run(command, **more):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')[-3000:]}")
    return done.stdout.decode(errors="replace")


def timed(work):
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def program(options, *words):
    os.sync()  # what the rows before have written and removed is not of this one
    done = subprocess.run([options.program, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"runner_layers_bench {' '.join(map(str, words))} ended with {done.returncode}")
    return json.loads(done.stdout)


# --- what it works on ---------------------------------------------------------------------------------------------------

def words_of(rng, count):
    """Text about as compressible as sources are."""
    return " ".join(f"{rng.choice(('alpha', 'return', 'import', 'value', 'index'))}_{rng.randrange(500)}"
                    for _ in range(count))


def make_tree(place, name, count, size, rng):
    """`count` files of `size` bytes in directories of 100 below place/name."""
    texts = [(words_of(rng, size // 7 + 1)[:size - 12]).encode() for _ in range(64)]
    for number in range(count):
        directory = place / name / f"d{number // IN_DIRECTORY}"
        if number % IN_DIRECTORY == 0:
            directory.mkdir(parents=True)
        with open(directory / f"f{number % IN_DIRECTORY}.txt", "wb") as file:
            file.write(texts[number % len(texts)] + f"{number:012}".encode())
    return place


def path_of(number):
    return f"src/m{number // 1000}/p{number // IN_DIRECTORY % 10}/file{number % IN_DIRECTORY}.c"


def make_repository(place, commits, rng):
    """A bare repository: one commit with all files, then `commits` that change 20 each. Returns it and the commits."""
    repository = place / "origin.git"
    run(["git", "init", "-q", "--bare", "-b", "main", repository])
    stream = []
    text = words_of(rng, 150)

    def data(content):
        return f"data {len(content.encode())}\n{content}\n"

    for commit in range(commits + 1):
        stream.append(f"commit refs/heads/main\nmark :{commit + 1}\n"
                      f"committer Bench <bench@localhost> {1_700_000_000 + commit} +0000\n{data(f'commit {commit}')}")
        changed = range(FILES_OF_REPOSITORY) if commit == 0 else rng.sample(range(FILES_OF_REPOSITORY), CHANGED_BY_COMMIT)
        for number in changed:
            stream.append(f"M 100644 inline {path_of(number)}\n{data(f'{number} of {commit}: {text}')}")
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repository, input="".join(stream).encode(), check=True)
    listed = run(["git", "rev-list", "--reverse", "main"], cwd=repository).split()
    return repository, listed


# --- the rows -----------------------------------------------------------------------------------------------------------

def row(name, aim, ours, theirs, alternative, note=""):
    return {"name": name, "aim": aim, "runner": statistics.median(ours), "best": min(ours),
            "alternative": statistics.median(theirs), "by": alternative, "note": note}


def cache_rows(options, place, rng):
    say(f"a cache of {FILES_OF_CACHE:,} files")
    tree = make_tree(place / "tree", "cache", FILES_OF_CACHE, 2048, rng)
    archive = place / "cache.tar.zst"
    create = [timed(lambda: run(["tar", "--zstd", "-cf", archive, "-C", tree, "cache"])) for _ in range(3)]
    extract = []
    for number in range(2):
        target = place / f"extracted{number}"
        target.mkdir()
        extract.append(timed(lambda to=target: run(["tar", "--zstd", "-xf", archive, "-C", to])))
    shutil.rmtree(place / "extracted0")
    times = program(options, "cache", place / "cache-store", place / "extracted1", options.runs)
    return [
        row("cache hit: lookup and mount", None, times["lookup_and_mount"], extract, "tar --zstd -x"),
        row("cache save, nothing changed", 1, times["save_unchanged"], create, "tar --zstd -c"),
        row("cache save, 100 of 40,000 changed", 20, times["save_100_changed"], create, "tar --zstd -c"),
    ], archive


def workspace_row(options, place, archive, rng):
    say(f"a repository of {FILES_OF_REPOSITORY:,} files")
    repository, commits = make_repository(place, options.runs + 1, rng)
    cached = place / "cached"
    cached.mkdir()
    run(["tar", "--zstd", "-xf", archive, "-C", cached])
    theirs = []
    for number in range(2):
        clone = place / f"clone{number}"

        def workspace(to=clone):
            run(["git", "clone", "-q", "--depth", "20", f"file://{repository}", to])
            run(["tar", "--zstd", "-xf", archive, "-C", to])

        theirs.append(timed(workspace))
        shutil.rmtree(clone)
    times = program(options, "workspace", place / "workspace-store", repository, cached, *commits)
    note = f"the first commit ever takes {times['first_commit'][0]:,.0f} ms"
    return row("workspace at a new commit, with a cache hit", 20, times["new_commit"], theirs, "git clone, tar --zstd -x",
               note)


def artifact_rows(options, place, rng):
    say(f"an artifact of {FILES_OF_ARTIFACT:,} files")
    tree = make_tree(place / "made", "out", FILES_OF_ARTIFACT, 4096, rng)
    theirs = []
    for number in range(2):
        target = place / f"unzipped{number}"

        def hand_over(to=target, archive=place / f"artifact{number}.zip"):
            run(["zip", "-qr", archive, "out"], cwd=tree)
            run(["unzip", "-q", archive, "-d", to])

        theirs.append(timed(hand_over))
        shutil.rmtree(target)
    times = program(options, "artifact", place / "artifact-store", tree, options.runs)
    waiting = f"its zip takes {statistics.median(times['archive']):,.0f} ms meanwhile"
    return [row("artifact of 10,000 files, to the next job", 20, times["available"], theirs, "zip -qr, unzip", waiting)]


def archive_rows(options, place, rng):
    say("archives")
    tree = make_tree(place / "packed", "out", 1_000, 50_000, rng)
    size = sum(file.stat().st_size for file in tree.rglob("*") if file.is_file()) / 1e6
    rows = []
    # Level by level: 6 is bsdtar's own of zip, 3 is ours of both.
    for kind, level, flags in (("zip", 6, ["--format", "zip", "--options", "zip:compression-level=6"]),
                               ("zip", 3, ["--format", "zip", "--options", "zip:compression-level=3"]),
                               ("tar_zst", 3, ["--zstd", "--options", "zstd:compression-level=3"])):
        theirs = []
        archive = place / f"packed.{kind}"
        for _ in range(2):
            theirs.append(timed(lambda to=archive, how=flags: run(["bsdtar", "-cf", to, *how, "-C", tree, "out"])))
        times = program(options, "archive", place / "archives", tree, kind, level, 3)
        ours = statistics.median(times["time"])
        note = (f"{size / ours * 1e3:,.0f} against {size / statistics.median(theirs) * 1e3:,.0f} MB/s; "
                f"{times['bytes'] / 1e6:.1f} against {archive.stat().st_size / 1e6:.1f} MB")
        rows.append(row(f"{kind.replace('_', '.')} level {level} of 1,000 files, {size:.0f} MB", None, times["time"],
                        theirs, f"bsdtar, level {level}", note))
    return rows


PIPELINE = """\
stages: [make, use]
make:
  stage: make
  cache: {key: shared, paths: [cache/]}
  script: [cp -a "$TREE/cache" .]
use:
  stage: use
  parallel: %d
  cache: {key: shared, paths: [cache/], policy: pull}
  script:
    - test "$(ls cache | wc -l)" = %d
    - test "$(tail -c 12 "cache/d$CI_NODE_INDEX/f7.txt")" = "$(printf '%%012d' $((CI_NODE_INDEX * 100 + 7)))"
    - touch "$MEETING/$CI_NODE_INDEX"
    - until test -e "$MEETING/go"; do sleep 0.5; done
"""


def disk_of(directory):
    return int(run(["du", "-sB1", directory]).split()[0])


def sharing_row(options, place, extracted):
    say(f"{JOBS} jobs with one cache")
    project, meeting, data = place / "project", place / "meeting", place / "data"
    for directory in (project, meeting):
        directory.mkdir()
    (project / ".gitlab-ci.yml").write_text(PIPELINE % (JOBS, FILES_OF_CACHE // IN_DIRECTORY))
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "bench"]):
        run(git + arguments, cwd=project)
    environment = {**os.environ, "RUNNER_DATA": str(data), "NO_COLOR": "1"}
    variables = ["--var", f"TREE={place / 'tree'}", "--var", f"MEETING={meeting}"]
    run([options.runner, "exec", "-q", *variables, "make"], cwd=project, env=environment)
    before = disk_of(data)
    start = time.perf_counter()
    jobs = subprocess.Popen([options.runner, "exec", "-q", "-j", str(JOBS), *variables, "use"], cwd=project,
                            env=environment, stdin=subprocess.DEVNULL)
    while len(os.listdir(meeting)) < JOBS:
        if jobs.poll() is not None:
            sys.exit(f"the {JOBS} jobs ended early: exit code {jobs.returncode}")
        time.sleep(0.005)
    together = (time.perf_counter() - start) * 1e3
    during = disk_of(data)
    (meeting / "go").touch()
    if jobs.wait() != 0:
        sys.exit(f"the {JOBS} jobs ended with {jobs.returncode}")
    after = disk_of(data)
    note = (f"du of the data: {before / 1e6:,.1f} MB before, {during / 1e6:,.1f} while all {JOBS} run, {after / 1e6:,.1f} "
            "after")
    return [row(f"{JOBS} jobs sharing one cache, all running", None, [together], [extracted * JOBS],
                f"one tar --zstd -x, x {JOBS}", note)]


# --- all of it ----------------------------------------------------------------------------------------------------------

def milliseconds(value):
    return "" if value is None else f"{value:,.2f} ms" if value < 10 else f"{value:,.1f} ms"


def show(rows):
    print(f"{'':<44} {'aim':>10} {'runner':>12} {'best':>12} {'altern.':>14} {'ratio':>8}  alternative")
    for line in rows:
        print(f"{line['name']:<44} {milliseconds(line['aim']):>10} {milliseconds(line['runner']):>12} "
              f"{milliseconds(line['best']):>12} {milliseconds(line['alternative']):>14} "
              f"{line['runner'] / line['alternative']:>8.4f}  {line['by']}")
        if line["note"]:
            print(f"{'':<44} {line['note']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--place", help="make everything below this directory")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", help="also write the figures there")
    options = parser.parse_args()
    options.runner, options.program = os.path.abspath(options.runner), os.path.abspath(options.program)
    if os.geteuid() != 0:
        sys.exit("layers_bench.py needs root: it mounts workspaces")
    rng = random.Random(3)
    with tempfile.TemporaryDirectory(prefix="runner-layers-", dir=options.place) as temporary:
        place = pathlib.Path(temporary)
        rows, archive = cache_rows(options, place, rng)
        rows += artifact_rows(options, place, rng)
        rows += archive_rows(options, place, rng)
        rows += sharing_row(options, place, rows[0]["alternative"])
        rows.insert(0, workspace_row(options, place, archive, rng))
    show(rows)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
