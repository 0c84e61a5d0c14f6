"""Every framing and coding of a body, and who gets it how."""

import gzip
import socket
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Framing, Reply
from support.tree import tree, wait_until


def entries(root: Path, host: str) -> dict[str, bytes | str]:
    """What the tree holds of one host, by the path below it."""
    return {k.partition("/")[2]: v for k, v in tree(root).items() if k.startswith(f"{host}/")}


def reset(reply: Reply) -> None:
    """Cuts the connection so that the peer notices: by RST."""
    transport = reply._writer.transport  # type: ignore[attr-defined]
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    reply.abort()


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
        with suppress(Incomplete, ConnectionError):
            client.read_to_end()
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
    packed = gzip.compress(text)

    async def handler(request: Request, reply: Reply) -> None:
        zipped = "gzip" in (request.header("accept-encoding") or "")
        body = packed if zipped else text
        headers = {"Content-Type": kind, "Cache-Control": control, "Vary": "Accept-Encoding"}
        coding = {"Content-Encoding": "gzip"} if zipped else {}
        await reply.head(headers=headers | coding, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, f"/{name}", handler)
    one = {} if first is None else {"Accept-Encoding": first}
    assert readable(one, shared_proxy, url) == text
    as_sent = first == "gzip" and not decoded
    assert set(entries(shared_dir, host).values()) == {packed if as_sent else text}
    for coding in ({"Accept-Encoding": "gzip, br"}, {}, {"Accept-Encoding": "identity"}):
        assert readable(coding, shared_proxy, url) == text, coding
    # What is stored packed is of no use to those who take no gzip: asked for once more, plain.
    assert origin.count(url) == (2 if as_sent else 1)


@pytest.mark.parametrize(
    "order", [("gzip", None), (None, "gzip"), ("identity", "gzip"), ("gzip", "")]
)
@pytest.mark.parametrize(
    ("name", "kind", "label"),
    [
        ("a-1.tar.gz", "application/x-tar", "gzip"),
        ("a-1.tar.gz", "application/gzip", "x-gzip"),
        ("a-1.tgz", "text/plain", "gzip"),
        ("a.vsix", "application/json", "gzip"),
        # No name says archive, but it is no text.
        ("get?file=a.tar.gz", "application/x-tar", "gzip"),
    ],
)
def test_archive_is_stored_as_sent(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    order: tuple[str | None, ...],
    name: str,
    kind: str,
    label: str,
) -> None:
    """A coding on an archive is a label: its bytes stay and so does it, whoever comes first."""
    url = f"https://{host}/{name}"
    body = gzip.compress(b"PK\x03\x04" if name == "a.vsix" else b"tar")
    headers = {"Content-Encoding": label, "Content-Type": kind, "Vary": "Accept-Encoding"}
    origin.route(url, body, headers=headers)
    for coding in [*order, *order]:
        asked = {} if coding is None else {"Accept-Encoding": coding}
        reply = fetch(shared_proxy, url, headers=asked)
        assert (reply.status, reply.body, reply.header("content-encoding")) == (200, body, label)
    assert reply.cache_status == "cachy; hit"
    assert entries(shared_dir, host) == {name: body}
    # Where the coding may have been negotiated, who can't read it has it asked for once more.
    assert origin.count(url) == (2 if "?" in name and order[0] == "gzip" else 1)


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
