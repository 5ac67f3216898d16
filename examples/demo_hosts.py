#!/usr/bin/env python3
"""demo_hosts.py BINARY DIRECTORY: a server that deploys to two hosts behind HAProxy, from the push to the way back.

./dev demo calls it. Two sshds, an HAProxy and `runner serve` run on loopback, everything below DIRECTORY, and end with
it. Meanwhile clients ask for a link over and over, and count every answer they do not get. Exits with 0 when all went
as it should, 77 when something that it needs is not there (it says what), 1 otherwise.
"""
import getpass
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

RUNNER, TOP = sys.argv[1], pathlib.Path(sys.argv[2])
HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY, REMOTE = TOP / "work", TOP / "shortlinks.git"
PATIENCE = 120
bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "")
programs = []


def say(text):
    print(f"\n{bold}{text}{plain}", flush=True)


def run(*words, **how):
    return subprocess.run(words, check=True, text=True, **how)


def output_of(*words, **how):
    return run(*words, stdout=subprocess.PIPE, **how).stdout


def missing():
    for program, package in (("/usr/sbin/sshd", "openssh-server"), ("/usr/sbin/haproxy", "haproxy")):
        if not os.access(program, os.X_OK):
            return f"{program} is not there (Debian package {package})"
    try:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    except PermissionError:
        return "sshd wants the directory /run/sshd, which only root can make"
    return ""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(*words, log, **how):
    with open(TOP / log, "ab") as file:
        programs.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, **how))
    return programs[-1]


def wait_until(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"demo: {what}: not within {PATIENCE} s; the logs are in {TOP}")
        time.sleep(0.05)


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- what is deployed to ----------------------------------------------------------------------------------------------

def make_host(name, port):
    place = TOP / name
    place.mkdir()
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / "host_key")
    (place / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {place}/host_key\nAuthorizedKeysFile {TOP}/key.pub\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n")
    start("/usr/sbin/sshd", "-D", "-e", "-f", str(place / "sshd_config"), log=f"{name}/log")
    return f"[127.0.0.1]:{port} " + (place / "host_key.pub").read_text()


def make_haproxy(front, hosts, ports):
    servers = "".join(
        f"  server 127.0.0.1:{host}-{slot} 127.0.0.1:{ports[2 * n + side]} weight 100 disabled\n"
        for n, host in enumerate(hosts) for side, slot in enumerate(("blue", "green")))
    (TOP / "haproxy.cfg").write_text(
        f"global\n  stats socket {TOP}/admin.sock mode 600 level admin\n"
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
        f"frontend front\n  bind 127.0.0.1:{front}\n  default_backend shortlinks\n"
        f"backend shortlinks\n{servers}")
    start("/usr/sbin/haproxy", "-db", "-q", "-f", str(TOP / "haproxy.cfg"), log="haproxy.log")


class Clients:
    """Ask for /health through the balancer, on connections that are kept alive; never ask again."""

    def __init__(self, port):
        self.port, self.ended, self.lock = port, threading.Event(), threading.Lock()
        self.sent, self.failed, self.versions = 0, [], {}
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self.ended.is_set():
            try:
                connection.request("GET", "/health")
                answer = connection.getresponse()
                body = answer.read()
                version = json.loads(body)["version"] if answer.status == 200 else f"status {answer.status}"
                good = answer.status == 200
            except (OSError, ValueError, http.client.HTTPException) as error:
                version, good = repr(error), False
                connection.close()
            with self.lock:
                self.sent += 1
                if good:
                    self.versions[version] = self.versions.get(version, 0) + 1
                else:
                    self.failed.append(version)
            time.sleep(0.002)

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        print(f"{bold}{self.sent} requests meanwhile, {len(self.failed)} failed;{plain} "
              + ", ".join(f"{count} by {version}" for version, count in sorted(self.versions.items())))
        if self.failed or not self.versions:
            sys.exit(f"demo: requests failed: {self.failed[:3]}")
        return self.versions


# --- what deploys -----------------------------------------------------------------------------------------------------

def runner(*words, token=None, check=True, show=True, stdin=""):
    env = dict(os.environ, RUNNER_DATA=str(TOP / "data"), NO_COLOR="1")
    if token:
        env.update(RUNNER_TOKEN=token, RUNNER_URL=server_url())
    if show:
        print("$ runner " + " ".join(f"'{word}'" if " " in word else word for word in words), flush=True)
    done = subprocess.run([RUNNER, *words], env=env, text=True, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if show:
        print(done.stdout, end="", flush=True)
    if check and done.returncode != 0:
        sys.exit(f"demo: that ended with {done.returncode}" + ("" if show else ": " + done.stdout))
    return done


def server_url():
    return f"http://127.0.0.1:{PORT}"


def git(*words):
    return output_of("git", "-c", "user.name=Dora", "-c", "user.email=dora@example.org", *words, cwd=REPOSITORY).strip()


def push(branch, message):
    git("commit", "-q", "-a", "--allow-empty", "-m", message)
    print(f"$ git push origin {branch}    # {message}", flush=True)
    git("push", "-q", "origin", f"HEAD:{branch}")


def newest(environment):
    """The newest deployment there, or None."""
    listed = runner("env", "history", "shortlinks", environment, "--json", show=False, check=False)
    found = json.loads(listed.stdout) if listed.returncode == 0 else []
    return found[0] if found else None


def wait_for(environment, number, states):
    found = {}

    def is_there():
        one = newest(environment)
        if one is None or one["number"] < number or one["state"] not in states:
            return False
        found.update(one)
        return True

    wait_until(f"deployment {number} to {environment}", is_there)
    return found


def to_production(number, end):
    """Approves what waits there, as somebody else than who pushed it, and follows it."""
    waiting = str(wait_for("production", number, ("waiting_approval",))["id"])
    runner("deploy", "status", waiting)
    runner("approve", waiting, "--comment", "seen in staging", token=BEN)
    wait_for("production", number, ("locked", "preparing", "snapshotted", "progressing", "switched", "verifying",
                                    "finalizing", "rolling_back", *end))
    followed = runner("deploy", "watch", waiting, check=False)
    state = newest("production")["state"]
    if state not in end:
        sys.exit(f"demo: it ended as {state}; the log: runner job log")
    return followed.returncode


why = missing()
if why:
    print(f"Nothing is deployed to hosts here: {why}.")
    sys.exit(77)

front, PORT, ssh1, ssh2, staging, *blue_green = free_ports(9)
run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", TOP / "key")


def end_all(*_):
    # What runs on the hosts is not our child.
    for pid in TOP.glob("host*/**/*.pid"):
        try:
            os.kill(int(pid.read_text()), signal.SIGKILL)
        except (OSError, ValueError):
            pass
    for pid in TOP.glob("staging/**/*.pid"):
        try:
            os.kill(int(pid.read_text()), signal.SIGKILL)
        except (OSError, ValueError):
            pass
    for program in reversed(programs):
        program.terminate()
    for program in programs:
        program.wait()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    say("Two hosts that are reached by ssh, an HAProxy before them, and runner serve")
    known = make_host("host1", ssh1) + make_host("host2", ssh2)
    make_haproxy(front, (ssh1, ssh2), blue_green)

    shutil.copytree(HERE / "webapp", REPOSITORY)
    text = (REPOSITORY / ".runner-hosts.yml").read_text()
    user = getpass.getuser()
    for old, new in (("'127.0.0.1:2201'", f"'{user}@127.0.0.1:{ssh1}'"), ("'127.0.0.1:2202'", f"'{user}@127.0.0.1:{ssh2}'"),
                     ("/srv/", f"{TOP}/"), ("9000", str(staging)), ("/run/haproxy/admin.sock", f"{TOP}/admin.sock"),
                     *((str(9001 + n), str(port)) for n, port in enumerate(blue_green))):
        text = text.replace(old, new)
    (REPOSITORY / ".runner-hosts.yml").write_text(text)
    run("git", "init", "-q", "--bare", "-b", "main", REMOTE)
    run("git", "init", "-q", "-b", "main", cwd=REPOSITORY)
    git("remote", "add", "origin", str(REMOTE))
    git("add", "-A")
    git("commit", "-q", "-m", "A link shortener and its pipeline")

    start(RUNNER, "serve", "--data", str(TOP / "data"), "--listen", f"127.0.0.1:{PORT}", "--executor", "shell",
          log="serve.log")
    wait_until("the server", lambda: answers(PORT))
    wait_until("the balancer", lambda: answers(front))

    say("The project, its secrets, and who has to agree before anything gets to production")
    runner("project", "add", "shortlinks", str(REMOTE), "--branch", "main", "--branch", "develop", "--file",
           ".runner-hosts.yml", "--poll", "1s")
    runner("variable", "set", "shortlinks", "DEPLOY_KEY", "--type", "file", stdin=(TOP / "key").read_text())
    runner("variable", "set", "shortlinks", "DEPLOY_KNOWN_HOSTS", "--no-mask", stdin=known)
    # The system's Python is the one that Debian's flake8 and pytest belong to.
    runner("variable", "set", "shortlinks", "PYTHON", "--no-mask", stdin="/usr/bin/python3")
    (TOP / "production.json").write_text(
        '{"approvals": {"rules": [{"name": "peers", "count": 1, "who": ["role:developer"]}]}}')
    runner("env", "set", "shortlinks", "production", "--protection", str(TOP / "production.json"))
    runner("user", "add", "ben", "--role", "developer")
    BEN = json.loads(runner("token", "create", "--name", "demo", "--user", "ben", "--json", show=False).stdout)["token"]

    say("A push to develop goes to staging by itself")
    push("develop", "Say hello")
    wait_for("staging", 1, ("succeeded",))
    runner("env", "history", "shortlinks", "staging")

    say("A push to main waits for Ben; then it goes to both hosts, blue beside green")
    push("main", "Say hello")
    to_production(1, ("succeeded",))

    say("The next release, while clients ask for links")
    clients = Clients(front)
    push("main", "Say it louder")
    to_production(2, ("succeeded",))
    versions = clients.stop()
    if len(versions) != 2:
        sys.exit("demo: both releases should have answered")

    say("A release that passes its tests and does not start: nobody sees it, and it goes back by itself")
    clients = Clients(front)
    main = REPOSITORY / "shortlinks/__main__.py"
    main.write_text(main.read_text().replace("    parser = ", "    raise SystemExit('no such cache')\n    parser = ", 1))
    push("main", "Add a cache")
    code = to_production(3, ("rolled_back",))
    clients.stop()
    print(f"'runner deploy watch' ended with {code}: rolled back")
    say("What happened in production")
    runner("env", "history", "shortlinks", "production")
finally:
    end_all()
