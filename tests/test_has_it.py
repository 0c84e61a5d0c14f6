"""A client that has what comes gets its 304, and the tree gets the whole."""

from pathlib import Path

import pytest

from support.checked import CONDITIONS
from support.either import Asks
from support.factory import ProxyFactory
from support.gate import Gate
from support.message import HeadersLike, Request, header_list
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree, wait_until

BODY = b"version 2, " * 1000
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
TOLD = "cachy; fwd=uri-miss; fwd-status=200; stored"
HAS = {"If-None-Match": '"2"'}


@pytest.fixture(params=["h1", "h2"])
def fetch(request: pytest.FixtureRequest, origin: Origin, host: str) -> Asks:
    """Asks over HTTP/1.1 or HTTP/2, and so does the proxy."""
    return Asks(request.param, origin, host)


@pytest.fixture(scope="module", params=["auto", "off"])
def having(start_shared_proxy: ProxyFactory, request: pytest.FixtureRequest) -> Proxy:
    """A proxy with the lane, and one without; both have the tree of the module."""
    return start_shared_proxy(options={"cachy_lane": request.param})


@pytest.fixture
def folder(having: Proxy) -> Path:
    """Its tree."""
    return Path(str(having.settings.options["cachy_dir"]))


def halved(
    origin: Origin, host: str, body: bytes = BODY, fields: HeadersLike | None = None
) -> Gate:
    """Sends half of the body of `/a`, the rest when the gate opens."""
    gate = origin.gate()

    async def handler(_: Request, reply: Reply) -> None:
        half = len(body) // 2
        await reply.head(headers=[("ETag", '"2"'), *header_list(fields)], length=len(body))
        await reply.send(body[:half])
        await gate.passed()
        await reply.send(body[half:])
        await reply.end()

    origin.handle(host, "/a", handler, scheme="https")
    return gate


@pytest.mark.parametrize(
    "condition",
    [
        HAS,
        {"If-None-Match": 'W/"2"'},
        {"If-None-Match": '"1", "2"'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": DATE},
    ],
)
def test_a_miss(
    fetch: Asks, having: Proxy, folder: Path, origin: Origin, host: str, condition: dict[str, str]
) -> None:
    """What the tree lacks and the client has is fetched for the tree, and not sent to the client."""
    url = f"https://{host}/a"
    origin.route(url, BODY, etag='"2"', last_modified=DATE, headers={"Set-Cookie": "a=b"})
    reply = fetch(having, url, headers=condition)
    assert (reply.status, reply.body, reply.cache_status) == (304, b"", TOLD)
    assert (reply.header("etag"), reply.header("last-modified")) == ('"2"', DATE)
    assert [origin.asked(url)[0].header(name) for name in CONDITIONS] == [None, None]
    wait_until(lambda: tree(folder).get(f"{host}/a") == BODY)
    assert origin.count(url) == 1


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_check(
    fetch: Asks, having: Proxy, folder: Path, origin: Origin, host: str, large: bool
) -> None:
    """The tree has version 1, the client 2: the check asks for 1, and 2 comes for the tree alone."""
    body = BODY * 150 if large else BODY
    url = f"https://{host}/a"
    origin.route(url, b"version 1", etag='"1"', headers={"Cache-Control": "no-cache"})
    fetch(having, url)
    gate = halved(origin, host, body)
    with fetch.client(having, url) as client:
        client.send(headers=HAS)
        head = client.head()
        assert (head.status, head.cache_status) == (304, TOLD.replace("uri-miss", "request"))
        if fetch.version == "h2" or large:
            # All of it, but for a short body, behind which the client's connection goes on.
            assert client.rest() == b""
        gate.open()
        assert client.rest() == b""
    assert origin.asked(url)[1].header("if-none-match") == '"1"'
    wait_until(lambda: tree(folder)[f"{host}/a"] == body)
    assert origin.count(url) == 2


def test_the_client_leaves(
    fetch: Asks, having: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """It has its answer before the body is there; that comes whole, also when the client has gone."""
    url = f"https://{host}/a"
    gate = halved(origin, host)
    with fetch.client(having, url) as client:
        client.send(headers=HAS)
        assert client.head().status == 304
    # Answered after the proxy has heard that the client left.
    fetch(having, f"https://{host}/other")
    gate.open()
    wait_until(lambda: tree(folder).get(f"{host}/a") == BODY)
    assert origin.count(url) == 1


def test_the_next_request_on_the_connection(
    fetch: Asks, having: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """The client's connection goes on, for what it asks next."""
    url = f"https://{host}/a"
    origin.route(f"https://{host}/b", b"other")
    gate = halved(origin, host)
    with fetch.client(having, url) as client:
        client.send(headers=HAS)
        assert client.head().status == 304
        client.send(f"https://{host}/b")
        gate.open()
        assert (client.head().status, client.rest()) == (200, b"other")
    wait_until(lambda: tree(folder).get(f"{host}/a") == BODY)


def test_another_reads_along(fetch: Asks, having: Proxy, origin: Origin, host: str) -> None:
    """Who doesn't have it reads it as it comes."""
    url = f"https://{host}/a"
    gate = halved(origin, host)
    with fetch.client(having, url) as first, fetch.client(having, url) as second:
        first.send(headers=HAS)
        assert first.head().status == 304
        second.send()
        head = second.head()
        assert (head.status, head.cache_status) == (200, "cachy; fwd=uri-miss; collapsed")
        gate.open()
        assert second.rest() == BODY
    assert origin.count(url) == 1


def test_the_body_breaks_off(
    fetch: Asks, having: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """That is no trouble of a client that has its answer; nothing is stored."""
    url = f"https://{host}/a"
    gate = origin.gate()

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(headers={"ETag": '"2"'}, length=len(BODY))
        await reply.send(BODY[:100])
        await gate.passed()
        reply.abort()

    origin.handle(host, "/a", handler, scheme="https")
    origin.route(f"https://{host}/b", b"other")
    with fetch.client(having, url) as client:
        client.send(headers=HAS)
        assert client.head().status == 304
        gate.open()
        client.send(f"https://{host}/b")
        assert (client.head().status, client.rest()) == (200, b"other")
    assert f"{host}/a" not in tree(folder)


def test_what_is_not_stored(
    fetch: Asks, having: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """The rest of a body that is for nobody doesn't come."""
    url = f"https://{host}/a"
    halved(origin, host, fields={"Cache-Control": "no-store"})
    reply = fetch(having, url, headers=HAS)
    assert (reply.status, reply.body) == (304, b"")
    assert reply.cache_status == "cachy; fwd=uri-miss; fwd-status=200; detail=no-store"
    assert f"{host}/a" not in tree(folder)


def test_what_the_client_has_not(
    fetch: Asks, having: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """Another tag is answered with the body, and a failed condition with 412."""
    url = f"https://{host}/a"
    answer = origin.route(url, BODY, etag='"2"', headers={"Cache-Control": "no-cache"})
    reply = fetch(having, url, headers={"If-None-Match": '"1"'})
    assert (reply.status, reply.body) == (200, BODY)
    answer.etag, answer.body = '"3"', b"version 3"
    reply = fetch(having, url, headers={"If-Match": '"2"'})
    assert (reply.status, reply.body) == (412, b"")
    wait_until(lambda: tree(folder)[f"{host}/a"] == b"version 3")
