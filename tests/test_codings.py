"""Content codings: every client can read what is stored, and text is spared the line."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree
from support.wire import Incomplete

MISS, HIT = "cachy; fwd=uri-miss; stored", "cachy; hit"
TEXT = b"".join(b"line %d of a text that is worth to be compressed\n" % n for n in range(3000))
TYPE = {"Content-Type": "text/plain", "Cache-Control": "max-age=600"}

CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "deflate": zlib.compress,
}

DIGESTS = {
    "Content-Digest": "sha-256=:x:",
    "Repr-Digest": "sha-256=:x:",
    "Digest": "sha-256=x",
    "Content-MD5": "x",
    "x-goog-hash": "crc32c=x",
    "x-amz-checksum-sha256": "x",
    "x-ms-blob-content-md5": "x",
}


def asked(accept: str | None) -> dict[str, str]:
    """The client's field."""
    return {} if accept is None else {"Accept-Encoding": accept}


def negotiating(origin: Origin, host: str, target: str, headers: dict[str, str]) -> None:
    """Answers in gzip whom it suits."""

    async def handler(request: Request, reply: Reply) -> None:
        suits = "gzip" in (request.header("accept-encoding") or "")
        body = gzip.compress(TEXT) if suits else TEXT
        coding = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"} if suits else {}
        await reply.head(headers=headers | coding, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, target, handler)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("first", ["gzip", "identity", None, "gzip, deflate, br, zstd"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_unasked(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    coding: str,
    first: str | None,
    framing: str,
) -> None:
    """What the origin codes whoever asks is stored decoded, and everybody can read it."""
    url = f"https://{host}/page"
    headers = TYPE | {"Content-Encoding": coding}
    origin.route(url, CODINGS[coding](TEXT), headers=headers, framing=framing)  # type: ignore[arg-type]
    for accept, status in [(first, MISS), ("identity", HIT), (None, HIT), ("br, gzip", HIT)]:
        reply = fetch(shared_proxy, url, headers=asked(accept))
        assert (reply.body, reply.header("content-encoding")) == (TEXT, None), accept
        assert reply.cache_status == status
    assert origin.count(url) == 1
    assert tree(shared_dir / host) == {"page": TEXT}


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate"])
def test_unasked_and_no_text(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, coding: str
) -> None:
    """Also what is no text, for who could not read it; but not a label of what is compressed itself."""
    url = f"https://{host}/blob"
    origin.route(url, CODINGS[coding](TEXT), headers={"Content-Encoding": coding})
    for accept in ("gzip", None):
        reply = fetch(shared_proxy, url, headers=asked(accept))
        assert (reply.body, reply.header("content-encoding")) == (TEXT, None)
    assert tree(shared_dir / host) == {"blob": TEXT}


@pytest.mark.parametrize("coding", ["compress", "br, gzip"])
def test_what_cannot_be_decoded(
    shared_proxy: Proxy, origin: Origin, host: str, coding: str
) -> None:
    """Who doesn't accept what is stored has a fetch of its own, whose answer may suit everybody."""
    url = f"https://{host}/page"

    async def handler(request: Request, reply: Reply) -> None:
        odd = request.header("x-odd") is not None
        body = b"coded" if odd else TEXT
        headers = TYPE | ({"Content-Encoding": coding} if odd else {})
        await reply.head(headers=headers, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "/page", handler)
    first = fetch(shared_proxy, url, headers={"X-Odd": "1"})
    assert (first.body, first.header("content-encoding")) == (b"coded", coding)
    again = fetch(shared_proxy, url, headers=asked(coding))
    assert (again.body, again.cache_status) == (b"coded", HIT)
    plain = fetch(shared_proxy, url, headers=asked("gzip"))
    assert (plain.body, plain.header("content-encoding")) == (TEXT, None)
    assert fetch(shared_proxy, url, headers=asked(None)).cache_status == HIT
    assert origin.count(url) == 2


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_an_archive_that_is_coded(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str, coding: str
) -> None:
    """On an archive a coding stays; it is a label only of what is an archive already."""
    body = b"PK\x03\x04" + TEXT
    coded, label = f"https://{host}/coded.zip", f"https://{host}/label.zip"
    origin.route(coded, CODINGS[coding](body), headers={"Content-Encoding": coding})
    origin.route(label, body, headers={"Content-Encoding": coding})
    for accept in (None, "identity"):
        reply = fetch(shared_proxy, coded, headers=asked(accept))
        assert reply.header("content-encoding") == coding
        assert CODINGS[coding](body) == reply.body
        assert not reply.cache_status.startswith(HIT)
        assert fetch(shared_proxy, label, headers=asked(accept)).body == body
    assert (origin.count(coded), origin.count(label)) == (2, 1)
    assert fetch(shared_proxy, coded, headers=asked(coding)).cache_status == HIT


@pytest.mark.parametrize("first", ["identity", None, "br", "gzip;q=0"])
@pytest.mark.parametrize(
    "path", ["/page", "/simple/six/", "/lodash", "/index.yaml", "/x?mode=json"]
)
def test_text_is_spared_the_line(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, path: str, first: str | None
) -> None:
    """Whoever asks first, it travels compressed, and the client gets what it asked for."""
    url = f"https://{host}{path}"
    negotiating(origin, host, path, TYPE)
    reply = fetch(shared_proxy, url, headers=asked(first))
    assert (reply.body, reply.header("content-encoding")) == (TEXT, None)
    assert reply.cache_status == MISS
    assert [r.header("accept-encoding") for r in origin.requests] == ["gzip"]
    assert fetch(shared_proxy, url, headers=asked("gzip")).cache_status == HIT
    assert list(tree(shared_dir / host).values()) == [TEXT]


@pytest.mark.parametrize(
    "path", ["/a.tar.gz", "/a.whl", "/setup.exe", "/v2/x/blobs/sha256:" + "0" * 64]
)
@pytest.mark.parametrize("accept", ["identity", None])
def test_archives_keep_what_the_client_asked(
    shared_proxy: Proxy, origin: Origin, host: str, path: str, accept: str | None
) -> None:
    """No origin is tempted to compress a download."""
    url = f"https://{host}{path}"
    negotiating(origin, host, path, {})
    assert fetch(shared_proxy, url, headers=asked(accept)).body == TEXT
    assert [r.header("accept-encoding") for r in origin.requests] == [accept]


@pytest.mark.parametrize("status", [200, 403, 404, 500])
@pytest.mark.parametrize("extra", [{}, {"Cache-Control": "no-store"}, {"Vary": "*"}])
def test_what_is_not_stored_is_readable(
    shared_proxy: Proxy, origin: Origin, host: str, status: int, extra: dict[str, str]
) -> None:
    """An answer in the coding that only we asked for reaches the client decoded, stored or not."""
    url = f"https://{host}/page"
    headers = (
        {"Content-Type": "text/html", "Content-Encoding": "gzip", "ETag": '"x"'} | DIGESTS | extra
    )
    origin.route(url, gzip.compress(TEXT), status, headers=headers)
    for accept in ("identity", None):
        reply = fetch(shared_proxy, url, headers=asked(accept))
        assert (reply.status, reply.body) == (status, TEXT)
        assert reply.header("content-encoding") is None
        assert [reply.header(name) for name in DIGESTS] == [None] * len(DIGESTS)


def test_no_transform(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """A client's `no-transform` goes upstream with its own coding; an origin's leaves what can be read."""
    url = f"https://{host}/page"
    negotiating(origin, host, "/page", TYPE)
    fetch(
        shared_proxy, url, headers={"Accept-Encoding": "identity", "Cache-Control": "no-transform"}
    )
    assert origin.requests[0].header("accept-encoding") == "identity"
    other = f"https://{host}/other"
    negotiating(origin, host, "/other", TYPE | {"Cache-Control": "max-age=60, no-transform"})
    assert fetch(shared_proxy, other, headers=asked("identity")).body == TEXT
    assert tree(shared_dir / host) == {"page": TEXT, "other": TEXT}


@pytest.mark.parametrize("coding", CODINGS)
def test_digests_of_the_coded_bytes(
    shared_proxy: Proxy, origin: Origin, host: str, coding: str
) -> None:
    """They go where the coding goes: from the miss, the hit, a range and a HEAD."""
    url = f"https://{host}/page"
    kept = {"X-Checksum-Sha1": "of the file", "Want-Repr-Digest": "sha-256=1"}
    headers = TYPE | DIGESTS | kept | {"Content-Encoding": coding, "Cache-Control": "max-age=60"}
    origin.route(url, CODINGS[coding](TEXT), headers=headers, etag='"x"')
    replies = [
        fetch(shared_proxy, url),
        fetch(shared_proxy, url),
        fetch(shared_proxy, url, headers={"Range": "bytes=0-9"}),
        fetch(shared_proxy, url, headers={"Range": "bytes=0-1,4-5"}),
        fetch(shared_proxy, url, "HEAD"),
    ]
    for reply in replies:
        assert [reply.header(name) for name in DIGESTS] == [None] * len(DIGESTS)
        assert [reply.header(name) for name in kept] == list(kept.values())
        assert reply.header("etag") == 'W/"x"'
    assert [r.status for r in replies] == [200, 200, 206, 206, 200]
    assert replies[2].body == TEXT[:10]


def test_digests_of_what_a_304_brings(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A 304 of the coded bytes gives none back to the decoded ones."""
    url = f"https://{host}/page"
    headers = TYPE | DIGESTS | {"Content-Encoding": "gzip", "Cache-Control": "max-age=0"}
    origin.route(url, gzip.compress(TEXT), headers=headers, etag='"x"')
    fetch(shared_proxy, url)
    a_while_ago(shared_dir, of=host)
    checked = fetch(shared_proxy, url)
    assert checked.cache_status == "cachy; fwd=stale; fwd-status=304"
    again = fetch(shared_proxy, url)
    for reply in (checked, again):
        assert reply.body == TEXT
        assert [reply.header(name) for name in DIGESTS] == [None] * len(DIGESTS)


def test_digests_of_what_stays_coded(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What is stored as sent keeps them; those of the whole content are not a part's (RFC 9530)."""
    url = f"https://{host}/a.tar.gz"
    body = gzip.compress(TEXT)
    origin.route(url, body, headers=DIGESTS)
    for _ in range(2):
        reply = fetch(shared_proxy, url)
        assert reply.body == body
        assert [reply.header(name) for name in DIGESTS] == list(DIGESTS.values())
    part = fetch(shared_proxy, url, headers={"Range": "bytes=0-9"})
    assert (part.status, part.body) == (206, body[:10])
    assert part.header("content-digest") is None and part.header("content-md5") is None
    assert part.header("repr-digest") == DIGESTS["Repr-Digest"]


def test_a_range_first(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """Who asks for a part of a text first gets that part of the text, not of the coded bytes."""
    url = f"https://{host}/page"
    negotiating(origin, host, "/page", TYPE)
    reply = fetch(shared_proxy, url, headers={"Range": "bytes=10-19"})
    assert (reply.status, reply.body) == (206, TEXT[10:20])
    assert tree(shared_dir / host) == {"page": TEXT}


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_is_not_coded_at_all(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, coding: str
) -> None:
    """A `Content-Encoding` over plain text is taken for the mistake that it is."""
    url = f"https://{host}/page"
    origin.route(url, TEXT, headers=TYPE | {"Content-Encoding": coding})
    for status in (MISS, HIT):
        reply = fetch(shared_proxy, url, headers=asked("identity"))
        assert (reply.body, reply.header("content-encoding")) == (TEXT, None)
        assert reply.cache_status == status
    assert tree(shared_dir / host) == {"page": TEXT}


@pytest.mark.parametrize("coding", CODINGS)
def test_cut(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, coding: str) -> None:
    """Coded bytes that end too soon are no whole answer, whatever the framing says."""
    url = f"https://{host}/page"
    body = CODINGS[coding](TEXT)[:-20]
    origin.route(url, body, headers=TYPE | {"Content-Encoding": coding})
    with Connection(shared_proxy, url) as client:
        client.send_request(headers=asked("identity"))
        client.read_head()
        with pytest.raises((Incomplete, ConnectionError)):
            client.read_to_end()
    assert not (shared_dir / host).exists()


def test_who_wants_it_plain_gets_it_the_next_time(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """Where an origin's gzip can't be undone, it is asked as the client says from then on."""
    url = f"https://{host}/page"

    async def handler(request: Request, reply: Reply) -> None:
        suits = "gzip" in (request.header("accept-encoding") or "")
        body = gzip.compress(TEXT)[:-20] if suits else TEXT
        headers = TYPE | ({"Content-Encoding": "gzip"} if suits else {})
        await reply.head(headers=headers, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "/page", handler)
    with Connection(shared_proxy, url) as client:
        client.send_request(headers=asked("identity"))
        client.read_head()
        with pytest.raises((Incomplete, ConnectionError)):
            client.read_to_end()
    reply = fetch(shared_proxy, url, headers=asked("identity"))
    assert (reply.body, reply.cache_status) == (TEXT, MISS)
    assert [r.header("accept-encoding") for r in origin.requests] == ["gzip", "identity"]
    assert tree(shared_dir / host) == {"page": TEXT}


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_out_of_bounds(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str, coding: str
) -> None:
    """A small body that stands for gigabytes costs no memory, and is never stored."""
    proxy = start_proxy()
    url = f"https://{host}/page"
    zeros = bytes(400 << 20)
    body = brotli.compress(zeros, quality=5) if coding == "br" else zstandard.compress(zeros)
    del zeros
    origin.route(url, body, headers=TYPE | {"Content-Encoding": coding})
    before = proxy.peak_rss_kb()
    with Connection(proxy, url) as client:
        client.send_request(headers=asked("identity"))
        client.read_head()
        with pytest.raises((Incomplete, ConnectionError)):
            client.read_to_end()
    assert proxy.peak_rss_kb() - before < 100_000
    assert not (cachy_dir / host).exists()


@pytest.mark.parametrize("coded", [True, False], ids=["coded", "plain"])
def test_trailers(shared_proxy: Proxy, origin: Origin, host: str, coded: bool) -> None:
    """Digests in trailers go with the coding as well."""
    origin.http2_hosts.add(host)
    url = f"https://{host}/page"

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(headers=TYPE | ({"Content-Encoding": "gzip"} if coded else {}))
        await reply.send(gzip.compress(TEXT) if coded else TEXT)
        reply.trailers = {"X-Mark": "1", "Content-Digest": "sha-256=:x:", "Digest": "sha-256=x"}
        await reply.end()

    origin.handle(host, "/page", handler)
    with H2Client(shared_proxy, url) as client:
        number = client.send_request(headers=asked("identity"))
        client.read_head(number)
        assert client.read_to_end(number) == TEXT
        trailers = client.streams[number].trailers
    assert sorted(trailers) == (["x-mark"] if coded else ["content-digest", "digest", "x-mark"])
