"""Statuses are links that dangle: 404, 410 and redirects, stored or made by hand."""

import os
from pathlib import Path
from urllib.parse import urljoin

import pytest

from support.client import Connection, fetch
from support.origin import Origin
from support.proxy import Proxy
from support.tree import tree

STORED = "cachy; fwd=uri-miss; stored"
HIT = "cachy; hit"
STALE_IF_ERROR = "cachy; hit; detail=stale-if-error"
RELOAD = [("Cache-Control", "no-cache")]
REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize("status", [404, 410])
def test_gone(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """The link says the status; body and headers come again, and HEAD is answered from them."""
    url = f"https://{host}/d/librtmp.deb"
    headers = [("Content-Type", "text/x-gone"), ("X-Mark", "7"), ("Set-Cookie", "a=b")]
    origin.route(url, b"no such\xff thing", status, headers=headers)
    first = fetch(shared_proxy, url)
    assert (first.status, first.body, first.cache_status) == (status, b"no such\xff thing", STORED)
    assert tree(shared_dir / host) == {"d/librtmp.deb": f"-> {status}"}
    for method, body in (("GET", first.body), ("HEAD", b"")):
        reply = fetch(shared_proxy, url, method)
        assert (reply.status, reply.body, reply.cache_status) == (status, body, HIT)
        assert reply.header("content-length") == str(len(first.body))
        assert reply.header("content-type") == "text/x-gone"
        assert (reply.header("x-mark"), reply.header("set-cookie")) == ("7", None)
    assert origin.count(url) == 1


@pytest.mark.parametrize("status", REDIRECTS)
def test_redirect(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """The link names status and absolute Location; the answer comes again as it was."""
    url, to = f"https://{host}/d/a", "https://other.example/b?x=1/2"
    origin.route(url, b"over there", status, headers={"Location": to, "X-Mark": "7"})
    for cache_status in (STORED, HIT):
        reply = fetch(shared_proxy, url)
        assert (reply.status, reply.body, reply.cache_status) == (
            status,
            b"over there",
            cache_status,
        )
        assert (reply.header("location"), reply.header("x-mark")) == (to, "7")
        assert tree(shared_dir / host) == {"d/a": f"-> {status} {to}"}
    assert origin.count(url) == 1


@pytest.mark.parametrize(
    ("location", "link"),
    [
        ("b", "302 https://HOST/d/b"),
        ("/b?x=1&y=2", "302 https://HOST/b?x=1&y=2"),
        ("../b", "302 https://HOST/b"),
        ("//other.example/b", "302 https://other.example/b"),
        ("HTTPS://Other.Example:443/b", None),
        ("/b#fragment", None),
        ("?x", "302 https://HOST/d/a?x"),
        ("/b c", None),
        ('/b"<>\\^`{|}', None),
        ("/%zz%", None),
        ("/b\xfc", None),
        ("/100% \xc3\xbc?=%2f", None),
        ("/b\tc", None),
        ("https://other.example/" + "x" * 5000, "302"),
        ("/" + "x/" * 2500, "302"),
    ],
    ids=lambda value: str(value)[:20] if value else "any",
)
def test_location_is_served_as_the_origin_sent_it(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    location: str,
    link: str | None,
) -> None:
    """Relative, odd or very long: the same bytes each time, and the link can't be mistaken."""
    url = f"https://{host}/d/a"
    origin.route(url, b"", 302, headers={"Location": location})
    with Connection(shared_proxy, url) as connection:
        for cache_status in (STORED, HIT):
            reply = connection.fetch()
            assert (reply.status, reply.cache_status) == (302, cache_status)
            assert reply.header("location") == location
    [(path, text)] = tree(shared_dir / host).items()
    assert path == "d/a" and isinstance(text, str) and text.startswith("-> 302")
    if link is not None:
        assert text == f"-> {link.replace('HOST', host)}"
    assert not (shared_dir / host / "d/a").exists()
    assert origin.count(url) == 1


@pytest.mark.parametrize(
    ("text", "status", "location"),
    [
        ("404", 404, None),
        ("410", 410, None),
        ("302 https://h/b", 302, "https://h/b"),
        ("301 /b", 301, "https://HOST/b"),
        ("307 b", 307, "https://HOST/d/b"),
        ("308 https://h/b?x=1#y", 308, "https://h/b?x=1#y"),
    ],
)
def test_links_made_by_hand(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    text: str,
    status: int,
    location: str | None,
) -> None:
    """They answer at once for both schemes, are never followed, revalidated or replaced."""
    folder = shared_dir / host / "d"
    folder.mkdir(parents=True)
    (folder / text.partition(" ")[0]).write_bytes(b"a file with this name lies beside it")
    os.symlink(text, folder / "a")
    for method, headers in (("GET", []), ("HEAD", []), ("GET", RELOAD)):
        reply = fetch(shared_proxy, f"https://{host}/d/a", method, headers)
        assert (reply.status, reply.cache_status) == (status, HIT)
        assert b"lies beside" not in reply.body
        there = reply.header("location")
        assert (
            there is None
            if location is None
            else urljoin(f"https://{host}/d/a", there) == (location.replace("HOST", host))
        )
    assert fetch(shared_proxy, f"http://{host}/d/a").status == status
    assert os.readlink(folder / "a") == text
    assert origin.requests == []


def test_a_stored_status_is_not_followed(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A stored 404 stays one where a file named 404 lies beside it."""
    origin.route(f"https://{host}/404", b"the page named 404")
    origin.route(f"https://{host}/a", b"gone", 404)
    for path, status, body in (("404", 200, b"the page named 404"), ("a", 404, b"gone")) * 2:
        reply = fetch(shared_proxy, f"https://{host}/{path}")
        assert (reply.status, reply.body) == (status, body)
    assert tree(shared_dir / host) == {"404": b"the page named 404", "a": "-> 404"}
    assert len(origin.requests) == 2


@pytest.mark.parametrize(
    ("status", "age", "stale"),
    [(status, 500, False) for status in (404, 410, *REDIRECTS)]
    + [(status, 700, True) for status in (404, 410, *REDIRECTS)],
)
def test_how_long_a_status_is_served(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    status: int,
    age: int,
    stale: bool,
) -> None:
    """404, 410 and redirects for 10 minutes, and then while upstream fails."""
    url = f"https://{host}/a"
    headers = {"Age": str(age), "Location": f"https://{host}/b"}
    origin.route(url, b"status", status, headers=headers)
    with Connection(shared_proxy, url) as connection:
        connection.fetch()
        origin.route(url, b"sorry", 503)
        reply = connection.fetch()
        assert (reply.status, reply.body) == (status, b"status")
        assert reply.cache_status == (STALE_IF_ERROR if stale else HIT)
        assert origin.count(url) == (2 if stale else 1)
        # Another URL: the one that failed is left alone for a while.
        other = f"https://{host}/b"
        origin.route(other, b"status", status, headers=headers | {"Location": url})
        connection.fetch(other)
        origin.route(other, b"here it is")
        again = connection.fetch(other)
        assert (again.status, again.body) == (
            (200, b"here it is") if stale else (status, b"status")
        )
        if stale:
            assert tree(shared_dir / host)["b"] == b"here it is"
            assert again.cache_status == "cachy; fwd=stale; stored"
            assert connection.fetch(other).cache_status == HIT


def test_a_status_is_asked_for_again_after_rm(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The link removed, the next request fetches, and nothing is left of the 404."""
    url = f"https://{host}/a"
    origin.route(url, b"gone", 404, headers={"X-Mark": "7"})
    fetch(shared_proxy, url)
    origin.route(url, b"here it is")
    assert fetch(shared_proxy, url).status == 404
    (shared_dir / host / "a").unlink()
    for cache_status in (STORED, HIT):
        reply = fetch(shared_proxy, url)
        assert (reply.status, reply.body, reply.cache_status) == (200, b"here it is", cache_status)
        assert reply.header("x-mark") is None
    assert tree(shared_dir / host) == {"a": b"here it is"}


@pytest.mark.parametrize("status", [404, 410, 301, 302])
def test_a_file_becomes_a_status(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """When the origin no longer has a stale file, the link takes its place."""
    url, to = f"https://{host}/a", f"https://{host}/b"
    origin.route(url, b"1", headers={"Cache-Control": "max-age=0"}, etag='"1"')
    fetch(shared_proxy, url)
    origin.route(url, b"status", status, headers={"Location": to})
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body) == (status, b"status")
    link = f"-> {status}" if status >= 400 else f"-> {status} {to}"
    assert tree(shared_dir / host) == {"a": link}
    assert fetch(shared_proxy, url).cache_status == HIT
    assert origin.count(url) == 2
