#!/usr/bin/env python3
"""An application to deploy: a small HTTP server that says which version it is.

    deploy_app.py DIRECTORY PORT

DIRECTORY holds `version`, and maybe `broken` with one of

    never_ready   /ready says 503 for ever          smoke   /health says 500
    errors        every fifth answer is a 500       dies    it ends at once

Every answer has X-Version and "version=..." in its body. After SIGTERM /ready says 503 and all else goes on; it ends
after LINGER seconds (environment; default 0.3), each connection once its request is answered. PORT may be reserved by
whoever has bound it with SO_REUSEPORT and does not listen.
"""
import os
import signal
import socket
import sys
import threading

directory, port = sys.argv[1], int(sys.argv[2])


def read(name):
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


version, broken = read("version"), read("broken")
leaving, last = threading.Event(), threading.Event()
count, count_lock = 0, threading.Lock()


def status_of(path):
    global count
    if path == "/ready":
        return 503 if leaving.is_set() or broken == "never_ready" else 200
    if path == "/health":
        return 500 if broken == "smoke" else 200
    with count_lock:
        count += 1
        return 500 if broken == "errors" and count % 5 == 0 else 200


def serve(connection):
    data = b""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not last.is_set():
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, data = data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
            while len(data) < length:
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            data = data[length:]
            body = f"version={version}\n".encode()
            path = lines[0].split(" ")[1]
            connection.sendall(f"HTTP/1.1 {status_of(path)} X\r\nX-Version: {version}\r\n"
                               f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


def on_term(*_):
    leaving.set()
    threading.Timer(float(os.environ.get("LINGER", "0.3")), lambda: os._exit(0)).start()


if broken == "dies":
    sys.exit(3)
signal.signal(signal.SIGTERM, on_term)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", port))
listener.listen(512)
print("listening", flush=True)


def accept():
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=quietly, args=(connection,), daemon=True).start()


def quietly(connection):
    try:
        serve(connection)
    except OSError:
        pass  # the other side is gone


threading.Thread(target=accept, daemon=True).start()
while True:
    signal.pause()
