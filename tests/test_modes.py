"""cachy_mode: what is read from the tree, what goes upstream, and what is stored."""

import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.network import Network, Trouble
from support.origin import Origin
from support.proxy import Proxy
from support.tree import tree

WHEEL = "six-1.16.0-py2.py3-none-any.whl"
Proxies = dict[str, Proxy]


@pytest.fixture(scope="module")
def proxies(start_shared_proxy: ProxyFactory, shared_proxy: Proxy) -> Proxies:
    """One proxy for each mode, all over one tree."""
    modes = {m: start_shared_proxy(options={"cachy_mode": m}) for m in ("offline", "refresh")}
    return {"normal": shared_proxy, **modes}


def place(root: Path, path: str, data: bytes) -> Path:
    """Puts a person's file into the tree."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def test_normal_fetches_once(proxies: Proxies, origin: Origin, host: str) -> None:
    """What is stored is served, the rest is fetched."""
    url = f"https://{host}/a.bin"
    origin.route(url, b"1")
    replies = [fetch(proxies["normal"], url) for _ in range(2)]
    assert [r.cache_status for r in replies] == ["cachy; fwd=uri-miss; stored", "cachy; hit"]
    assert origin.count(url) == 1


def test_offline_hit_although_stale(proxies: Proxies, origin: Origin, host: str) -> None:
    """Offline serves what is stored, however old, and whatever the client asks."""
    url = f"https://{host}/simple/six/"
    origin.route(url, b"old", headers={"Cache-Control": "max-age=0"})
    fetch(proxies["normal"], url)
    reply = fetch(proxies["offline"], url, headers={"Cache-Control": "no-cache"})
    assert (reply.status, reply.body, reply.cache_status) == (200, b"old", "cachy; hit")
    assert origin.count(url) == 1


@pytest.mark.parametrize(
    ("scheme", "path"),
    [
        ("https", "/a/b.zip"),
        ("https", "/simple/it's here/?x=a/b"),
        ("http", "/$(id)/`x`;&"),
        ("https", "/" + "n" * 300),
    ],
)
def test_offline_miss_tells_how_to_fill_it(
    proxies: Proxies,
    shared_dir: Path,
    origin: Origin,
    tmp_path: Path,
    host: str,
    scheme: str,
    path: str,
) -> None:
    """A 403 at once names URL and path, and its command fills exactly that path."""
    url = f"{scheme}://{host}{path.replace(' ', '%20')}"
    with Connection(proxies["offline"], url) as client:
        started = time.monotonic()
        reply = client.fetch()
        assert time.monotonic() - started < 1
    assert (reply.status, reply.cache_status) == (403, "cachy; detail=offline-miss")
    assert (reply.header("content-type") or "").startswith("text/plain")
    text = reply.body.decode()
    command = next(line for line in text.splitlines() if "curl" in line)
    assert f"{scheme}://{host}/" in text
    assert not origin.accepted
    stub = tmp_path / "bin/curl"
    stub.parent.mkdir()
    log = tmp_path / "asked"
    # Writes to what follows -o, and notes the last word, the URL.
    stub.write_text(
        '#!/bin/sh\nfor last; do :; done\nprintf %s "$last" > "$LOG"\n'
        'while [ "$1" != -o ]; do shift; done\nprintf filled > "$2"\n'
    )
    stub.chmod(0o755)
    before = set(tree(shared_dir))
    env = os.environ | {"PATH": f"{stub.parent}:{os.environ['PATH']}", "LOG": str(log)}
    subprocess.run(["sh", "-ec", command], env=env, check=True, cwd=tmp_path, timeout=10)
    (made,) = set(tree(shared_dir)) - before
    assert str(shared_dir / made) in text
    assert str(shared_dir / made) in shlex.split(command)
    # What it would download is what was asked for, in some spelling.
    origin.route(log.read_text(), b"upstream")
    assert fetch(proxies["normal"], log.read_text()).body == b"filled"
    again = fetch(proxies["offline"], url)
    assert (again.status, again.body, again.cache_status) == (200, b"filled", "cachy; hit")
    assert not origin.requests


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_offline_sends_nothing(
    proxies: Proxies, origin: Origin, host: str, scheme: str, method: str
) -> None:
    """Other methods are refused too; not even a connection reaches the origin."""
    url = f"{scheme}://{host}/x"
    body = None if method in ("HEAD", "DELETE") else b"data"
    reply = fetch(proxies["offline"], url, method, body=body)
    assert reply.status == 403
    assert "offline" in reply.cache_status
    assert (origin.accepted, origin.requests) == (0, [])


def test_offline_placed_index_redirects(proxies: Proxies, shared_dir: Path, host: str) -> None:
    """`/x` leads to `/x/` where a person placed `x/index.html`, and there it is served."""
    place(shared_dir, f"{host}/x/index.html", b"<p>")
    reply = fetch(proxies["offline"], f"https://{host}/x")
    assert reply.status in (301, 302, 307, 308)
    assert reply.header("location") in (f"https://{host}/x/", "/x/")
    assert fetch(proxies["offline"], f"https://{host}/x/").body == b"<p>"


@pytest.mark.parametrize("name", ["a.bin", WHEEL])
def test_refresh_asks_first(proxies: Proxies, origin: Origin, host: str, name: str) -> None:
    """Refresh asks upstream, conditionally, also for what is named for good, and stores it."""
    url = f"https://{host}/{name}"
    answer = origin.route(url, b"1", etag='"1"', headers={"Cache-Control": "max-age=999"})
    fetch(proxies["normal"], url)
    reply = fetch(proxies["refresh"], url)
    assert (reply.body, reply.cache_status) == (b"1", "cachy; fwd=request; fwd-status=304")
    assert origin.asked(url)[-1].header("if-none-match") == '"1"'
    answer.body, answer.etag = b"2", '"2"'
    assert fetch(proxies["refresh"], url).body == b"2"
    assert fetch(proxies["normal"], url).body == b"2"
    assert origin.count(url) == 3


@pytest.mark.parametrize("trouble", ["refused", "noname", "500"])
def test_refresh_falls_back(
    proxies: Proxies, origin: Origin, network: Network, host: str, trouble: Trouble | str
) -> None:
    """Refresh serves what is stored when upstream is down or fails."""
    url = f"https://{host}/{WHEEL}"
    answer = origin.route(url, b"1")
    fetch(proxies["normal"], url)
    if trouble == "500":
        answer.status, answer.body = 500, b"sorry"
    else:
        network.down(host, "refused" if trouble == "refused" else "noname")
    reply = fetch(proxies["refresh"], url)
    assert (reply.status, reply.body) == (200, b"1")
    assert reply.cache_status == "cachy; hit; detail=stale-if-error"


def test_refresh_leaves_peoples_files(
    proxies: Proxies, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A person's file is never asked for nor replaced."""
    url = f"https://{host}/a"
    origin.route(url, b"upstream")
    file = place(shared_dir, f"{host}/a", b"mine")
    reply = fetch(proxies["refresh"], url)
    assert (reply.body, reply.cache_status) == (b"mine", "cachy; hit")
    assert (origin.count(url), file.read_bytes()) == (0, b"mine")


def test_off_reads_and_stores_nothing(
    start_shared_proxy: ProxyFactory, tmp_path: Path, origin: Origin, host: str
) -> None:
    """Off passes everything through, with the client's own fields, and leaves the tree alone."""
    root = tmp_path / "off"
    url = f"https://{host}/a"
    place(root, f"{host}/a", b"mine")
    origin.route(url, b"upstream", etag='"1"')
    origin.route(f"https://{host}/b", b"b")
    proxy = start_shared_proxy(options={"cachy_mode": "off"}, cachy_dir=root)
    try:
        reply = fetch(proxy, url)
        assert (reply.body, reply.cache_status) == (b"upstream", "cachy; fwd=bypass; detail=off")
        assert fetch(proxy, url, headers={"If-None-Match": '"1"'}).status == 304
        assert fetch(proxy, f"https://{host}/b", headers={"Range": "bytes=0-"}).body == b"b"
        assert origin.asked(f"https://{host}/b")[0].header("range") == "bytes=0-"
    finally:
        proxy.stop()
    assert tree(root) == {f"{host}/a": b"mine"}
