#!/usr/bin/env python3
"""Runs the peer cases that need containers, on real engines of their own, with images made here.

    peer_images.py --peer-dir DIR --runner BINARY [--only docker,podman]

DIR holds peer_cases.py and its cases. The images that the cases name cannot be pulled everywhere, so images of busybox
are made under the same names: enough for what the cases look at. A case that names another image is said to be left
out. Needs root. Exits with 1 when a case fails, and with 0 and a word when there is no engine.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
OS_RELEASE = 'NAME="Alpine Linux"\nID=alpine\nPRETTY_NAME="Alpine Linux (of busybox, for tests)"\n'
IMAGES = ["docker.io/library/alpine:latest", "docker.io/library/busybox:latest"]
PROGRAMS = {"docker": ["dockerd", "iptables"], "podman": ["podman", "runc", "conmon", "iptables"]}


def missing(kind):
    if os.geteuid() != 0:
        return "needs root"
    for program in PROGRAMS[kind]:
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            return f"needs {program}"
    return "" if os.access("/bin/busybox", os.X_OK) else "needs busybox-static"


def full_name(image):
    """As engines read it."""
    name = image if "/" in image else "docker.io/library/" + image
    return name if ":" in name.rsplit("/", 1)[1] else name + ":latest"


def images_in(block):
    found = set(re.findall(r"^\s+image:\s+([^\s{$!]\S*)$", block, re.MULTILINE))
    return found | set(re.findall(r"^\s+image:\n\s+name:\s+([^\s$]\S*)$", block, re.MULTILINE))


def wanted_images(case, peer_dir):
    """What the jobs that run name: words in the text, no pipeline is read here."""
    text = (peer_dir / case["yaml_dir"] / case.get("file", ".gitlab-ci.yml")).read_text(encoding="utf-8")
    blocks = {block.split(":\n")[0]: block for block in re.split(r"\n(?=\S)", text)}
    found = set()
    for name, block in blocks.items():
        if name in case["run"] or (not case["run"] and name != "default"):
            found |= images_in(block) or images_in(blocks.get("default", ""))
    return {full_name(image) for image in found}


class Engine:
    def __init__(self, kind, place):
        self.socket = place / "socket"
        self.program = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "python3",
             str(SUPPORT / "real_engine.py"), kind, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.program.stdout.readline() != "ready\n":
            sys.exit(f"{kind} does not start")

    def load(self, name, place):
        (place / "os-release").write_text(OS_RELEASE, encoding="utf-8")
        archive = place / "image.tar"
        subprocess.run([sys.executable, str(SUPPORT / "busybox_image.py"), str(archive), name, "{}",
                        f"etc/os-release={place}/os-release"], check=True)
        subprocess.run(["curl", "-sf", "-o", os.devnull, "--unix-socket", str(self.socket), "-X", "POST", "-H",
                        "Content-Type: application/x-tar", "--data-binary", f"@{archive}", "http://engine/images/load"],
                       check=True)

    def stop(self):
        self.program.stdin.close()
        self.program.wait()


def run(kind, cases, peer_dir, runner):
    with tempfile.TemporaryDirectory(prefix=f"peer-{kind}-") as name:
        place = pathlib.Path(name)
        engine = Engine(kind, place)
        try:
            for image in IMAGES:
                engine.load(image, place)
            command = [sys.executable, str(peer_dir / "peer_cases.py"), "--cases", str(peer_dir / "visible.json"), "--docker",
                       "--runner", runner]
            for case in cases:
                command += ["--only", case["id"]]
            print(f"{kind}:", flush=True)
            return subprocess.run(command, check=False,
                                  env={**os.environ, "DOCKER_HOST": f"unix://{engine.socket}"}).returncode == 0
        finally:
            engine.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-dir", type=pathlib.Path, required=True)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--only", default="docker,podman")
    options = parser.parse_args()
    peer_dir = options.peer_dir.resolve()
    cases = []
    for case in json.loads((peer_dir / "visible.json").read_text(encoding="utf-8")):
        if case["needs"] != ["docker"]:
            continue
        others = wanted_images(case, peer_dir) - set(IMAGES)
        if others:
            print(f"left out: {case['id']} names {', '.join(sorted(others))}")
        else:
            cases.append(case)
    good = True
    for kind in options.only.split(","):
        reason = missing(kind)
        if reason:
            print(f"{kind}: SKIPPED: {reason}")
        else:
            good = run(kind, cases, peer_dir, str(pathlib.Path(options.runner).resolve())) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
