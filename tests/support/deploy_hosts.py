#!/usr/bin/env python3
"""What deployments are tried on, on loopback. Each prints one line when it is ready, and ends with its standard input.

    deploy_hosts.py sshd CONFIG LOG     a host: the port; sshd -i for each connection
    deploy_hosts.py haproxy CONFIG      HAProxy: the port of its frontend, which must say 'bind fd@${FRONT}'
    deploy_hosts.py nginx PREFIX        nginx -p PREFIX -c PREFIX/nginx.conf: its pid
    deploy_hosts.py ports COUNT         ports that nobody else gets, for who binds with SO_REUSEPORT

A line "stop" on standard input kills what runs and goes on; the end of it kills and ends.
"""
import os
import socket
import subprocess
import sys
import threading

SBIN = "/usr/sbin/"
running, kept = [], []


def sshd(config, log):
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            child = subprocess.Popen([SBIN + "sshd", "-i", "-E", log, "-f", config], stdin=connection,
                                     stdout=connection, stderr=subprocess.DEVNULL)
            connection.close()
            threading.Thread(target=child.wait, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def haproxy(config):
    front = socket.create_server(("127.0.0.1", 0), backlog=512)
    os.set_inheritable(front.fileno(), True)
    program = subprocess.Popen([SBIN + "haproxy", "-db", "-q", "-f", config], pass_fds=[front.fileno()],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "FRONT": str(front.fileno())})
    running.append(program)
    with open(config, encoding="utf-8") as file:
        path = next(line.split()[2] for line in file if line.strip().startswith("stats socket"))
    probe = socket.socket(socket.AF_UNIX)
    while probe.connect_ex(path) != 0:
        if program.poll() is not None:
            sys.exit("haproxy ended: " + program.stderr.read())
        probe.close()
        probe = socket.socket(socket.AF_UNIX)
    threading.Thread(target=program.stderr.read, daemon=True).start()
    return front.getsockname()[1]


def nginx(prefix):
    program = subprocess.Popen([SBIN + "nginx", "-p", prefix, "-c", prefix + "/nginx.conf", "-g", "daemon off;"],
                               stdin=subprocess.DEVNULL)
    running.append(program)
    while not os.path.exists(prefix + "/nginx.pid") or not open(prefix + "/nginx.pid", encoding="utf-8").read():
        if program.poll() is not None:
            sys.exit("nginx ended")
    return program.pid


def ports(count):
    for _ in range(int(count)):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", 0))
        kept.append(one)
    return " ".join(str(one.getsockname()[1]) for one in kept)


def kill():
    while running:
        program = running.pop()
        if program.args[0].endswith("nginx"):
            program.terminate()  # its workers end with it
        else:
            program.kill()
        program.wait()


print({"sshd": sshd, "haproxy": haproxy, "nginx": nginx, "ports": ports}[sys.argv[1]](*sys.argv[2:]), flush=True)
for line in sys.stdin:
    if line.strip() == "stop":
        kill()
        print("stopped", flush=True)
kill()
os._exit(0)
