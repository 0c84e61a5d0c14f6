"""The harness proves itself: HTTP/2 through a mitmdump without the addon."""

import pytest

from support.client import Incomplete
from support.client_h2 import H2Client
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Reply
from support.tree import wait_until

MB = 1 << 20


def test_http2(plain: Proxy, origin: Origin, host: str) -> None:
    origin.http2_hosts.add(host)
    origin.route(f"https://{host}/a", b"a" * 300_000, headers={"X-Mark": "1"})
    origin.route(f"https://{host}/b", b"b", framing="chunked")
    with H2Client(plain, f"https://{host}/a") as client:
        first = client.send_request()
        second = client.send_request(f"https://{host}/b", "POST", body=b"in")
        assert client.read_head(second).status == 200
        assert client.read_to_end(second) == b"b"
        assert client.read_head(first).header("x-mark") == "1"
        assert client.read_to_end(first) == b"a" * 300_000
    assert {(r.version, r.target, r.body) for r in origin.requests} == {
        ("2", "/a", b""),
        ("2", "/b", b"in"),
    }


def test_http2_to_http1(plain: Proxy, origin: Origin, host: str) -> None:
    origin.route(f"https://{host}/a", b"a")
    with H2Client(plain, f"https://{host}/a") as client:
        assert client.fetch().body == b"a"
    assert origin.requests[0].version == "1.1"


@pytest.mark.parametrize("upstream_h2", [False, True])
def test_http2_windows(plain: Proxy, origin: Origin, host: str, upstream_h2: bool) -> None:
    if upstream_h2:
        origin.http2_hosts.add(host)
    origin.route(f"https://{host}/a", b"abcdef")
    with H2Client(plain, f"https://{host}/a", window=0, automatic=False) as client:
        number = client.send_request()
        assert client.read_head(number).status == 200
        with pytest.raises(TimeoutError):
            client.read(number, 1, timeout=0.3)
        client.open_window(number, 4)
        client.pump(lambda: client.streams[number].received == 4)
        assert client.read(number, 3) == b"abc"
        # More than the two that are missing: mitmproxy holds the end of a stream
        # back, too, while its window is closed.
        client.open_window(number, 3)
        assert client.read_to_end(number) == b"def"


@pytest.mark.parametrize("who", ["client", "origin"])
def test_http2_reset(plain: Proxy, origin: Origin, host: str, who: str) -> None:
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head()
        await reply.send(b"abc")
        await gate.passed()
        if who == "origin":
            reply.abort()
        for chunk in Pattern(100 * MB).chunks():
            await reply.send(chunk)

    origin.http2_hosts.add(host)
    origin.handle(host, "/x", handler)
    origin.route(f"https://{host}/y", b"y")
    with H2Client(plain, f"https://{host}/x") as client:
        number = client.send_request()
        assert client.read(number, 3) == b"abc"
        if who == "client":
            client.reset(number)
        gate.open()
        if who == "origin":
            with pytest.raises(Incomplete):
                client.read_to_end(number)
        wait_until(lambda: len(origin.left) == 1)
        assert client.fetch(f"https://{host}/y").body == b"y"
