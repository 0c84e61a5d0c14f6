"""Large bodies on their way past mitmproxy's layers: the same bytes, in whatever pieces, to whatever end."""

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cachy import addon_path
from support.client import Connection
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Handler, Reply
from support.short_way import WORD
from support.tree import temporary, tree, wait_until
from support.wire import Incomplete

MB = 1 << 20
BODY = Pattern(12 * MB + 7, seed=3)
SHORT_WAY = Path(__file__).parent / "support" / "short_way.py"
UVLOOP = "from cachy import loop\nloop.choose()\n"


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def proxy(
    request: pytest.FixtureRequest,
    start_shared_proxy: ProxyFactory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Proxy:
    """A proxy that tells what goes the short way, in either event loop."""
    folder = tmp_path_factory.mktemp("loop")
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
        (folder / "sitecustomize.py").write_text(UVLOOP)
    return start_shared_proxy(
        scripts=[Path(addon_path()), SHORT_WAY],
        options={"cachy_dir": str(folder / "cache")},
        env={"PYTHONPATH": str(folder)},
    )


@pytest.fixture
def pieces(proxy: Proxy) -> Iterator[Callable[[], int]]:
    """How many pieces have gone the short way in this test."""
    before = proxy.log().count(WORD)
    yield lambda: proxy.log().count(WORD) - before


def folder(proxy: Proxy) -> Path:
    """The tree."""
    return Path(str(proxy.settings.options["cachy_dir"]))


def sending(stop: int | None = None, *, cut: bool = False, odd: bool = False) -> Handler:
    """Sends the body up to a byte, and ends there in good order unless it cuts."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(length=BODY.size)
        at, dice = 0, random.Random(1)
        end = BODY.size if stop is None else stop
        while at < end:
            size = dice.choice([1, 999, 16_385, 70_001, 262_143]) if odd else 262_144
            await reply.send(BODY.slice(at, min(at + size, end)))
            at += size
        if cut:
            reply.abort()
        await reply.end()

    return handler


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("odd", [False, True])
def test_whole(
    proxy: Proxy,
    origin: Origin,
    host: str,
    pieces: Callable[[], int],
    scheme: str,
    odd: bool,
) -> None:
    """All of it arrives, is stored, and both connections are good for what follows."""
    names = ["a", "b"]
    for name in names:
        origin.handle(host, f"/{name}", sending(odd=odd), scheme=scheme)
    origin.route(f"{scheme}://{host}/c", b"small")
    with Connection(proxy, f"{scheme}://{host}/a") as client:
        for name in names:
            client.send_request(f"{scheme}://{host}/{name}")
            assert client.read_head().cache_status == "cachy; fwd=uri-miss; stored"
            assert client.digest_to_end() == (BODY.size, BODY.sha256)
        assert client.fetch(f"{scheme}://{host}/c").body == b"small"
        client.send_request()
        assert client.read_head().cache_status == "cachy; hit"
        assert client.digest_to_end() == (BODY.size, BODY.sha256)
    assert pieces() > 20
    urls = [f"{scheme}://{host}/{name}" for name in [*names, "c"]]
    assert len({origin.asked(url)[0].connection for url in urls}) == 1
    for name in names:
        assert tree(folder(proxy))[f"{host}/{name}"] == BODY.slice(0, BODY.size)


@pytest.mark.parametrize("cut", [False, True])
def test_cut(proxy: Proxy, origin: Origin, host: str, pieces: Callable[[], int], cut: bool) -> None:
    """Of a body that ends too soon the client gets what there was, and nothing is stored."""
    url = f"https://{host}/a"
    stop = 6 * MB + 1
    origin.handle(host, "/a", sending(stop, cut=cut))
    with Connection(proxy, url) as client:
        client.send_request()
        client.read_head()
        with pytest.raises(Incomplete) as error:
            client.read_to_end()
    found = error.value.partial
    assert found == BODY.slice(0, len(found))
    assert cut or len(found) == stop
    assert pieces() > 5
    assert f"{host}/a" not in tree(folder(proxy))
    wait_until(lambda: not temporary(folder(proxy)), what="the end of the file")
    origin.handle(host, "/a", sending())
    with Connection(proxy, url) as client:
        client.send_request()
        client.read_head()
        assert client.digest_to_end() == (BODY.size, BODY.sha256)


def test_slow_client(proxy: Proxy, origin: Origin, host: str, pieces: Callable[[], int]) -> None:
    """A client that stops for a while is served from the file, and others read along meanwhile."""
    url = f"https://{host}/a"
    origin.handle(host, "/a", sending())
    with Connection(proxy, url, rcvbuf=4096) as slow, Connection(proxy, url) as other:
        slow.send_request()
        slow.read_head()
        assert slow.read_exactly(1000) == BODY.slice(0, 1000)
        other.send_request()
        other.read_head()
        assert other.digest_to_end() == (BODY.size, BODY.sha256)
        assert pieces() > 10, "the fetch goes on while its client takes nothing"
        assert slow.read_to_end() == BODY.slice(1000, BODY.size)
    assert origin.count(url) == 1


def test_pauses(proxy: Proxy, origin: Origin, host: str, pieces: Callable[[], int]) -> None:
    """What has come is passed on at once, also where more takes its time."""
    url = f"https://{host}/a"
    gates = [origin.gate() for _ in range(3)]
    ends = [4 * MB, 4 * MB + 5, 8 * MB]

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(length=BODY.size)
        at = 0
        for gate, end in zip(gates, ends, strict=True):
            await reply.send(BODY.slice(at, end))
            at = end
            await gate.passed()
        await reply.send(BODY.slice(at, BODY.size))
        await reply.end()

    origin.handle(host, "/a", handler)
    with Connection(proxy, url, timeout=10) as client:
        client.send_request()
        client.read_head()
        at = 0
        for gate, end in zip(gates, ends, strict=True):
            assert client.read_exactly(end - at) == BODY.slice(at, end)
            at = end
            gate.open()
        assert client.read_to_end() == BODY.slice(at, BODY.size)
    assert pieces() > 10


def test_client_leaves(proxy: Proxy, origin: Origin, host: str, pieces: Callable[[], int]) -> None:
    """Who reads along gets all of it, though the client that had it fetched leaves in the middle."""
    url = f"https://{host}/a"
    gate = origin.gate()

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(length=BODY.size)
        await reply.send(BODY.slice(0, 5 * MB))
        await gate.passed()
        for at in range(5 * MB, BODY.size, MB):
            await reply.send(BODY.slice(at, min(at + MB, BODY.size)))
            await asyncio.sleep(0.01)
        await reply.end()

    origin.handle(host, "/a", handler)
    with Connection(proxy, url) as first, Connection(proxy, url) as other:
        first.send_request()
        first.read_head()
        assert first.read_exactly(4 * MB) == BODY.slice(0, 4 * MB)
        other.send_request()
        other.read_head()
        assert pieces() > 5
        first.close()
        gate.open()
        assert other.digest_to_end() == (BODY.size, BODY.sha256)
    assert origin.count(url) == 1


def test_many_at_once(proxy: Proxy, origin: Origin, host: str) -> None:
    """Several at a time don't get into each other's way."""
    names = [f"f{n}" for n in range(6)]
    for name in names:
        origin.handle(host, f"/{name}", sending(odd=True))

    def get(name: str) -> tuple[int, str]:
        with Connection(proxy, f"https://{host}/{name}", timeout=60) as client:
            client.send_request()
            client.read_head()
            return client.digest_to_end()

    with ThreadPoolExecutor() as pool:
        assert set(pool.map(get, names)) == {(BODY.size, BODY.sha256)}


def test_what_takes_the_long_way(
    proxy: Proxy, origin: Origin, host: str, pieces: Callable[[], int]
) -> None:
    """HTTP/2 and chunks are for mitmproxy's layers."""
    origin.handle(host, "/h2", sending())

    async def chunked(_: Request, reply: Reply) -> None:
        await reply.head(chunked=True)
        for chunk in BODY.chunks():
            await reply.send(chunk)
        await reply.end()

    origin.handle(host, "/chunked", chunked)
    with H2Client(proxy, f"https://{host}/h2") as client:
        assert client.fetch().body == BODY.slice(0, BODY.size)
    with Connection(proxy, f"https://{host}/chunked") as connection:
        connection.send_request()
        connection.read_head()
        assert connection.digest_to_end() == (BODY.size, BODY.sha256)
    assert pieces() == 0
