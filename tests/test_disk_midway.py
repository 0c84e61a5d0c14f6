"""The disk fails in the middle of a fetch, for each of those who have it fetched or read it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.disk import mounted
from support.factory import ProxyFactory
from support.gated import in_parts
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Reply
from support.tree import temporary, tree, wait_until

MB = 1 << 20
DAY = 86_400
#: Of a body, bytes that come at once.
FIRST = 100_000
PATTERN = Pattern(12 * MB, seed=1)
WHOLE = PATTERN.slice(0, PATTERN.size)


class Fetch(ExitStack):
    """A body that stops in the middle until it may go on, and clients who read it in all ways."""

    def __init__(self, proxy: Proxy, origin: Origin, host: str) -> None:
        super().__init__()
        self.proxy, self.origin, self.host = proxy, origin, host
        self.gate = origin.gate()
        for name in ("led", "ranged", "cdn"):
            origin.handle(f"{name}.{host}", "/a.zip", self.answer)
        there = [("Location", f"https://cdn.{host}/a.zip")]
        origin.route(f"https://moved.{host}/a.zip", b"", 302, there)
        self.clients: list[tuple[str, Connection, bytes]] = []

    async def answer(self, _: Request, reply: Reply) -> None:
        """As the origin."""
        await in_parts(reply, PATTERN, FIRST, self.gate)

    def begin(self) -> None:
        """Two clients each for a miss, for what a redirect leads to and for a range."""
        for name, span in (
            ("led", None),
            ("moved", None),
            ("ranged", (1000, 2000)),
            ("ranged", (7 * MB, 7 * MB + 1000)),
        ):
            for _ in range(2):
                url = f"https://{name}.{self.host}/a.zip"
                client = self.enter_context(Connection(self.proxy, url))
                fields = {} if span is None else {"Range": f"bytes={span[0]}-{span[1] - 1}"}
                client.send_request(headers=fields)
                reply = client.read_head()
                assert reply.status == (200 if span is None else 206), (name, reply)
                start, stop = span or (0, PATTERN.size)
                self.clients.append((f"{name} {span}", client, WHOLE[start:stop]))

    def go_on(self) -> None:
        """The rest comes, and all get what they asked for."""
        self.gate.open()
        with ThreadPoolExecutor(len(self.clients)) as pool:
            bodies = pool.map(lambda client: client[1].read_to_end(), self.clients)
            for body, (name, _, expected) in zip(bodies, self.clients, strict=True):
                assert body == expected, name
        self.close()
        for name in ("led", "ranged", "cdn"):
            assert self.origin.count(f"https://{name}.{self.host}/a.zip") == 1, name


def test_disk_full(start_proxy: ProxyFactory, small_disk: Path, origin: Origin, host: str) -> None:
    """Who leads, follows, asked for a range or for a redirect: each gets right bytes."""
    proxy = start_proxy(cachy_dir=small_disk)
    with Fetch(proxy, origin, host) as fetching:
        fetching.begin()
        fetching.go_on()
    assert tree(small_disk) == {}
    wait_until(lambda: not temporary(small_disk))
    wait_until(lambda: not proxy.open_files(small_disk))
    origin.route(f"https://{host}/small", b"small")
    for cache_status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        assert fetch(proxy, f"https://{host}/small").cache_status == cache_status


def test_disk_full_from_the_beginning(
    start_proxy: ProxyFactory, small_disk: Path, origin: Origin, host: str
) -> None:
    """Not even the file can be begun: right bytes all the same, the redirect itself where it is one."""
    proxy = start_proxy(cachy_dir=small_disk)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    fetching = Fetch(proxy, origin, host)
    fetching.gate.open()
    assert fetch(proxy, f"https://led.{host}/a.zip").body == WHOLE
    reply = fetch(proxy, f"https://ranged.{host}/a.zip", headers={"Range": "bytes=5-9"})
    assert reply.body in (WHOLE, WHOLE[5:10])
    reply = fetch(proxy, f"https://moved.{host}/a.zip")
    assert (reply.status, reply.body) == (200, WHOLE) or reply.status == 302
    filler.unlink()
    assert fetch(proxy, f"https://{host}/small").status == 418
    wait_until(lambda: not proxy.open_files(small_disk))


@pytest.mark.parametrize("made_anew", [False, True])
def test_folder_removed(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str, made_anew: bool
) -> None:
    """`rm -r` of the tree under those who read: they get the whole, and the next fetch is stored."""
    proxy = start_proxy()
    with Fetch(proxy, origin, host) as fetching:
        fetching.begin()
        shutil.rmtree(cachy_dir)
        if made_anew:
            cachy_dir.mkdir()
        fetching.go_on()
    wait_until(lambda: not proxy.open_files(cachy_dir))
    for cache_status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        reply = fetch(proxy, f"https://led.{host}/a.zip")
        assert (reply.cache_status, reply.body == WHOLE) == (cache_status, True)
    assert set(tree(cachy_dir).values()) == {WHOLE}
    wait_until(lambda: not temporary(cachy_dir))


def test_one_host_removed(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """`rm -r` of a host's folder while something for it comes: it is stored in a new one."""
    proxy = start_proxy()
    origin.route(f"https://led.{host}/b", b"b")
    fetch(proxy, f"https://led.{host}/b")
    with Fetch(proxy, origin, host) as fetching:
        fetching.begin()
        shutil.rmtree(cachy_dir / f"led.{host}")
        fetching.go_on()
    wait_until(lambda: len(tree(cachy_dir)) == 3)
    assert set(tree(cachy_dir).values()) == {WHOLE}


@pytest.fixture
def writable(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A file system of its own, and what makes it read-only (`ro`) and writable again (`rw`)."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=50m", "tmpfs") as place:

        def remount(how: str) -> None:
            command = ["mount", "-o", f"remount,{how}", str(place)]

            def done() -> bool:
                # Refused while a file is open for writing.
                return subprocess.run(command, check=False, capture_output=True).returncode == 0

            wait_until(done)

        yield place, remount


def test_read_only_for_a_while(
    start_proxy: ProxyFactory,
    writable: tuple[Path, Callable[[str], None]],
    origin: Origin,
    host: str,
) -> None:
    """What is there is served, also what is stale and was checked; the rest passes; then all is well."""
    place, remount = writable
    proxy = start_proxy(cachy_dir=place)
    stale = origin.route(
        f"https://{host}/s", b"old", 200, {"Cache-Control": "max-age=0"}, etag='"1"'
    )
    origin.route(f"https://{host}/a", b"stored")
    for name in "as":
        fetch(proxy, f"https://{host}/{name}")
    remount("ro")
    fetching = Fetch(proxy, origin, host)
    assert fetch(proxy, f"https://{host}/a").cache_status == "cachy; hit"
    assert fetch(proxy, f"https://{host}/s").body == b"old"
    stale.body, stale.etag = b"new", '"2"'
    assert fetch(proxy, f"https://{host}/s").body == b"new"
    fetching.gate.open()
    assert fetch(proxy, f"https://led.{host}/a.zip").body == WHOLE
    part = fetch(proxy, f"https://ranged.{host}/a.zip", headers={"Range": "bytes=5-9"})
    assert part.body in (WHOLE, WHOLE[5:10])
    assert set(tree(place).values()) == {b"stored", b"old"}
    remount("rw")
    for cache_status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        reply = fetch(proxy, f"https://led.{host}/a.zip")
        assert (reply.cache_status, reply.body == WHOLE) == (cache_status, True)
    assert fetch(proxy, f"https://{host}/s").body == b"new"
    assert tree(place)[f"{host}/s"] == b"new"
    wait_until(lambda: not proxy.open_files(place))


def shift_clock(root: Path, seconds: int) -> None:
    """As if all had been stored so much later."""

    def later(found: object) -> object:
        if isinstance(found, list):
            return [later(each) for each in found]
        if isinstance(found, dict):
            return {
                key: value + seconds * 1000
                if key in ("stored_at", "checked_at")
                else value + seconds * 10**9
                if key == "mtime_ns"
                else later(value)
                for key, value in found.items()
            }
        return found

    for record in (root / ".cachy/meta").rglob("*.json"):
        record.write_text(json.dumps(later(json.loads(record.read_text()))))
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and ".cachy" not in path.parts:
            stat = path.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + seconds * 10**9))


@pytest.mark.parametrize(
    ("target", "status", "headers"),
    [
        ("/a", 200, {"Cache-Control": "max-age=60"}),
        ("/a", 200, {"Cache-Control": "max-age=0"}),
        ("/a", 200, {"Cache-Control": "max-age=1, stale-while-revalidate=60"}),
        ("/simple/six/", 200, {}),
        ("/a", 404, {}),
        ("/a", 302, {"Location": "/b"}),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_clock_set_back(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    host: str,
    target: str,
    status: int,
    headers: dict[str, str],
    restart: bool,
) -> None:
    """What was stored in the future is checked, once; and it serves when upstream is away."""
    url = f"https://{host}{target}"
    answer = origin.route(url, b"old", status, headers)
    fetch(shared_proxy, url)
    shift_clock(shared_dir, DAY)
    if restart:
        shared_proxy.stop()
        shared_proxy.start()
    network.down(host)
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body) == (status, b"old")
    assert reply.cache_status == "cachy; hit; detail=stale-if-error"
    network.up()
    answer.body, answer.status, answer.headers = b"new", 200, []
    # Known as dead for ten seconds; another miss of the host tells that it lives.
    fetch(shared_proxy, f"https://{host}/alive")
    reply = fetch(shared_proxy, url)
    assert (reply.body, reply.cache_status) == (b"new", "cachy; fwd=stale; stored")
    assert fetch(shared_proxy, url).cache_status == "cachy; hit"


def test_files_of_tomorrow(shared_proxy: Proxy, shared_dir: Path, host: str) -> None:
    """A file of a person's whose time lies in the future gives no date that does."""
    (shared_dir / host).mkdir()
    file = shared_dir / host / "a"
    file.write_bytes(b"mine")
    tomorrow = time.time() + DAY
    os.utime(file, (tomorrow, tomorrow))
    reply = fetch(shared_proxy, f"https://{host}/a")
    assert reply.body == b"mine"
    modified = parsedate_to_datetime(reply.header("last-modified") or "")
    assert modified.timestamp() <= time.time()
    condition = {"If-None-Match": reply.header("etag") or "none"}
    assert fetch(shared_proxy, f"https://{host}/a", headers=condition).status == 304
