"""Memory stays flat whatever the size of a body, and however slowly it is read."""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Reply
from support.tree import wait_until

MB = 1 << 20
LIMIT = 150_000
SMALL_URL = "https://small.example/s"
BIG = Pattern(300 * MB, seed=6)
BIG_URL = "https://big.example/big"


@dataclass
class Sending:
    """A handler of the origin that sends a large body, as far as it is taken."""

    body: Pattern
    headers: dict[str, str]
    replies: list[Reply] = field(default_factory=list)

    async def __call__(self, _: Request, reply: Reply) -> None:
        self.replies.append(reply)
        await reply.head(headers=self.headers, length=self.body.size)
        for chunk in self.body.chunks():
            await reply.send(chunk)
        await reply.end()


class Slow:
    """A client that asks, takes a little where HTTP/1.1 makes it, and then nothing for long."""

    def __init__(self, proxy: Proxy, url: str, http2: bool) -> None:
        self.h1: Connection | None = None
        if http2:
            self.h2 = H2Client(proxy, url, window=0, automatic=False, timeout=20)
            self.number = self.h2.send_request()
            self.status = self.h2.read_head(self.number).cache_status
        else:
            self.h1 = Connection(proxy, url, rcvbuf=4096, timeout=20)
            self.h1.send_request()
            self.status = self.h1.read_head().cache_status

    def read(self, size: int) -> bytes:
        """Goes on after all, for so many bytes."""
        if self.h1 is not None:
            return self.h1.read_exactly(size)
        self.h2.open_window(self.number, size)
        self.h2.pump(lambda: self.h2.streams[self.number].received >= size)
        return bytes(self.h2.streams[self.number].data[:size])

    def close(self) -> None:
        """Leaves."""
        (self.h1 or self.h2).close()


def is_quiet(proxy: Proxy) -> bool:
    """Whether a proxy does next to nothing for a while, spinning included."""

    def ticks() -> int:
        fields = Path(f"/proc/{proxy.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(0.3)
    return ticks() - before < 0.03 * os.sysconf("SC_CLK_TCK")


def file_digest(path: Path) -> tuple[int, str]:
    """Length and SHA-256 of a file."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def big_file(shared_dir: Path) -> Path:
    """Where the large body lies once it was fetched."""
    return shared_dir / "big.example/big"


@pytest.mark.timeout(120)
def test_large_body(shared_proxy: Proxy, origin: Origin, big_file: Path) -> None:
    """300 MB missed over HTTP/1.1, then hit over HTTP/1.1 and HTTP/2."""
    origin.route(BIG_URL, BIG, headers={"Cache-Control": "max-age=3600"})
    whole = (BIG.size, BIG.sha256)
    for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        with Connection(shared_proxy, BIG_URL, timeout=30) as client:
            client.send_request()
            assert client.read_head().cache_status == status
            assert client.digest_to_end() == whole
        if status != "cachy; hit":
            wait_until(big_file.exists)
            assert file_digest(big_file) == whole
    with H2Client(shared_proxy, BIG_URL, window=1 << 24, timeout=30) as h2_client:
        number = h2_client.send_request()
        assert h2_client.read_head(number).cache_status == "cachy; hit"
        length, found = 0, hashlib.sha256()
        while piece := h2_client.read(number, 1 << 24):
            length += len(piece)
            found.update(piece)
        assert (length, found.hexdigest()) == whole
    assert origin.count(BIG_URL) == 1
    assert shared_proxy.peak_rss_kb() < LIMIT


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("what", ["hit", "miss", "no-store"])
def test_client_that_reads_nothing(
    shared_proxy: Proxy,
    shared_dir: Path,
    big_file: Path,
    origin: Origin,
    host: str,
    what: str,
    http2: bool,
) -> None:
    """It costs no memory and nobody's time; a miss is stored all the same, and it may go on."""
    origin.route(SMALL_URL, b"small")
    url, body, status = BIG_URL, BIG, "cachy; hit"
    if what == "hit":
        assert big_file.exists(), "test_large_body goes before"
    else:
        url, body = f"https://{host}/big", Pattern(200 * MB, seed=2)
        status = "cachy; fwd=uri-miss; stored"
        if what == "no-store":
            status = "cachy; fwd=uri-miss; detail=no-store"
    sending = Sending(body, {"Cache-Control": "no-store"} if what == "no-store" else {})
    origin.handle(host, "/big", sending)
    client = Slow(shared_proxy, url, http2)
    try:
        assert client.status == status
        assert fetch(shared_proxy, SMALL_URL, timeout=2).body == b"small"
        if what == "miss":
            stored = shared_dir / host / "big"
            wait_until(stored.exists, 10, "the entry in the tree")
            assert file_digest(stored) == (body.size, body.sha256)
            assert fetch(shared_proxy, url, headers={"Range": "bytes=-3"}).status == 206
        wait_until(lambda: is_quiet(shared_proxy))
        if what == "no-store":
            assert sending.replies[0].sent < 60 * MB
        assert fetch(shared_proxy, SMALL_URL, timeout=2).body == b"small"
        assert client.read(20 * MB) == body.slice(0, 20 * MB)
        assert shared_proxy.peak_rss_kb() < LIMIT
    finally:
        client.close()
    assert origin.count(url) == (0 if what == "hit" else 1)


def test_many_clients_of_one_body(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A range behind which all of it is fetched, two that stall and two that read: one request."""
    url, body = f"https://{host}/big", Pattern(200 * MB, seed=3)
    origin.handle(host, "/big", Sending(body, {}))
    reply = fetch(shared_proxy, url, headers={"Range": "bytes=5-9"})
    assert (reply.status, reply.body) == (206, body.slice(5, 10))
    stalled = [Slow(shared_proxy, url, http2) for http2 in (False, True)]

    def read(_: int) -> tuple[int, str]:
        with Connection(shared_proxy, url, timeout=30) as client:
            client.send_request()
            client.read_head()
            return client.digest_to_end()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(read, range(2))) == [(body.size, body.sha256)] * 2
    for client in stalled:
        client.close()
    wait_until((shared_dir / host / "big").exists)
    assert file_digest(shared_dir / host / "big") == (body.size, body.sha256)
    assert origin.count(url) == 1
    assert shared_proxy.peak_rss_kb() < LIMIT


def test_connections_that_have_ended(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Nothing of a connection stays once it has ended, not even for the deadlines of its fetch."""

    def miss(number: int) -> None:
        url = f"https://{host}/{number}"
        origin.route(url, b"small")
        assert "uri-miss" in fetch(shared_proxy, url).cache_status

    for number in range(20):
        miss(number)
    before = shared_proxy.rss_kb()
    for number in range(20, 170):
        miss(number)
    assert shared_proxy.rss_kb() - before < 12_000
