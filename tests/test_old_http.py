"""HTTP/1.0, on either side."""

import pytest

from support.client import Connection
from support.client_h2 import H2Client
from support.message import Request
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply

BODY = b"0123456789" * 20_000


def serve(origin: Origin, host: str, *fields: str, body: bytes = BODY) -> None:
    """Has the origin answer in HTTP/1.0 and close."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.raw("\r\n".join(["HTTP/1.0 200 OK", *fields, "", ""]).encode() + body)

    origin.handle(host, "*", handler)


@pytest.mark.parametrize("length", [True, False])
def test_origin(shared_proxy: Proxy, origin: Origin, host: str, length: bool) -> None:
    """Its answer is passed on in our own version, framed for it, and doesn't end the connection."""
    serve(origin, host, *([f"Content-Length: {len(BODY)}"] if length else []))
    url = f"http://{host}/a"
    with Connection(shared_proxy, url) as client:
        client.send_request()
        assert client.wire.read_until(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
        client.wire.buffer[:0] = b"HTTP/1.1 200 OK\r\n"
        head = client.read_head()
        assert head.header("transfer-encoding") == (None if length else "chunked")
        assert client.read_to_end() == BODY
        assert client.fetch().cache_status == "cachy; hit"
    assert origin.count(url) == 1


@pytest.mark.parametrize("length", [True, False])
def test_origin_behind_http2(shared_proxy: Proxy, origin: Origin, host: str, length: bool) -> None:
    """HTTP/2 to HTTP/1.0."""
    serve(origin, host, *([f"Content-Length: {len(BODY)}"] if length else []))
    with H2Client(shared_proxy, f"https://{host}/a") as client:
        for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
            reply = client.fetch()
            assert (reply.body, reply.cache_status) == (BODY, status)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("field", ["", "Connection: keep-alive\r\n"])
@pytest.mark.parametrize("length", [True, False])
def test_both(
    shared_proxy: Proxy, origin: Origin, host: str, scheme: str, field: str, length: bool
) -> None:
    """A client of HTTP/1.0 sees the end of the connection behind each answer: miss, hit, HEAD, 204."""
    serve(origin, host, *([f"Content-Length: {len(BODY)}"] if length else []))
    url = f"{scheme}://{host}/a"
    target = url if scheme == "http" else "/a"
    for method, status in (
        ("HEAD", "cachy; fwd=uri-miss"),
        ("GET", "cachy; fwd=uri-miss; stored"),
        ("GET", "cachy; hit"),
        ("HEAD", "cachy; hit"),
    ):
        with Connection(shared_proxy, url) as client:
            head = f"{method} {target} HTTP/1.0\r\nHost: {host}\r\n{field}\r\n"
            client.send_raw(head.encode(), method)
            reply = client.read_head()
            assert reply.cache_status == status
            assert reply.header("transfer-encoding") is None
            assert reply.header("connection") == "close"
            assert client.read_to_end() == (BODY if method == "GET" else b"")
            assert not client.wire.fill()


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "404 Not Found"])
def test_nothing_with_no_length(
    shared_proxy: Proxy, origin: Origin, host: str, status: str
) -> None:
    """An empty answer that tells no length keeps nobody waiting."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.raw(f'HTTP/1.1 {status}\r\nETag: "1"\r\n\r\n'.encode())

    origin.handle(host, "*", handler)
    with Connection(shared_proxy, f"https://{host}/a") as client:
        for name in ("a", "b"):
            reply = client.fetch(f"https://{host}/{name}", headers={"If-None-Match": '"1"'})
            assert (str(reply.status), reply.body) == (status[:3], b"")
