"""Requests in a row on one connection are answered in order, however the origin keeps its own."""

import time

import pytest

from support.client import Connection, fetch
from support.message import Request
from support.network import Network, Trouble
from support.origin import Origin
from support.origin_h1 import Http1Reply
from support.proxy import Proxy
from support.reply import Reply

#: How an origin ends its answers, and what it does with the connection behind them.
ENDINGS = [
    "keeps",
    "says-close",
    "closes-silently",
    "closes-when-asked-again",
    "resets-when-asked-again",
    "no-length",
    "1.0",
    "1.0-no-length",
    "1.0-keep-alive",
    "1.0-keep-alive-but-closes",
]
HITS = (0, 3, 4, 8)


def body_of(target: str) -> bytes:
    """What the origin answers."""
    return f"body of {target}".encode() * (40_000 if target == "/file5" else 1)


def serve(origin: Origin, host: str, ending: str) -> None:
    """Has the origin answer everything, with such endings."""
    seen: set[int] = set()

    async def handler(request: Request, reply: Reply) -> None:
        assert isinstance(reply, Http1Reply)
        again = request.connection in seen
        seen.add(request.connection)
        if again and ending == "closes-when-asked-again":
            return
        if again and ending == "resets-when-asked-again":
            reply.abort()
            return
        body = body_of(request.target)
        version = "1.0" if ending.startswith("1.0") else "1.1"
        fields = [f"HTTP/{version} 200 OK"]
        if not ending.endswith("no-length"):
            fields.append(f"Content-Length: {len(body)}")
        if ending == "says-close":
            fields.append("Connection: close")
        if "keep-alive" in ending:
            fields += ["Connection: Keep-Alive", "Keep-Alive: timeout=5, max=100"]
        if request.method == "HEAD":
            body = b""
        await reply.raw("\r\n".join([*fields, "", ""]).encode() + body)
        reply.close_after = ending not in (
            "keeps",
            "closes-when-asked-again",
            "resets-when-asked-again",
            "1.0-keep-alive",
        )

    origin.handle(host, "*", handler)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_pipelining(
    shared_proxy: Proxy, origin: Origin, host: str, scheme: str, ending: str
) -> None:
    """Ten at once, hits and misses mixed: all answered, in order, on the one connection."""
    serve(origin, host, ending)
    urls = [f"{scheme}://{host}/file{number}" for number in range(10)]
    for number in HITS:
        fetch(shared_proxy, urls[number])
    with Connection(shared_proxy, urls[0]) as client:
        for url in urls:
            client.send_request(url)
        for number, url in enumerate(urls):
            reply = client.read_head()
            assert (reply.status, reply.header("connection")) == (200, None)
            assert client.read_to_end() == body_of(f"/file{number}")
            wanted = "cachy; hit" if number in HITS else "cachy; fwd=uri-miss; stored"
            assert reply.cache_status == wanted, url
        assert client.fetch(urls[1]).cache_status == "cachy; hit", "and the connection goes on"


@pytest.mark.parametrize("ending", ENDINGS)
def test_pipelining_what_is_not_stored(
    shared_proxy: Proxy, origin: Origin, host: str, ending: str
) -> None:
    """The same for what passes by the cache: HEAD, and requests with credentials."""
    serve(origin, host, ending)
    urls = [f"http://{host}/file{number}" for number in range(10)]
    with Connection(shared_proxy, urls[0]) as client:
        for number, url in enumerate(urls):
            if number % 3:
                client.send_request(url, headers={"Authorization": "Basic eDp5"})
            else:
                client.send_request(url, "HEAD")
        for number in range(10):
            assert client.read_head().status == 200
            assert client.read_to_end() == (body_of(f"/file{number}") if number % 3 else b"")


def test_pipelining_uploads(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Uploads among them, to an origin that closes each time."""
    serve(origin, host, "says-close")
    with Connection(shared_proxy, f"http://{host}/file0") as client:
        for number in range(10):
            body = b"up" * 50_000 if number % 2 else None
            client.send_request(f"http://{host}/file{number}", "POST" if body else "GET", body=body)
        for number in range(10):
            assert client.read_head().status == 200
            assert client.read_to_end() == body_of(f"/file{number}")


def closing(origin: Origin, host: str, *, every: bool) -> None:
    """Closes in the place of an answer: from the second request on a connection on, or always."""
    seen: set[int] = set()

    async def handler(request: Request, reply: Reply) -> None:
        if request.connection in seen or every:
            return
        seen.add(request.connection)
        await reply.head(length=2)
        await reply.send(b"ok")
        await reply.end()

    origin.handle(host, "*", handler)


@pytest.mark.parametrize(
    ("method", "body", "status", "asked"),
    [
        ("GET", None, 200, 2),
        ("HEAD", None, 200, 2),
        ("POST", b"x", 502, 1),
        ("POST", None, 502, 1),
        ("DELETE", None, 502, 1),
        ("GET", b"x", 502, 1),
    ],
)
def test_asked_again(
    shared_proxy: Proxy,
    origin: Origin,
    host: str,
    method: str,
    body: bytes | None,
    status: int,
    asked: int,
) -> None:
    """A connection that dies as it is used again: only what is safe and small is sent once more."""
    closing(origin, host, every=False)
    url = f"https://{host}/a"
    with Connection(shared_proxy, f"https://{host}/first") as client:
        assert client.fetch().body == b"ok"
        reply = client.fetch(url, method, body=body)
    assert (reply.status, origin.count(url)) == (status, asked)


def test_asked_only_once_more(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """On a new connection, whether or not the first was one."""
    first, url = f"https://{host}/first", f"https://{host}/a"
    origin.route(first, b"ok")
    closing(origin, host, every=True)
    with Connection(shared_proxy, first) as client:
        assert client.fetch(url).status == 502
        assert origin.count(url) == 2
        client.fetch(first)
        assert client.fetch(url).status == 502
        assert origin.count(url) == 4


async def hang_up(_: Request, reply: Reply) -> None:
    """Closes the connection in the place of an answer."""


@pytest.mark.parametrize("trouble", ["refused", "blackhole"])
def test_asked_again_in_vain(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str, trouble: Trouble
) -> None:
    """Where no new connection comes about, what is stored is served, in time."""
    url = f"https://{host}/a"
    origin.route(url, b"stored", headers={"Cache-Control": "max-age=0"})
    with Connection(shared_proxy, url) as client:
        client.fetch()
        origin.handle(host, "/a", hang_up, scheme="https")
        network.down(host, trouble)
        before = time.monotonic()
        reply = client.fetch()
        assert (reply.body, reply.cache_status) == (b"stored", "cachy; hit; detail=stale-if-error")
        assert time.monotonic() - before < 3
    assert origin.count(url) == 2
