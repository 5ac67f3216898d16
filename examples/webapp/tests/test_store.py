import pytest

from shortlinks.store import LONGEST_URL, InvalidUrl, Store, encode


@pytest.fixture
def store():
    store = Store()
    yield store
    store.close()


def test_a_link_comes_back(store):
    code = store.add("https://example.org/a?b=c#d")
    assert store.follow(code) == "https://example.org/a?b=c#d"


def test_the_same_url_keeps_its_code(store):
    assert store.add("https://example.org/") == store.add("https://example.org/")


def test_different_urls_get_different_codes(store):
    codes = {store.add(f"https://example.org/{n}") for n in range(100)}
    assert len(codes) == 100


def test_visits_are_counted(store):
    code = store.add("https://example.org/")
    store.follow(code)
    store.follow(code)
    assert store.hits(code) == 2


@pytest.mark.parametrize("code", ["", "zzzz", "0", "../etc", "é", "2" * 40])
def test_unknown_codes_lead_nowhere(store, code):
    assert store.follow(code) is None
    assert store.hits(code) is None


@pytest.mark.parametrize("url", [
    "", "example.org", "ftp://example.org/", "javascript:alert(1)", "https://", "http://[", None, 7,
    "https://example.org/\r\nSet-Cookie: a=b", "https://example.org/" + "x" * LONGEST_URL])
def test_what_is_no_web_address_is_refused(store, url):
    with pytest.raises(InvalidUrl):
        store.add(url)


def test_codes_are_short():
    assert encode(0) == "2"
    assert len(encode(32 ** 4 - 1)) == 4


def test_links_survive_a_restart(tmp_path):
    path = str(tmp_path / "links.db")
    first = Store(path)
    code = first.add("https://example.org/")
    first.close()
    second = Store(path)
    assert second.follow(code) == "https://example.org/"
    second.close()
