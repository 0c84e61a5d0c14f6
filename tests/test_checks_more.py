"""Checks of what is more than one file of cachy's: variants, people's files, what was followed."""

from pathlib import Path

import pytest

from support.checked import CONDITIONS, CONFIRMED, HIT, NEW, OLD, STORED, Checked, stale
from support.either import Asks
from support.factory import ProxyFactory
from support.message import Request, header_list
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree, wait_until

TUESDAY = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.fixture(params=["h1", "h2"])
def fetch(request: pytest.FixtureRequest, origin: Origin, host: str) -> Asks:
    """Asks over HTTP/1.1 or HTTP/2, and so does the proxy."""
    return Asks(request.param, origin, host)


@pytest.fixture(scope="module", params=["auto", "off"])
def checking(start_shared_proxy: ProxyFactory, request: pytest.FixtureRequest) -> Proxy:
    """A proxy with the lane, and one without; both have the tree of the module."""
    return start_shared_proxy(options={"cachy_lane": request.param})


@pytest.fixture
def folder(checking: Proxy) -> Path:
    """Its tree."""
    return Path(str(checking.settings.options["cachy_dir"]))


def test_the_check_of_a_variant(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """Each variant is checked with its own tag, and confirmed or replaced alone."""
    url = f"https://{host}/v"
    bodies = {"a": (b"a1", '"a1"'), "b": (b"b1", '"b1"')}

    async def vary(request: Request, reply: Reply) -> None:
        body, etag = bodies[request.header("x-kind") or ""]
        fields = {"Vary": "X-Kind", "ETag": etag, "Cache-Control": "no-cache"}
        if request.header("if-none-match") == etag:
            await reply.head(304, fields)
        else:
            await reply.head(headers=fields, length=len(body))
            await reply.send(body)
        await reply.end()

    origin.handle(host, "/v", vary, scheme="https")

    def get(kind: str) -> tuple[bytes, str]:
        reply = fetch(checking, url, headers={"X-Kind": kind})
        a_while_ago(folder, of=host)
        return reply.body, reply.cache_status

    get("a")
    get("b")
    assert [get("a"), get("b")] == [(b"a1", CONFIRMED), (b"b1", CONFIRMED)]
    bodies["b"] = (b"b2", '"b2"')
    assert [get("a"), get("b")] == [(b"a1", CONFIRMED), (b"b2", STORED)]
    assert get("b") == (b"b2", CONFIRMED)


def test_a_variant_that_is_found_to_vary_more(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """What a check of it brings takes its place, whatever it was stored by."""
    url = f"https://{host}/v"
    state = [("v1", "X-Kind", "no-cache")]

    async def vary(request: Request, reply: Reply) -> None:
        body, names, control = state[-1]
        etag = f'"{body}-{request.header("x-kind")}"'
        fields = {"Vary": names, "ETag": etag, "Cache-Control": control}
        if request.header("if-none-match") == etag:
            await reply.head(304, fields)
        else:
            await reply.head(headers=fields, length=2)
            await reply.send(body.encode())
        await reply.end()

    origin.handle(host, "/v", vary, scheme="https")

    def get(kind: str) -> tuple[bytes, str]:
        reply = fetch(checking, url, headers={"X-Kind": kind, "X-More": "1"})
        a_while_ago(folder, of=host)
        return reply.body, reply.cache_status

    get("a")
    get("b")
    state.append(("v1", "X-Kind, X-More", "no-cache"))
    assert get("b") == (b"v1", CONFIRMED)
    state.append(("v2", "X-Kind, X-More", "max-age=600"))
    assert get("b") == (b"v2", STORED)
    assert get("b") == (b"v2", HIT)


@pytest.mark.parametrize("how", ["edited", "replaced", "status"])
def test_a_person_changes_it_meanwhile(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str, how: str
) -> None:
    """What a person puts there while the origin is asked is what its 304 is answered with."""
    thing = stale(fetch, checking, origin, host, ETag='"1"')
    path = folder / host / "a.bin"

    async def meanwhile(request: Request, reply: Reply) -> None:
        if how == "edited":
            path.write_bytes(b"a person's, and longer than before")
        elif how == "replaced":
            path.with_name("new").write_bytes(b"a person's, and longer than before")
            path.with_name("new").rename(path)
        else:
            path.unlink()
            path.symlink_to("404")
        await thing(request, reply)

    origin.handle(host, "/a.bin", meanwhile, scheme="https")
    reply = fetch(checking, thing.url)
    if how == "status":
        assert reply.status == 404
    else:
        assert (reply.status, reply.body) == (200, b"a person's, and longer than before")
        assert reply.header("etag") != '"1"'
    assert fetch(checking, thing.url).cache_status == HIT


def test_served_while_it_is_checked(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """The check in the background asks again as well, where its 304 is for something else."""
    swr = "max-age=60, stale-while-revalidate=600"
    thing = Checked(origin, host, "/a.bin", {"Cache-Control": swr, "ETag": '"1"'})
    fetch(checking, thing.url)
    a_while_ago(folder, 61, of=host)
    thing.body, thing.fields = NEW, header_list({"Cache-Control": swr, "ETag": '"2"'})
    thing.checked = {"ETag": '"2"'}
    assert fetch(checking, thing.url).body == OLD
    wait_until(lambda: tree(folder)[f"{host}/a.bin"] == NEW)
    assert thing.asked == [False, True, False]
    reply = fetch(checking, thing.url)
    assert (reply.body, reply.header("etag"), reply.cache_status) == (NEW, '"2"', HIT)


def test_a_status_is_checked_without_a_condition(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """The date of an error page says nothing of what was published since, with an older date."""
    url = f"https://{host}/a-1.0.zip.later"
    answer = origin.route(url, b"no such page", 404, last_modified=TUESDAY, etag='"page"')
    assert fetch(checking, url).status == 404
    a_while_ago(folder, 700, of=host)
    answer.status, answer.body = 200, NEW
    reply = fetch(checking, url)
    assert (reply.status, reply.body) == (200, NEW)
    assert all(origin.asked(url)[1].header(name) is None for name in CONDITIONS)


@pytest.mark.parametrize("where", ["first", "last"])
def test_the_check_of_what_was_followed(
    fetch: Asks, checking: Proxy, origin: Origin, host: str, where: str
) -> None:
    """A 304 for something else, of the first origin or the last, has the whole way asked again."""
    store = f"store.{host}"
    url, there = f"https://{host}/src/archive/v1.zip", f"https://{store}/blob"
    other = {"ETag": '"2"'}
    current = [(b"PK old", '"1"')]

    async def moved(request: Request, reply: Reply) -> None:
        if where == "first" and request.header("if-none-match"):
            await reply.head(304, other)
        else:
            await reply.head(302, {"Location": there})
        await reply.end()

    async def blob(request: Request, reply: Reply) -> None:
        if where == "last" and request.header("if-none-match"):
            await reply.head(304, other)
        else:
            body, etag = current[-1]
            await reply.head(headers={"ETag": etag, "Cache-Control": "no-cache"}, length=len(body))
            await reply.send(body)
        await reply.end()

    origin.handle(host, "/src/archive/v1.zip", moved, scheme="https")
    origin.handle(store, "/blob", blob, scheme="https")
    assert fetch(checking, url).body == b"PK old"
    current.append((b"PK new", '"2"'))
    reply = fetch(checking, url, headers={"Cache-Control": "no-cache"})
    assert (reply.status, reply.body, reply.header("etag")) == (200, b"PK new", '"2"')
