"""Conditions and ranges are answered from the tree (RFC 9110 sections 13 and 14)."""

import email
import gzip
from pathlib import Path

import pytest

from support.client import Connection, Reply, fetch
from support.client_h2 import H2Client
from support.message import Headers
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.tree import tree, wait_until

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER, LATER = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"
BODY = b"0123456789"
WHOLE = (200, BODY, None)
NOT_MODIFIED = (304, b"", None)
FAILED = (412, b"", None)
UNSATISFIABLE = (416, b"", "bytes */10")


def ranged(value: str, **more: str) -> dict[str, str]:
    """A Range header, and others."""
    return {"Range": value} | {k.replace("_", "-"): v for k, v in more.items()}


CASES: list[tuple[dict[str, str], tuple[int, bytes, str | None]]] = [
    ({}, WHOLE),
    ({"If-None-Match": '"1"'}, NOT_MODIFIED),
    ({"If-None-Match": 'W/"1"'}, NOT_MODIFIED),
    ({"If-None-Match": '"0", "1"'}, NOT_MODIFIED),
    ({"If-None-Match": "*"}, NOT_MODIFIED),
    ({"If-None-Match": '"2"'}, WHOLE),
    ({"If-Modified-Since": DATE}, NOT_MODIFIED),
    ({"If-Modified-Since": LATER}, NOT_MODIFIED),
    ({"If-Modified-Since": EARLIER}, WHOLE),
    ({"If-Modified-Since": "rubbish"}, WHOLE),
    ({"If-None-Match": '"2"', "If-Modified-Since": LATER}, WHOLE),
    (ranged("bytes=2-4"), (206, b"234", "bytes 2-4/10")),
    (ranged("bytes=0-0"), (206, b"0", "bytes 0-0/10")),
    (ranged("bytes=7-"), (206, b"789", "bytes 7-9/10")),
    (ranged("bytes=7-99"), (206, b"789", "bytes 7-9/10")),
    (ranged("bytes=-3"), (206, b"789", "bytes 7-9/10")),
    (ranged("bytes=-99"), (206, BODY, "bytes 0-9/10")),
    (ranged("bytes=10-"), UNSATISFIABLE),
    (ranged("bytes=-0"), UNSATISFIABLE),
    (ranged("bytes=4-2"), WHOLE),
    (ranged("lines=1-2"), WHOLE),
    (ranged("bytes=x"), WHOLE),
    (ranged("bytes=2-4", If_Range='"1"'), (206, b"234", "bytes 2-4/10")),
    (ranged("bytes=2-4", If_Range=DATE), (206, b"234", "bytes 2-4/10")),
    (ranged("bytes=2-4", If_Range='"2"'), WHOLE),
    (ranged("bytes=2-4", If_Range='W/"1"'), WHOLE),
    (ranged("bytes=2-4", If_Range=LATER), WHOLE),
    (ranged("bytes=2-4", If_Range=f"{DATE}, {DATE}"), WHOLE),
    (ranged("bytes=10-", If_Range='"2"'), WHOLE),
    (ranged("bytes=2-4", If_None_Match='"1"'), NOT_MODIFIED),
    ({"If-Match": '"1"'}, WHOLE),
    ({"If-Match": '"0", "1"'}, WHOLE),
    ({"If-Match": "*"}, WHOLE),
    ({"If-Match": '"2"'}, FAILED),
    ({"If-Match": 'W/"1"'}, FAILED),
    ({"If-Unmodified-Since": DATE}, WHOLE),
    ({"If-Unmodified-Since": EARLIER}, FAILED),
    ({"If-Unmodified-Since": "rubbish"}, WHOLE),
    ({"If-Match": '"1"', "If-Unmodified-Since": EARLIER}, WHOLE),
    ({"If-Match": '"2"', "If-None-Match": '"1"'}, FAILED),
    ({"If-Match": '"1"', "If-None-Match": '"1"'}, NOT_MODIFIED),
    (ranged("bytes=2-4", If_Match='"1"'), (206, b"234", "bytes 2-4/10")),
    (ranged("bytes=2-4", If_Match='"2"'), FAILED),
    (ranged("bytes=10-", If_Match='"2"'), FAILED),
    # Of several, one is there; one that is broken, or two that overlap, make all of it.
    (ranged("bytes=20-,2-4"), (206, b"234", "bytes 2-4/10")),
    (ranged("bytes=20-,-0"), UNSATISFIABLE),
    (ranged("bytes=0-1,x"), WHOLE),
    (ranged("bytes=0-4,2-6"), WHOLE),
    (ranged("bytes=0-,0-"), WHOLE),
    (ranged("bytes=" + ",".join(["0-0"] * 2000)), WHOLE),
    (ranged("bytes=0-1,4-5", If_Range='"2"'), WHOLE),
]

SEVERAL: list[tuple[str, list[tuple[int, int]]]] = [
    ("bytes=0-1,4-5", [(0, 1), (4, 5)]),
    ("bytes=-2, 0-0", [(8, 9), (0, 0)]),
    ("bytes=5-,0-4", [(5, 9), (0, 4)]),
    ("bytes=0-0,,20-30,9-99", [(0, 0), (9, 9)]),
]


def parts(reply: Reply) -> list[tuple[str, str, bytes]]:
    """Media type, Content-Range and bytes of each part, as a MIME parser finds them."""
    assert reply.status == 206 and reply.header("content-range") is None
    kind = reply.header("content-type") or ""
    assert kind.startswith("multipart/byteranges; boundary=")
    assert reply.header("content-length") == str(len(reply.body))
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + reply.body)
    assert not message.defects and message.is_multipart()
    found = []
    for part in message.walk():
        if part is not message:
            body = part.get_payload(decode=True)
            assert isinstance(body, bytes)
            found.append((part.get_content_type(), str(part["content-range"]), body))
    return found


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_from_the_tree(shared_proxy: Proxy, origin: Origin, host: str, http2: bool) -> None:
    """All of them from one fetch, on one connection that stays in step."""
    # Named for good, so that the client's own condition is no reason to ask.
    url = f"https://{host}/w/six-1.16.0-py2.py3-none-any.whl"
    origin.route(url, BODY, etag='"1"', last_modified=DATE)
    client = (H2Client if http2 else Connection)(shared_proxy, url)
    with client:
        client.fetch()
        for headers, expected in CASES:
            reply = client.fetch(headers=headers)
            assert (reply.status, reply.body, reply.header("content-range")) == expected, headers
            assert reply.cache_status == "cachy; hit"
            if reply.status not in (412, 416):
                assert reply.header("etag") == '"1"', headers
            if reply.status in (200, 206):
                assert reply.header("content-length") == str(len(reply.body)), headers
        for field, spans in SEVERAL:
            reply = client.fetch(headers={"Range": field})
            kind = "application/octet-stream"
            assert parts(reply) == [
                (kind, f"bytes {a}-{b}/10", BODY[a : b + 1]) for a, b in spans
            ], field
            assert (reply.header("etag"), reply.cache_status) == ('"1"', "cachy; hit")
        assert client.fetch().body == BODY, "the connection goes on"
    assert origin.count(url) == 1


def test_head(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Conditions count for HEAD, ranges don't."""
    url = f"https://{host}/w/six-1.16.0-py2.py3-none-any.whl"
    origin.route(url, BODY, etag='"1"', last_modified=DATE)
    with Connection(shared_proxy, url) as client:
        client.fetch()
        for headers, status in [
            ({"If-None-Match": '"1"'}, 304),
            ({"If-Modified-Since": DATE}, 304),
            ({"If-Match": '"2"'}, 412),
            ({"If-Unmodified-Since": EARLIER}, 412),
            ({"If-Match": '"1"'}, 200),
            (ranged("bytes=2-4"), 200),
            (ranged("bytes=0-1,4-5"), 200),
            (ranged("bytes=10-"), 200),
        ]:
            reply = client.fetch(method="HEAD", headers=headers)
            assert (reply.status, reply.cache_status) == (status, "cachy; hit"), headers
            if status == 200:
                assert reply.header("content-length") == "10", headers
    assert origin.count(url) == 1


@pytest.mark.parametrize(
    ("generated", "expected"), [(EARLIER, 200), (DATE, 200), (LATER, 206), (None, 206)]
)
def test_if_range_with_a_date(
    shared_proxy: Proxy, origin: Origin, host: str, generated: str | None, expected: int
) -> None:
    """A date counts where the thing was sent after the second in which it changed last."""
    url = f"https://{host}/w/six-1.16.0-py2.py3-none-any.whl"
    headers = {} if generated is None else {"Date": generated}
    origin.route(url, BODY, last_modified=DATE, headers=headers)
    fetch(shared_proxy, url)
    reply = fetch(shared_proxy, url, headers=ranged("bytes=2-4", If_Range=DATE))
    assert (reply.status, reply.cache_status) == (expected, "cachy; hit")
    assert reply.body == (BODY if expected == 200 else b"234")


def test_conditions_of_a_client_ask_for_a_check(
    shared_proxy: Proxy, origin: Origin, host: str
) -> None:
    """412 is said of what the origin has now, not of what it once had."""
    url = f"https://{host}/a"
    route = origin.route(url, BODY, etag='"1"')
    fetch(shared_proxy, url)
    route.body, route.etag = b"new", '"2"'
    reply = fetch(shared_proxy, url, headers={"If-Match": '"2"'})
    assert (reply.status, reply.body) == (200, b"new")
    assert origin.count(url) == 2
    # Checked a moment ago.
    assert fetch(shared_proxy, url, headers={"If-Match": '"1"'}).status == 412
    assert origin.count(url) == 2


def test_weak_validators(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What lies decoded has a weak tag: good for If-None-Match alone."""
    url = f"https://{host}/page"
    packed = gzip.compress(BODY)
    headers = {
        "Content-Encoding": "gzip",
        "Content-Type": "text/plain",
        "Cache-Control": "max-age=99",
    }
    origin.route(url, packed, etag='"1"', headers=headers)
    reply = fetch(shared_proxy, url, headers={"Accept-Encoding": "gzip"})
    assert (reply.body, reply.header("etag")) == (BODY, 'W/"1"')
    for asked, expected in [
        ({"If-None-Match": '"1"'}, NOT_MODIFIED),
        ({"If-None-Match": 'W/"1"'}, NOT_MODIFIED),
        ({"If-Match": '"1"'}, FAILED),
        ({"If-Match": 'W/"1"'}, FAILED),
        ({"If-Match": "*"}, WHOLE),
        (ranged("bytes=2-4"), (206, b"234", "bytes 2-4/10")),
        (ranged("bytes=2-4", If_Range='"1"'), WHOLE),
        (ranged("bytes=2-4", If_Range='W/"1"'), WHOLE),
    ]:
        reply = fetch(shared_proxy, url, headers=asked)
        assert (reply.status, reply.body, reply.header("content-range")) == expected, asked


def test_no_parts_of_what_is_labelled(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """A client would undo the coding over boundaries and all: it gets the whole."""
    url = f"https://{host}/a-1.tar.gz"
    origin.route(url, BODY, headers={"Content-Encoding": "gzip"})
    fetch(shared_proxy, url)
    reply = fetch(shared_proxy, url, headers=ranged("bytes=0-1,4-5"))
    assert (reply.status, reply.body) == (200, BODY)
    reply = fetch(shared_proxy, url, headers=ranged("bytes=4-5"))
    assert (reply.status, reply.body, reply.header("content-encoding")) == (206, b"45", "gzip")


@pytest.mark.parametrize(
    "headers", [ranged("bytes=2-4"), {"If-None-Match": '"1"'}, {"If-Modified-Since": DATE}]
)
def test_miss_fetches_the_whole(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, headers: dict[str, str]
) -> None:
    """On a miss the client's conditions and ranges are not sent upstream: all of it is stored."""
    url = f"https://{host}/a"
    origin.route(url, BODY, etag='"1"', last_modified=DATE, ranges=True)
    fetch(shared_proxy, url, headers=headers)
    (asked,) = origin.asked(url)
    sent: Headers = [(k, v) for k, v in asked.headers if k.lower() in ("range", *lowered(headers))]
    assert sent == []
    # What a range needs may be there before the whole is.
    wait_until(lambda: tree(shared_dir).get(f"{host}/a") == BODY)
    reply = fetch(shared_proxy, url, headers=ranged("bytes=2-4"))
    assert (reply.status, reply.body, reply.cache_status) == (206, b"234", "cachy; hit")


def lowered(headers: dict[str, str]) -> list[str]:
    """Names of fields."""
    return [name.lower() for name in headers]


def test_placed_file(shared_proxy: Proxy, shared_dir: Path, host: str) -> None:
    """A person's file has validators of its own, and ranges."""
    (shared_dir / host).mkdir(parents=True)
    (shared_dir / host / "a").write_bytes(BODY)
    url = f"https://{host}/a"
    first = fetch(shared_proxy, url)
    etag, modified = first.header("etag"), first.header("last-modified")
    assert etag and modified
    assert fetch(shared_proxy, url, headers={"If-None-Match": etag}).status == 304
    assert fetch(shared_proxy, url, headers={"If-Modified-Since": modified}).status == 304
    reply = fetch(shared_proxy, url, headers=ranged("bytes=-2", If_Range=etag))
    assert (reply.status, reply.body) == (206, b"89")
    (shared_dir / host / "a").write_bytes(b"another text")
    reply = fetch(shared_proxy, url, headers=ranged("bytes=-2", If_Range=etag))
    assert (reply.status, reply.body) == (200, b"another text")
    assert fetch(shared_proxy, url, headers={"If-None-Match": etag}).status == 200


def test_large_range(shared_proxy: Proxy, shared_dir: Path, host: str) -> None:
    """Parts that are streamed are those very parts."""
    pattern = Pattern(5 << 20, seed=3)
    (shared_dir / host).mkdir(parents=True)
    (shared_dir / host / "a").write_bytes(pattern.slice(0, pattern.size))
    reply = fetch(shared_proxy, f"https://{host}/a", headers=ranged("bytes=1000003-4000001"))
    assert reply.header("content-range") == f"bytes 1000003-4000001/{pattern.size}"
    assert reply.body == pattern.slice(1_000_003, 4_000_002)
    reply = fetch(
        shared_proxy, f"https://{host}/a", headers=ranged("bytes=-1000,1000003-4000001,0-0")
    )
    spans = [(pattern.size - 1000, pattern.size), (1_000_003, 4_000_002), (0, 1)]
    assert [body for *_, body in parts(reply)] == [pattern.slice(*span) for span in spans]
