"""What a redirect that is followed says itself is kept with what it leads to."""

from pathlib import Path

import pytest

from support.either import Asks
from support.factory import ProxyFactory
from support.message import Request
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Handler, Reply
from support.tree import tree

PATH = "/org/model/resolve/main/model-1.0.tar.gz"
BODY = b"\x1f\x8b weights" * 100
HIT = "cachy; hit"
#: What a client of such a hub reads, and its proxy must not lose.
OWN = {
    "X-Repo-Commit": "0123abc",
    "X-Linked-ETag": '"linked"',
    "X-Linked-Size": str(len(BODY)),
    "Link": '<https://hub/xet>; rel="xet-auth"',
}
#: What is about the redirect alone.
NOT_KEPT = {
    "Content-Type": "text/plain",
    "Content-Language": "en",
    "ETag": '"redirect"',
    "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
    "Expires": "Thu, 01 Jan 2099 00:00:00 GMT",
    "Set-Cookie": "a=b",
    "Access-Control-Allow-Origin": "https://hub",
    "Retry-After": "9",
    "Server": "hub",
}


@pytest.fixture(params=["h1", "h2"])
def fetch(request: pytest.FixtureRequest, origin: Origin, host: str) -> Asks:
    """Asks over HTTP/1.1 or HTTP/2, and so does the proxy."""
    return Asks(request.param, origin, host)


@pytest.fixture(scope="module", params=["auto", "off"])
def led(start_shared_proxy: ProxyFactory, request: pytest.FixtureRequest) -> Proxy:
    """A proxy with the lane, and one without."""
    return start_shared_proxy(options={"cachy_lane": request.param})


def redirect(location: str, fields: dict[str, str]) -> Handler:
    """Redirects there, and says more."""

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(302, [("Location", location), *fields.items()], length=5)
        if request.method != "HEAD":
            await reply.send(b"moved")
        await reply.end()

    return handler


def hub(origin: Origin, host: str, **fields: str) -> str:
    """A file of a hub, which redirects to a store; returns its URL."""
    store = f"https://store.{host}/blob?n=1"
    commit = OWN | {name.replace("_", "-"): value for name, value in fields.items()}
    origin.handle(host, PATH, redirect(store, commit | NOT_KEPT | {"Cache-Control": "no-store"}))
    return f"https://{host}{PATH}"


def test_kept(fetch: Asks, led: Proxy, origin: Origin, host: str) -> None:
    """With GET and HEAD, from the origin and from the tree, until the entry goes."""
    url = hub(origin, host)
    there = f"https://store.{host}/blob?n=1"
    last = {"ETag": '"blob"', "X-Linked-Size": "own", "Content-Type": "application/gzip"}
    origin.route(there, BODY, headers=last)
    before = fetch(led, url, "HEAD")
    assert (before.status, before.header("x-repo-commit")) == (302, "0123abc")
    for method in ("GET", "GET", "HEAD"):
        reply = fetch(led, url, method)
        assert (reply.status, reply.body) == (200, b"" if method == "HEAD" else BODY)
        for name, value in (OWN | last).items():
            assert reply.header(name) == value, (method, name)
        for name in NOT_KEPT.keys() - last.keys():
            assert reply.header(name) is None, (method, name)
        assert reply.header("content-length") == str(len(BODY))
    assert origin.count(url) == 2
    conditional = fetch(led, url, headers={"If-None-Match": '"redirect"'})
    assert conditional.status == 200


def test_of_each_redirect(fetch: Asks, led: Proxy, origin: Origin, host: str) -> None:
    """The first that says something counts, but for what the last answer says."""
    middle = f"https://{host}/renamed/model-1.0.tar.gz"
    url = f"https://{host}{PATH}"
    origin.handle(host, PATH, redirect(middle, {"X-First": "1", "X-Both": "first"}))
    there = f"https://store.{host}/blob"
    second = {"X-Second": "2", "X-Both": "second", "X-Last": "second"}
    origin.handle(host, "/renamed/model-1.0.tar.gz", redirect(there, second))
    origin.route(there, BODY, headers={"X-Last": "last"})
    fetch(led, url)
    reply = fetch(led, url, "HEAD")
    names = ("x-first", "x-second", "x-both", "x-last")
    assert [reply.header(name) for name in names] == ["1", "2", "first", "last"]


def test_a_check_renews_them(fetch: Asks, led: Proxy, origin: Origin, host: str) -> None:
    """A new commit that has the same bytes is told from then on."""
    url = hub(origin, host)
    answer = origin.route(f"https://store.{host}/blob?n=1", BODY, etag='"blob"')
    answer.headers = [("Cache-Control", "no-cache")]
    fetch(led, url)
    hub(origin, host, X_Repo_Commit="4567def")
    reply = fetch(led, url, headers={"Cache-Control": "no-cache"})
    assert reply.header("x-repo-commit") == "4567def"
    assert reply.cache_status.endswith("fwd-status=304")
    folder = Path(str(led.settings.options["cachy_dir"]))
    assert tree(folder)[f"{host}{PATH}"] == BODY
    assert fetch(led, url, "HEAD").header("x-repo-commit") == "4567def"
