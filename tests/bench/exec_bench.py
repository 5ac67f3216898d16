#!/usr/bin/env python3
"""Whole commands against `bash -c` in the same run: what the program adds must not be felt.

    exec_bench.py --runner BINARY [--runs N] [--json FILE]

Each row is a pair of commands, run alternately N times; shown are the aim (in ms), the medians, our best, and the median
of the paired ratios. Aims are for a quiet machine; nothing fails on them.
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


TEMPLATES = """\
.base:
  variables: {LEVEL: "1"}
  before_script: [./prepare "$LEVEL"]
.built:
  extends: .base
  artifacts: {paths: [out/]}
.on_main:
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule"
      when: never
    - if: $CI_COMMIT_BRANCH =~ /^release-/
      when: manual
    - if: $CI_COMMIT_BRANCH && $LEVEL
"""


def rich_jobs(count):
    """`count` jobs with rules, extends and needs in two included files."""
    lines = ["stages: [first, second]"]
    for n in range(count):
        lines += [f"job {n}:", f"  stage: {('first', 'second')[n % 2]}", "  extends: .built",
                  "  rules: !reference [.on_main, rules]", f'  variables: {{NUMBER: "{n}", NAME: "unit-$NUMBER"}}',
                  "  script:", '    - echo "$NAME"', f"    - make target-{n}"]
        if n % 2:
            lines.append(f'  needs: ["job {n - 1}"]')
    return {".gitlab-ci.yml": "include: [templates.yml, jobs.yml]\n", "templates.yml": TEMPLATES,
            "jobs.yml": "\n".join(lines) + "\n"}


def repository(place, name, files):
    path = place / name
    path.mkdir()
    for file, text in files.items():
        (path / file).write_text(text)
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


def pair(name, aim, ours, theirs, cwd, environment, runs, proof):
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
            "ratio": statistics.median(a / b for a, b in zip(mine, other)), "best": min(mine), "pairs": runs,
            "aim": aim}


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
        single = repository(place, "single", {".gitlab-ci.yml": one_job()})
        many = repository(place, "many", {".gitlab-ci.yml": many_jobs(200)})
        rich = repository(place, "rich", rich_jobs(1000))
        names = " ".join([f"a{n}" for n in range(100)] + [f"b{n}" for n in range(100)])
        sequence = f"for name in {names}; do bash -c \"echo $name\"; done"
        rows = [
            pair("1 job that echoes / bash -c 'echo'", 10, [runner, "exec"], ["bash", "-c", "echo hello"], single, environment,
                 options.runs, "hello"),
            pair("200 jobs, half need half / 200 x bash -c", 350, [runner, "exec"], ["bash", "-c", sequence], many, environment,
                 max(3, options.runs // 2), "b99"),
            pair("plan 1,000 jobs / bash -c 'echo'", 30, [runner, "exec", "--list"], ["bash", "-c", "echo job 999"], rich, environment,
                 options.runs, "job 999"),
        ]

    print(f"{'runner / alternative':<42} {'aim':>7} {'runner':>10} {'best':>10} {'altern.':>10} {'ratio':>7} {'pairs':>6}")
    for row in rows:
        print(f"{row['name']:<42} {row['aim']:>4.0f} ms {row['runner'] * 1e3:>7.1f} ms {row['best'] * 1e3:>7.1f} ms "
              f"{row['alternative'] * 1e3:>7.1f} ms {row['ratio']:>7.2f} {row['pairs']:>6}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
