"""Conditions and ranges are answered from the tree (RFC 9110 sections 13 and 14)."""

from pathlib import Path

import pytest

from support.client import Connection, fetch
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
UNSATISFIABLE = (416, b"", "bytes */10")


def ranged(value: str, **more: str) -> dict[str, str]:
    """A Range header, and others."""
    return {"Range": value} | {k.replace("_", "-"): v for k, v in more.items()}


CASES: list[tuple[dict[str, str], tuple[int, bytes, str | None]]] = [
    ({}, WHOLE),
    ({"If-None-Match": '"1"'}, (304, b"", None)),
    ({"If-None-Match": 'W/"1"'}, (304, b"", None)),
    ({"If-None-Match": '"0", "1"'}, (304, b"", None)),
    ({"If-None-Match": "*"}, (304, b"", None)),
    ({"If-None-Match": '"2"'}, WHOLE),
    ({"If-Modified-Since": DATE}, (304, b"", None)),
    ({"If-Modified-Since": LATER}, (304, b"", None)),
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
    (ranged("bytes=2-4", If_None_Match='"1"'), (304, b"", None)),
]


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
            if reply.status != 416:
                assert reply.header("etag") == '"1"', headers
            if reply.status in (200, 206):
                assert reply.header("content-length") == str(len(reply.body)), headers
    assert origin.count(url) == 1


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
    """A part that is streamed is that very part."""
    pattern = Pattern(5 << 20, seed=3)
    (shared_dir / host).mkdir(parents=True)
    (shared_dir / host / "a").write_bytes(pattern.slice(0, pattern.size))
    reply = fetch(shared_proxy, f"https://{host}/a", headers=ranged("bytes=1000003-4000001"))
    assert reply.header("content-range") == f"bytes 1000003-4000001/{pattern.size}"
    assert reply.body == pattern.slice(1_000_003, 4_000_002)
