"""Redirects to the thing itself: followed inside the proxy, stored under the URL that was asked."""

import itertools
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Handler, Reply
from support.tree import tree, wait_until

STORED = "cachy; fwd=uri-miss; stored"
HIT = "cachy; hit"
ARCHIVE = "/src/archive/v1.zip"
BODY = b"PK" * 5000

#: Signed URLs of each kind, but for the signature, which is another one each time.
SIGNED = {
    "s3": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F2024%2Fs3&X-Amz-Date=20240101T000000Z"
    "&X-Amz-Expires=300&X-Amz-SignedHeaders=host&X-Amz-Signature=",
    "s3-old": "AWSAccessKeyId=A&Expires=1700000000&Signature=",
    "cloudfront": "Expires=1700000000&Key-Pair-Id=K&Signature=",
    "cloudfront-policy": "Policy=eyJ9&Key-Pair-Id=K&Signature=",
    "azure": "sv=2023-01-01&sr=b&sp=r&se=2024-01-01T00%3A00%3A00Z&sig=",
    "gcs": "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=a%40b&X-Goog-Date=20240101T000000Z"
    "&X-Goog-Expires=300&X-Goog-SignedHeaders=host&X-Goog-Signature=",
    "gcs-old": "GoogleAccessId=a%40b&Expires=1700000000&Signature=",
}


def redirect(location: str, status: int = 302) -> Handler:
    """Redirects there, with a body that nobody wants."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(status, {"Location": location, "Set-Cookie": "a=b"}, length=5)
        await reply.send(b"moved")
        await reply.end()

    return handler


def sign(origin: Origin, host: str, kind: str, body: bytes = BODY) -> str:
    """Leads `ARCHIVE` of a host to a store whose URLs are signed afresh each time, and expire.

    Returns:
        The store's host.
    """
    store = f"store.{host}"
    numbers = itertools.count()
    good: set[str] = set()

    async def moved(_: Request, reply: Reply) -> None:
        target = f"/blob?{SIGNED[kind]}n%2B{next(numbers)}%3D"
        good.add(target)
        await reply.head(302, {"Location": f"https://{store}{target}"})
        await reply.end()

    async def blob(request: Request, reply: Reply) -> None:
        if request.target not in good:
            await reply.head(403)
        else:
            good.clear()  # Good once.
            await reply.head(
                headers={"ETag": '"e"', "Content-Type": "application/zip"}, length=len(body)
            )
            await reply.send(body)
        await reply.end()

    origin.handle(host, ARCHIVE, moved)
    origin.handle(host, "/download", moved)
    origin.handle(store, "*", blob)
    return store


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("path", [ARCHIVE, "/download"])
def test_signed(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, kind: str, path: str
) -> None:
    """One entry under the URL that was asked, whatever the signature, and after it has expired."""
    url = f"https://{host}{path}"
    store = sign(origin, host, kind)
    first, again = fetch(shared_proxy, url), fetch(shared_proxy, url)
    assert (first.status, first.body, first.cache_status) == (200, BODY, STORED)
    assert (again.status, again.body, again.cache_status) == (200, BODY, HIT)
    assert again.header("content-type") == "application/zip"
    assert origin.count(url) == 1
    assert [r.host for r in origin.requests] == [host, store]
    assert tree(shared_dir / host) == {path.lstrip("/"): BODY}
    assert not (shared_dir / store).exists(), "signatures never become keys"


def test_offline(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, network: Network, host: str
) -> None:
    """What was followed is there without a line, when it is stale, and in `offline`."""
    sign(origin, host, "s3")
    url = f"https://{host}/download"
    proxy = start_proxy()
    fetch(proxy, url)
    network.down()
    a_while_ago(cachy_dir)
    stale = fetch(proxy, url, headers={"Cache-Control": "no-cache"})
    assert (stale.body, stale.cache_status) == (BODY, "cachy; hit; detail=stale-if-error")
    proxy.stop()
    offline = start_proxy(options={"cachy_mode": "offline"})
    reply = fetch(offline, url)
    assert (reply.body, reply.cache_status) == (BODY, HIT)


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_check_goes_the_same_way(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, http2: bool
) -> None:
    """The check of what was followed follows again: confirmed, replaced, or served as it was."""
    url, there = f"https://{host}{ARCHIVE}", f"https://store.{host}/blob"
    if http2:
        origin.http2_hosts |= {host, f"store.{host}"}
    origin.handle(host, ARCHIVE, redirect(there))
    answer = origin.route(there, b"1", headers={"Cache-Control": "max-age=0"}, etag='"1"')
    assert fetch(shared_proxy, url).cache_status == STORED
    confirmed = fetch(shared_proxy, url)
    assert (confirmed.body, confirmed.status) == (b"1", 200)
    assert confirmed.cache_status == "cachy; fwd=stale; fwd-status=304"
    assert [r.header("if-none-match") for r in origin.asked(there)] == [None, '"1"']
    answer.body, answer.etag = b"2", '"2"'
    record = next(
        iter(p for p in (shared_dir / ".cachy/meta").rglob("*.json") if url in p.read_text())
    )
    # As if the last check were long ago.
    record.write_text(record.read_text().replace('"checked_at":1', '"checked_at":'))
    replaced = fetch(shared_proxy, url)
    assert replaced.body == b"2"
    assert tree(shared_dir / host) == {ARCHIVE.lstrip("/"): b"2"}
    record.write_text(record.read_text().replace('"checked_at":1', '"checked_at":'))
    origin.route(there, b"no", 503)
    failing = fetch(shared_proxy, url)
    assert (failing.body, failing.cache_status) == (b"2", "cachy; hit; detail=stale-if-error")


def test_many_at_once(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """The chain is walked once for all who ask meanwhile, over both versions of HTTP."""
    url, there = f"https://{host}{ARCHIVE}", f"https://store.{host}/blob"
    gate = origin.gate()

    async def slowly(_: Request, reply: Reply) -> None:
        await reply.head(length=4)
        await reply.send(b"bo")
        await gate.passed()
        await reply.send(b"dy")
        await reply.end()

    origin.handle(host, ARCHIVE, redirect(there))
    origin.handle(f"store.{host}", "/blob", slowly)
    clients = [Connection(shared_proxy, url) for _ in range(3)]
    with H2Client(shared_proxy, url) as h2:
        for client in clients:
            client.send_request()
        number = h2.send_request()
        wait_until(lambda: origin.count(there) == 1)
        for client in clients:
            client.read_head()
            assert client.read_exactly(2) == b"bo"
        # It is not the first client's fetch alone.
        clients.pop(0).close()
        gate.open()
        assert [client.read_to_end() for client in clients] == [b"dy"] * 2
        h2.read_head(number)
        assert h2.read_to_end(number) == b"body"
    for client in clients:
        client.close()
    assert (origin.count(url), origin.count(there)) == (1, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_chain(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """Ten redirects are followed, relative ones too."""
    for number in range(9):
        origin.handle(host, f"/r/{number}", redirect(f"{number + 1}", status))
    origin.handle(host, ARCHIVE, redirect("/r/0", status))
    origin.route(f"https://{host}/r/9", BODY)
    assert fetch(shared_proxy, f"https://{host}{ARCHIVE}").body == BODY
    assert tree(shared_dir / host) == {ARCHIVE.lstrip("/"): BODY}


def test_too_long_a_chain(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """More than ten, or a circle: the client gets the first redirect and may try itself."""
    origin.handle(host, ARCHIVE, redirect("/r/0"))
    numbers = itertools.count(1)

    async def on_and_on(_: Request, reply: Reply) -> None:
        await reply.head(302, {"Location": f"/r/{next(numbers)}"})
        await reply.end()

    for number in range(20):
        origin.handle(host, f"/r/{number}", on_and_on)
    reply = fetch(shared_proxy, f"https://{host}{ARCHIVE}")
    assert (reply.status, reply.header("location")) == (302, "/r/0")
    assert reply.cache_status == "cachy; fwd=uri-miss; detail=not-followed"
    assert len(origin.requests) == 11
    assert not (shared_dir / host).exists() or tree(shared_dir / host) == {}


@pytest.mark.parametrize("end", ["login", "missing", "forbidden", "no-store", "dead", "cut"])
def test_leads_to_nothing(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, network: Network, host: str, end: str
) -> None:
    """A login page, an error, a dead host: the client gets the redirect, and nothing is stored."""
    url, there = f"https://{host}{ARCHIVE}", f"https://store.{host}/blob"
    origin.handle(host, ARCHIVE, redirect(there))
    if end == "login":
        origin.route(there, b"<form>", headers={"Content-Type": "text/html; charset=utf-8"})
    elif end == "no-store":
        origin.route(there, b"x", headers={"Cache-Control": "no-store"})
    elif end == "dead":
        network.down(f"store.{host}")
    else:
        origin.route(there, b"no", 404 if end == "missing" else 403)
    if end == "cut":

        async def cut(_: Request, reply: Reply) -> None:
            reply.abort()

        origin.handle(f"store.{host}", "/blob", cut)
    with Connection(shared_proxy, url) as client:
        for count in (1, 2):
            reply = client.fetch()
            assert (reply.status, reply.header("location")) == (302, there)
            assert reply.cache_status == "cachy; fwd=uri-miss; detail=not-followed"
            assert origin.count(url) == count
        # The connection stays in step.
        origin.route(f"https://{host}/other", b"other")
        assert client.fetch(f"https://{host}/other").body == b"other"
    assert not (shared_dir / f"store.{host}").exists()
    assert tree(shared_dir / host) == {"other": b"other"}


def test_never_from_https_to_http(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """Such a redirect is the client's to follow."""
    url, there = f"https://{host}{ARCHIVE}", f"http://store.{host}/blob"
    origin.handle(host, ARCHIVE, redirect(there))
    origin.route(there, BODY)
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.header("location")) == (302, there)
    assert origin.count(there) == 0
    assert tree(shared_dir / host) == {ARCHIVE.lstrip("/"): f"-> 302 {there}"}


def test_pages_are_not_followed(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """From a URL that names no file, to one that isn't signed: stored as a link."""
    url, there = f"https://{host}/page", f"https://{host}/there"
    origin.handle(host, "/page", redirect(there))
    assert fetch(shared_proxy, url).status == 302
    assert tree(shared_dir / host) == {"page": f"-> 302 {there}"}


def test_range_of_what_is_led_to(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A range is answered from it, and the whole of it is stored."""
    url = f"https://{host}{ARCHIVE}"
    sign(origin, host, "s3", body=bytes(range(256)) * 100)
    reply = fetch(shared_proxy, url, headers={"Range": "bytes=10-12"})
    assert (reply.status, reply.body) == (206, b"\x0a\x0b\x0c")
    wait_until(lambda: tree(shared_dir).get(host + ARCHIVE) == bytes(range(256)) * 100)
    assert [r.header("range") for r in origin.requests] == [None, None]


def test_what_the_hop_is_asked(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """It gets the client's fields with its own Host, and the bytes of the Location as they are."""
    target = "/a%2Fb/c%7e?sig=a%2Bb%2f%3D&x='~"
    origin.handle(host, ARCHIVE, redirect(f"https://store.{host}{target}"))
    origin.route(f"https://store.{host}{target}", BODY)
    headers = {"User-Agent": "tool/1", "X-Mark": "1", "Proxy-Authorization": "Basic eDp5"}
    assert fetch(shared_proxy, f"https://{host}{ARCHIVE}", headers=headers).body == BODY
    hop = origin.requests[-1]
    assert (hop.host, hop.target, hop.sni) == (f"store.{host}", target, f"store.{host}")
    assert hop.header("host") == f"store.{host}"
    assert (hop.header("user-agent"), hop.header("x-mark")) == ("tool/1", "1")
    assert hop.header("proxy-authorization") is None


def test_credentials_stay(start_proxy: ProxyFactory, origin: Origin, host: str) -> None:
    """With `cachy_private` they go to the same host, and to no other."""
    proxy = start_proxy(options={"cachy_private": True})
    secret = {"Authorization": "Basic eDp5", "Cookie": "a=b"}
    origin.handle(host, ARCHIVE, redirect("/same"))
    origin.handle(host, "/same", redirect(f"https://other.{host}/blob"))
    origin.handle(f"other.{host}", "/blob", redirect(f"https://{host}/back"))
    origin.route(f"https://{host}/back", BODY)
    assert fetch(proxy, f"https://{host}{ARCHIVE}", headers=secret).body == BODY
    sent = [bool(r.header("authorization") or r.header("cookie")) for r in origin.requests]
    assert sent == [True, True, False, False]


def test_a_signed_url_itself(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """Asked for by a client, it passes: a signature is a credential, and no key."""
    url = f"https://{host}/blob?{SIGNED['s3']}abc"
    origin.route(url, BODY)
    for count in (1, 2):
        reply = fetch(shared_proxy, url)
        assert (reply.body, reply.cache_status) == (BODY, "cachy; fwd=bypass; detail=signed-url")
        assert origin.count(url) == count
    assert not (shared_dir / host).exists()
