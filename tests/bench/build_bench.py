#!/usr/bin/env python3
"""Builds of images beside the engines themselves: `docker build` with BuildKit, and `podman build` with its service.

    build_bench.py --runner BINARY [--runs N] [--only docker,podman]

A real engine of its own with a registry is started for each (root). Rows are pairs, run alternately N times; shown are the
medians and the median of the paired ratios. "no change": nothing changed since the last build; ours asks the registry for
the key, theirs looks through its layers. "changed": one file of the context changed; both build, and keep the image in the
engine. Nothing fails on the figures.
"""
import argparse
import base64
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
DOCKERFILE = """FROM {base}
RUN seq 1 100000 > /numbers
COPY . /src/
RUN sha256sum /src/changing > /sum
"""


class Engine:
    def __init__(self, kind, place):
        self.kind, self.url = kind, f"unix://{place}/socket"
        self.socket = f"{place}/socket"
        self.program = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "python3",
             str(SUPPORT / "real_engine.py"), kind, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.program.stdout.readline()
        self.program.stdin.write("registry\n")
        self.program.stdin.flush()
        self.host = "127.0.0.1:" + self.program.stdout.readline().strip()
        process = (place / "process").read_text(encoding="utf-8")
        self.inside = ["nsenter", f"--net=/proc/{process}/ns/net", "--"]
        self.base = f"{self.host}/base:1"
        image = place / "image.tar"
        subprocess.run(["python3", str(SUPPORT / "busybox_image.py"), str(image), self.base, "{}"], check=True)
        self.ask("/images/load", "-H", "Content-Type: application/x-tar", "--data-binary", f"@{image}")
        self.ask(f"/images/{self.host}/base/push?tag=1", "-H", "X-Registry-Auth: e30=")

    def ask(self, path, *more):
        subprocess.run(["curl", "-sf", "-o", os.devnull, "--unix-socket", self.socket, "-X", "POST", *more,
                        "http://engine" + path], check=True)

    def command(self, context):
        if self.kind == "docker":
            return [*self.inside, "/usr/bin/docker", "-H", self.url, "build", "-q", "-t", "theirs", str(context)]
        return [*self.inside, "podman", "--remote", "--url", self.url, "build", "-q", "-t", "theirs", str(context)]

    def stop(self):
        self.program.stdin.close()
        self.program.wait()


def coded(values):
    return {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}


def request(engine, context, name, push):
    return {"workspace": str(context), "context": ".", "dockerfile": "", "target": "", "args": {}, "secrets": {},
            "platforms": [], "tags": [f"{engine.host}/{name}:main"], "push": push,
            "cache": {"enabled": True, "from": [], "to": ""}, "rebuild": False, "labels": coded({"bench": "yes"}),
            "revision": "", "source": "", "version": "", "created": 0, "engine": engine.kind, "socket": engine.socket,
            "auth_configs": [], "auth_files": [], "authorities": {}, "insecure": [engine.host], "context_key": "",
            "memory": str(context.parent / "memory"), "environment": {}}


def timed(command, **options):
    start = time.perf_counter()
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')}")
    return took


def show(what, theirs, ours, aim):
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"{what:<22} {statistics.median(theirs) * 1e3:8.1f} ms   runner {statistics.median(ours) * 1e3:8.1f} ms   "
          f"ratio {ratio:.3f} ({aim})", flush=True)


def bench(kind, runner, runs):
    with tempfile.TemporaryDirectory(prefix=f"bench-{kind}-") as name:
        root = pathlib.Path(name)
        (root / "engine").mkdir()
        engine = Engine(kind, root / "engine")
        try:
            context, place = root / "context", root / "place"
            context.mkdir()
            place.mkdir()
            (context / "Dockerfile").write_text(DOCKERFILE.format(base=engine.base))
            for number in range(200):
                (context / f"file-{number}").write_text(f"{number}\n" * 100)
            environment = {**os.environ, "DOCKER_BUILDKIT": "1"}

            def ours(push):
                (place / "request").write_text(json.dumps(request(engine, context, "pushed" if push else "kept", push)))
                return timed([*engine.inside, runner, "image-build", str(place)], cwd=context)

            def theirs():
                return timed(engine.command(context), env=environment)

            for what, push, aim in (("no change", True, "aim 20 ms"), ("changed", False, "aim 1.03")):
                pairs = []
                for number in range(runs + 1):
                    if not push or number == 0:
                        (context / "changing").write_text(f"{what} {number} theirs")
                    first = theirs()
                    if not push:
                        # Another content for each: the layers of one are no help to the other.
                        (context / "changing").write_text(f"{what} {number} ours")
                    pairs.append((first, ours(push)))
                show(f"{kind} build, {what}", [a for a, _ in pairs[1:]], [b for _, b in pairs[1:]], aim)
        finally:
            engine.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--only", default="docker,podman")
    options = parser.parse_args()
    for kind in options.only.split(","):
        bench(kind, str(pathlib.Path(options.runner).resolve()), options.runs)


if __name__ == "__main__":
    main()
