"""The harness proves itself: HTTP/1.1 through a mitmdump without the addon."""

import gzip
import time

import pytest

from support.client import Connection, Incomplete, fetch
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Reply
from support.tree import wait_until

MB = 1 << 20


def test_method_and_body(plain: Proxy, origin: Origin, host: str) -> None:
    origin.route(f"https://{host}/x", b"12345")
    with Connection(plain, f"https://{host}/x") as connection:
        head = connection.fetch(method="HEAD")
        assert (head.header("content-length"), head.body) == ("5", b"")
        assert connection.fetch(method="POST", body=b"abc").body == b"12345"
        chunked = b"1\r\nA\r\n0\r\n\r\n"
        te = {"Transfer-Encoding": "chunked"}
        assert connection.fetch(method="PUT", headers=te, body=chunked).status == 200
    assert [(r.method, r.body) for r in origin.requests] == [
        ("HEAD", b""),
        ("POST", b"abc"),
        ("PUT", b"A"),
    ]
    assert len({r.connection for r in origin.requests}) == 1
    assert origin.accepted == 1


def test_unrouted_is_418(plain: Proxy, host: str) -> None:
    assert fetch(plain, f"https://{host}/").status == 418


def test_forgotten(plain: Proxy, origin: Origin, host: str) -> None:
    """Records go without routes, and the routes of one host without those of another."""
    for name in (host, f"b.{host}"):
        origin.route(f"https://{name}/", b"1")
        assert fetch(plain, f"https://{name}/").status == 200
    origin.forget_requests()
    origin.forget_hosts([host])
    assert origin.requests == []
    assert fetch(plain, f"https://{host}/").status == 418
    assert fetch(plain, f"https://b.{host}/").status == 200


def test_conditions_and_ranges(plain: Proxy, origin: Origin, host: str) -> None:
    url = f"https://{host}/f"
    answer = origin.route(url, b"0123456789", etag='"1"', last_modified="date", ranges=True)
    with Connection(plain, url) as connection:

        def ask(name: str, value: str) -> tuple[int, bytes]:
            reply = connection.fetch(headers={name: value})
            return reply.status, reply.body

        assert ask("If-None-Match", '"0", W/"1"') == (304, b"")
        assert ask("If-None-Match", '"2"') == (200, b"0123456789")
        assert ask("If-Modified-Since", "date") == (304, b"")
        assert ask("Range", "bytes=2-4") == (206, b"234")
        assert ask("Range", "bytes=-1") == (206, b"9")
        assert ask("Range", "bytes=8-") == (206, b"89")
        assert ask("Range", "bytes=10-") == (416, b"")
        answer.ranges, answer.etag = False, None
        assert ask("Range", "bytes=2-4") == (200, b"0123456789")
        assert ask("If-None-Match", '"1"') == (200, b"0123456789")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_framings(plain: Proxy, origin: Origin, host: str, scheme: str) -> None:
    base = f"{scheme}://{host}"
    body = gzip.compress(b"text")
    origin.route(f"{base}/c", body, framing="chunked", headers={"X": "1"})
    origin.route(f"{base}/close", body, framing="close")
    origin.route(f"{base}/404", b"no", 404)
    origin.route(f"{base}/302", status=302, headers={"Location": "/x"})
    origin.route(f"{base}/204", status=204)
    assert fetch(plain, f"{base}/c").body == body
    assert fetch(plain, f"{base}/close").body == body
    assert fetch(plain, f"{base}/404").status == 404
    assert fetch(plain, f"{base}/302").header("location") == "/x"
    assert fetch(plain, f"{base}/204").status == 204


def test_first_bytes_then_the_rest(plain: Proxy, origin: Origin, host: str) -> None:
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(length=6)
        await reply.send(b"abc")
        await gate.passed()
        await reply.send(b"def")
        await reply.end()

    origin.handle(host, "/x", handler)
    with Connection(plain, f"https://{host}/x") as connection:
        connection.send_request()
        assert connection.read_head().status == 200
        assert connection.read_exactly(3) == b"abc"
        gate.open()
        assert connection.read_to_end() == b"def"


@pytest.mark.parametrize("how", ["length", "chunked", "abort"])
def test_cut_short(plain: Proxy, origin: Origin, host: str, how: str) -> None:
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(length=None if how == "chunked" else 6, chunked=how != "length")
        await reply.send(b"abc")
        await gate.passed()
        if how == "length":
            await reply.end()
        else:
            reply.abort()

    origin.handle(host, "/x", handler)
    with Connection(plain, f"https://{host}/x") as connection:
        connection.send_request()
        connection.read_head()
        assert connection.read_exactly(3) == b"abc"
        gate.open()
        with pytest.raises((Incomplete, ConnectionError)):
            connection.read_to_end()


def test_stall_before_the_head(plain: Proxy, origin: Origin, host: str) -> None:
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        gate.open()
        await origin.gate().passed()

    origin.handle(host, "*", handler)
    with pytest.raises(TimeoutError):
        fetch(plain, f"https://{host}/", timeout=0.5)
    gate.wait()
    assert len(origin.requests) == 1


def test_handlers_end_with_their_test(origin: Origin) -> None:
    wait_until(lambda: origin.open_connections == 0)


def test_large_body(plain: Proxy, origin: Origin, host: str) -> None:
    pattern = Pattern(200 * MB)
    origin.route(f"https://{host}/big", pattern, ranges=True)
    with Connection(plain, f"https://{host}/big") as connection:
        connection.send_request()
        connection.read_head()
        assert connection.digest_to_end() == (pattern.size, pattern.sha256)
    assert plain.peak_rss_kb() > plain.rss_kb() // 2 > 10_000
    assert plain.open_fds() > 5


def test_slow_client_holds_the_origin_back(plain: Proxy, origin: Origin, host: str) -> None:
    replies: list[Reply] = []

    async def handler(request: Request, reply: Reply) -> None:
        replies.append(reply)
        await reply.head(length=600 * MB)
        for chunk in Pattern(600 * MB).chunks():
            await reply.send(chunk)

    origin.handle(host, "/big", handler)
    connection = Connection(plain, f"https://{host}/big", rcvbuf=4096)
    connection.send_request()
    connection.read_head()
    assert connection.read_exactly(1000) == Pattern(1000).slice(0, 1000)

    def stands_still() -> bool:
        before = replies[0].sent
        time.sleep(0.2)
        return before == replies[0].sent

    wait_until(stands_still)
    assert 0 < replies[0].sent < 100 * MB
    connection.close()
    wait_until(lambda: [r.target for r in origin.left] == ["/big"])
