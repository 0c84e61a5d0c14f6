"""The disk fails, or people have their hands in the tree: the build goes on with right bytes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.disk import mounted
from support.factory import ProxyFactory
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree, wait_until

MB = 1 << 20


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody writes to, with a file of a person."""
    source = tmp_path / "source"
    (source / "placed.example").mkdir(parents=True)
    (source / "placed.example/a").write_bytes(b"mine")
    with mounted(tmp_path / "ro", "--bind", "-o", "ro", str(source)) as place:
        remount = ["mount", "-o", "remount,bind,ro", str(place)]
        subprocess.run(remount, check=True, capture_output=True)
        yield place


def complaints(proxy: Proxy) -> list[str]:
    """Lines of the log that are about the tree."""
    words = ("cannot ", "no space", "read-only", "Traceback", "rror")
    return [li for li in proxy.log().splitlines() if any(w in li for w in words)]


def several(proxy: Proxy, origin: Origin, host: str) -> None:
    """Many requests, each of which is answered rightly from upstream."""
    for n in range(8):
        url = f"https://{host}/{n}"
        body = b"%d" % n * 200_000
        origin.route(url, body)
        for _ in range(2):
            reply = fetch(proxy, url)
            assert (reply.status, reply.body == body) == (200, True)
        assert origin.count(url) == 2
    assert proxy.running


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_folder_that_cannot_be_made(start_proxy: ProxyFactory, origin: Origin, host: str) -> None:
    """One line in the log names it; everything passes."""
    proxy = start_proxy(cachy_dir=Path("/proc/cachy/tree"))
    several(proxy, origin, host)
    (line,) = complaints(proxy)
    assert "/proc/cachy" in line


def test_read_only(start_proxy: ProxyFactory, read_only: Path, origin: Origin, host: str) -> None:
    """What lies there is served, the rest passes, and one line says so."""
    proxy = start_proxy(cachy_dir=read_only)
    several(proxy, origin, host)
    assert fetch(proxy, "https://placed.example/a").body == b"mine"
    reason = fetch(proxy, f"https://{host}/0").cache_status
    assert reason == "cachy; fwd=uri-miss; detail=store-error"
    (line,) = complaints(proxy)
    assert str(read_only) in line and "ead-only" in line
    assert tree(read_only) == {"placed.example/a": b"mine"}


def test_disk_full(start_proxy: ProxyFactory, small_disk: Path, origin: Origin, host: str) -> None:
    """A body that doesn't fit passes whole in flat memory; one that fits later is stored."""
    proxy = start_proxy(cachy_dir=small_disk)
    pattern = Pattern(30 * MB)
    for n in range(3):
        origin.route(f"https://{host}/{n}.bin", pattern)
        with Connection(proxy, f"https://{host}/{n}.bin") as client:
            client.send_request()
            assert client.read_head().status == 200
            assert client.digest_to_end() == (pattern.size, pattern.sha256)
    assert tree(small_disk) == {}
    wait_until(lambda: not list((small_disk / ".cachy/tmp").iterdir()))
    (line,) = complaints(proxy)
    assert str(small_disk) in line and "space" in line
    origin.route(f"https://{host}/s", b"small")
    fetch(proxy, f"https://{host}/s")
    assert tree(small_disk) == {f"{host}/s": b"small"}
    assert fetch(proxy, f"https://{host}/s").cache_status == "cachy; hit"


@pytest.mark.parametrize("missing", [False, True])
def test_folder_removed_meanwhile(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str, missing: bool
) -> None:
    """`rm -r` of the tree under the proxy means fetching again; it is made anew, or passed by."""
    proxy = start_proxy()
    url = f"https://{host}/a"
    origin.route(url, b"1")
    fetch(proxy, url)
    shutil.rmtree(cachy_dir)
    if missing:
        cachy_dir.write_text("in the way")
    assert fetch(proxy, url).body == b"1"
    assert fetch(proxy, url).body == b"1"
    assert origin.count(url) >= 2
    if missing:
        assert cachy_dir.read_text() == "in the way"
        assert len(complaints(proxy)) == 1
    else:
        assert tree(cachy_dir) == {f"{host}/a": b"1"}
        assert (cachy_dir / ".cachy/format").exists()
        assert fetch(proxy, url).cache_status == "cachy; hit"
        # One who copies the tree relies on it.
        assert complaints(proxy) == []


def test_file_truncated_while_served(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """It costs the client that reads it, who notices; the proxy lives and serves the new bytes."""
    (shared_dir / host).mkdir(parents=True)
    file = shared_dir / host / "big"
    file.write_bytes(Pattern(60 * MB).slice(0, 60 * MB))
    url = f"https://{host}/big"
    with Connection(shared_proxy, url, rcvbuf=65536) as client:
        client.send_request()
        assert client.read_head().header("content-length") == str(60 * MB)
        client.read_exactly(MB)
        os.truncate(file, 10)
        with pytest.raises((Incomplete, ConnectionError)):
            client.read_to_end()
    assert shared_proxy.running
    assert fetch(shared_proxy, url).body == Pattern(10).slice(0, 10)


def test_killed_while_busy(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """After SIGKILL nothing is torn, nothing passes for a person's, and nothing is left over."""
    proxy = start_proxy()
    gate = origin.gate()
    whole = b"x" * 300_000

    async def slowly(_: Request, reply: Reply) -> None:
        await reply.head(length=len(whole))
        await reply.send(whole[: len(whole) // 2])
        await gate.passed()
        await reply.send(whole[len(whole) // 2 :])
        await reply.end()

    old = origin.route(f"https://{host}/old", b"old", 200, {"Cache-Control": "max-age=0"})
    fetch(proxy, f"https://{host}/old")
    origin.handle(host, "/old", slowly, scheme="https")
    origin.handle(host, "/new", slowly, scheme="https")
    clients = [Connection(proxy, f"https://{host}/{name}") for name in ("old", "new")]
    for client in clients:
        client.send_request()
        client.read_head()
        client.read_exactly(1000)
    # Others are being committed at that very moment.
    for n in range(30):
        origin.route(f"https://{host}/n{n}.bin", whole)
    busy = Connection(proxy, f"https://{host}/n0.bin")
    for n in range(30):
        busy.send_request(f"https://{host}/n{n}.bin")
    wait_until(lambda: (cachy_dir / host / "n5.bin").exists())
    proxy.kill()
    assert len(list((cachy_dir / ".cachy/tmp").iterdir())) >= 2
    for each in (*clients, busy):
        each.close()
    found = tree(cachy_dir)
    assert found.pop(f"{host}/old") == b"old"
    assert set(found.values()) == {whole}
    proxy.start()
    assert list((cachy_dir / ".cachy/tmp").iterdir()) == []
    del old
    origin.route(f"https://{host}/old", b"renewed")
    origin.route(f"https://{host}/new", b"new")
    asked = {u: origin.count(u) for u in (f"https://{host}/old", f"https://{host}/new")}
    assert fetch(proxy, f"https://{host}/old").body == b"renewed"
    assert fetch(proxy, f"https://{host}/new").body == b"new"
    assert all(origin.count(u) == n + 1 for u, n in asked.items())
    for name in found:
        # Cachy's own, not a person's: a check is made when the client asks for one.
        reply = fetch(proxy, f"https://{name}", headers={"Cache-Control": "no-cache"})
        assert (reply.body == whole, "fwd=request" in reply.cache_status) == (True, True)
