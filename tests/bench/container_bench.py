#!/usr/bin/env python3
"""Jobs in containers beside the engines themselves: what the program adds to `docker run` and `podman run`.

    container_bench.py --runner BINARY [--runs N] [--only docker,podman]

A real engine of its own is started for each (root). Rows are pairs, run alternately N times; shown are the medians and the
median of the paired ratios. The engine's own command makes, attaches to, runs and removes one container of the same
image, as a job does, which also mounts a workspace, keeps a log and looks what was left. Nothing fails on the figures.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
LIMITS = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:4096"]


class Engine:
    def __init__(self, kind, place):
        self.kind, self.place = kind, place
        self.program = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "python3",
             str(SUPPORT / "real_engine.py"), kind, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.program.stdout.readline()
        image = place / "image.tar"
        subprocess.run(["python3", str(SUPPORT / "busybox_image.py"), str(image), "box:latest", "{}"], check=True)
        subprocess.run(["curl", "-sf", "-o", os.devnull, "--unix-socket", str(place / "socket"), "-X", "POST", "-H",
                        "Content-Type: application/x-tar", "--data-binary", f"@{image}", "http://engine/images/load"],
                       check=True)

    def command(self):
        url = f"unix://{self.place}/socket"
        if self.kind == "docker":
            return ["/usr/bin/docker", "-H", url, "run", "--rm", *LIMITS, "box:latest", "sh", "-c", "echo hello"]
        return ["podman", "--remote", "--url", url, "run", "--rm", *LIMITS, "box:latest", "sh", "-c", "echo hello"]

    def stop(self):
        self.program.stdin.close()
        self.program.wait()


def timed(command, **options):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    return time.perf_counter() - start


def bench(kind, runner, runs):
    with tempfile.TemporaryDirectory(prefix=f"bench-{kind}-") as name:
        root = pathlib.Path(name)
        (root / "engine").mkdir()
        engine = Engine(kind, root / "engine")
        try:
            project = root / "project"
            project.mkdir()
            (project / ".gitlab-ci.yml").write_text("hello: {image: box, script: [echo hello]}\n")
            for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "bench"]):
                subprocess.run(GIT + words, cwd=project, check=True)
            environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.place}/socket", "RUNNER_DATA": str(root / "data"),
                           "NO_COLOR": "1"}
            theirs, ours = [], []
            for number in range(runs + 1):
                pair = (timed(engine.command()), timed([runner, "exec"], cwd=project, env=environment))
                if number > 0:  # the first one finds nothing in caches
                    theirs.append(pair[0])
                    ours.append(pair[1])
            ratio = statistics.median(a / b for a, b in zip(ours, theirs))
            print(f"{kind + ' run':<14} {statistics.median(theirs) * 1e3:8.1f} ms   runner exec "
                  f"{statistics.median(ours) * 1e3:8.1f} ms   ratio {ratio:.2f} (aim 1.10)", flush=True)
        finally:
            engine.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--only", default="docker,podman")
    options = parser.parse_args()
    for kind in options.only.split(","):
        bench(kind, str(pathlib.Path(options.runner).resolve()), options.runs)


if __name__ == "__main__":
    main()
