"""One fetch for everybody: whoever asks for what is being fetched reads along while it grows."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.gated import before_head, hang_up, in_two
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Reply
from support.tree import temporary, tree, wait_until

MB = 1 << 20
STORED = "cachy; fwd=uri-miss; stored"
COLLAPSED = "cachy; fwd=uri-miss; collapsed"


def test_thirteen_clients(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """4 MB that take two seconds, thirteen clients over both versions of HTTP, one request."""
    url = f"https://{host}/a.bin"
    pattern = Pattern(4 * MB, seed=1)
    steps = 8

    async def slowly(_: Request, reply: Reply) -> None:
        await reply.head(length=pattern.size)
        for step in range(steps):
            for chunk in pattern.chunks(step * MB // 2, (step + 1) * MB // 2):
                await reply.send(chunk)
            await asyncio.sleep(2 / steps)
        await reply.end()

    origin.handle(host, "/a.bin", slowly)
    firsts, digests, statuses = [], [], []
    ready = threading.Barrier(13)

    def client(number: int) -> None:
        if number % 3 == 0:
            with H2Client(shared_proxy, url) as h2:
                ready.wait(10)
                stream = h2.send_request()
                statuses.append(h2.read_head(stream).cache_status)
                body = h2.read(stream, 1)
                firsts.append(time.monotonic())
                body += h2.read_to_end(stream)
        else:
            with Connection(shared_proxy, url) as h1:
                ready.wait(10)
                h1.send_request()
                statuses.append(h1.read_head().cache_status)
                body = h1.read(1)
                firsts.append(time.monotonic())
                body += h1.read_to_end()
        digests.append(body == pattern.slice(0, pattern.size))

    with ThreadPoolExecutor(13) as pool:
        for future in [pool.submit(client, n) for n in range(13)]:
            future.result()
    assert digests == [True] * 13
    assert origin.count(url) == 1
    assert sorted(statuses) == [COLLAPSED] * 12 + [STORED]
    # Long before the body is whole, which takes two seconds.
    assert max(firsts) - origin.asked(url)[0].time < 1
    assert fetch(shared_proxy, url).cache_status == "cachy; hit"
    assert not temporary(shared_dir)


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_stalled_first_client(shared_proxy: Proxy, origin: Origin, host: str, http2: bool) -> None:
    """A first client that takes nothing holds nobody up, nor the store."""
    url = f"https://{host}/a.bin"
    pattern = Pattern(20 * MB, seed=2)
    origin.route(url, pattern)
    first: Connection | H2Client
    if http2:
        first = H2Client(shared_proxy, url, window=1000, automatic=False)
    else:
        first = Connection(shared_proxy, url, rcvbuf=4096)
    with first:
        first.send_request()
        wait_until(lambda: origin.count(url) == 1)
        reply = fetch(shared_proxy, url)
        assert reply.body == pattern.slice(0, pattern.size)
        assert origin.count(url) == 1


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("chunked", [False, True])
def test_first_client_leaves(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, http2: bool, chunked: bool
) -> None:
    """In the middle of the body: the others get all of it, and it is stored, with one request."""
    url = f"https://{host}/a.bin"
    pattern = Pattern(3 * MB, seed=3)
    handler, go_on = in_two(origin, pattern, 1 * MB, chunked=chunked)
    origin.handle(host, "/a.bin", handler)
    first: Connection | H2Client = (H2Client if http2 else Connection)(shared_proxy, url)
    if isinstance(first, H2Client):
        number = first.send_request()
        assert first.read(number, 1) == pattern.slice(0, 1)
    else:
        first.send_request()
        assert first.read_head().cache_status == STORED
        first.read_exactly(1)
    with Connection(shared_proxy, url) as second, Connection(shared_proxy, url) as third:
        for other in (second, third):
            other.send_request()
            assert other.read_head().cache_status == COLLAPSED
            assert other.read_exactly(1000) == pattern.slice(0, 1000)
        # Over HTTP/2 the connection may live on, and only the request is given up.
        if isinstance(first, H2Client) and chunked:
            first.reset(number)
        else:
            first.close()
        third.close()
        fetch(shared_proxy, f"https://{host}/other")
        go_on()
        assert second.read_to_end() == pattern.slice(1000, pattern.size)
    first.close()
    assert origin.count(url) == 1
    assert tree(shared_dir)[f"{host}/a.bin"] == pattern.slice(0, pattern.size)
    assert not temporary(shared_dir)


def test_first_client_leaves_before_the_head(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """Those who wait get what it asked for."""
    url = f"https://{host}/a.bin"
    handler, go_on = before_head(origin, origin.route(url, b"body"))
    origin.handle(host, "/a.bin", handler, scheme="https")
    first, second = Connection(shared_proxy, url), Connection(shared_proxy, url)
    with second:
        first.send_request()
        wait_until(lambda: origin.count(url) == 1)
        second.send_request()
        # Answered after the second was read, which stood in line before it.
        fetch(shared_proxy, f"https://{host}/other")
        first.close()
        fetch(shared_proxy, f"https://{host}/other")
        go_on()
        reply = second.read_head()
        assert (reply.cache_status, second.read_to_end()) == (COLLAPSED, b"body")
    assert origin.count(url) == 1
    assert tree(shared_dir)[f"{host}/a.bin"] == b"body"


def test_alone_and_much_is_missing(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The last of all clients leaves, one after the other: upstream is given up."""
    url = f"https://{host}/a.bin"
    pattern = Pattern(40 * MB, seed=4)
    handler, go_on = in_two(origin, pattern, 2 * MB)
    origin.handle(host, "/a.bin", handler)
    first, second = Connection(shared_proxy, url), Connection(shared_proxy, url)
    for client in (first, second):
        client.send_request()
        client.read_head()
        client.read_exactly(MB)
    assert len(temporary(shared_dir)) == 1
    first.close()
    assert second.read_exactly(1000) == pattern.slice(MB, MB + 1000)
    second.close()
    wait_until(lambda: not temporary(shared_dir), what="letting go")
    wait_until(lambda: f"server disconnect {host}:443" in shared_proxy.log())
    go_on()
    assert f"{host}/a.bin" not in tree(shared_dir)


def test_alone_and_little_is_missing(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The only client leaves shortly before the end: the rest is fetched, and all of it stored."""
    url = f"https://{host}/a.bin"
    pattern = Pattern(3 * MB, seed=5)
    handler, go_on = in_two(origin, pattern, pattern.size - 1000)
    origin.handle(host, "/a.bin", handler)
    with Connection(shared_proxy, url) as client:
        client.send_request()
        client.read_head()
        client.read_exactly(pattern.size - 1000)
    go_on()
    wait_until(lambda: f"{host}/a.bin" in tree(shared_dir))
    assert tree(shared_dir)[f"{host}/a.bin"] == pattern.slice(0, pattern.size)
    assert fetch(shared_proxy, url).cache_status == "cachy; hit"


@pytest.mark.parametrize("chunked", [False, True])
def test_upstream_fails_in_the_middle(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, chunked: bool
) -> None:
    """Each client gets an error, nothing is stored, and the next request fetches again."""
    url = f"https://{host}/a.bin"
    gate = origin.gate()

    async def cut(_: Request, reply: Reply) -> None:
        await reply.head(length=None if chunked else 1000, chunked=chunked)
        await reply.send(b"x" * 500)
        await gate.passed()
        reply.abort()

    origin.handle(host, "/a.bin", cut, scheme="https")
    clients = [Connection(shared_proxy, url) for _ in range(3)]
    with H2Client(shared_proxy, url) as h2:
        for client in clients:
            client.send_request()
            client.read_head()
            client.read_exactly(500)
        number = h2.send_request()
        h2.read_head(number)
        gate.open()
        for client in clients:
            with pytest.raises((Incomplete, ConnectionError)):
                client.read_to_end()
            client.close()
        with pytest.raises(Incomplete):
            h2.read_to_end(number)
    assert origin.count(url) == 1
    assert f"{host}/a.bin" not in tree(shared_dir) and not temporary(shared_dir)
    origin.route(url, b"whole")
    assert fetch(shared_proxy, url).body == b"whole"


@pytest.mark.parametrize(
    ("status", "headers"),
    [(200, {"Cache-Control": "no-store"}), (503, {}), (401, {}), (200, {"Vary": "*"})],
)
def test_not_storable(
    shared_proxy: Proxy, origin: Origin, host: str, status: int, headers: dict[str, str]
) -> None:
    """Once the head says so, each fetches for itself, all of them at once."""
    url = f"https://{host}/a.bin"
    count = 4
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        if origin.count(url) == 1:
            await gate.passed()
        elif origin.count(url) < count:
            # None of these waits for another.
            while origin.count(url) < count:
                await asyncio.sleep(0.01)
        body = b"for %d" % request.connection
        await reply.head(status, headers, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "/a.bin", handler, scheme="https")
    clients = [Connection(shared_proxy, url) for _ in range(count)]
    clients[0].send_request()
    wait_until(lambda: origin.count(url) == 1)
    for client in clients[1:]:
        client.send_request()
    fetch(shared_proxy, f"https://{host}/other")
    assert origin.count(url) == 1
    gate.open()
    bodies = set()
    for client in clients:
        assert client.read_head().status == status
        bodies.add(client.read_to_end())
        client.close()
    assert len(bodies) == count


def test_statuses_are_shared(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A 404 and a redirect are fetched once for all who wait."""
    for status, name in ((404, "gone"), (302, "moved")):
        url = f"https://{host}/{name}"
        headers = {"Location": "/there"} if status == 302 else {}
        handler, go_on = before_head(origin, origin.route(url, b"text", status, headers))
        origin.handle(host, f"/{name}", handler, scheme="https")
        clients = [Connection(shared_proxy, url) for _ in range(3)]
        for client in clients:
            client.send_request()
        fetch(shared_proxy, f"https://{host}/other")
        go_on()
        replies = [client.read_head() for client in clients]
        assert {reply.status for reply in replies} == {status}
        assert sorted(reply.cache_status for reply in replies) == [COLLAPSED] * 2 + [STORED]
        assert [client.read_to_end() for client in clients] == [b"text"] * 3
        assert origin.count(url) == 1
        for client in clients:
            client.close()
    assert tree(shared_dir / host)["gone"] == "-> 404"


def test_two_variants_are_two_flights(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A Python index as JSON and as HTML at once: two requests, and neither waits for the other."""
    url = f"https://{host}/simple/six/"
    kinds = {"application/vnd.pypi.simple.v1+json": b"{}", "text/html": b"<a>"}
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        while origin.count(url) < 2:
            await asyncio.sleep(0.01)
        await gate.passed()
        accept = request.header("accept") or ""
        await reply.head(headers={"Content-Type": accept}, length=len(kinds[accept]))
        await reply.send(kinds[accept])
        await reply.end()

    origin.handle(host, "/simple/six/", handler)
    clients = [(Connection(shared_proxy, url), kind) for kind in [*kinds, *kinds]]
    for client, kind in clients:
        client.send_request(headers={"Accept": kind})
    wait_until(lambda: origin.count(url) == 2)
    fetch(shared_proxy, f"https://{host}/other")
    gate.open()
    for client, kind in clients:
        assert client.read_head().header("content-type") == kind
        assert client.read_to_end() == kinds[kind]
        client.close()
    assert origin.count(url) == 2
    assert set(tree(shared_dir / host / "simple/six").values()) == set(kinds.values())


def test_variants_that_the_head_tells(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Who waits for another variant, as the head's Vary tells, fetches its own."""
    url = f"https://{host}/a"
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        if origin.count(url) == 1:
            await gate.passed()
        body = (request.header("accept-language") or "").encode()
        await reply.head(headers={"Vary": "Accept-Language"}, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "/a", handler)
    clients = [(Connection(shared_proxy, url), lang) for lang in ("de", "fr", "de", "fr")]
    for client, lang in clients:
        client.send_request(headers={"Accept-Language": lang})
        wait_until(lambda: origin.count(url) == 1)
    fetch(shared_proxy, f"https://{host}/other")
    gate.open()
    for client, lang in clients:
        client.read_head()
        assert client.read_to_end() == lang.encode()
        client.close()
    assert origin.count(url) == 2


def test_who_comes_late(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """A range, a condition and HTTP/1.0 are answered from what has arrived."""
    url = f"https://{host}/a.bin"
    pattern = Pattern(2 * MB, seed=6)
    handler, go_on = in_two(origin, pattern, MB, headers={"ETag": '"1"'})
    origin.handle(host, "/a.bin", handler)
    with Connection(shared_proxy, url) as first:
        first.send_request()
        first.read_head()
        first.read_exactly(MB)
        part = fetch(shared_proxy, url, headers={"Range": "bytes=1000-1999"})
        assert (part.status, part.body) == (206, pattern.slice(1000, 2000))
        assert part.header("content-range") == f"bytes 1000-1999/{pattern.size}"
        assert part.cache_status == COLLAPSED
        several = fetch(shared_proxy, url, headers={"Range": "bytes=0-0,5-6"})
        assert several.status == 206
        assert (several.header("content-type") or "").startswith("multipart/byteranges")
        assert pattern.slice(5, 7) in several.body
        assert fetch(shared_proxy, url, headers={"If-None-Match": '"1"'}).status == 304
        assert fetch(shared_proxy, url, headers={"If-Match": '"2"'}).status == 412
        beyond = fetch(shared_proxy, url, headers={"Range": f"bytes={pattern.size}-"})
        assert (beyond.status, beyond.header("content-range")) == (416, f"bytes */{pattern.size}")
        with Connection(shared_proxy, url) as tail, Connection(shared_proxy, url) as old:
            tail.send_request(headers={"Range": "bytes=-10"})
            old.send_raw(f"GET /a.bin HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            old.read_head()
            assert tail.read_head().status == 206
            go_on()
            assert tail.read_to_end() == pattern.slice(pattern.size - 10, pattern.size)
            assert old.read_to_end() == pattern.slice(0, pattern.size)
        assert first.read_to_end() == pattern.slice(MB, pattern.size)
    assert origin.count(url) == 1


def test_upstream_fails_before_the_head(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Who asked gets the error, and the others ask in their turn: each twice, and none for another."""
    url = f"https://{host}/a.bin"
    handler, go_on = before_head(origin, hang_up)
    origin.handle(host, "/a.bin", handler)
    clients = [Connection(shared_proxy, url) for _ in range(3)]
    for client in clients:
        client.send_request()
    fetch(shared_proxy, f"https://{host}.other/")
    go_on()
    for client in clients:
        reply = client.read_head()
        assert (reply.status, url in client.read_to_end().decode()) == (502, True)
        client.close()
    assert origin.count(url) == 6


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_gives_up_while_it_connects(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str, http2: bool
) -> None:
    """A client that leaves before there is a connection leaves nothing that the next waits for."""
    url = f"https://{host}/a.bin"
    network.down(host, "nodns")
    client: Connection | H2Client = (H2Client if http2 else Connection)(shared_proxy, url)
    client.send_request()
    fetch(shared_proxy, f"https://{host}.other/")
    client.close()
    fetch(shared_proxy, f"https://{host}.other/")
    network.up(host)
    origin.route(url, b"body")
    assert fetch(shared_proxy, url).body == b"body"


def test_full_disk(start_proxy: ProxyFactory, small_disk: Path, origin: Origin, host: str) -> None:
    """The disk fills up under a body that three clients read: all three get the whole."""
    proxy = start_proxy(cachy_dir=small_disk)
    url = f"https://{host}/a.bin"
    pattern = Pattern(12 * MB, seed=7)
    handler, go_on = in_two(origin, pattern, MB)
    origin.handle(host, "/a.bin", handler)
    clients = [Connection(proxy, url) for _ in range(3)]
    for client in clients:
        client.send_request()
        client.read_head()
        assert client.read_exactly(1000) == pattern.slice(0, 1000)
    go_on()
    with ThreadPoolExecutor(3) as pool:
        for body in pool.map(Connection.read_to_end, clients):
            assert body == pattern.slice(1000, pattern.size)
    for client in clients:
        client.close()
    assert origin.count(url) == 1
    assert tree(small_disk) == {}
