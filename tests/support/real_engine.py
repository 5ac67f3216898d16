#!/usr/bin/env python3
"""A real container engine for a test, in namespaces of its own.

    unshare --net --mount --pid --fork --kill-child --propagation private real_engine.py docker|podman DIR

It is the first process of its PID namespace, so whatever it started, containers and all, ends with it; and it ends
when its standard input does, thus also when the test was killed. All files lie below DIR: `socket` is where the engine
answers, `log` what it says, `process` the number of this process, whose namespaces others may enter. Lines it understands, each is answered by one when it is done:

    kill                          SIGKILL to the engine and to nothing else
    start                         the engine again
    registry [USER PASSWORD]      a registry of images, reached by the engine only; its port
    tls-registry USER PASSWORD    the same as "localhost" by TLS, with a certificate that the engine trusts; the port, and its
                                  directory: `ca.pem` is the authority, `data` what it has, `log` what it was asked
    hold PORT, release PORT       that registry stops and goes on
    silence                       a port that takes connections and never says anything
"""
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys

# Podman would choose crun, which refuses control groups of both versions at once, and limits that need more rights.
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# What comes from a registry of a test has no TLS.
REGISTRIES_CONF = """
[[registry]]
location = "127.0.0.1"
insecure = true
"""
POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


def command_line(kind, base):
    url = f"unix://{base}/socket"
    if kind == "docker":
        return ["dockerd", "--data-root", f"{base}/data", "--exec-root", f"{base}/exec", "-p", f"{base}/pid", "-H", url,
                "--bip", "10.77.0.1/24", "--default-address-pool", "base=10.78.0.0/16,size=24"]
    return ["podman", "--root", f"{base}/data", "--runroot", f"{base}/exec", "system", "service", "-t", "0", url]


def reap():
    """Ends of processes that lost their parent: an engine looks for those of the one before, and finds zombies too."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def start(kind, base, env):
    """The engine, when it answers."""
    path = base / "socket"
    path.unlink(missing_ok=True)
    (base / "pid").unlink(missing_ok=True)
    with open(base / "log", "ab") as log:
        engine = subprocess.Popen(command_line(kind, base), env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    while engine.poll() is None:
        reap()
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
                probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                if b" 200 " in probe.recv(64):
                    return engine
            except OSError:
                pass
        select.select([], [], [], 0.02)
    sys.exit("the engine ended:\n" + (base / "log").read_text(encoding="utf-8", errors="replace")[-4000:])


def prepare(base):
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    # What engines keep at fixed places: sockets, locks, names of network namespaces.
    for place in ["/run", "/var/lib/cni", "/etc/containers", "/etc/docker"]:
        if os.path.isdir(place):
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (base / "containers.conf").write_text(CONTAINERS_CONF, encoding="utf-8")
    if os.path.isdir("/etc/containers"):
        pathlib.Path("/etc/containers/policy.json").write_text(POLICY, encoding="utf-8")
        pathlib.Path("/etc/containers/registries.conf").write_text(REGISTRIES_CONF, encoding="utf-8")
    (base / "tmp").mkdir()
    return dict(os.environ, CONTAINERS_CONF=str(base / "containers.conf"), HOME=str(base), TMPDIR=str(base / "tmp"),
                PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def make_certificates(place):
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (place / "names").write_text("subjectAltName=DNS:localhost", encoding="utf-8")
    for words in [["req", "-x509", *curve, "-days", "2", "-subj", "/CN=Ours", "-keyout", "ca.key", "-out", "ca.pem"],
                  ["req", *curve, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem"],
                  ["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                   "2", "-extfile", "names", "-out", "cert.pem"]]:
        subprocess.run(["openssl", *words], cwd=place, check=True, stderr=subprocess.DEVNULL)


def trust(place, port):
    """Where the engines look for the authority of one registry."""
    for top in ["/etc/docker", "/etc/containers"]:
        certs = pathlib.Path(f"{top}/certs.d/localhost:{port}")
        if os.path.isdir(top):
            certs.mkdir(parents=True)
            (certs / "ca.crt").write_bytes((place / "ca.pem").read_bytes())


def start_registry(base, number, login, tls=False):
    """The port of a new registry on 127.0.0.1, to which engines talk without TLS unless it is asked for, and its
    process."""
    place = base / f"registry-{number}"
    place.mkdir()
    http = ""
    if tls:
        make_certificates(place)
        http = f", tls: {{certificate: {place}/cert.pem, key: {place}/key.pem}}"
    config = (f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {place}/data}}, delete: {{enabled: true}}}}\n"
              f"http: {{addr: '127.0.0.1:0', secret: of-tests{http}}}\n")
    if login:
        line = subprocess.run(["htpasswd", "-nbB", "-C", "4", *login], check=True, capture_output=True, text=True).stdout
        (place / "users").write_text(line.strip() + "\n", encoding="utf-8")
        config += f"auth: {{htpasswd: {{realm: tests, path: {place}/users}}}}\n"
    (place / "config.yml").write_text(config, encoding="utf-8")
    log = open(place / "log", "wb")
    registry = subprocess.Popen(["docker-registry", "serve", str(place / "config.yml")], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log)
    while registry.poll() is None:
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", (place / "log").read_text(errors="replace"))
        if found:
            if tls:
                trust(place, found[1])
            return found[1], registry
        select.select([], [], [], 0.02)
    sys.exit("the registry ended:\n" + (place / "log").read_text(errors="replace"))


def main():
    kind, base = sys.argv[1], pathlib.Path(sys.argv[2])
    # Still as the processes around see it.
    (base / "process").write_text(os.readlink("/proc/self"), encoding="utf-8")
    env = prepare(base)
    engine = start(kind, base, env)
    print("ready", flush=True)
    silent = []
    registries = {}
    for line in sys.stdin:
        words = line.split()
        if line == "kill\n":
            engine.send_signal(signal.SIGKILL)
            engine.wait()
            print("killed", flush=True)
        elif line == "start\n":
            engine = start(kind, base, env)
            print("ready", flush=True)
        elif words[0] == "registry":
            port, registry = start_registry(base, len(registries), words[1:])
            registries[port] = registry
            print(port, flush=True)
        elif words[0] == "tls-registry":
            number = len(registries)
            port, registry = start_registry(base, number, words[1:], True)
            registries[port] = registry
            print(port, base / f"registry-{number}", flush=True)
        elif words[0] in ("hold", "release"):
            registries[words[1]].send_signal(signal.SIGSTOP if words[0] == "hold" else signal.SIGCONT)
            print("done", flush=True)
        elif line == "silence\n":
            silent.append(socket.create_server(("127.0.0.1", 0)))
            print(silent[-1].getsockname()[1], flush=True)
    # It takes down what it holds of this machine: the control groups of containers that still run.
    engine.send_signal(signal.SIGTERM)
    try:
        engine.wait(timeout=5)
    except subprocess.TimeoutExpired:
        pass


if __name__ == "__main__":
    main()
