"""cachy_freshness: who asks upstream again, and how."""

from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from time import time

import pytest

from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.message import HeadersLike, Request
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree, wait_until

WHEEL = "/w/six-1.16.0-py2.py3-none-any.whl"
DEB = "/pool/main/r/rtmpdump/librtmp-dev_2.4+20111222.git4e06e21-1_amd64.deb"
TGZ = "/lodash/-/lodash-4.17.21.tgz"
BY_HASH = f"/dists/x/by-hash/SHA256/{sha256(b'body').hexdigest()}"
HIT, STALE, REQUEST = "hit", "fwd=stale", "fwd=request"
LATER = "fwd=stale, but not at once"
OLD = {"Age": "86400"}


def cc(value: str, **more: str) -> dict[str, str]:
    """A Cache-Control header, and others."""
    return {"Cache-Control": value, **more}


def at(seconds: int) -> str:
    """A date in so many seconds."""
    return formatdate(time() + seconds, usegmt=True)


@pytest.fixture(scope="module")
def forever(start_shared_proxy: ProxyFactory, shared_proxy: Proxy) -> Proxy:
    """A proxy that never asks again, over the same tree."""
    return start_shared_proxy(options={"cachy_freshness": "forever"})


@pytest.mark.parametrize(
    ("path", "response", "request_", "expected"),
    [
        # Named for good: never, whatever origin and client say.
        *[(p, cc("no-cache, max-age=0") | OLD, None, HIT) for p in (WHEEL, DEB, TGZ, BY_HASH)],
        # A person asks, and is heard; what a program says with every request isn't.
        *[(p, cc("max-age=0"), cc("no-cache"), REQUEST) for p in (WHEEL, DEB, TGZ, BY_HASH)],
        *[(WHEEL, None, asks, REQUEST) for asks in (cc("max-age=0"), {"Pragma": "no-cache"})],
        *[(p, cc("max-age=0"), cc("no-cache, no-store"), HIT) for p in (WHEEL, DEB, TGZ)],
        (WHEEL, None, cc("no-cache", **{"Cache-Store": "no-store"}), HIT),
        (WHEEL, None, cc("no-cache", Range="bytes=0-3"), HIT),
        (BY_HASH, None, cc("max-age=0"), HIT),
        (WHEEL, OLD, {"If-None-Match": '"x"'}, HIT),
        ("/serde/serde-1.0.0.crate", cc("max-age=0"), None, HIT),
        # Not quite named for good.
        (WHEEL + "?v=2", cc("max-age=0"), None, STALE),
        ("/lodash/-/lodash-latest.tgz", cc("max-age=0"), None, STALE),
        # The origin says.
        ("/a.bin", cc("max-age=600"), None, HIT),
        ("/a.bin", cc("max-age=600", Age="600"), None, STALE),
        ("/a.bin", cc("max-age=600", Age="500"), None, HIT),
        ("/a.bin", cc("s-maxage=0, max-age=600"), None, STALE),
        ("/a.bin", cc("no-cache"), None, STALE),
        ("/a.bin", cc("private, max-age=600"), None, HIT),
        ("/a.bin", {"Expires": "@600"}, None, HIT),
        ("/a.bin", {"Date": "@-60", "Expires": "@-10"}, None, STALE),
        ("/a.bin", {"Expires": "0"}, None, STALE),
        # An index is fresh as long as it says, and no longer where it says nothing.
        *[(p, cc("max-age=600"), None, HIT) for p in ("/simple/six/", "/d/dists/sid/InRelease")],
        *[
            (p, None, None, LATER)
            for p in (
                "/simple/six/",
                "/repo/simple/six/",
                "/debian/dists/sid/InRelease",
                "/debian/dists/sid/main/binary-amd64/Packages.xz",
            )
        ],
        # The client asks, but not for what is fresh and was fetched a moment ago.
        ("/a.bin", cc("max-age=600"), cc("max-age=0"), HIT),
        ("/a.bin", cc("max-age=600"), cc("no-cache"), HIT),
        ("/a.bin", None, cc("max-age=0"), REQUEST),
        ("/a.bin", None, cc("no-cache"), REQUEST),
        ("/a.bin", None, {"Pragma": "no-cache"}, REQUEST),
        ("/a.bin", None, {"If-None-Match": '"x"'}, REQUEST),
        ("/a.bin", None, {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:01 GMT"}, REQUEST),
        ("/a.bin", cc("max-age=600", Age="60"), cc("max-age=90"), HIT),
        ("/a.bin", cc("max-age=600", Age="60"), cc("max-age=30"), REQUEST),
    ],
)
def test_auto(
    shared_proxy: Proxy,
    shared_dir: Path,
    forever: Proxy,
    origin: Origin,
    host: str,
    path: str,
    response: dict[str, str] | None,
    request_: HeadersLike | None,
    expected: str,
) -> None:
    """Whether the second request asks upstream; with `forever` it never does."""
    url = f"https://{host}{path}"
    headers = {k: at(int(v[1:])) if v.startswith("@") else v for k, v in (response or {}).items()}
    origin.route(url, b"body", headers=headers)
    assert fetch(shared_proxy, url).cache_status == "cachy; fwd=uri-miss; stored"
    if expected == LATER:
        # Not at once: jobs that start together are a moment apart.
        assert fetch(shared_proxy, url, headers=cc("max-age=0")).cache_status == "cachy; hit"
        a_while_ago(shared_dir)
        expected = STALE
    again = fetch(forever, url, headers=request_)
    assert (again.body, again.cache_status) == (b"body", "cachy; hit")
    assert origin.count(url) == 1
    again = fetch(shared_proxy, url, headers=request_)
    assert again.body == b"body"
    if expected == HIT:
        assert (again.cache_status, origin.count(url)) == ("cachy; hit", 1)
    else:
        assert again.cache_status.startswith(f"cachy; {expected}")
        assert origin.count(url) == 2


@pytest.mark.parametrize(
    ("status", "age", "expected"),
    [
        *[(s, 590, HIT) for s in (302, 303, 307, 404, 410)],
        *[(s, 601, STALE) for s in (302, 303, 307, 404, 410)],
        *[(s, 590, HIT) for s in (301, 308)],
        *[(s, 601, STALE) for s in (301, 308)],
    ],
)
def test_statuses(
    shared_proxy: Proxy, origin: Origin, host: str, status: int, age: int, expected: str
) -> None:
    """A 404, 410 or redirect is checked after 10 minutes, a permanent one as well."""
    url = f"https://{host}/a"
    headers = {"Age": str(age)} | ({"Location": "/b"} if status < 400 else {})
    origin.route(url, b"text", status, headers)
    first, again = fetch(shared_proxy, url), fetch(shared_proxy, url)
    assert first.cache_status == "cachy; fwd=uri-miss; stored"
    assert (first.status, again.status, again.body) == (status, status, b"text")
    assert again.cache_status.startswith(f"cachy; {expected}")
    assert origin.count(url) == (1 if expected == HIT else 2)


def test_check_is_conditional_and_updates(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A check sends the stored validators alone; a 304 renews the fields and keeps the body."""
    url, modified = f"https://{host}/a.bin", "Tue, 14 Nov 2023 22:13:20 GMT"
    answer = origin.route(
        url, b"1", 200, cc("max-age=0", X="old"), etag='"1"', last_modified=modified
    )
    fetch(shared_proxy, url)
    answer.headers = [("Cache-Control", "max-age=600"), ("X", "new")]
    own = {"If-None-Match": '"other"', "Range": "bytes=0-0"}
    reply = fetch(shared_proxy, url, headers=own)
    assert (reply.status, reply.body, reply.header("x")) == (206, b"1", "new")
    assert reply.cache_status == "cachy; fwd=request; fwd-status=304"
    check = origin.asked(url)[-1]
    assert check.header("if-none-match") == '"1"'
    assert check.header("if-modified-since") == modified
    assert check.header("range") is None
    again = fetch(shared_proxy, url)
    assert (again.body, again.header("x"), again.cache_status) == (b"1", "new", "cachy; hit")
    assert fetch(shared_proxy, url, headers={"If-None-Match": '"1"'}).status == 304
    assert origin.count(url) == 2
    assert tree(shared_dir)[f"{host}/a.bin"] == b"1"


@pytest.mark.parametrize("status", [200, 404])
def test_check_replaces(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """What a check brings takes the place of what was stored, be it a 404."""
    url = f"https://{host}/a.bin"
    answer = origin.route(url, b"1", 200, cc("max-age=0"))
    fetch(shared_proxy, url)
    answer.body, answer.status = b"2", status
    answer.headers = []
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body) == (status, b"2")
    assert reply.cache_status == "cachy; fwd=stale; stored"
    assert tree(shared_dir)[f"{host}/a.bin"] == (b"2" if status == 200 else "-> 404")
    again = fetch(shared_proxy, url)
    assert (again.status, again.body, again.cache_status) == (status, b"2", "cachy; hit")


@pytest.mark.parametrize("validator", [None, '"1"'])
def test_no_check_is_repeated_at_once(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, validator: str | None
) -> None:
    """Within 5 s of a check nobody makes another, whatever he asks."""
    url = f"https://{host}/simple/six/"
    origin.route(url, b"1", 200, etag=validator)
    fetch(shared_proxy, url)
    a_while_ago(shared_dir)
    fetch(shared_proxy, url)
    for headers in ({}, cc("no-cache"), cc("max-age=0"), {"If-None-Match": '"x"'}):
        reply = fetch(shared_proxy, url, headers=headers)
        assert (reply.body, reply.cache_status) == (b"1", "cachy; hit")
    assert origin.count(url) == 2


@pytest.mark.parametrize(
    "said", [cc("no-cache"), cc("max-age=0"), cc("no-cache, max-age=60"), {"Expires": "0"}]
)
def test_what_is_to_be_asked_about_each_time_is(
    shared_proxy: Proxy, origin: Origin, host: str, said: dict[str, str]
) -> None:
    """A push is seen by the next fetch, however soon: git's refs say no-cache."""
    url = f"https://{host}/o/r.git/info/refs?service=git-upload-pack"
    answer = origin.route(url, b"0", 200, said)
    for n in range(4):
        answer.body = str(n).encode()
        assert fetch(shared_proxy, url).body == answer.body
    assert origin.count(url) == 4


def test_two_clients_make_one_check(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """Who comes during a check waits for it and is served by it."""
    url = f"https://{host}/simple/six/"
    answer = origin.route(url, b"1")
    fetch(shared_proxy, url)
    a_while_ago(shared_dir)
    gate = origin.gate()
    answer.body = b"2"

    async def slowly(request: Request, reply: Reply) -> None:
        await gate.passed()
        await answer(request, reply)

    origin.handle(host, "/simple/six/", slowly, scheme="https")
    clients = [Connection(shared_proxy, url) for _ in range(3)]
    for client in clients:
        client.send_request()
    # Answered after the three were read, which stood in line before it.
    fetch(shared_proxy, f"https://{host}/other")
    wait_until(lambda: origin.count(url) == 2)
    gate.open()
    statuses = []
    for client in clients:
        statuses.append(client.read_head().cache_status)
        assert client.read_to_end() == b"2"
        client.close()
    assert sorted(statuses) == [
        "cachy; fwd=stale; collapsed",
        "cachy; fwd=stale; collapsed",
        "cachy; fwd=stale; stored",
    ]
    assert origin.count(url) == 2
