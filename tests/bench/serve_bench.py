#!/usr/bin/env python3
"""A whole server under load: `runner serve` with local repositories, asked over its socket as the command line does.

    serve_bench.py --runner BINARY [--runs N] [--jobs N] [--gigabytes N] [--projects N] [--followers N] [--only NAME,..]

Each figure stands beside its aim and, where there is one, an alternative that was measured in the same run: `bash -c` for
one job and for many, a pipe into a file for output. Nothing fails on them; aims are for a quiet machine.
"""
import argparse
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
SECRET = "bench-secret"
LINE = "a line of output as compilers print them, with a path/to/some/file.cpp:123:45 and words\n"


class Local(http.client.HTTPConnection):
    """HTTP over the server's socket, whose owner is its administrator."""

    def __init__(self, path):
        super().__init__("localhost", timeout=600)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Server:
    def __init__(self, runner, place, slots):
        self.data = place / "data"
        self.environment = {**os.environ, "RUNNER_DATA": str(self.data), "NO_COLOR": "1"}
        self.runner = runner
        self.log = open(place / "serve.log", "w+")
        self.process = subprocess.Popen([runner, "serve", "--listen", "127.0.0.1:0", "--jobs", str(slots)],
                                        env=self.environment, stderr=self.log, stdin=subprocess.DEVNULL)
        while not (match := re.search(r"serving on 127\.0\.0\.1:(\d+)", pathlib.Path(self.log.name).read_text())):
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended: {pathlib.Path(self.log.name).read_text()}")
            time.sleep(0.01)
        self.port = int(match[1])

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def connection(self):
        return Local(self.data / "runner.sock")

    def ask(self, method, path, body=None, connection=None):
        asked = connection or self.connection()
        asked.request(method, "/api/v1" + path, None if body is None else json.dumps(body),
                      {"Content-Type": "application/json"})
        answer = asked.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def add_project(self, name, repository, poll):
        secret = self.data / "secret"
        secret.write_text(SECRET)
        subprocess.run([self.runner, "project", "add", name, str(repository), "--branch", "main", "--poll", poll,
                        "--webhook-secret-file", str(secret)], env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def cpu(self):
        """Seconds of the server itself, without its jobs."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident and, of that, proportional and private megabytes."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        size = {name: int(value) / 1024 for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
        return size["Rss"], size["Pss"], size["Private_Dirty"]


class Events:
    """The stream of events, read as it comes."""

    def __init__(self, server):
        self.connection = server.connection()
        self.connection.request("GET", "/api/v1/events")
        self.answer = self.connection.getresponse()

    def next(self):
        kind = None
        while True:
            line = self.answer.readline().decode()
            if line.startswith("event: "):
                kind = line[7:].strip()
            elif line.startswith("data: ") and kind:
                return kind, json.loads(line[6:])

    def until(self, wanted):
        while True:
            kind, data = self.next()
            if wanted(kind, data):
                return kind, data


def repository(place, name, text):
    path = place / name
    path.mkdir()
    (path / ".gitlab-ci.yml").write_text(text)
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "bench"]):
        subprocess.run(GIT + arguments, cwd=path, check=True)
    return path


def first_pipeline(server, events, name, path, poll="never"):
    """Adds the project, and waits for the pipeline of its newest commit."""
    server.add_project(name, path, poll)
    kind, data = events.until(lambda kind, data: is_end(kind) and data["project"] == name)
    assert kind == "pipeline.success", (kind, data)
    return data["pipeline"]


def is_end(kind):
    return kind in ("pipeline.success", "pipeline.failed", "pipeline.canceled")


def shown(name, aim, value, more=""):
    print(f"{name:<52} {aim:>12} {value:>16}   {more}", flush=True)


def milliseconds(times):
    return f"{statistics.median(times) * 1e3:.1f} ms"


def bench_run(server, events, place, options):
    path = repository(place, "echo", "hello:\n  script: echo hello\n")
    first_pipeline(server, events, "echo", path)
    shell, asked = [], server.connection()
    times = []
    for _ in range(options.runs):
        start = time.perf_counter()
        subprocess.run(["bash", "-c", "echo hello"], stdout=subprocess.DEVNULL, check=True)
        shell.append(time.perf_counter() - start)
        start = time.perf_counter()
        made = server.ask("POST", "/projects/echo/pipelines", {"ref": "main"}, asked)
        kind, _ = events.until(lambda kind, data: is_end(kind) and data["pipeline"] == made["id"])
        times.append(time.perf_counter() - start)
        assert kind == "pipeline.success"
    shown("run request to finished echo job", "9 ms", milliseconds(times),
          f"best {min(times) * 1e3:.1f} ms; bash -c: {milliseconds(shell)}, ratio "
          f"{statistics.median(times) / statistics.median(shell):.1f}")


def bench_webhook(server, events, place, options):
    path = repository(place, "hook", "hello:\n  script: echo hello\n")
    first_pipeline(server, events, "hook", path)
    times, answers = [], []
    for number in range(options.runs):
        (path / "file").write_text(f"{number}\n")
        subprocess.run(GIT + ["add", "file"], cwd=path, check=True)
        subprocess.run(GIT + ["commit", "-q", "-m", f"change {number}"], cwd=path, check=True)
        body = json.dumps({"id": f"bench-{number}", "event": "push", "refs": [{"ref": "refs/heads/main"}]})
        stamp = str(int(time.time()))
        signature = hmac.new(SECRET.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
        asked = http.client.HTTPConnection("127.0.0.1", server.port)
        asked.connect()
        start = time.perf_counter()
        asked.request("POST", "/hooks/hook", body, {"Content-Type": "application/json", "X-Runner-Timestamp": stamp,
                                                    "X-Runner-Signature": "sha256=" + signature})
        answer = asked.getresponse()
        text = answer.read()
        answers.append(time.perf_counter() - start)
        assert answer.status == 202, text
        _, job = events.until(lambda kind, data: kind == "job.running" and data["project"] == "hook")
        follow = server.connection()
        follow.request("GET", f"/api/v1/jobs/{job['job']}/log/follow")
        lines = follow.getresponse()
        while "hello" not in lines.readline().decode():
            pass
        times.append(time.perf_counter() - start)
        follow.close()
        events.until(lambda kind, data: is_end(kind) and data["project"] == "hook")
    shown("webhook to its answer", "10 ms", milliseconds(answers), f"best {min(answers) * 1e3:.1f} ms")
    shown("webhook to a line of the new commit's job", "50 ms", milliseconds(times), f"best {min(times) * 1e3:.1f} ms")


def bench_output(server, events, place, options):
    size = options.gigabytes << 30
    command = f"(yes '{LINE.strip()}' || true) | head -c {size}"  # yes ends by SIGPIPE
    path = repository(place, "output", f"print:\n  rules: [{{if: $PRINT}}]\n  script: [\"{command}\"]\n"
                                       "other:\n  script: 'true'\n")
    first_pipeline(server, events, "output", path)
    start = time.perf_counter()
    subprocess.run(f"{command} | cat > {place}/plain", shell=True, check=True)
    plain = size / (time.perf_counter() - start) / 1e6
    start = time.perf_counter()
    made = server.ask("POST", "/projects/output/pipelines", {"ref": "main", "variables": {"PRINT": "1"}})
    kind, _ = events.until(lambda kind, data: is_end(kind) and data["pipeline"] == made["id"])
    speed = size / (time.perf_counter() - start) / 1e6
    assert kind == "pipeline.success"
    shown(f"log of {options.gigabytes} GiB", "200 MB/s", f"{speed:.0f} MB/s", f"a pipe into a file: {plain:.0f} MB/s, ratio "
                                                                           f"{speed / plain:.2f}")


def bench_jobs(server, events, place, options):
    width, slots = 200, options.slots
    pipelines = max(1, options.jobs // width)
    path = repository(place, "many", f"hello:\n  parallel: {width}\n  script: echo hello\n")
    first_pipeline(server, events, "many", path)
    total, cpu = pipelines * width, server.cpu()
    peak = [0.0]
    done = threading.Event()

    def watch():
        while not done.wait(0.2):
            peak[0] = max(peak[0], server.memory()[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    waiting = {server.ask("POST", "/projects/many/pipelines", {"ref": "main"})["id"] for _ in range(pipelines)}
    while waiting:
        kind, data = events.until(lambda kind, data: is_end(kind) and data["pipeline"] in waiting)
        assert kind == "pipeline.success", data
        waiting.discard(data["pipeline"])
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    daemon = (server.cpu() - cpu) / total
    start = time.perf_counter()
    subprocess.run(f"seq {total} | xargs -P {slots} -I N bash -c 'echo N > /dev/null'", shell=True, check=True)
    plain = total / (time.perf_counter() - start)
    shown(f"{total} one-line jobs, {slots} at a time", "", f"{total / seconds:.0f} jobs/s",
          f"daemon's own CPU {daemon * 1e3:.2f} ms a job, at most {peak[0]:.0f} MB; xargs and bash: {plain:.0f}/s, ratio "
          f"{total / seconds / plain:.2f}")


def bench_followers(server, events, place, options):
    if not shutil.which("wrk"):
        return
    path = repository(place, "slow", "count:\n  script: 'for i in $(seq 2000); do echo line $i; sleep 0.01; done'\n  rules: [{if: $COUNT}]\n"
                                     "other:\n  script: 'true'\n")
    first_pipeline(server, events, "slow", path)
    token_text = subprocess.run([server.runner, "token", "create", "--user", "bench", "--name", "bench"],
                                env=server.environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    token = re.search(r"rnr_\S+", token_text)[0]

    def requests_a_second():
        text = subprocess.run(["wrk", "-t1", "-c16", "-d4", "--latency", "-H", f"Authorization: Bearer {token}",
                               f"http://127.0.0.1:{server.port}/api/v1/projects/slow/pipelines?limit=10"],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
        bad = re.search(r"Non-2xx.*", text)
        assert not bad, bad[0]
        return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), re.search(r"99%\s+(\S+)", text)[1]

    alone, alone_99 = requests_a_second()
    server.ask("POST", "/projects/slow/pipelines", {"ref": "main", "variables": {"COUNT": "1"}})
    _, job = events.until(lambda kind, data: kind == "job.running" and data["name"] == "count")
    with contextlib.ExitStack() as open_ones:
        for _ in range(options.followers):
            follow = server.connection()
            follow.request("GET", f"/api/v1/jobs/{job['job']}/log/follow")
            open_ones.callback(follow.close)
        followed, followed_99 = requests_a_second()
        memory = server.memory()[0]
    server.ask("POST", f"/jobs/{job['job']}/cancel")
    events.until(lambda kind, data: is_end(kind) and data["project"] == "slow")
    shown(f"API under wrk, {options.followers} followers of a log", "", f"{followed:.0f} req/s",
          f"p99 {followed_99}, {memory:.0f} MB; without followers {alone:.0f} req/s, p99 {alone_99}")


def bench_polls(server, events, place, options):
    path = repository(place, "polled", "hello:\n  script: echo hello\n")
    first_pipeline(server, events, "polled", path)
    for number in range(options.projects):
        server.ask("POST", "/projects", {"name": f"p{number}", "url": str(path), "branches": ["none"],
                                         "poll_interval_seconds": 30})
    time.sleep(35)  # the first look at each
    cpu, start = server.cpu(), time.perf_counter()
    time.sleep(30)
    share = (server.cpu() - cpu) / (time.perf_counter() - start)
    resident, proportional, _ = server.memory()
    shown(f"{options.projects} projects polled every 30 s", "5 % of a core", f"{share * 100:.2f} %",
          f"{resident:.0f} MB resident, {proportional:.0f} MB its share")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    for name, default in (("runs", 20), ("jobs", 10_000), ("gigabytes", 1), ("projects", 1_000), ("followers", 200), ("slots", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", default="run,webhook,output,jobs,followers,polls")
    options = parser.parse_args()
    parts = {"run": bench_run, "webhook": bench_webhook, "output": bench_output, "jobs": bench_jobs,
             "followers": bench_followers, "polls": bench_polls}

    print(f"{'':<52} {'aim':>12} {'runner':>16}")
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as temporary:
        place = pathlib.Path(temporary)
        server = Server(os.path.abspath(options.runner), place, options.slots)
        try:
            time.sleep(1)
            resident, proportional, private = server.memory()
            shown("memory at rest", "15 MB", f"{proportional:.1f} MB", f"its share; {resident:.1f} MB resident, {private:.1f} MB private")
            subprocess.run([server.runner, "user", "add", "bench", "--role", "admin"], env=server.environment, check=True,
                           stdout=subprocess.DEVNULL)
            events = Events(server)
            for name in options.only.split(","):
                parts[name](server, events, place, options)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
