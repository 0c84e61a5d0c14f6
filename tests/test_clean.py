"""What may be stored goes over connections on which nothing went that an origin may take for more."""

import asyncio
import contextlib

import pytest

from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.message import Request
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply

FRESH = {"Cache-Control": "max-age=600"}


def serve(origin: Origin, host: str) -> None:
    """Has the origin not read bodies, and answer what is in them late: when somebody has asked for
    something else.
    """
    origin.careless_hosts.add(host)
    asked = asyncio.Event()

    async def handler(request: Request, reply: Reply) -> None:
        if request.target == "/hidden":
            # With another connection for what is asked next, it is there at once.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), 2)
        elif request.target == "/wanted":
            asked.set()
        body = request.target.encode()
        await reply.head(headers=FRESH, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "*", handler)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_request_in_a_body(
    shared_proxy: Proxy, origin: Origin, host: str, method: str, scheme: str
) -> None:
    """The answer to a request that an origin found in a body is nobody's."""
    smuggle(shared_proxy, origin, host, method, scheme)


def test_also_on_a_connection_made_ahead(
    start_proxy: ProxyFactory, origin: Origin, host: str
) -> None:
    """So it is where mitmproxy connects before it is asked for anything."""
    proxy = start_proxy(options={"connection_strategy": "eager"})
    smuggle(proxy, origin, host, "POST", "https")


def smuggle(proxy: Proxy, origin: Origin, host: str, method: str, scheme: str) -> None:
    """Asks for one thing in the body of a request, and for another behind it."""
    serve(origin, host)
    hidden = f"GET /hidden HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    url = f"{scheme}://{host}/wanted"
    with Connection(proxy, url) as client:
        client.fetch(f"{scheme}://{host}/first")
        client.fetch(f"{scheme}://{host}/carrier", method, body=hidden)
        reply = client.fetch()
        assert (reply.body, reply.cache_status) == (b"/wanted", "cachy; fwd=uri-miss; stored")
    assert fetch(proxy, url).body == b"/wanted"


def test_which_connection(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Plain requests share one, and all others one of their own: no more are made than that."""
    origin.handle(host, "*", serve_all)
    methods = ["GET", "GET", "POST", "GET", "HEAD", "POST", "GET", "PUT", "GET"]
    with Connection(shared_proxy, f"https://{host}/") as client:
        for number, method in enumerate(methods):
            body = b"x" if method in ("POST", "PUT") else None
            client.fetch(f"https://{host}/{number}", method, body=body)
    first = origin.requests[0].connection
    used = [request.connection - first for request in origin.requests]
    assert used == [0, 0, 0, 1, 0, 0, 1, 0, 1]


async def serve_all(request: Request, reply: Reply) -> None:
    """Answers anything."""
    await reply.head(headers=FRESH, length=0)
    await reply.end()


@pytest.mark.parametrize(
    "head",
    [
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic eDp5\r\nX: 1\r\n Y: 2\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic eDp5\r\nX: 1\rY: 2\r\n\r\n",
        "get {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Negotiate YII=\r\n\r\n",
    ],
)
def test_what_else_is_not_plain(shared_proxy: Proxy, origin: Origin, host: str, head: str) -> None:
    """An offer to change the protocol, a field that may be two, another method, and what tells for a
    whole connection who asks.
    """
    origin.handle(host, "*", serve_all)
    with Connection(shared_proxy, f"https://{host}/") as client:
        client.fetch(f"https://{host}/1")
        client.send_raw(head.format("/2", host).encode())
        client.read_head()
        client.read_to_end()
        client.fetch(f"https://{host}/3")
    first, odd, last = (request.connection for request in origin.requests)
    assert first == odd != last


def test_http2_parts_them_itself(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Over HTTP/2 upstream one connection is for all."""
    origin.http2_hosts.add(host)
    origin.handle(host, "*", serve_all)
    with H2Client(shared_proxy, f"https://{host}/") as client:
        for number, method in enumerate(("GET", "POST", "GET")):
            body = b"x" if method == "POST" else None
            client.fetch(f"https://{host}/{number}", method, body=body)
    assert len({request.connection for request in origin.requests}) == 1
    assert origin.accepted == 1
