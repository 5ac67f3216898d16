"""Links in SQLite: one table, codes made from the row id, so that no code is ever used twice."""
import sqlite3
import threading
from urllib.parse import urlsplit

ALPHABET = "23456789abcdefghijkmnpqrstuvwxyz"  # no 0/o, 1/l: people type these
LONGEST_URL = 2048


class InvalidUrl(ValueError):
    """What was given is no absolute http or https URL."""


def encode(number):
    """The code of a row id: base 32, shortest form."""
    digits = ""
    while number:
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits or ALPHABET[0]


def check_url(url):
    if not isinstance(url, str) or len(url) > LONGEST_URL:
        raise InvalidUrl(f"a URL is text of at most {LONGEST_URL} characters")
    if any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise InvalidUrl("a URL holds no blanks or control characters")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidUrl(str(error)) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidUrl("only absolute http and https URLs can be shortened")
    return url


class Store:
    """May be used from several threads; each call is one transaction."""

    def __init__(self, path=":memory:"):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        with self._lock, self._db:
            self._db.execute(
                "create table if not exists links (id integer primary key autoincrement,"
                " url text not null unique, hits integer not null default 0)")

    def close(self):
        self._db.close()

    def add(self, url):
        """The code for `url`: the one it already has, or a new one."""
        check_url(url)
        with self._lock, self._db:
            self._db.execute("insert into links (url) values (?) on conflict do nothing", (url,))
            (number,) = self._db.execute("select id from links where url = ?", (url,)).fetchone()
        return encode(number)

    def follow(self, code):
        """The URL of `code`, counting the visit; None when there is no such code."""
        number = self._number(code)
        with self._lock, self._db:
            row = self._db.execute(
                "update links set hits = hits + 1 where id = ? returning url", (number,)).fetchone()
        return row[0] if row else None

    def hits(self, code):
        with self._lock:
            row = self._db.execute("select hits from links where id = ?", (self._number(code),)).fetchone()
        return row[0] if row else None

    @staticmethod
    def _number(code):
        if not code or len(code) > 12:
            return -1
        number = 0
        for character in code:
            digit = ALPHABET.find(character)
            if digit < 0:
                return -1
            number = number * len(ALPHABET) + digit
        return number
