"""The tree on disk: every URL has one path, and no two that differ share one."""

import itertools
import re
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree

STORED = "cachy; fwd=uri-miss; stored"
HIT = "cachy; hit"
FRESH = [("Cache-Control", "max-age=1000")]
DEB = "debian/pool/main/r/rtmpdump/librtmp-dev_2.4+20111222.git4e06e21-1_amd64.deb"


async def echo(request: Request, reply: Reply) -> None:
    """Answer with the URL as the client spelled it, which is different for every target."""
    body = request.url.encode("latin-1")
    await reply.head(headers=FRESH, length=len(body))
    await reply.send(body)
    await reply.end()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"http://http.debian.net/{DEB}", f"http.debian.net/{DEB}"),
        (
            "https://github.com/mobz/elasticsearch-head/archive/master.zip",
            "github.com/mobz/elasticsearch-head/archive/master.zip",
        ),
        (
            "https://pypi.python.org/simple/python-memcached/",
            "pypi.python.org/simple/python-memcached/index.html",
        ),
        ("https://port.example:8443/a", "port.example:8443/a"),
        # http: mitmproxy 12 makes no TLS to a host of one letter.
        ("http://h/a?x=1&y=2", "h/a?x=1&y=2"),
        ("http://plain.example:8080/a", "plain.example:8080/a"),
        ("http://other.example:443/a", "other.example:443/a"),
        ("https://another.example:80/a", "another.example:80/a"),
        ("https://own.example:443/a", "own.example/a"),
        ("http://own80.example:80/a", "own80.example/a"),
        ("https://bare.example", "bare.example/index.html"),
        ("http://192.0.2.7/a", "192.0.2.7/a"),
    ],
)
def test_table(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, network: Network, url: str, path: str
) -> None:
    """Each URL is stored once, as it is, at the path of the table and nowhere else."""
    before = tree(shared_dir)
    network.send("other.example:443", origin.http_port)
    origin.route(url, b"\x00the\xff bytes\n", headers=FRESH)
    first, second = fetch(shared_proxy, url), fetch(shared_proxy, url)
    assert (first.status, first.body, first.cache_status) == (200, b"\x00the\xff bytes\n", STORED)
    assert (second.status, second.body, second.cache_status) == (200, first.body, HIT)
    assert origin.count(url) == 1
    assert tree(shared_dir) == before | {path: b"\x00the\xff bytes\n"}


NAMES = {
    "query with a slash": {
        "/q?u=a/b": "q?u=a%~2Fb",
        "/q?u=a%2Fb": "q?u=a%2Fb",
        "/q?u=a%252Fb": "q?u=a%252Fb",
        "/q?/": "q?%~2F",
    },
    "real index.html": {
        "/": "index.html",
        "/index.html": "%~index.html",
        "/d/": "d/index.html",
        "/d/index.html": "d/%~index.html",
        "/d/index.html?x": "d/index.html?x",
        "/d/index.htm": "d/index.htm",
    },
    "empty segments": {
        "/a/b": "a/b",
        "/a//b": "a/%~/b",
        "/a///b": "a/%~/%~/b",
        "/a//": "a/%~/index.html",
        "/a/": "a/index.html",
        "//a/b": "%~/a/b",
        "//": "%~/index.html",
    },
    "queries": {
        "/a": "a",
        "/a?": "a?",
        "/a?x=1&y=2": "a?x=1&y=2",
        "/a?y=2&x=1": "a?y=2&x=1",
        "/a?x?y": "a?x?y",
        "/b/?x": "b/?x",
        "/?x": "?x",
    },
    "escapes and dots that mean something": {
        "/a%2Fb": "a%2Fb",
        "/a/b": "a/b",
        "/a%3Fb": "a%3Fb",
        "/a?b": "a?b",
        "/%00": "%00",
        "/..%2F..%2Fetc%2Fpasswd": "..%2F..%2Fetc%2Fpasswd",
        "/...": "...",
        "/.hidden": ".hidden",
        "/d/.cachy/format": "d/.cachy/format",
        "/x?/../../y": "x?%~2F..%~2F..%~2Fy",
        "/A": "A",
    },
    "names that look invented": {
        "/%25~self": "%25~self",
        "/%25~": "%25~",
        "/q?%25~2F": "q?%25~2F",
        "/404": "404",
        "/302": "302",
    },
}


@pytest.mark.parametrize("targets", NAMES.values(), ids=NAMES.keys())
def test_names(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, targets: dict[str, str]
) -> None:
    """Different targets lie beside each other, each under the name of the design."""
    origin.handle(host, "*", echo)
    with Connection(shared_proxy, f"https://{host}/") as connection:
        for status in (STORED, HIT):
            for target in targets:
                reply = connection.fetch(f"https://{host}{target}")
                expected = f"https://{host}{target}".encode()
                assert (reply.body, reply.cache_status) == (expected, status), target
    assert [request.target for request in origin.requests] == list(targets)
    assert tree(shared_dir / host) == {
        path: f"https://{host}{target}".encode() for target, path in targets.items()
    }


def answers(root: str, path: str, status: int) -> bytes | str:
    """What lies in the tree for an answer that `route` gives."""
    if status == 200:
        return path.encode()
    return "-> 404" if status == 404 else f"-> 302 {root}/else"


@pytest.mark.parametrize("first", ["/p", "/p/x"])
@pytest.mark.parametrize(
    ("itself", "child"), [(200, 200), (200, 404), (404, 200), (404, 404), (302, 200), (200, 302)]
)
def test_file_and_folder(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    first: str,
    itself: int,
    child: int,
) -> None:
    """What is both file and folder lies at `%~self`, whichever came first, statuses too."""
    root = f"https://{host}"
    statuses = {"/p": itself, "/p/x": child}
    for path, status in statuses.items():
        location = [("Location", f"{root}/else")] if status == 302 else []
        origin.route(root + path, path.encode(), status, headers=FRESH + location)
    with Connection(shared_proxy, root) as connection:
        for cache_status in (STORED, HIT):
            for path in sorted(statuses, key=lambda path: path != first):
                reply = connection.fetch(root + path)
                assert (reply.status, reply.body) == (statuses[path], path.encode())
                assert reply.cache_status == cache_status
    assert tree(shared_dir / host) == {
        "p/%~self": answers(root, "/p", itself),
        "p/x": answers(root, "/p/x", child),
    }
    assert len(origin.requests) == 2


@pytest.mark.parametrize("order", [*itertools.permutations(["/a", "/a/b/c", "/a/"])])
def test_files_in_files(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, order: tuple[str, ...]
) -> None:
    """The same tree comes of every order, and every file in it still answers."""
    origin.handle(host, "*", echo)
    with Connection(shared_proxy, f"https://{host}/") as connection:
        for status in (STORED, HIT):
            for target in order:
                assert connection.fetch(f"https://{host}{target}").cache_status == status, target
    assert tree(shared_dir / host) == {
        path: f"https://{host}{target}".encode()
        for target, path in {
            "/a": "a/%~self",
            "/a/": "a/index.html",
            "/a/b/c": "a/b/c",
        }.items()
    }


LONG = "x" * 299
ESCAPED = "%C3%A9" * 60


@pytest.mark.parametrize(
    "targets",
    [
        [f"/{LONG}", f"/{LONG}1", f"/{LONG}2"],
        [f"/{LONG}1/f", f"/{LONG}2/f"],
        [f"/q?{LONG}1", f"/q?{LONG}2"],
        [f"/{ESCAPED}", f"/{ESCAPED}z"],
        [f"/{'x' * 256}"],
    ],
    ids=["name", "folder", "query", "escapes", "256"],
)
def test_long_segment(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, targets: list[str]
) -> None:
    """A segment over 255 bytes is cut and marked; URLs that differ behind the cut stay apart."""
    check_cut(shared_proxy, shared_dir, origin, host, targets)
    for name in (part for path in tree(shared_dir / host) for part in path.split("/")):
        if name != "f":
            assert len(name) <= 255 and re.fullmatch(r".*%~[0-9a-f]{8,}", name)
            kept = name.partition("%~")[0]
            assert len(kept) > 100 and targets[0].lstrip("/").startswith(kept)
            assert not re.search(r"%.?$", kept), "cut inside an escape"


def test_255_bytes_are_not_cut(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The longest name that file systems take is taken."""
    url = f"https://{host}/{'x' * 255}"
    origin.route(url, b"1")
    assert fetch(shared_proxy, url).cache_status == STORED
    assert list(tree(shared_dir / host)) == ["x" * 255]


def test_long_path(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """A path over PATH_MAX is cut; URLs that differ at its very end stay apart."""
    folders = "/d".join(["/" + "y" * 200] * 25)
    targets = [f"{folders}/1", f"{folders}/2", f"{folders}/"]
    check_cut(shared_proxy, shared_dir, origin, host, targets)
    for path in tree(shared_dir / host):
        assert len(str(shared_dir / host / path)) < 4096
        assert re.search(r"%~[0-9a-f]{8,}", path)


def check_cut(proxy: Proxy, root: Path, origin: Origin, host: str, targets: list[str]) -> None:
    """Every target has a file and metadata that tells the URL."""
    urls = [f"https://{host}{target}" for target in targets]
    for url in urls:
        origin.route(url, url.encode(), headers=FRESH)
    with Connection(proxy, urls[0]) as connection:
        for status in (STORED, HIT):
            for url in urls:
                reply = connection.fetch(url)
                assert (reply.body, reply.cache_status) == (url.encode(), status)
    assert sorted(tree(root / host).values()) == sorted(url.encode() for url in urls)
    records = [path.read_bytes() for path in (root / ".cachy").rglob("*") if path.is_file()]
    for url in urls:
        assert any(f'"{url}"'.encode() in record for record in records)
