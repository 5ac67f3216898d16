#!/usr/bin/env python3
"""Servers for the tests of remotes, each on a free port of the loopback, until standard input ends.

    git_server.py http ROOT LOG [CERTIFICATE KEY]   git http-backend over ROOT; LOG gets a line for each request
    git_server.py ssh CONFIG LOG                    sshd -i for each connection; its log goes to LOG

Prints the port in a line when it listens. A line of LOG: method, path, host, port of the other side, "known" when it
came with credentials. What http does besides serving ROOT depends on the first part of the path:

    /plain/REPO   serves it                          /hang      takes a request and never answers
    /auth/REPO    wants ann and s3cret:ä             /one-byte  answers "H" and no more
    /cut/REPO     breaks off in the middle of a pack /early     ends before the length it announced
    /stall/REPO   hangs in the middle of a pack      /garbage   answers with what is no HTTP
    /once/REPO    closes after each answer           /page      answers 200 with a page for browsers
    /zip/REPO     compresses the list of refs        /endless   a head without an end
    /status/CODE  answers CODE                       /trickle   a byte of a list of refs every 20 ms
    /move/REPO    redirects to /plain                /bomb      a small answer that unfolds to 64 MiB
    /away/PORT/X  redirects to /X of another port    /noise     the right type, and what is no list of refs
    /moved-post/REPO  redirects POSTs to /plain      /loop, /login, /ftp   redirect where nobody should follow
    /names/ID     refs with names that no ref may have, all of ID
"""
import base64
import gzip
import http.server
import os
import socket
import ssl
import subprocess
import sys
import threading

SECRET = "Basic " + base64.b64encode("ann:s3cret:ä".encode()).decode()
SOME_BYTES = 3000
HEAD, BRANCH = b"001e# service=git-upload-pack\n0000", b"0040" + b"1" * 40 + b" refs/heads/branch/\n"
LIST = "application/x-git-upload-pack-advertisement"
done = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = log = ""

    def log_message(self, *_):
        pass

    def plain(self, code, text, *fields, kind="text/plain"):
        body = text if isinstance(text, bytes) else text.encode()
        self.send_response(code)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *fields):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data, hang=False):
        self.close_connection = True
        self.wfile.write(data)
        self.wfile.flush()
        if hang:
            done.wait()

    def trickle(self):
        self.raw(f"HTTP/1.1 200 OK\r\nContent-Type: {LIST}\r\n\r\nfff0# ".encode())
        try:
            while not done.wait(0.02):
                self.raw(b"0")
        except OSError:
            pass

    def redirect(self, target):
        self.plain(302, "", ("Location", target))

    def backend(self, path, kind, body):
        path, _, query = path.partition("?")
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "GIT_CONFIG_NOSYSTEM": "1", "HOME": self.root, "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        with subprocess.Popen(["git", "http-backend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env=env) as cgi:
            threading.Thread(target=lambda: (cgi.stdin.write(body), cgi.stdin.close()), daemon=True).start()
            status, fields = 200, []
            while line := cgi.stdout.readline().strip():
                name, _, value = line.decode().partition(": ")
                if name == "Status":
                    status = int(value.split()[0])
                else:
                    fields.append((name, value))
            if kind == "zip" and "gzip" in self.headers.get("Accept-Encoding", ""):
                self.plain(status, gzip.compress(cgi.stdout.read()), ("Content-Encoding", "gzip"), kind=LIST)
                return
            self.send_response(status)
            for name, value in fields:
                self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            if kind == "once":
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            left = SOME_BYTES if kind in ("cut", "stall") and self.command == "POST" else 1 << 60
            while left > 0 and (part := cgi.stdout.read1(min(left, 1 << 16))):
                left -= len(part)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
            if left == 0:
                cgi.kill()
                self.raw(b"", hang=kind == "stall")
            else:
                self.wfile.write(b"0\r\n\r\n")

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(self.log, "a", encoding="utf-8") as log:
            known = " known" if self.headers.get("Authorization") else ""
            log.write(f"{self.command} {self.path} {self.headers.get('Host')} {self.client_address[1]}{known}\n")
        _, kind, rest = (self.path.partition("?")[0] + "//").split("/", 2)
        path = self.path[len(kind) + 1:]
        if kind == "auth" and self.headers.get("Authorization") != SECRET:
            self.plain(401, "HTTP Basic: Access denied\n", ("WWW-Authenticate", 'Basic realm="git"'))
        elif kind == "moved-post" and self.command == "POST":
            self.redirect("/plain" + path)
        elif kind in ("plain", "auth", "cut", "stall", "once", "zip", "moved-post"):
            self.backend(path, kind, body)
        elif kind == "move":
            self.redirect("/plain" + path)
        elif kind == "loop":
            self.redirect(self.path)
        elif kind == "away":
            port, _, target = path[1:].partition("/")
            self.redirect(f"http://127.0.0.1:{port}/{target}")
        elif kind == "ftp":
            self.redirect("ftp://127.0.0.1/" + path)
        elif kind == "trickle":
            self.trickle()
        elif kind == "bomb":
            self.plain(200, gzip.compress(HEAD + BRANCH * (1 << 20)), ("Content-Encoding", "gzip"), kind=LIST)
        elif kind == "names":
            names = ["good\0agent=x", "a b", "../../evil", "x.lock", "line\r^break", "@{1}"]
            lines = [f"{rest.split('/')[0]} refs/heads/{name}\n" for name in names]
            body = "".join(f"{len(line) + 4:04x}{line}" for line in lines)
            self.plain(200, f"001e# service=git-upload-pack\n0000{body}0000", kind=LIST)
        elif kind == "noise":
            self.plain(200, "001e# service=git-upload-pack\n0000and then no more of it", kind=LIST)
        elif kind == "login":
            self.redirect("/users/sign_in")
        elif kind == "status":
            self.plain(int(rest.split("/")[0]), "because of the weather\n", ("Retry-After", "120"))
        elif kind == "hang":
            self.raw(b"", hang=True)
        elif kind == "one-byte":
            self.raw(b"H", hang=True)
        elif kind == "early":
            self.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
                     b"Content-Length: 5000\r\n\r\n001e# service=git-upload-pack\n0000")
        elif kind == "garbage":
            self.raw(b"\x00\x1b[31mSSH-2.0-what\r\n\r\n")
        elif kind == "endless":
            try:
                self.raw(b"HTTP/1.1 200 OK\r\n")
                while not done.is_set():
                    self.raw(b"X-More: and more\r\n" * 4096)
            except OSError:
                pass
        else:
            self.plain(200, "<html>hello</html>\n", kind="text/html")

    do_GET = do_POST = answer


def serve_http(root, log, certificate=None, key=None):
    Handler.root, Handler.log = root, log
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def serve_ssh(config, log):
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            child = subprocess.Popen(["/usr/sbin/sshd", "-i", "-E", log, "-f", config], stdin=connection,
                                     stdout=connection, stderr=subprocess.DEVNULL)
            connection.close()
            threading.Thread(target=child.wait, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def main():
    serve = {"http": serve_http, "ssh": serve_ssh}[sys.argv[1]]
    print(serve(*sys.argv[2:]), flush=True)
    sys.stdin.buffer.read()
    done.set()
    os._exit(0)


if __name__ == "__main__":
    main()
