#!/usr/bin/env python3
"""Whole commands against `bash -c` in the same run: what the program adds must not be felt.

    exec_bench.py --runner BINARY [--runs N] [--json FILE]

Each row is a pair of commands, run alternately N times; shown are the medians and the median of the paired ratios.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def one_job():
    return "hello:\n  script: echo hello\n"


def many_jobs(count):
    """`count` jobs; the second half need one of the first half each."""
    half = count // 2
    lines = ["stages: [first, second]"]
    for n in range(half):
        lines += [f"a{n}:", "  stage: first", f"  script: echo a{n}"]
    for n in range(half):
        lines += [f"b{n}:", "  stage: second", f"  needs: [a{n}]", f"  script: echo b{n}"]
    return "\n".join(lines) + "\n"


def repository(place, name, pipeline):
    path = place / name
    path.mkdir()
    (path / ".gitlab-ci.yml").write_text(pipeline)
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "bench"]):
        subprocess.run(git + arguments, cwd=path, check=True)
    return path


def measure(command, cwd, environment):
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')[-3000:]}")
    return seconds, done.stdout.decode(errors="replace")


def pair(name, ours, theirs, cwd, environment, runs, proof):
    """Alternates both commands; each run's output must hold `proof`, so that nobody is fast by doing nothing."""
    mine, other = [], []
    for run in range(runs + 1):
        for command, times in ((ours, mine), (theirs, other)):
            seconds, output = measure(command, cwd, environment)
            if proof not in output:
                sys.exit(f"{command} did not print '{proof}':\n{output[-3000:]}")
            if run > 0:  # the first pair warms the page cache
                times.append(seconds)
    return {"name": name, "runner": statistics.median(mine), "alternative": statistics.median(other),
            "ratio": statistics.median(a / b for a, b in zip(mine, other)), "best": min(mine), "runs": runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", help="also write the figures there")
    options = parser.parse_args()
    runner = os.path.abspath(options.runner)

    with tempfile.TemporaryDirectory(prefix="runner-bench-") as temporary:
        place = pathlib.Path(temporary)
        environment = {**os.environ, "RUNNER_DATA": str(place / "data"), "NO_COLOR": "1"}
        single = repository(place, "single", one_job())
        many = repository(place, "many", many_jobs(200))
        names = " ".join([f"a{n}" for n in range(100)] + [f"b{n}" for n in range(100)])
        sequence = f"for name in {names}; do bash -c \"echo $name\"; done"
        rows = [
            pair("1 job 'echo' / bash -c 'echo'", [runner, "exec"], ["bash", "-c", "echo hello"], single, environment,
                 options.runs, "hello"),
            pair("200 jobs, half need half / 200 x bash -c", [runner, "exec"], ["bash", "-c", sequence], many, environment,
                 max(3, options.runs // 2), "b99"),
            pair("lint, 200 jobs / bash -c true", ["sh", "-c", f"'{runner}' lint && echo fine"],
                 ["sh", "-c", "bash -c true && echo fine"], many, environment, options.runs, "fine"),
        ]

    print(f"{'command / alternative':<42} {'runner':>10} {'altern.':>10} {'best':>10} {'ratio':>7} {'pairs':>6}")
    for row in rows:
        print(f"{row['name']:<42} {row['runner'] * 1e3:>7.1f} ms {row['alternative'] * 1e3:>7.1f} ms "
              f"{row['best'] * 1e3:>7.1f} ms {row['ratio']:>7.2f} {row['runs']:>6}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
