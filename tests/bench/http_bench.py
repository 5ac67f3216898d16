#!/usr/bin/env python3
"""Requests a second of a trivial handler against nginx (one worker, a file as short) in the same run, by wrk.

    http_bench.py --server BINARY [--seconds N] [--rounds N]

Each round asks all of them in turn; shown are the medians, and the ratio to nginx. Nothing fails on them. Without nginx
python's http.server stands in, which is no match.
"""
import argparse
import contextlib
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

NGINX = """\
worker_processes 1; daemon off; pid {top}/pid; error_log {top}/error;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {top}/a; proxy_temp_path {top}/b;
  fastcgi_temp_path {top}/c; uwsgi_temp_path {top}/d; scgi_temp_path {top}/e;
  server {{ listen 127.0.0.1:{port}; root {top}/www; }} }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    sys.exit(f"http_bench: nothing listens on port {port}")


def start_other(top):
    """A name and the process of what we are compared with, and its port."""
    port = free_port()
    (top / "www").mkdir()
    (top / "www/hello").write_text("hello\n")
    if shutil.which("nginx"):
        (top / "conf").write_text(NGINX.format(top=top, port=port))
        top.chmod(0o755)
        name, command = "nginx", ["nginx", "-p", str(top), "-c", str(top / "conf"), "-e", str(top / "error")]
    else:
        name, command = "python", [sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", str(top / "www"), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(port)
    return name, process, port


def rate(port, path, seconds, connections):
    text = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"], check=True,
                          capture_output=True, text=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"http_bench: wrk saw errors:\n{text}")
    return float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("http_bench: wrk is missing; install the package 'wrk'")
    with tempfile.TemporaryDirectory(prefix="http-bench-") as top:
        ours = subprocess.Popen([options.server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = int(ours.stdout.readline())
        name, other, other_port = start_other(pathlib.Path(top))
        rows = {"handler in the pool": (port, "/hello"), "handler in the reactor": (port, "/fast"), name: (other_port, "/hello")}
        try:
            for connections in (1, 64):
                rates = {row: [] for row in rows}
                for _ in range(options.rounds):
                    for row, (at, path) in rows.items():
                        rates[row].append(rate(at, path, options.seconds, connections))
                base = statistics.median(rates[name])
                for row, values in rates.items():
                    middle = statistics.median(values)
                    print(f"{connections:3} connections  {row:24} {middle:10,.0f} requests/s  {middle / base:5.2f} of {name}")
        finally:
            other.terminate()
            other.wait()
            ours.stdin.close()
            ours.wait()


if __name__ == "__main__":
    main()
