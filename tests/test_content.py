"""Content that is not what its name says is never stored: a page, nothing, something else altogether."""

import gzip
import zlib
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.message import Request
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Handler, Reply
from support.tree import tree, wait_until

MISS = "cachy; fwd=uri-miss; stored"
FOREIGN = "cachy; fwd=uri-miss; detail=not-what-its-name-says"
PAGE = b"\xef\xbb\xbf\n<!-- proxy -->\n<!DOCTYPE html><title>Sign in</title>"
ZIP, GZIP, AR = b"PK\x03\x04" + b"z" * 2000, b"\x1f\x8b\x08\0\0" + b"g" * 2000, b"!<arch>\ndebian"
TAR = b"a" * 257 + b"ustar\x0000" + b"\0" * 248

NAMES = [
    "/w/six-1.16.0-py2.py3-none-any.whl",
    "/m2/junit/junit/4.13.2/junit-4.13.2.jar",
    "/pool/a_1.0-1_amd64.deb",
    "/a-1.0.tar.gz",
    "/lodash/-/lodash-4.17.21.tgz",
    "/a.zip",
    "/layer.tar",
    "/api/v1/crates/serde/1.0.0/download",
    "/setup.exe",
]


def said(proxy: Proxy, url: str) -> list[str]:
    """What the log tells of a URL that is not stored."""
    return [line for line in proxy.log().splitlines() if f"{url} is not stored" in line]


def split(body: bytes, at: int, headers: dict[str, str] | None = None) -> Handler:
    """Answers in two pieces, a moment apart."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(headers=headers, length=len(body))
        await reply.send(body[:at])
        await reply.send(body[at:])
        await reply.end()

    return handler


@pytest.mark.parametrize("path", NAMES)
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/octet-stream", PAGE),
        ("text/html", b"You have to log in."),
        ("application/octet-stream", b""),
        ("application/octet-stream", b"\n" * 300 + b"<HTML>" + b"x" * 5000),
    ],
    ids=["page", "by-type", "empty", "late"],
)
def test_pages_and_nothing(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    path: str,
    kind: str,
    body: bytes,
) -> None:
    """Passed on as it is, with the reason; nothing lies in the tree, and the log says it once."""
    url = f"https://{host}{path}"
    origin.route(url, body, headers={"Content-Type": kind})
    for count in (1, 2):
        reply = fetch(shared_proxy, url)
        assert (reply.status, reply.body, reply.header("content-type")) == (200, body, kind)
        assert (reply.cache_status, origin.count(url)) == (FOREIGN, count)
    assert not (shared_dir / host).exists() or tree(shared_dir / host) == {}
    (line,) = said(shared_proxy, url)
    assert ("nothing" if not body else "an HTML page") in line


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_in_all_framings(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, framing: str, http2: bool
) -> None:
    """However it comes, and to clients of both versions."""
    url = f"https://{host}/a.whl"
    if http2:
        if framing != "length":
            pytest.skip("HTTP/2 has one framing")
        origin.http2_hosts.add(host)
    origin.route(url, PAGE, framing=framing)  # type: ignore[arg-type]
    reply = fetch(shared_proxy, url)
    assert (reply.body, reply.cache_status) == (PAGE, FOREIGN)
    with H2Client(shared_proxy, url) as client:
        again = client.fetch()
        assert (again.body, again.cache_status) == (PAGE, FOREIGN)
    assert not (shared_dir / host).exists()


@pytest.mark.parametrize(
    ("path", "body", "what"),
    [
        ("/a.whl", GZIP, "gzip"),
        ("/a.deb", ZIP, "a zip"),
        ("/a.tar.gz", ZIP, "a zip"),
        ("/a.jar", b"%PDF-1.4\n", "a PDF"),
        ("/a.crate", b"\x7fELF\x02\x01\x01\0", "an ELF"),
        ("/a.rpm", b'{"error": "not found"}', "JSON"),
        ("/a.zip", b"<Error><Code>AccessDenied</Code></Error>", "XML"),
    ],
)
def test_something_else(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    path: str,
    body: bytes,
    what: str,
) -> None:
    """The bytes of another kind of thing, whatever the media type says."""
    url = f"https://{host}{path}"
    origin.route(url, body)
    reply = fetch(shared_proxy, url)
    assert (reply.body, reply.cache_status) == (body, FOREIGN)
    assert not (shared_dir / host).exists()
    assert what in said(shared_proxy, url)[0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/a.whl", ZIP),
        ("/a.jar", b"#!/bin/sh\nexec java -jar $0\n" + ZIP),
        ("/a.zip", b"MZ" + ZIP),
        ("/a.pyz", b"#!/usr/bin/env python3\n" + ZIP),
        ("/a.pex", b"#!/usr/bin/env python3\n" + ZIP),
        ("/a.crx", b"Cr24\x03\0\0\0" + ZIP),
        ("/a.run", b"#!/bin/sh\n" + GZIP),
        ("/a.deb", AR),
        ("/a.tar.gz", GZIP + GZIP),
        ("/a.tar.gz", TAR),
        ("/a.gem", TAR),
        ("/a.tar", TAR),
        ("/a.apk", GZIP),
        ("/a.apk", ZIP),
        ("/a.so", b"INPUT(libc.so.6)"),
    ],
)
@pytest.mark.parametrize("at", [3, 1000])
def test_what_is_it(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    path: str,
    body: bytes,
    at: int,
) -> None:
    """What may begin like this is stored, in whatever pieces it comes."""
    url = f"https://{host}{path}"
    origin.handle(host, path, split(body, at))
    assert fetch(shared_proxy, url).cache_status == MISS
    again = fetch(shared_proxy, url)
    assert (again.body, again.cache_status) == (body, "cachy; hit")
    assert tree(shared_dir / host) == {path.lstrip("/"): body}


def test_a_page_in_pieces(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """The first bytes tell too little: the head waits for more, and says what became of it."""
    url = f"https://{host}/a.zip"
    origin.handle(host, "/a.zip", split(PAGE, 2))
    reply = fetch(shared_proxy, url)
    assert (reply.body, reply.cache_status) == (PAGE, FOREIGN)
    assert not (shared_dir / host).exists()


def test_nobody_reads_a_page_along(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Who waits for a fetch that brings a page asks for itself, and gets what the origin has then."""
    url = f"https://{host}/a.zip"
    gate = origin.gate()
    answers = iter([PAGE, ZIP])

    async def handler(_: Request, reply: Reply) -> None:
        body = next(answers)
        await gate.passed()
        await reply.head(length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "/a.zip", handler)
    first, second = Connection(shared_proxy, url), Connection(shared_proxy, url)
    with first, second:
        first.send_request()
        wait_until(lambda: origin.count(url) == 1)
        second.send_request()
        gate.open()
        assert first.read_head().cache_status == FOREIGN
        assert first.read_to_end() == PAGE
        second.read_head()
        assert second.read_to_end() == ZIP
    assert fetch(shared_proxy, url).body == ZIP


@pytest.mark.parametrize(
    "bad", [PAGE, b"", b"x" * 70_000 and PAGE + b"x" * 70_000], ids=["page", "empty", "large"]
)
def test_a_good_entry_stays(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, bad: bytes
) -> None:
    """A check that brings a page changes nothing, and the client gets what is stored."""
    url = f"https://{host}/archive/master.zip"
    answer = origin.route(url, ZIP, headers={"Cache-Control": "max-age=0"})
    assert fetch(shared_proxy, url).cache_status == MISS
    a_while_ago(shared_dir, of=host)
    answer.body = bad
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body) == (200, ZIP)
    assert reply.cache_status == "cachy; hit; detail=stale-if-error"
    assert origin.count(url) == 2
    assert tree(shared_dir / host) == {"archive/master.zip": ZIP}
    # It is left alone for a while, and then taken again.
    assert fetch(shared_proxy, url).body == ZIP
    assert origin.count(url) == 2
    assert len(said(shared_proxy, url)) == 1


def test_behind_a_redirect(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A page at the end of redirects is no thing either: the client gets the redirect to follow."""
    url, there = f"https://{host}/a.zip", f"https://store.{host}/blob"

    async def moved(_: Request, reply: Reply) -> None:
        await reply.head(302, {"Location": there})
        await reply.end()

    origin.handle(host, "/a.zip", moved)
    origin.route(there, PAGE)
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.header("location")) == (302, there)
    assert reply.cache_status == "cachy; fwd=uri-miss; detail=not-followed"
    assert not (shared_dir / host).exists() or tree(shared_dir / host) == {}
    origin.route(there, ZIP)
    assert fetch(shared_proxy, url).body == ZIP


def test_a_range_of_it(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """Who asks for a part of what is a page gets that part from the origin, and nothing is stored."""
    url = f"https://{host}/a.zip"
    origin.route(url, PAGE, ranges=True)
    reply = fetch(shared_proxy, url, headers={"Range": "bytes=0-9"})
    assert (reply.status, reply.body) == (206, PAGE[:10])
    assert not (shared_dir / host).exists()


def test_text_that_is_for_good(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A page isn't stored as a POM or checksum of a release either; as a page it is."""
    folder = "/m2/org/a/b/1.0"
    for name in ("b-1.0.pom", "b-1.0.jar.sha1"):
        origin.route(f"https://{host}{folder}/{name}", PAGE)
        assert fetch(shared_proxy, f"https://{host}{folder}/{name}").cache_status == FOREIGN
    origin.route(f"https://{host}/a.html", PAGE)
    assert fetch(shared_proxy, f"https://{host}/a.html").cache_status == MISS
    assert tree(shared_dir / host) == {"a.html": PAGE}


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("name", ["six-1.16.0-py2.py3-none-any.whl", "a_1.0_amd64.deb", "a.tgz"])
def test_a_page_that_is_coded(
    shared_proxy: Proxy, origin: Origin, host: str, name: str, coding: str
) -> None:
    """It is a page all the same."""
    url = f"https://{host}/p/{name}"
    page = b"<!DOCTYPE html><title>Sign in</title>" * 9
    coded = gzip.compress(page) if coding == "gzip" else zlib.compress(page)
    origin.route(url, coded, headers={"Content-Encoding": coding})
    for _ in range(2):
        reply = fetch(shared_proxy, url)
        assert "stored" not in (reply.cache_status or "")
        assert "not-what-its-name-says" in (reply.cache_status or "")
    assert origin.count(url) == 2
