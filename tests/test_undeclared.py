"""Variants that origins don't declare, and what stands in for one that isn't there."""

import hashlib
from pathlib import Path

import pytest

from support.client import Reply, fetch
from support.factory import ProxyFactory
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply as Answering

FRESH = {"Cache-Control": "max-age=600"}
HIT = "cachy; hit"

INSTALL = "application/vnd.npm.install-v1+json"
NPM = f"{INSTALL}; q=1.0, application/json; q=0.8, */*"
YARN = f"{INSTALL}, application/json;q=0.5"

LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
#: Clients that take all there is.
WIDE = {
    "containerd": f"{SCHEMA2}, {LIST}, {IMAGE}, {INDEX}, */*",
    "docker": f"{SIGNED}, application/json, {SCHEMA2}, {LIST}, {INDEX}, {IMAGE}",
    "skopeo": f"{IMAGE}, {SCHEMA2}, {SIGNED}, {SCHEMA1}, {LIST}, {INDEX}",
    "crane": f"{SCHEMA1},{SIGNED},{SCHEMA2},{IMAGE},{LIST},{INDEX}",
}
NARROW = f"{IMAGE}, {SCHEMA2}"


def ask(proxy: Proxy, url: str, **fields: str) -> Reply:
    """One request; `_` in the name of a field is `-`."""
    return fetch(proxy, url, headers={k.replace("_", "-"): v for k, v in fields.items()})


def by_field(origin: Origin, host: str, name: str, **headers: str) -> None:
    """Has the origin answer with the value of a field."""

    async def handler(request: Request, reply: Answering) -> None:
        body = (request.header(name) or "none").encode()
        fields = {k.replace("_", "-"): v for k, v in headers.items()}
        await reply.head(headers=FRESH | fields, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "*", handler)


def registry(origin: Origin, host: str) -> None:
    """A registry with an index, which gives one platform's manifest to whom no index is good for, and
    nothing to whom that isn't either.
    """

    async def handler(request: Request, reply: Answering) -> None:
        accept = request.header("accept") or ""
        found = [kind for kind in (INDEX, IMAGE) if kind in accept]
        body = found[0].encode() if found else b"MANIFEST_UNKNOWN"
        kind = found[0] if found else "application/json"
        fields = FRESH | {"Content-Type": kind}
        await reply.head(200 if found else 404, headers=fields, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "*", handler)


@pytest.mark.parametrize("vary", [{}, {"Vary": "Accept, Accept-Encoding"}])
@pytest.mark.parametrize("path", ["/lodash", "/@types%2fnode", "/repository/npm/highlight.js"])
@pytest.mark.parametrize("first", [NPM, "application/json"])
def test_packument(
    shared_proxy: Proxy,
    origin: Origin,
    host: str,
    first: str,
    path: str,
    vary: dict[str, str],
) -> None:
    """Who installs gets the short form of a packument, and who asks for the long one that, whoever
    comes first; all who install share it.
    """
    url = f"https://{host}{path}"

    async def handler(request: Request, reply: Answering) -> None:
        kind = INSTALL if INSTALL in (request.header("accept") or "") else "application/json"
        await reply.head(headers=FRESH | vary | {"Content-Type": kind}, length=len(kind))
        await reply.send(kind.encode())
        await reply.end()

    origin.handle(host, "*", handler)
    ask(shared_proxy, url, Accept=first)
    for accept in (NPM, "application/json", YARN, "application/json"):
        reply = ask(shared_proxy, url, Accept=accept)
        kind = "application/json" if accept == "application/json" else INSTALL
        assert (reply.body, reply.header("content-type")) == (kind.encode(), kind)
    assert reply.cache_status == HIT
    assert len(origin.requests) == 2


def test_a_packument_for_all_others(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """The long form is one, whatever else is accepted."""
    url = f"https://{host}/lodash"
    origin.route(url, b"{}", headers=FRESH | {"Content-Type": "application/json"})
    for accept in ("application/json", "*/*", "text/html", "application/json, */*;q=0.1"):
        reply = ask(shared_proxy, url, Accept=accept)
    assert reply.cache_status == HIT
    assert origin.count(url) == 1


@pytest.mark.parametrize("vary", [{}, {"Vary": "Accept"}])
@pytest.mark.parametrize("reference", ["latest", "3.19"])
def test_manifest(
    shared_proxy: Proxy, origin: Origin, host: str, reference: str, vary: dict[str, str]
) -> None:
    """One client's narrow Accept gives nobody else one platform, or a 404."""
    registry(origin, host)
    url = f"https://{host}/v2/library/alpine/manifests/{reference}"
    assert ask(shared_proxy, url, Accept=SCHEMA2).status == 404
    assert ask(shared_proxy, url, Accept=NARROW).body == IMAGE.encode()
    for accept in WIDE.values():
        reply = ask(shared_proxy, url, Accept=accept)
        assert (reply.body, reply.header("content-type")) == (INDEX.encode(), INDEX)
    assert reply.cache_status == HIT
    assert len(origin.requests) == 3
    # Each keeps its own.
    assert ask(shared_proxy, url, Accept=f"{SCHEMA2},{IMAGE}").cache_status == HIT
    assert ask(shared_proxy, url, Accept=SCHEMA2).status == 404
    assert len(origin.requests) == 3


def test_manifest_by_digest(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What a digest names is one for all; that it isn't there is only so for who was told."""
    registry(origin, host)
    digest = hashlib.sha256(INDEX.encode()).hexdigest()
    url = f"https://{host}/v2/a/manifests/sha256:{digest}"
    assert ask(shared_proxy, url, Accept=SCHEMA2).status == 404
    assert ask(shared_proxy, url, Accept=WIDE["docker"]).body == INDEX.encode()
    for accept in (*WIDE.values(), SCHEMA2, "*/*"):
        reply = ask(shared_proxy, url, Accept=accept)
        assert (reply.body, reply.cache_status) == (INDEX.encode(), HIT)
    assert len(origin.requests) == 2


def test_devpi(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """devpi's `+simple` is an index as any other."""
    url = f"https://{host}/root/pypi/+simple/six/"
    by_field(origin, host, "accept")
    kind = "application/vnd.pypi.simple.v1+json"
    for accept in (kind, "text/html"):
        ask(shared_proxy, url, Accept=accept)
        reply = ask(shared_proxy, url, Accept=accept)
        assert (reply.body, reply.cache_status) == (accept.encode(), HIT)
    assert origin.count(url) == 2


def test_crate(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Who takes JSON is told where a crate is, and nobody else."""
    url = f"https://{host}/api/v1/crates/serde/1.0.0/download"

    async def handler(request: Request, reply: Answering) -> None:
        json = "json" in (request.header("accept") or "")
        body = b'{"url": "/serde.crate"}' if json else b"\x1f\x8bcrate"
        await reply.head(headers=FRESH, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "*", handler)
    first = ask(shared_proxy, url, Accept="application/json")
    assert first.body.startswith(b"{")
    for accept in ("*/*", "application/octet-stream"):
        reply = ask(shared_proxy, url, Accept=accept)
        assert reply.body.startswith(b"\x1f\x8b")
    assert reply.cache_status == HIT


def test_git_protocol(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """A client that doesn't speak version 2 isn't spoken to in it, nor the other way round."""
    url = f"https://{host}/r.git/info/refs?service=git-upload-pack"
    by_field(origin, host, "git-protocol")
    for _ in range(2):
        new = ask(shared_proxy, url, Git_Protocol="version=2")
        old = ask(shared_proxy, url)
        assert (new.body, old.body) == (b"version=2", b"none")
    assert (new.cache_status, old.cache_status) == (HIT, HIT)
    assert origin.count(url) == 2


def test_what_is_said_back_to_one_site(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """An answer that only one site's pages may read is for that site."""
    url = f"https://{host}/a.js"
    sites = ("https://a.example", "https://b.example")

    async def handler(request: Request, reply: Answering) -> None:
        site = request.header("origin")
        fields = {"Access-Control-Allow-Origin": site} if site else {}
        await reply.head(headers=FRESH | fields, length=0)
        await reply.end()

    origin.handle(host, "/a.js", handler)
    for _ in range(2):
        for site in sites:
            reply = ask(shared_proxy, url, Origin=site)
            assert reply.header("access-control-allow-origin") == site
    assert reply.cache_status == HIT
    assert origin.count(url) == 2


def test_by_user_agent(
    start_proxy: ProxyFactory, origin: Origin, network: Network, host: str
) -> None:
    """Who asks gets his own while there is a line; without one, another's is better than nothing."""
    url = f"https://{host}/a"
    by_field(origin, host, "user-agent", Vary="User-Agent, Accept-Language")
    proxy = start_proxy()
    for agent in ("pip/24", "uv/0.4"):
        reply = ask(proxy, url, User_Agent=agent)
        assert reply.body == agent.encode()
    assert reply.cache_status == "cachy; fwd=vary-miss; stored"
    network.down(host)
    assert ask(proxy, url, User_Agent="pip/24").cache_status == HIT
    other = ask(proxy, url, User_Agent="curl/8", Accept_Language="de")
    assert (other.status, other.cache_status) == (200, "cachy; hit; detail=stale-if-error")
    proxy.stop()
    offline = start_proxy(options={"cachy_mode": "offline"})
    # The last that was fetched.
    assert ask(offline, url, User_Agent="curl/8").body == b"uv/0.4"
    assert ask(offline, url, User_Agent="pip/24").body == b"pip/24"


def test_another_variant_is_not_asked_about(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What stands in is no reason for a condition, also where a redirect leads to another one."""
    url = f"https://{host}/a.zip"
    origin.route(url, status=302, headers={"Location": "/b.zip"})
    fields = FRESH | {"Vary": "User-Agent"}
    thing = origin.route(f"https://{host}/b.zip", b"PK1", headers=fields, etag='"1"')
    assert ask(shared_proxy, url, User_Agent="a").body == b"PK1"
    thing.body = b"PK2"
    reply = ask(shared_proxy, url, User_Agent="b")
    assert (reply.status, reply.body) == (200, b"PK2")
    assert ask(shared_proxy, url, User_Agent="b").cache_status == HIT
    assert ask(shared_proxy, url, User_Agent="a").body == b"PK1"


def test_the_best_stands_in(
    start_proxy: ProxyFactory, origin: Origin, cachy_dir: Path, host: str
) -> None:
    """Of several the one that suits what is accepted, though another was fetched first, or last."""
    url = f"https://{host}/simple/six/"
    json = "application/vnd.pypi.simple.v1+json"

    async def handler(request: Request, reply: Answering) -> None:
        kind = json if json in (request.header("accept") or "") else "text/html"
        fields = FRESH | {"Content-Type": kind, "Vary": "User-Agent"}
        await reply.head(headers=fields, length=len(kind))
        await reply.send(kind.encode())
        await reply.end()

    origin.handle(host, "*", handler)
    proxy = start_proxy()
    ask(proxy, url, Accept="text/html", User_Agent="a")
    ask(proxy, url, Accept=json, User_Agent="pip")
    ask(proxy, url, Accept="text/html", User_Agent="b")
    proxy.stop()
    offline = start_proxy(options={"cachy_mode": "offline"})
    both = f"{json}, text/html;q=0.1"
    assert ask(offline, url, Accept=both, User_Agent="uv").body == json.encode()
    assert ask(offline, url, Accept="text/html", User_Agent="uv").body == b"text/html"


@pytest.mark.parametrize(
    ("vary", "fields"),
    [
        ("X-Tenant", {"X_Tenant": "a"}),
        ("Git-Protocol", {"Git_Protocol": "version=2"}),
        ("Cookie", {}),
        ("Authorization", {}),
    ],
)
def test_what_never_stands_in(
    start_proxy: ProxyFactory, origin: Origin, host: str, vary: str, fields: dict[str, str]
) -> None:
    """Not what can't be read, nor what may be for others."""
    url = f"https://{host}/a"
    by_field(origin, host, vary, Vary=vary)
    proxy = start_proxy()
    ask(proxy, url, **fields)
    proxy.stop()
    offline = start_proxy(options={"cachy_mode": "offline"})
    assert ask(offline, url, **fields).body == (fields or {"": "none"}).popitem()[1].encode()
    assert ask(offline, url, **{vary.replace("-", "_"): "other"}).status == 403


def test_a_404_never_stands_in(
    start_proxy: ProxyFactory, origin: Origin, network: Network, host: str
) -> None:
    """That there is nothing for one client is no answer to another."""
    registry(origin, host)
    url = f"https://{host}/v2/a/manifests/1"
    proxy = start_proxy()
    assert ask(proxy, url, Accept=SCHEMA2).status == 404
    network.down(host)
    assert ask(proxy, url, Accept=f"{WIDE['docker']}, */*").status == 502
