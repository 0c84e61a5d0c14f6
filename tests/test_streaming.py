"""Bodies on their way: as they come in, in any framing and coding, from upstream or the tree."""

import gzip
import hashlib
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.client_h2 import H2Client
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Framing, Handler, Reply
from support.tree import tree, wait_until

MB = 1 << 20


def entries(root: Path, host: str) -> dict[str, bytes | str]:
    """What the tree holds of one host, by the path below it."""
    return {k.partition("/")[2]: v for k, v in tree(root).items() if k.startswith(f"{host}/")}


def temporary(root: Path) -> list[Path]:
    """What is being written."""
    return list((root / ".cachy/tmp").iterdir())


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


def reset(reply: Reply) -> None:
    """Cuts the connection so that the peer notices: by RST."""
    transport = reply._writer.transport  # type: ignore[attr-defined]
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    reply.abort()


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


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_framings(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    scheme: str,
    framing: Framing,
) -> None:
    """Every framing is stored on its clean end and served with a length."""
    url = f"{scheme}://{host}/a"
    body = Pattern(300_000, seed=1).slice(0, 300_000)
    origin.route(url, body, framing=framing)
    first = fetch(shared_proxy, url)
    assert (first.cache_status, first.body == body) == ("cachy; fwd=uri-miss; stored", True)
    wait_until(lambda: entries(shared_dir, host) == {"a": body})
    again = fetch(shared_proxy, url)
    assert (again.cache_status, again.body == body) == ("cachy; hit", True)
    assert again.header("content-length") == str(len(body))
    assert origin.count(url) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_close_delimited_body_that_is_cut(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, scheme: str
) -> None:
    """A reset, and with TLS an end without close_notify, is no clean end: nothing is stored."""
    url = f"{scheme}://{host}/a"
    gate = origin.gate()

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(close=True)
        await reply.send(b"half")
        await gate.passed()
        # Without more ado the system's own FIN ends it, which TLS does not vouch for.
        reset(reply) if scheme == "http" else reply.abort()

    origin.handle(host, "/a", handler)
    with Connection(shared_proxy, url) as client:
        client.send_request()
        client.read_head()
        assert client.read_exactly(4) == b"half"
        gate.open()
        try:
            client.read_to_end()
        except (Incomplete, ConnectionError):
            pass
    origin.route(url, b"whole")
    assert fetch(shared_proxy, url).body == b"whole"
    assert origin.count(url) == 2
    assert entries(shared_dir, host) == {"a": b"whole"}


def readable(headers: dict[str, str], proxy: Proxy, url: str) -> bytes:
    """What a client that decodes only what it asked for makes of the answer."""
    reply = fetch(proxy, url, headers=headers)
    if reply.header("content-encoding") is None:
        return reply.body
    assert "gzip" in headers.get("Accept-Encoding", ""), reply
    return gzip.decompress(reply.body)


@pytest.mark.parametrize("first", ["gzip", "", None])
@pytest.mark.parametrize(
    ("name", "kind", "control", "decoded"),
    [
        ("page", "text/html; charset=utf-8", "max-age=99", True),
        ("data.json", "application/json", "max-age=99", True),
        ("simple/six/", "application/vnd.pypi.simple.v1+json", "max-age=99", True),
        ("fixed", "text/plain", "max-age=99, no-transform", False),
        ("blob", "application/octet-stream", "max-age=99", False),
    ],
)
def test_gzip(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    first: str | None,
    name: str,
    kind: str,
    control: str,
    decoded: bool,
) -> None:
    """Text lies decoded in the tree; whoever asks, and first, gets what it can read."""
    url = f"https://{host}/{name}"
    text = b"a line of text\n" * 500

    async def handler(request: Request, reply: Reply) -> None:
        zipped = "gzip" in (request.header("accept-encoding") or "")
        body = gzip.compress(text) if zipped else text
        headers = {"Content-Type": kind, "Cache-Control": control, "Vary": "Accept-Encoding"}
        coding = {"Content-Encoding": "gzip"} if zipped else {}
        await reply.head(headers=headers | coding, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, f"/{name}", handler)
    asks: list[dict[str, str]] = [{} if first is None else {"Accept-Encoding": first}]
    for headers in [*asks, {"Accept-Encoding": "gzip, br"}, {}, {"Accept-Encoding": "identity"}]:
        assert readable(headers, shared_proxy, url) == text, headers
    bodies = list(entries(shared_dir, host).values())
    if decoded:
        assert bodies == [text]
        assert origin.count(url) == 1
    else:
        assert text in bodies or any(gzip.decompress(bytes(b)) == text for b in map(_bytes, bodies))
        assert (gzip.compress(text) in bodies) == (first == "gzip")


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def test_archive_is_stored_as_sent(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A coding on what is an archive by its name is a label: the bytes stay, and so does it."""
    url = f"https://{host}/a-1.tar.gz"
    body = gzip.compress(b"tar")
    origin.route(url, body, headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})
    for _ in range(2):
        reply = fetch(shared_proxy, url, headers={"Accept-Encoding": "gzip"})
        assert (reply.body, reply.header("content-encoding")) == (body, "gzip")
    assert reply.cache_status == "cachy; hit"
    assert entries(shared_dir, host) == {"a-1.tar.gz": body}


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_http_1_0_client(shared_proxy: Proxy, origin: Origin, host: str, framing: Framing) -> None:
    """Gets no chunks, and the end of the connection after the body, missed and hit."""
    url = f"http://{host}/a"
    body = b"0123456789" * 20_000
    origin.route(url, body, framing=framing)
    for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        with Connection(shared_proxy, url) as client:
            client.send_raw(f"GET {url} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            head = client.read_head()
            assert head.cache_status == status
            assert head.header("transfer-encoding") is None
            assert client.read_to_end() == body
            assert not client.wire.fill()
    assert origin.count(url) == 1


def test_head(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """HEAD stores nothing, and is answered from what GET stored."""
    url = f"https://{host}/a"
    origin.route(url, b"12345", headers={"X-Mark": "1"})
    head = fetch(shared_proxy, url, "HEAD")
    assert (head.header("content-length"), head.cache_status) == ("5", "cachy; fwd=uri-miss")
    assert entries(shared_dir, host) == {}
    fetch(shared_proxy, url)
    with Connection(shared_proxy, url) as client:
        head = client.fetch(method="HEAD")
        assert (head.header("content-length"), head.header("x-mark")) == ("5", "1")
        assert head.cache_status == "cachy; hit"
        assert client.fetch().body == b"12345", "the connection goes on behind a HEAD"
    assert [r.method for r in origin.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("chunked", [False, True])
def test_large_upload(shared_proxy: Proxy, origin: Origin, host: str, chunked: bool) -> None:
    """A POST of 50 MB goes upstream untouched, in flat memory."""
    url = f"https://{host}/up"
    pattern = Pattern(50 * MB)
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
        handler, _ = gated(origin, pattern.slice(0, 2 * MB), bytes(200 * MB))
        origin.handle(host, "/big", handler)
    wait_until(lambda: not temporary(shared_dir))
    idle = wait_idle(shared_proxy)
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
        assert shared_proxy.open_fds() > idle
        assert len(temporary(shared_dir)) == (0 if stored else 1)
        connection.close()
    wait_until(lambda: shared_proxy.open_fds() <= idle, what="letting go of files")
    wait_until(lambda: not temporary(shared_dir), what="sweeping")
    assert set(entries(shared_dir, host)) == ({"big"} if stored else set())
    if not stored:
        wait_until(lambda: len(origin.left) == 1, what="upstream hearing of it")


def wait_idle(proxy: Proxy) -> int:
    """How many files are open once those of earlier tests are closed."""
    seen = [0] * 20
    wait_until(lambda: seen.append(proxy.open_fds()) or len(set(seen[-20:])) == 1)  # type: ignore[func-returns-value]
    return seen[-1]
