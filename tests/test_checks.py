"""Checks of what is stored: what a 304 confirms, and what it doesn't."""

from pathlib import Path

import pytest

from support.checked import CONFIRMED, HIT, NEW, OLD, STORED, Checked, stale
from support.either import Asks
from support.factory import ProxyFactory
from support.message import Request, header_list
from support.origin import Origin
from support.past import a_while_ago, at
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree, wait_until

MONDAY, TUESDAY = "Mon, 13 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:20 GMT"


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


@pytest.mark.parametrize(
    ("stored", "confirmed"),
    [
        ({"ETag": '"1"'}, {"ETag": '"1"'}),
        # Compressed on the way, or not.
        ({"ETag": 'W/"1"'}, {"ETag": '"1"'}),
        ({"ETag": '"1"', "Last_Modified": MONDAY}, {"ETag": 'W/"1"', "Last-Modified": TUESDAY}),
        ({"Last_Modified": MONDAY}, {"Last-Modified": "Monday, 13-Nov-23 22:13:20 GMT"}),
        ({"ETag": '"1"'}, {}),
        ({"Last_Modified": MONDAY}, {"ETag": '"1"', "Last-Modified": MONDAY}),
    ],
)
def test_confirmed(
    fetch: Asks,
    checking: Proxy,
    origin: Origin,
    host: str,
    stored: dict[str, str],
    confirmed: dict[str, str],
) -> None:
    """A 304 for what is stored, or that doesn't say for what, confirms it."""
    thing = stale(fetch, checking, origin, host, **stored)
    thing.checked = confirmed | {"X": "new"}
    reply = fetch(checking, thing.url)
    assert (reply.status, reply.body, reply.cache_status) == (200, OLD, CONFIRMED)
    assert (reply.header("x"), reply.header("etag")) == ("new", stored.get("ETag"))
    assert thing.asked == [False, True]


@pytest.mark.parametrize(
    ("stored", "other"),
    [
        ({"ETag": '"1"'}, {"ETag": '"2"'}),
        ({"ETag": '"1"', "Last_Modified": MONDAY}, {"ETag": '"2"', "Last-Modified": MONDAY}),
        ({"ETag": 'W/"1"'}, {"ETag": 'W/"2"'}),
        ({"Last_Modified": MONDAY}, {"Last-Modified": TUESDAY}),
        ({"Last_Modified": MONDAY}, {"ETag": '"2"'}),
    ],
)
def test_a_304_for_other_bytes(
    fetch: Asks,
    checking: Proxy,
    folder: Path,
    origin: Origin,
    host: str,
    stored: dict[str, str],
    other: dict[str, str],
) -> None:
    """It confirms nothing: the whole is asked for, once, and takes the place of what was stored."""
    thing = stale(fetch, checking, origin, host, **stored)
    thing.checked = other | {"Cache-Control": "max-age=600"}
    thing.body = NEW
    thing.fields = header_list({"Cache-Control": "max-age=600"} | other)
    reply = fetch(checking, thing.url)
    assert (reply.status, reply.body, reply.cache_status) == (200, NEW, STORED)
    assert thing.asked == [False, True, False]
    again = fetch(checking, thing.url)
    assert (again.body, again.cache_status) == (NEW, HIT)
    assert again.header("etag") == other.get("ETag")
    assert tree(folder)[f"{host}/a.bin"] == NEW


@pytest.mark.parametrize("status", [206, 412, 416])
def test_an_answer_that_only_our_condition_can_have_led_to(
    fetch: Asks, checking: Proxy, origin: Origin, host: str, status: int
) -> None:
    """Nobody asked for a part, or set a condition: the whole is asked for, once."""
    thing = stale(fetch, checking, origin, host, ETag='"1"')
    thing.status, thing.body = status, NEW
    reply = fetch(checking, thing.url)
    assert (reply.status, reply.body, reply.cache_status) == (200, NEW, STORED)
    assert thing.asked == [False, True, False]


def test_what_the_origin_confirms_wrongly_twice(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """A 304 to a request without a condition is no answer: what is stored stands in, unconfirmed."""
    thing = stale(fetch, checking, origin, host, ETag='"1"')

    async def always(_: Request, reply: Reply) -> None:
        await reply.head(304, {"ETag": '"2"', "Cache-Control": "max-age=600"})
        await reply.end()

    origin.handle(host, "/a.bin", always, scheme="https")
    reply = fetch(checking, thing.url)
    assert (reply.status, reply.body) == (200, OLD)
    assert reply.cache_status == "cachy; hit; detail=stale-if-error"
    assert reply.header("cache-control") == "no-cache"
    assert thing.asked == [False, True, False]
    assert tree(folder)[f"{host}/a.bin"] == OLD


def test_nothing_to_compare(fetch: Asks, checking: Proxy, origin: Origin, host: str) -> None:
    """What has no validator can't be confirmed, not by a client's own condition either."""
    thing = stale(fetch, checking, origin, host)

    async def always(_: Request, reply: Reply) -> None:
        await reply.head(304, {"ETag": '"2"', "Cache-Control": "max-age=600"})
        await reply.end()

    origin.handle(host, "/a.bin", always, scheme="https")
    reply = fetch(checking, thing.url, headers={"If-None-Match": '"2"'})
    assert (reply.status, reply.body) == (200, OLD)
    assert reply.cache_status == "cachy; hit; detail=stale-if-error"
    assert thing.asked == [False, False]


@pytest.mark.parametrize("forbids", [{"Cache-Control": "no-store"}, {"Vary": "*"}])
def test_a_304_that_may_not_be_kept(
    fetch: Asks, checking: Proxy, origin: Origin, host: str, forbids: dict[str, str]
) -> None:
    """It answers who asked, and refreshes nothing: the next one asks again, at once."""
    thing = stale(fetch, checking, origin, host, ETag='"1"')
    thing.checked = {"ETag": '"1"', "Cache-Control": "max-age=600"} | forbids
    for number in range(1, 3):
        reply = fetch(checking, thing.url)
        assert (reply.status, reply.body, reply.cache_status) == (200, OLD, CONFIRMED)
        for name, value in forbids.items():
            assert reply.header(name) == value
        assert thing.asked == [False] + [True] * number


def test_who_waits_for_a_304_that_may_not_be_kept(
    fetch: Asks, checking: Proxy, origin: Origin, host: str
) -> None:
    """It is for one client alone, so the others ask for themselves, all at the same time."""
    thing = stale(fetch, checking, origin, host, ETag='"1"')
    thing.checked = {"ETag": '"1"', "Cache-Control": "no-store"}
    gates = [origin.gate(), origin.gate()]

    async def slowly(request: Request, reply: Reply) -> None:
        number = origin.count(thing.url)
        await gates[0 if number == 2 else 1].passed()
        await thing(request, reply)

    origin.handle(host, "/a.bin", slowly, scheme="https")
    clients = [fetch.client(checking, thing.url) for _ in range(4)]
    for client in clients:
        client.send()
    # Answered after the four were read, which stood in line before it.
    fetch(checking, f"https://{host}/other")
    wait_until(lambda: origin.count(thing.url) == 2)
    gates[0].open()
    # The first has its answer, and the others ask at the same time, none behind another.
    wait_until(lambda: origin.count(thing.url) == 5)
    gates[1].open()
    for client in clients:
        with client:
            assert client.head().status == 200
            assert client.rest() == OLD


def test_a_304_without_a_lifetime(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """What a 304 doesn't state isn't for ever: it is checked again."""
    thing = stale(fetch, checking, origin, host, ETag='"1"')
    thing.checked = {"ETag": '"1"', "Cache-Control": "public"}
    assert fetch(checking, thing.url).cache_status == CONFIRMED
    a_while_ago(folder, 86_500, of=host)
    assert fetch(checking, thing.url).cache_status == CONFIRMED
    assert thing.asked == [False, True, True]


def test_a_lifetime_counts_from_the_304(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """`Expires` of a 304 that has no `Date` counts from when it came, not from the first answer."""
    thing = stale(fetch, checking, origin, host, ETag='"1"', Date=at(-86400))
    thing.checked = {"ETag": '"1"', "Expires": at(60), "Cache-Control": "public"}
    assert fetch(checking, thing.url).cache_status == CONFIRMED
    assert fetch(checking, thing.url).cache_status == HIT
    a_while_ago(folder, 61, of=host)
    assert fetch(checking, thing.url).cache_status == CONFIRMED


def test_old_expires_with_a_new_date(
    fetch: Asks, checking: Proxy, folder: Path, origin: Origin, host: str
) -> None:
    """A date that was passed stays passed, where the 304 has none of its own."""
    thing = Checked(
        origin, host, "/a.bin", {"ETag": '"1"', "Date": at(-90), "Expires": at(-60), "Age": "90"}
    )
    fetch(checking, thing.url)
    thing.checked = {"ETag": '"1"', "Date": at(0)}
    assert fetch(checking, thing.url).cache_status == CONFIRMED
    a_while_ago(folder, of=host)
    assert fetch(checking, thing.url).cache_status == CONFIRMED
    assert thing.asked == [False, True, True]


def test_what_describes_the_bytes_stays(
    fetch: Asks, checking: Proxy, origin: Origin, host: str
) -> None:
    """A 304 has no body, and says nothing of one."""
    fields = {"Content_Type": "text/x-old", "Repr_Digest": "sha-256=:b2xk:"}
    thing = stale(fetch, checking, origin, host, ETag='"1"', **fields)
    thing.checked = {"ETag": '"1"', "Content-Type": "text/html", "Repr-Digest": "sha-256=:bmV3:"}
    reply = fetch(checking, thing.url)
    assert reply.header("content-type") == "text/x-old"
    assert reply.header("repr-digest") == "sha-256=:b2xk:"


def test_a_304_that_varies(fetch: Asks, checking: Proxy, origin: Origin, host: str) -> None:
    """What is found to vary by a 304 is for those who ask as the one who had it checked."""
    thing = stale(fetch, checking, origin, host, ETag='"1"')
    thing.checked = {"ETag": '"1"', "Vary": "X-Kind", "Cache-Control": "max-age=600"}
    thing.fields = header_list({"ETag": '"2"', "Vary": "X-Kind", "Cache-Control": "max-age=600"})
    thing.body = NEW
    assert fetch(checking, thing.url, headers={"X-Kind": "a"}).cache_status == CONFIRMED
    assert fetch(checking, thing.url, headers={"X-Kind": "a"}).cache_status == HIT
    other = fetch(checking, thing.url, headers={"X-Kind": "b"})
    assert (other.body, other.cache_status) == (NEW, "cachy; fwd=vary-miss; stored")
    for kind, body in {"a": OLD, "b": NEW}.items():
        reply = fetch(checking, thing.url, headers={"X-Kind": kind})
        assert (reply.body, reply.cache_status) == (body, HIT)
