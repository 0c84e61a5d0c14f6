"""Interim responses and trailers of an origin never leave a client waiting."""

from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.client_h2 import H2Client, Stream
from support.message import Request
from support.origin import Origin
from support.origin_h1 import Http1Reply
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = b"HTTP/1.1 102\r\nX-Part: 1\r\nContent-Length: 9\r\n\r\n"
FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Final: 1\r\n\r\nhello"
TRAILERS = b"4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\nExpires: never\r\nX-Sum: 1\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"


async def say(reply: Reply, *pieces: bytes) -> None:
    """Sends bytes piece by piece, each in a packet of its own, and keeps the connection."""
    assert isinstance(reply, Http1Reply)
    for piece in pieces:
        await reply.raw(piece)
    reply.close_after = False


def speak(origin: Origin, host: str, *pieces: bytes) -> None:
    """Has the origin answer everything so."""

    async def handler(_: Request, reply: Reply) -> None:
        await say(reply, *pieces)

    origin.handle(host, "*", handler)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "pieces",
    [
        (HINTS + FINAL,),
        (HINTS, FINAL),
        (CONTINUE + HINTS + HINTS + PROCESSING + FINAL,),
        (CONTINUE, HINTS, PROCESSING, FINAL),
        (HINTS[:9], HINTS[9:10], HINTS[10:-1], HINTS[-1:] + FINAL[:7], FINAL[7:]),
        tuple(bytes([byte]) for byte in CONTINUE + HINTS + FINAL),
    ],
    ids=["together", "apart", "several", "several-apart", "split", "bytes"],
)
def test_interim(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    scheme: str,
    pieces: tuple[bytes, ...],
) -> None:
    """Only the final answer is passed on and stored, and the connection goes on behind it."""
    speak(origin, host, *pieces)
    with Connection(shared_proxy, f"{scheme}://{host}/a") as client:
        for name in ("a", "b"):
            reply = client.fetch(f"{scheme}://{host}/{name}")
            assert (reply.status, reply.body, reply.header("x-final")) == (200, b"hello", "1")
            assert (reply.header("link"), reply.header("x-part")) == (None, None)
            assert reply.cache_status == "cachy; fwd=uri-miss; stored"
            assert tree(shared_dir)[f"{host}/{name}"] == b"hello"
    assert len({request.connection for request in origin.requests}) == 1


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_interim_to_other_methods(
    shared_proxy: Proxy, origin: Origin, host: str, method: str
) -> None:
    """Likewise for what is passed on without being stored, an upload that waits for 100 among it."""
    speak(origin, host, CONTINUE + HINTS, FINAL if method == "POST" else FINAL[:-5])
    body, expect = (b"up", {"Expect": "100-continue"}) if method == "POST" else (None, {})
    reply = fetch(shared_proxy, f"https://{host}/a", method, expect, body)
    assert (reply.status, reply.header("x-final")) == (200, "1")
    assert origin.requests[0].body == (body or b"")


def test_interim_and_no_more(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """An origin that leaves behind an interim response is an error at once, asked only once."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.raw(HINTS)

    origin.handle(host, "/a", handler)
    reply = fetch(shared_proxy, f"https://{host}/a")
    assert (reply.status, reply.header("link")) == (502, None)
    assert origin.count(f"https://{host}/a") == 1


def test_interim_over_http2(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """HTTP/2 on both sides."""
    url = f"https://{host}/a"
    origin.http2_hosts.add(host)

    async def handler(_: Request, reply: Reply) -> None:
        for _hints in range(2):
            await reply.head(103, {"Link": "</style.css>; rel=preload"})
        await reply.head(200, length=5)
        await reply.send(b"hello")
        await reply.end()

    origin.handle(host, "/a", handler)
    with H2Client(shared_proxy, url) as client:
        for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
            reply = client.fetch()
            assert (reply.status, reply.body, reply.cache_status) == (200, b"hello", status)
    assert [request.version for request in origin.requests] == ["2"]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "pieces",
    [
        (CHUNKED + TRAILERS,),
        (CHUNKED, TRAILERS),
        (CHUNKED + TRAILERS[:-12], TRAILERS[-12:-2], TRAILERS[-2:]),
        (HINTS + CHUNKED, TRAILERS),
    ],
    ids=["together", "apart", "split", "behind-hints"],
)
def test_trailers(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    scheme: str,
    pieces: tuple[bytes, ...],
) -> None:
    """Trailers end the body; they are dropped, and the connection goes on behind them."""
    speak(origin, host, *pieces)
    with Connection(shared_proxy, f"{scheme}://{host}/a") as client:
        for name in ("a", "b"):
            reply = client.fetch(f"{scheme}://{host}/{name}")
            assert (reply.status, reply.body) == (200, b"wikipedia")
            assert reply.header("x-sum") is None
            assert tree(shared_dir)[f"{host}/{name}"] == b"wikipedia"
    assert len({request.connection for request in origin.requests}) == 1


def test_trailers_towards_http2(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """A client of HTTP/2 gets the end of the body, too."""
    speak(origin, host, CHUNKED, TRAILERS)
    with H2Client(shared_proxy, f"https://{host}/a") as client:
        for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
            reply = client.fetch()
            assert (reply.body, reply.cache_status) == (b"wikipedia", status)


def test_trailers_that_are_no_fields(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What can't be parsed cuts the answer off; nothing of it is stored."""
    speak(origin, host, CHUNKED + TRAILERS[:-4] + b"\r\nno field\r\n\r\n")
    with (
        Connection(shared_proxy, f"http://{host}/a") as client,
        pytest.raises(Incomplete),
    ):
        client.fetch()
    origin.route(f"http://{host}/a", b"good")
    assert fetch(shared_proxy, f"http://{host}/a").body == b"good"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_trailers_of_a_request(shared_proxy: Proxy, origin: Origin, host: str, method: str) -> None:
    """A client's trailers are dropped as well, and its connection goes on behind them."""
    url = f"http://{host}/a"
    origin.route(url, b"hello")
    head = f"{method} {url} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Connection(shared_proxy, url) as client:
        client.send_raw(head.encode() + TRAILERS, method)
        client.send_request(method=method, body=b"second")
        for _ in range(2):
            assert client.read_head().status == 200
            assert client.read_to_end() == b"hello"
    assert [request.body for request in origin.requests] == [b"wikipedia", b"second"]


def test_trailers_of_a_request_from_http2(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """HTTP/2 to HTTP/1.1: the trailers are dropped on the way."""
    url = f"https://{host}/a"
    origin.route(url, b"hello")
    with H2Client(shared_proxy, url) as client:
        pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", host), (":path", "/a")]
        number: int = client.h2.get_next_available_stream_id()
        client.streams[number] = Stream()
        client.h2.send_headers(number, [*pseudo, ("content-length", "4")])
        client.h2.send_data(number, b"data")
        client.h2.send_headers(number, [("x-sum", "1")], end_stream=True)
        client._flush()
        assert client.read_head(number).status == 200
        assert client.read_to_end(number) == b"hello"
    assert origin.requests[0].body == b"data"
    assert "has crashed" not in shared_proxy.log()
