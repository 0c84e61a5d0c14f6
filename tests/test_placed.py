"""Files of people: placed by hand, edited, deleted, while the proxy runs."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import pytest

from support.client import Connection, fetch
from support.origin import Origin
from support.proxy import Proxy
from support.tree import tree

STORED = "cachy; fwd=uri-miss; stored"
HIT = "cachy; hit"
RELOAD = [("Cache-Control", "no-cache"), ("If-None-Match", '"o"')]
LAST_MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"


def put(path: Path, body: bytes) -> None:
    """Place a file as people do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.html", "text/html"),
        ("a.txt", "text/plain"),
        ("a.json", "application/json"),
        ("a.PNG", "image/png"),
        ("a.zip", "application/zip"),
        ("a.tar.gz", "application/gzip"),
        ("a.xml", "text/xml"),
        ("LICENSE", "application/octet-stream"),
        ("a.unknownsuffix", "application/octet-stream"),
    ],
)
def test_placed_file(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    name: str,
    media_type: str,
) -> None:
    """A file is served at once: 200, the media type by its name, and the origin isn't asked."""
    put(shared_dir / host / "d" / name, b"\0mine")
    with Connection(shared_proxy, f"https://{host}/d/{name}") as connection:
        reply = connection.fetch()
        assert (reply.status, reply.body, reply.cache_status) == (200, b"\0mine", HIT)
        assert (reply.header("content-type") or "").partition(";")[0] == media_type
        head = connection.fetch(method="HEAD")
        assert (head.status, head.header("content-length")) == (200, "5")
        assert connection.fetch(headers=RELOAD).cache_status == HIT
    assert origin.requests == []


def test_validators_of_a_placed_file(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """ETag and Last-Modified come from the file and work in conditions."""
    path = shared_dir / host / "a"
    put(path, b"0123456789")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    with Connection(shared_proxy, f"https://{host}/a") as connection:

        def ask(**headers: str) -> tuple[int, bytes]:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            reply = connection.fetch(headers=fields)
            return reply.status, reply.body

        first = connection.fetch()
        etag = first.header("etag") or ""
        assert first.header("last-modified") == LAST_MODIFIED
        assert ask(If_None_Match=etag) == (304, b"")
        assert ask(If_None_Match='"other"') == (200, b"0123456789")
        assert ask(If_Modified_Since=LAST_MODIFIED) == (304, b"")
        assert ask(If_Modified_Since=LAST_MODIFIED.replace(":20", ":19"))[0] == 200
        assert ask(Range="bytes=2-4", If_Range=etag) == (206, b"234")
        assert ask(Range="bytes=2-4", If_Range='"other"') == (200, b"0123456789")
        path.write_bytes(b"9876543210")
        assert ask(If_None_Match=etag) == (200, b"9876543210")
        second = connection.fetch().header("etag")
        path.write_bytes(b"0000000000")
        assert connection.fetch().header("etag") not in (etag, second)
    assert origin.requests == []


@pytest.mark.parametrize("status", [404, 302])
def test_placed_over_a_status(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """A file moved over a stored status is served from then on."""
    url = f"https://{host}/a.txt"
    origin.route(url, b"no", status, headers={"Location": f"https://{host}/else"})
    assert fetch(shared_proxy, url).cache_status == STORED
    put(shared_dir / host / "new", b"mine")
    os.replace(shared_dir / host / "new", shared_dir / host / "a.txt")
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body, reply.cache_status) == (200, b"mine", HIT)
    assert (reply.header("content-type") or "").startswith("text/plain")
    assert reply.header("location") is None
    assert origin.count(url) == 1


def test_placed_file_makes_room_for_a_folder(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A person's file whose URL becomes a folder too moves, and stays theirs."""
    put(shared_dir / host / "p", b"mine")
    origin.route(f"https://{host}/p/x", b"x")
    assert fetch(shared_proxy, f"https://{host}/p/x").cache_status == STORED
    assert tree(shared_dir / host) == {"p/%~self": b"mine", "p/x": b"x"}
    reply = fetch(shared_proxy, f"https://{host}/p", headers=RELOAD)
    assert (reply.status, reply.body, reply.cache_status) == (200, b"mine", HIT)


def in_place(path: Path) -> bytes:
    """Another byte in the middle, the size as before."""
    with path.open("r+b") as file:
        file.seek(3)
        file.write(b"#")
    return path.read_bytes()


def appended(path: Path) -> bytes:
    """More at the end."""
    with path.open("ab") as file:
        file.write(b" and more")
    return path.read_bytes()


def renamed(path: Path) -> bytes:
    """A new file of the same size in its place, as editors write."""
    new = path.with_name("new")
    new.write_bytes(b"x" * path.stat().st_size)
    os.replace(new, path)
    return path.read_bytes()


def emptied(path: Path) -> bytes:
    """Nothing left."""
    os.truncate(path, 0)
    return b""


def older(path: Path) -> bytes:
    """Same size, other bytes, and a time long before it was fetched."""
    body = renamed(path)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return body


@pytest.mark.parametrize("edit", [in_place, appended, renamed, emptied, older])
def test_edited_file(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    edit: Callable[[Path], bytes],
) -> None:
    """An edited entry keeps its media type alone, and upstream is never asked again."""
    url = f"https://{host}/simple/x/"
    lost = {
        "Digest": "sha-256=x",
        "Repr-Digest": "sha-256=:eA==:",
        "Content-Digest": "sha-256=:eA==:",
        "Content-MD5": "eA==",
    }
    headers = {"Content-Type": "application/x-special", "Cache-Control": "max-age=0"}
    origin.route(
        url, b"0123456789", headers=headers | lost, etag='"o"', last_modified=LAST_MODIFIED
    )
    first = fetch(shared_proxy, url)
    assert (first.cache_status, first.header("etag")) == (STORED, '"o"')
    path = shared_dir / host / "simple/x/index.html"
    body = edit(path)
    for request_headers in ([], RELOAD):
        reply = fetch(shared_proxy, url, headers=request_headers)
        assert (reply.status, reply.body, reply.cache_status) == (200, body, HIT)
        assert reply.header("content-type") == "application/x-special"
        assert reply.header("etag") not in (None, '"o"')
        assert reply.header("last-modified") not in (None, LAST_MODIFIED)
        assert [reply.header(name) for name in lost] == [None] * 4
    etag = fetch(shared_proxy, url).header("etag") or ""
    assert fetch(shared_proxy, url, headers={"If-None-Match": etag}).status == 304
    assert tree(shared_dir / host) == {"simple/x/index.html": body}
    assert origin.count(url) == 1


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_an_edit_that_is_undone(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, size: int
) -> None:
    """The bytes decide, not the clock: with its own bytes back, the entry is cachy's again."""
    url, body = f"https://{host}/a", bytes(range(250)) * (size // 250) + b"!"
    origin.route(url, body, etag='"o"', headers={"Cache-Control": "max-age=0"})
    fetch(shared_proxy, url)
    path = shared_dir / host / "a"
    in_place(path)
    assert fetch(shared_proxy, url).cache_status == HIT
    path.write_bytes(body)
    reply = fetch(shared_proxy, url)
    assert (reply.body == body, reply.header("etag")) == (True, '"o"')
    assert reply.cache_status == "cachy; fwd=stale; fwd-status=304"
    assert origin.asked(url)[-1].header("if-none-match") == '"o"'


def test_index_placed_by_hand(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """It answers `/x/` and the URL that spells it, and `/x` redirects."""
    put(shared_dir / host / "x/index.html", b"<p>mine")
    url = f"https://{host}/x"
    for path in ("/", "/index.html"):
        reply = fetch(shared_proxy, url + path)
        assert (reply.status, reply.body, reply.cache_status) == (200, b"<p>mine", HIT)
        assert (reply.header("content-type") or "").startswith("text/html")
    reply = fetch(shared_proxy, url)
    assert reply.status in (301, 302, 307, 308)
    assert urljoin(url, reply.header("location") or "") == f"{url}/"
    assert reply.cache_status == HIT
    assert origin.requests == []


def test_index_placed_beside_the_spelled_one(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """What the origin has for `/x/index.html` itself goes first, once it is stored."""
    origin.route(f"https://{host}/x/index.html", b"origin's")
    fetch(shared_proxy, f"https://{host}/x/index.html")
    put(shared_dir / host / "x/index.html", b"mine")
    assert fetch(shared_proxy, f"https://{host}/x/index.html").body == b"origin's"
    assert fetch(shared_proxy, f"https://{host}/x/").body == b"mine"
    assert len(origin.requests) == 1
