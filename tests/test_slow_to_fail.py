"""Upstream takes its time to fail: what is stored is served within three seconds, then at once.

The cases of a test run at the same time, since they wait.
"""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.client import Reply as Answer
from support.client_h2 import H2Client
from support.network import Network, Trouble
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.tree import tree
from support.trouble import (
    MAX_AGE_0,
    STALE_IF_ERROR,
    STORED,
    Spoil,
    World,
    answers,
    hangs_up,
    network_trouble,
    redirects,
    says_nothing,
    sends_alert,
    stalls,
    talks,
    timed,
    untrusted,
)

#: Three seconds are promised; the fourth is for a machine that does much else.
FIRST = 4.0
#: It is not asked again. Where it was, two seconds would pass.
SECOND = 1.5

HANGING: dict[str, Spoil] = {
    "blackhole": network_trouble("blackhole"),
    "nodns": network_trouble("nodns"),
    "noname": network_trouble("noname"),
    "refused": network_trouble("refused"),
    "untrusted": untrusted,
    "handshake-hangs": talks(says_nothing),
    "handshake-refused": talks(sends_alert),
    "handshake-closed": talks(hangs_up),
    "head-alone": answers(stalls()),
    "head-alone-h2": answers(stalls(), http2=True),
    "some-bytes": answers(stalls(body=b"new" * 1000)),
    "some-bytes-chunked": answers(stalls(body=b"new" * 1000, chunked=True)),
    "some-bytes-h2": answers(stalls(body=b"new" * 1000), http2=True),
    "404": answers(stalls(404, b"some")),
    "404-head-alone": answers(stalls(404)),
    "404-h2": answers(stalls(404, b"some"), http2=True),
    "redirect": answers(stalls(302, b"some", {"Location": "/there"})),
    "slash": answers(stalls(301, b"some", {"Location": "/a/"})),
    "no-store": answers(stalls(200, b"some", {"Cache-Control": "no-store"})),
    "403": answers(stalls(403, b"some")),
    "503": answers(stalls(503, b"some")),
}


@pytest.mark.parametrize("target", ["/a", "/simple/six/"], ids=["stale", "index"])
@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_stored(
    shared_proxy: Proxy, shared_dir: Path, world: World, host: str, target: str, http2: bool
) -> None:
    """Whatever hangs and wherever: the stored bytes in three seconds, then at once, unasked."""
    headers = MAX_AGE_0 if target == "/a" else {}
    urls = {name: f"https://{name}.{host}{target}" for name in HANGING}
    for url in urls.values():
        world.origin.route(url, STORED, 200, headers)
        assert fetch(shared_proxy, url).body == STORED
    a_while_ago(shared_dir)
    for name, spoil in HANGING.items():
        spoil(world, f"{name}.{host}", target)
    with ThreadPoolExecutor(len(urls)) as pool:
        firsts = list(pool.map(lambda url: timed(shared_proxy, url, http2), urls.values()))
    asked = {name: world.origin.count(url) for name, url in urls.items()}
    problems = []
    for (name, url), first in zip(urls.items(), firsts, strict=True):
        for which, limit, again in (
            ("first", FIRST, lambda first=first: first),
            ("second", SECOND, partial(timed, shared_proxy, url, http2)),
        ):
            took, reply = again()
            good = isinstance(reply, Answer) and (
                (reply.status, reply.body, reply.cache_status) == (200, STORED, STALE_IF_ERROR)
            )
            if not good or took > limit:
                problems.append(f"{name}: {which} took {took:.1f} s: {str(reply)[:200]}")
                break
        if asked[name] > 2 or world.origin.count(url) > asked[name]:
            problems.append(f"{name}: is asked again")
        path = url.removeprefix("https://") + "index.html" * url.endswith("/")
        if tree(shared_dir)[path] != STORED:
            problems.append(f"{name}: is no longer stored")
    assert not problems, "\n".join(problems)


#: For the host that a redirect leads to.
HOPS: dict[str, Spoil] = {
    name: HANGING[name]
    for name in (
        "blackhole",
        "nodns",
        "refused",
        "untrusted",
        "handshake-hangs",
        "head-alone",
        "some-bytes",
        "some-bytes-h2",
        "503",
    )
}


def test_stored_by_a_redirect(shared_proxy: Proxy, world: World, host: str) -> None:
    """The host behind a followed redirect hangs: the same, and the next time nobody is asked."""
    there = {name: redirects(world, name, host) for name in HOPS}
    for url, _, _ in there.values():
        assert fetch(shared_proxy, url).body == STORED
    for name, spoil in HOPS.items():
        spoil(world, *there[name][1:])
    with ThreadPoolExecutor(len(there)) as pool:
        firsts = list(pool.map(lambda it: timed(shared_proxy, it[0]), there.values()))
    problems = []
    for (name, (url, _, _)), (took, reply) in zip(there.items(), firsts, strict=True):
        good = isinstance(reply, Answer) and (
            (reply.status, reply.body, reply.cache_status) == (200, STORED, STALE_IF_ERROR)
        )
        if not good or took > FIRST:
            problems.append(f"{name}: took {took:.1f} s: {str(reply)[:200]}")
            continue
        asked = world.origin.count(url)
        took, reply = timed(shared_proxy, url)
        if not isinstance(reply, Answer) or reply.body != STORED or took > SECOND:
            problems.append(f"{name}: again took {took:.1f} s: {str(reply)[:200]}")
        if world.origin.count(url) > asked:
            problems.append(f"{name}: is asked again")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("leaves", [False, True], ids=["stay", "first-leaves"])
def test_stored_for_several_clients(
    shared_proxy: Proxy, world: World, host: str, leaves: bool
) -> None:
    """All get the stored bytes in three seconds after one attempt, whether the first stays."""
    count = 4
    accepted: list[socket.socket] = []

    def counted(sock: socket.socket) -> None:
        accepted.append(sock)
        says_nothing(sock)

    troubles = {
        "handshake": talks(counted),
        "blackhole": network_trouble("blackhole"),
        "head-alone": HANGING["head-alone"],
        "some-bytes": HANGING["some-bytes"],
        "404": HANGING["404"],
    }
    urls = {name: f"https://{name}.{host}/a" for name in troubles}
    for url in urls.values():
        world.origin.route(url, STORED, 200, MAX_AGE_0)
        fetch(shared_proxy, url)
    for name, spoil in troubles.items():
        spoil(world, f"{name}.{host}", "/a")
    firsts = [world.stack.enter_context(Connection(shared_proxy, url)) for url in urls.values()]
    others = [
        (name, world.stack.enter_context(Connection(shared_proxy, url, timeout=4)))
        for name, url in urls.items()
        for _ in range(count)
    ]
    started = time.monotonic()
    for client in [*firsts, *(client for _, client in others)]:
        client.send_request()
    fetch(shared_proxy, f"https://other.{host}/")
    if leaves:
        for client in firsts:
            client.close()
    problems = []
    for name, client in others:
        try:
            reply = client.read_head()
            good = (reply.cache_status, client.read_to_end()) == (STALE_IF_ERROR, STORED)
        except OSError as error:
            problems.append(f"{name}: {error!r}")
            continue
        if not good or time.monotonic() - started > 3:
            problems.append(f"{name}: {time.monotonic() - started:.1f} s: {str(reply)[:200]}")
    assert not problems, "\n".join(problems)
    assert len(accepted) == 1
    assert world.origin.count(urls["head-alone"]) == 2
    assert world.origin.count(urls["some-bytes"]) == 2
    for name, url in urls.items():
        took, again = timed(shared_proxy, url)
        assert isinstance(again, Answer) and again.cache_status == STALE_IF_ERROR, name
        assert took < SECOND


def test_well_again_on_the_same_connection(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str
) -> None:
    """A client that keeps its connection gets through as soon as the origin is back."""
    troubles: tuple[Trouble, ...] = ("refused", "noname", "blackhole")
    for trouble in troubles:
        name = f"{trouble}.{host}"
        url, other = f"https://{name}/a", f"https://{name}/b"
        origin.route(url, b"a", 200, MAX_AGE_0)
        origin.route(other, b"b")
        fetch(shared_proxy, url)
        network.down(name, trouble)
        with Connection(shared_proxy, url) as client:
            assert client.fetch().cache_status == STALE_IF_ERROR
            network.up()
            reply = client.fetch(other)
            assert (reply.status, reply.body) == (200, b"b")


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_a_connection_that_may_be_dead(
    shared_proxy: Proxy, world: World, host: str, http2: bool
) -> None:
    """Where an answer stalled, the next request goes by another connection."""
    url, other = f"https://{host}/a", f"https://{host}/b"
    if http2:
        world.origin.http2_hosts.add(host)
    world.origin.route(url, STORED, 200, MAX_AGE_0)
    world.origin.route(other, b"b")
    with (H2Client if http2 else Connection)(shared_proxy, url) as client:
        client.fetch()
        world.origin.handle(host, "/a", stalls(), scheme="https")
        assert client.fetch(url).cache_status == STALE_IF_ERROR
        assert client.fetch(other).body == b"b"
    (_, stalled), (asked,) = world.origin.asked(url), world.origin.asked(other)
    assert stalled.version == asked.version == ("2" if http2 else "1.1")
    assert stalled.connection != asked.connection
