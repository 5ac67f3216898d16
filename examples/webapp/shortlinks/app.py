"""The HTTP side: four routes, JSON in and out."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shortlinks.store import InvalidUrl

LARGEST_BODY = 16 * 1024


class Handler(BaseHTTPRequestHandler):
    server_version = "shortlinks"
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/health":
            self._json(200, {"status": "ok", "version": self.server.version})
        elif self.path.startswith("/stats/"):
            hits = self.server.store.hits(self.path[len("/stats/"):])
            if hits is None:
                self._json(404, {"error": "no such link"})
            else:
                self._json(200, {"hits": hits})
        else:
            url = self.server.store.follow(self.path[1:])
            if url is None:
                self._json(404, {"error": "no such link"})
            else:
                self._reply(302, b"", {"Location": url})

    def do_POST(self):
        if self.path != "/links":
            self._json(404, {"error": "no such page; POST to /links"})
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            self.close_connection = True
            self._json(411, {"error": "a Content-Length is needed"})
            return
        if not 0 <= length <= LARGEST_BODY:
            self.close_connection = True  # the body is not read
            self._json(413, {"error": f"at most {LARGEST_BODY} bytes"})
            return
        try:
            body = json.loads(self.rfile.read(length))
            code = self.server.store.add(body["url"])
        except InvalidUrl as error:
            self._json(422, {"error": str(error)})
        except (ValueError, KeyError, TypeError):
            self._json(400, {"error": 'expected {"url": "https://..."}'})
        else:
            self._json(201, {"code": code})

    def log_message(self, format, *args):
        if self.server.verbose:
            super().log_message(format, *args)

    def _json(self, status, value):
        self._reply(status, json.dumps(value).encode() + b"\n", {"Content-Type": "application/json"})

    def _reply(self, status, body, headers):
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Serves `store` until shutdown(). Port 0 takes a free one: see server_address."""

    daemon_threads = True

    def __init__(self, address, store, version="unknown", verbose=False):
        super().__init__(address, Handler)
        self.store = store
        self.version = version
        self.verbose = verbose
