"""Bodies on their way: as they come in, in any framing and coding, from upstream or the tree."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Handler, Reply
from support.tree import temporary, tree, wait_until

MB = 1 << 20


def entries(root: Path, host: str) -> dict[str, bytes | str]:
    """What the tree holds of one host, by the path below it."""
    return {k.partition("/")[2]: v for k, v in tree(root).items() if k.startswith(f"{host}/")}


def gated(origin: Origin, first: bytes, rest: bytes) -> tuple[Handler, Callable[[], None]]:
    """Sends the head and `first`; the rest only when told so."""
    gate = origin.gate()

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(length=len(first) + len(rest))
        await reply.send(first)
        await gate.passed()
        await reply.send(rest)
        await reply.end()

    return handler, gate.open


def test_first_byte_of_a_miss(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """A client sees bytes as they come in, also before the body is whole."""
    url = f"https://{host}/a"
    handler, go = gated(origin, b"abc", b"def")
    origin.handle(host, "/a", handler)
    with Connection(shared_proxy, url) as client:
        client.send_request()
        assert client.read_head().cache_status == "cachy; fwd=uri-miss; stored"
        assert client.read_exactly(3) == b"abc"
        go()
        assert client.read_to_end() == b"def"
    assert fetch(shared_proxy, url).body == b"abcdef"
    assert origin.count(url) == 1


@pytest.mark.parametrize("upstream_h2", [False, True])
def test_first_byte_over_http2(
    shared_proxy: Proxy, origin: Origin, host: str, upstream_h2: bool
) -> None:
    """The same over HTTP/2, with HTTP/1.1 and HTTP/2 upstream."""
    url = f"https://{host}/a"
    if upstream_h2:
        origin.http2_hosts.add(host)
    handler, go = gated(origin, b"abc", b"def")
    origin.handle(host, "/a", handler)
    with H2Client(shared_proxy, url) as client:
        number = client.send_request()
        assert client.read_head(number).cache_status == "cachy; fwd=uri-miss; stored"
        assert client.read(number, 3) == b"abc"
        go()
        assert client.read_to_end(number) == b"def"
        reply = client.fetch()
        assert (reply.cache_status, reply.body) == ("cachy; hit", b"abcdef")
    assert [r.version for r in origin.asked(url)] == ["2" if upstream_h2 else "1.1"]


@pytest.mark.parametrize("chunked", [False, True])
def test_large_upload(shared_proxy: Proxy, origin: Origin, host: str, chunked: bool) -> None:
    """A POST of 50 MB goes upstream untouched, in flat memory."""
    url = f"https://{host}/up"
    # The harness's origin is slow with many chunks.
    pattern = Pattern((20 if chunked else 50) * MB)
    body = pattern.slice(0, pattern.size)
    headers = {"X-Mark": "1", "Expect": ""}
    sent = body
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
        step = 1 << 20
        pieces = (body[i : i + step] for i in range(0, len(body), step))
        sent = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    origin.route(url, b"taken", 201)
    fetch(shared_proxy, url, "POST", body=b"")
    shared_proxy.reset_peak_rss()
    before = shared_proxy.rss_kb()
    reply = fetch(shared_proxy, url, "POST", headers, sent, timeout=30)
    assert (reply.status, reply.body, reply.cache_status) == (201, b"taken", "cachy; fwd=method")
    _, request = origin.asked(url)
    assert hashlib.sha256(request.body).hexdigest() == pattern.sha256
    assert request.header("x-mark") == "1"
    assert request.header("transfer-encoding") == ("chunked" if chunked else None)
    assert shared_proxy.peak_rss_kb() - before < 25_000


@pytest.mark.parametrize("http2", [False, True])
def test_files_are_closed(shared_proxy: Proxy, shared_dir: Path, host: str, http2: bool) -> None:
    """A hit that was read to its end leaves no file open."""
    url = f"https://{host}/big"
    (shared_dir / host).mkdir(parents=True)
    (shared_dir / host / "big").write_bytes(bytes(MB))
    name = str(shared_dir / host / "big")
    for _ in range(3):
        if http2:
            with H2Client(shared_proxy, url) as client:
                assert len(client.fetch().body) == MB
        else:
            assert len(fetch(shared_proxy, url).body) == MB
    wait_until(lambda: name not in shared_proxy.open_files(shared_dir), 2, "closing the file")


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_client_that_leaves(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, http2: bool, stored: bool
) -> None:
    """In the middle of a hit or a miss: files, sockets and what was written are let go."""
    url = f"https://{host}/big"
    pattern = Pattern(40 * MB)
    if stored:
        (shared_dir / host).mkdir()
        (shared_dir / host / "big").write_bytes(pattern.slice(0, pattern.size))
    else:
        handler, go_on = gated(origin, pattern.slice(0, 2 * MB), bytes(200 * MB))
        origin.handle(host, "/big", handler)
    wait_until(lambda: not temporary(shared_dir))
    inside = str(shared_dir)
    if http2:
        client = H2Client(shared_proxy, url, automatic=False)
        number = client.send_request()
        assert client.read(number, 1) == pattern.slice(0, 1)
        client.close()
    else:
        connection = Connection(shared_proxy, url, rcvbuf=65536)
        connection.send_request()
        connection.read_head()
        assert connection.read_exactly(MB) == pattern.slice(0, MB)
        assert any(name.startswith(inside) for name in shared_proxy.open_files(shared_dir))
        assert len(temporary(shared_dir)) == (0 if stored else 1)
        connection.close()
    wait_until(lambda: not temporary(shared_dir), what="sweeping")
    assert set(entries(shared_dir, host)) == ({"big"} if stored else set())
    if not stored:
        go_on()
        # asyncio tells its writer nothing of a peer that closed in good order while it waited.
        wait_until(
            lambda: origin.left or not origin.open_connections, what="upstream hearing of it"
        )
    wait_until(
        lambda: (
            not any(
                f"{host}/" in n or "/.cachy/tmp/" in n for n in shared_proxy.open_files(shared_dir)
            )
        ),
        what="letting go of files",
    )


@pytest.mark.parametrize("lane", ["auto", "off"])
@pytest.mark.parametrize("way", ["authorization", "cookie", "mode-off"])
def test_large_body_that_is_not_shared(
    start_proxy: ProxyFactory, origin: Origin, host: str, way: str, lane: str
) -> None:
    """It comes through whole, however far the client falls behind on its way."""
    options = {"cachy_lane": lane} | ({"cachy_mode": "off"} if way == "mode-off" else {})
    proxy, pattern = start_proxy(options=options), Pattern(80 * MB)
    url = f"https://{host}/whole.bin"
    origin.route(url, pattern.slice(0, pattern.size))
    fields = {} if way == "mode-off" else {way.title(): "a=b"}
    with Connection(proxy, url) as client:
        client.send_request(headers=fields)
        assert client.read_head().status == 200
        size, digest = client.digest_to_end()
    assert (size, digest) == (
        pattern.size,
        hashlib.sha256(pattern.slice(0, pattern.size)).hexdigest(),
    )


def test_what_came_before_the_end(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A body ends too soon while its client is far behind, which still gets all that there was."""
    pattern, came = Pattern(24 * MB), 20 * MB + 1

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(length=pattern.size)
        await reply.send(pattern.slice(0, came))
        await reply.end()

    origin.handle(host, "/a", handler)
    with Connection(shared_proxy, f"https://{host}/a", rcvbuf=4096) as client:
        client.send_request()
        client.read_head()
        wait_until(lambda: origin.count(f"https://{host}/a") and not origin.open_connections)
        with pytest.raises(Incomplete) as error:
            client.read_to_end()
    assert error.value.partial == pattern.slice(0, came)
    wait_until(lambda: not temporary(shared_dir), what="the end of the file")
    assert "a" not in entries(shared_dir, host)
