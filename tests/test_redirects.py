"""Redirects that could go round in circles, and those that only add a slash."""

from pathlib import Path
from urllib.parse import urljoin

import pytest

from support.client import Connection, Reply, fetch
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.tree import tree

STORED = "cachy; fwd=uri-miss; stored"
HIT = "cachy; hit"
FRESH = ("Cache-Control", "max-age=1000")


def follow(proxy: Proxy, url: str) -> Reply:
    """The answer at the end of all redirects, as any client finds it."""
    for _ in range(6):
        reply = fetch(proxy, url)
        if reply.status not in (301, 302, 303, 307, 308):
            return reply
        url = urljoin(url, reply.header("location") or "")
    raise AssertionError(f"redirects never end: {url}")


@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize("first", ["http", "https"])
def test_http_to_https_of_the_same_url(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int, first: str
) -> None:
    """The redirect answers http alone, and goes when https has stored the page."""
    secure, plain = f"https://{host}/a", f"http://{host}/a"
    origin.route(plain, b"", status, headers=[("Location", secure), FRESH])
    origin.route(secure, b"page", headers=[FRESH])
    order = [plain, secure] if first == "http" else [secure, plain]
    for _ in range(2):
        for url in order:
            reply = follow(shared_proxy, url)
            assert (reply.status, reply.body) == (200, b"page")
    assert tree(shared_dir / host) == {"a": b"page"}
    assert origin.count(secure) == 1
    assert origin.count(plain) == (1 if first == "http" else 0)


def test_http_to_https_while_https_has_nothing(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """https is always asked itself, never answered with the redirect of http."""
    secure, plain = f"https://{host}/a", f"http://{host}/a"
    origin.route(plain, b"", 301, headers=[("Location", secure), FRESH])
    origin.route(secure, b"not yet", 401)
    for _ in range(2):
        assert follow(shared_proxy, plain).status == 401
    assert tree(shared_dir / host) == {"a": f"-> 301 {secure}"}
    assert (origin.count(plain), origin.count(secure)) == (1, 2)


def test_http_to_https_in_a_tree_without_metadata(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """Such a link without its record doesn't send https to itself."""
    secure, plain = f"https://{host}/a", f"http://{host}/a"
    (shared_dir / host).mkdir()
    (shared_dir / host / "a").symlink_to(f"301 {secure}")
    origin.route(secure, b"page", headers=[FRESH])
    assert follow(shared_proxy, plain).body == b"page"
    assert follow(shared_proxy, secure).body == b"page"
    assert origin.count(plain) == 0


def test_https_to_http_of_the_same_url(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """An https entry answers http too, but not one that sends http to itself."""
    secure, plain = f"https://{host}/a", f"http://{host}/a"
    origin.route(secure, b"", 302, headers=[("Location", plain), FRESH])
    origin.route(plain, b"page", headers=[FRESH])
    for _ in range(2):
        for url in (secure, plain):
            assert follow(shared_proxy, url).body == b"page"


@pytest.mark.parametrize(
    ("status", "location"),
    [(status, "https://HOST/a") for status in (301, 303, 307, 308)]
    + [(302, location) for location in ("/a", "a", "", "/%61", "https://HOST:443/a#top")],
)
def test_self_redirect_is_not_stored(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int, location: str
) -> None:
    """A page that redirects to itself wants to set a cookie: each time passed on."""
    url = f"https://{host}/a"
    location = location.replace("HOST", host)
    cookie = ("Set-Cookie", "seen=1")
    origin.route(url, b"again", status, headers=[("Location", location), FRESH, cookie])
    with Connection(shared_proxy, url) as connection:
        for _ in range(2):
            reply = connection.fetch()
            assert (reply.status, reply.header("location")) == (status, location)
            assert reply.header("set-cookie") == "seen=1"
            assert reply.cache_status.startswith("cachy; fwd=uri-miss")
            assert "stored" not in reply.cache_status
    assert tree(shared_dir / host) == {}
    assert origin.count(url) == 2


def route_slash(origin: Origin, url: str, status: int, location: str | None = None) -> None:
    """Give the origin a folder that `url` redirects to."""
    to = f"{url}/" if location is None else location
    origin.route(url, b"there", status, headers={"Location": to, "Age": "500"})
    origin.route(f"{url}/", b"<p>index", headers=[FRESH])


@pytest.mark.parametrize(
    ("status", "location"),
    [(status, "https://HOST/d/x/") for status in (301, 302, 307, 308)]
    + [(301, location) for location in ("/d/x/", "x/", "//HOST:443/d/x/")],
)
def test_slash(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int, location: str
) -> None:
    """The tree holds `x/index.html` alone; for ten minutes the redirect comes without asking."""
    url, location = f"https://{host}/d/x", location.replace("HOST", host)
    route_slash(origin, url, status, location)
    assert follow(shared_proxy, url).body == b"<p>index"
    assert tree(shared_dir / host) == {"d/x/index.html": b"<p>index"}
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.cache_status) == (status, HIT)
    assert reply.header("location") == location
    assert follow(shared_proxy, url).cache_status == HIT
    assert (origin.count(url), origin.count(f"{url}/")) == (1, 1)


def test_303_is_no_slash(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """It is another resource's answer (RFC 9110 section 15.4.4), so a link like all others."""
    url = f"https://{host}/x"
    route_slash(origin, url, 303)
    assert follow(shared_proxy, url).body == b"<p>index"
    assert tree(shared_dir / host) == {
        "x/%~self": f"-> 303 {url}/",
        "x/index.html": b"<p>index",
    }


def test_slash_with_a_query(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The query is kept on both sides, and is another URL than the one without."""
    url = f"https://{host}/x"
    origin.route(f"{url}?q=1", b"", 301, headers={"Location": "/x/?q=1"})
    origin.route(f"{url}/?q=1", b"answer", headers=[FRESH])
    for _ in range(2):
        assert follow(shared_proxy, f"{url}?q=1").body == b"answer"
    assert tree(shared_dir / host) == {"x/?q=1": b"answer"}
    assert len(origin.requests) == 2
    assert fetch(shared_proxy, f"{url}?q=2").status == 418
    assert fetch(shared_proxy, url).status == 418


def test_slash_asks_again_without_its_index(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The fact is worth nothing before `x/index.html` is there, nor after it is deleted."""
    url = f"https://{host}/x"
    route_slash(origin, url, 301)
    fetch(shared_proxy, url)
    assert fetch(shared_proxy, url).cache_status == "cachy; fwd=uri-miss; detail=slash"
    assert follow(shared_proxy, url).body == b"<p>index"
    asked = origin.count(url)
    assert (fetch(shared_proxy, url).cache_status, origin.count(url)) == (HIT, asked)
    (shared_dir / host / "x/index.html").unlink()
    origin.route(url, b"a file now")
    for cache_status in (STORED, HIT):
        reply = fetch(shared_proxy, url)
        assert (reply.status, reply.body, reply.cache_status) == (200, b"a file now", cache_status)


def test_slash_after_a_restart(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, network: Network, host: str
) -> None:
    """The fact lies on disk: another process answers, also when upstream can't be reached."""
    url = f"https://{host}/x"
    route_slash(origin, url, 307)
    follow(shared_proxy, url)
    shared_proxy.stop()
    network.down()
    shared_proxy.start()
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.header("location"), reply.cache_status) == (307, f"{url}/", HIT)
    assert fetch(shared_proxy, f"{url}/").body == b"<p>index"
    assert tree(shared_dir / host) == {"x/index.html": b"<p>index"}


@pytest.mark.parametrize("how", ["refused", "noname", "503"])
def test_slash_where_upstream_fails(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str, how: str
) -> None:
    """With `x/index.html` stored and `/x` never asked for, the redirect is the answer."""
    url = f"https://{host}/x"
    origin.route(f"{url}/", b"<p>index", headers=[FRESH])
    fetch(shared_proxy, f"{url}/")
    origin.route(url, b"sorry", 503)
    if how != "503":
        network.down(host, "refused" if how == "refused" else "noname")
    reply = fetch(shared_proxy, url)
    assert reply.status in (301, 302, 307, 308)
    assert urljoin(url, reply.header("location") or "") == f"{url}/"
    assert reply.cache_status == "cachy; hit; detail=stale-if-error"
    assert follow(shared_proxy, url).body == b"<p>index"


def test_a_folder_that_redirects_to_its_file(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str
) -> None:
    """Where `/x/` leads to `/x`, no failure makes cachy lead `/x` back to `/x/`."""
    url = f"https://{host}/x"
    origin.route(f"{url}/", b"", 301, headers=[("Location", url), FRESH])
    fetch(shared_proxy, f"{url}/")
    network.down(host)
    assert follow(shared_proxy, f"{url}/").status == 502


def test_a_file_becomes_a_folder(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A stale file whose URL now only adds a slash goes: the folder is what there is."""
    url = f"https://{host}/x"
    origin.route(url, b"file", headers={"Cache-Control": "max-age=0"})
    fetch(shared_proxy, url)
    route_slash(origin, url, 301)
    assert follow(shared_proxy, url).body == b"<p>index"
    assert tree(shared_dir / host) == {"x/index.html": b"<p>index"}
    assert fetch(shared_proxy, url).cache_status == HIT
