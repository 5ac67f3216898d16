"""Against a real server on a free port of this machine."""
import http.client
import json
import threading

import pytest

from shortlinks.app import LARGEST_BODY, Server
from shortlinks.store import Store


@pytest.fixture
def server():
    server = Server(("127.0.0.1", 0), Store(), version="1.2.3")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(server, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response, json.loads(text) if text else None


def shorten(server, url):
    return ask(server, "POST", "/links", json.dumps({"url": url}))


def test_health_tells_the_version(server):
    response, body = ask(server, "GET", "/health")
    assert response.status == 200
    assert body == {"status": "ok", "version": "1.2.3"}


def test_a_short_link_redirects(server):
    response, body = shorten(server, "https://example.org/long")
    assert response.status == 201
    response, _ = ask(server, "GET", "/" + body["code"])
    assert response.status == 302
    assert response.getheader("Location") == "https://example.org/long"
    _, stats = ask(server, "GET", "/stats/" + body["code"])
    assert stats == {"hits": 1}


@pytest.mark.parametrize("path", ["/", "/nothing", "/stats/nothing"])
def test_unknown_pages_are_404(server, path):
    assert ask(server, "GET", path)[0].status == 404


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", '"text"'])
def test_a_body_of_the_wrong_shape_is_400(server, body):
    assert ask(server, "POST", "/links", body)[0].status == 400


def test_a_bad_url_is_422_and_says_why(server):
    response, body = shorten(server, "ftp://example.org")
    assert response.status == 422
    assert "http" in body["error"]


def test_a_large_body_is_413(server):
    assert ask(server, "POST", "/links", "x" * (LARGEST_BODY + 1))[0].status == 413


def test_posting_elsewhere_is_404(server):
    assert ask(server, "POST", "/other", "{}")[0].status == 404


def test_a_missing_length_is_411(server):
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    connection.putrequest("POST", "/links")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()
