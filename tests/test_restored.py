"""A tree that was copied: with its `.cachy` it is still cachy's, without it people's files."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.client import Reply, fetch
from support.factory import ProxyFactory
from support.origin import Origin
from support.past import a_while_ago
from support.pattern import Pattern
from support.proxy import Proxy
from support.tree import tree

HIT = "cachy; hit"
CONFIRMED = "cachy; fwd=stale; fwd-status=304"
BIG = Pattern(3_000_000)
HOSTS = ["copied.example", "kept.example", "seconds.example", "old.example"]
NAMES = ["simple/x/", "file", "gone", "moved", "big"]


def route(origin: Origin, host: str) -> None:
    """Give the origin an index, a file, statuses and a large file."""
    root, no_cache = f"https://{host}", ("Cache-Control", "no-cache")
    mark = [("Content-Type", "text/x-special"), ("X-Mark", "7")]
    origin.route(f"{root}/simple/x/", b"<a>", headers=mark, etag='"i"')
    stated = [*mark, ("Cache-Control", "max-age=600")]
    origin.route(f"{root}/file", b"file", headers=stated, etag='"f"')
    origin.route(f"{root}/gone", b"no such thing", 404, headers=mark)
    origin.route(f"{root}/moved", b"over there", 301, headers=[*mark, ("Location", "else")])
    origin.route(f"{root}/big", BIG, headers=[*mark, no_cache], etag='"b"')


@pytest.fixture(scope="module")
def seed(
    start_shared_proxy: ProxyFactory,
    origin_server: Origin,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A tree with the same entries for every host, and no proxy on it."""
    root = tmp_path_factory.mktemp("seed") / "cache"
    proxy = start_shared_proxy(cachy_dir=root)
    for host in HOSTS:
        route(origin_server, host)
        for name in NAMES:
            assert fetch(proxy, f"https://{host}/{name}").cache_status.endswith("stored")
    proxy.stop()
    origin_server.clear()
    return root


@pytest.fixture(scope="module")
def restored(start_shared_proxy: ProxyFactory, seed: Path) -> tuple[Proxy, Path]:
    """A proxy on a copy made with `cp -r`, where every host's files have other times."""
    root = seed.with_name("copy")
    subprocess.run(["cp", "-r", seed, root], check=True)
    for old in seed.rglob("*"):
        host, time = old.relative_to(seed).parts[0], old.stat(follow_symlinks=False).st_mtime_ns
        new = {
            "kept.example": time,
            "seconds.example": time // 10**9 * 10**9,
            "old.example": 10**18 + 123_456_789,
        }.get(host)
        if new is not None and old.is_file():
            os.utime(root / old.relative_to(seed), ns=(new, new), follow_symlinks=False)
    a_while_ago(root)
    return start_shared_proxy(cachy_dir=root), root


def check_marks(reply: Reply) -> None:
    """The stored headers are there, as with no copy."""
    assert reply.header("content-type") == "text/x-special"
    assert reply.header("x-mark") == "7"


@pytest.mark.parametrize("host", HOSTS)
def test_with_metadata(restored: tuple[Proxy, Path], seed: Path, origin: Origin, host: str) -> None:
    """Whatever became of the times, it is cachy's: served with its headers, and revalidated."""
    proxy, root = restored
    route(origin, host)
    for name, etag, body in (("simple/x/", '"i"', b"<a>"), ("big", '"b"', BIG.slice(0, BIG.size))):
        reply = fetch(proxy, f"https://{host}/{name}")
        assert reply.cache_status == CONFIRMED
        assert (reply.body == body, reply.header("etag")) == (True, etag)
        check_marks(reply)
        assert origin.asked(f"https://{host}/{name}")[0].header("if-none-match") == etag
    for name, status, body in (("file", 200, b"file"), ("gone", 404, b"no such thing")):
        reply = fetch(proxy, f"https://{host}/{name}")
        assert (reply.status, reply.body, reply.cache_status) == (status, body, HIT)
        check_marks(reply)
    reply = fetch(proxy, f"https://{host}/moved")
    assert (reply.status, reply.body, reply.header("location")) == (301, b"over there", "else")
    assert reply.cache_status == HIT
    assert len(origin.requests) == 2
    assert tree(root / host) == tree(seed / host)


def test_entries_of_a_copy_are_replaced(restored: tuple[Proxy, Path], origin: Origin) -> None:
    """A copy's entry is no person's file: what the origin has new takes its place."""
    proxy, root = restored
    host = "moved.example"
    origin.route(f"https://{host}/simple/x/", b"1")
    fetch(proxy, f"https://{host}/simple/x/")
    a_while_ago(root)
    os.utime(root / host / "simple/x/index.html", (10**9, 10**9))
    origin.route(f"https://{host}/simple/x/", b"2")
    reply = fetch(proxy, f"https://{host}/simple/x/")
    assert (reply.body, reply.cache_status) == (b"2", "cachy; fwd=stale; stored")
    assert tree(root / host) == {"simple/x/index.html": b"2"}


@pytest.mark.parametrize("name", ["file", "big"])
def test_same_size_and_other_bytes(restored: tuple[Proxy, Path], origin: Origin, name: str) -> None:
    """One other byte at another time makes it a person's, however large it is."""
    proxy, root = restored
    host = f"changed-{name}.example"
    route(origin, host)
    url = f"https://{host}/{name}"
    fetch(proxy, url)
    path = root / host / name
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(body)
    os.utime(path, (10**9, 10**9))
    for headers in ({}, {"Cache-Control": "no-cache"}):
        reply = fetch(proxy, url, headers=headers)
        assert (reply.body == body, reply.cache_status) == (True, HIT)
        assert reply.header("etag") not in (None, '"f"', '"b"')
    assert origin.count(url) == 1
    assert path.read_bytes() == body


def test_without_metadata(
    start_proxy: ProxyFactory, seed: Path, origin: Origin, cachy_dir: Path
) -> None:
    """Without its `.cachy` the tree is people's: all of it is served, and nothing asked for."""
    host = HOSTS[0]
    shutil.copytree(seed, cachy_dir, symlinks=True, ignore=shutil.ignore_patterns(".cachy"))
    proxy = start_proxy()
    headers = {"Cache-Control": "no-cache"}
    for name, body in (("simple/x/", b"<a>"), ("file", b"file"), ("big", BIG.slice(0, BIG.size))):
        reply = fetch(proxy, f"https://{host}/{name}", headers=headers)
        assert (reply.status, reply.body == body, reply.cache_status) == (200, True, HIT)
        assert reply.header("etag") not in (None, '"i"', '"f"', '"b"')
        assert reply.header("x-mark") is None
    assert fetch(proxy, f"https://{host}/gone", headers=headers).status == 404
    reply = fetch(proxy, f"https://{host}/moved", headers=headers)
    assert (reply.status, reply.header("location")) == (301, f"https://{host}/else")
    assert origin.requests == []
    assert tree(cachy_dir) == tree(seed)
