"""Upstream takes its time to fail: what is stored is served within three seconds, and at once the
next time; what is not stored gets a clear error as soon as the origin has failed.

The cases of a test run at the same time, since they wait.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.client import Reply as Answer
from support.client_h2 import H2Client
from support.listener import Listener, Talk
from support.message import Request
from support.network import Network, Trouble
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Handler, Reply
from support.tree import tree, wait_until

MAX_AGE_0 = {"Cache-Control": "max-age=0"}
STALE_IF_ERROR = "cachy; hit; detail=stale-if-error"
STORED = b"stored " * 1000
#: A TLS alert: handshake_failure, fatal.
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"


@dataclass
class World:
    """What a case can make trouble with."""

    origin: Origin
    network: Network
    stack: ExitStack


Spoil = Callable[[World, str, str], None]
"""Makes trouble for a host and a target on it."""


def network_trouble(trouble: Trouble) -> Spoil:
    """Nobody gets through to the host."""
    return lambda world, host, _: world.network.down(host, trouble)


def untrusted(world: World, host: str, _: str) -> None:
    """The certificate is one that nobody trusts."""
    world.origin.untrusted_hosts.add(host)


def talks(talk: Talk) -> Spoil:
    """Another server has the host's place, which knows no TLS."""

    def spoil(world: World, host: str, _: str) -> None:
        listener = world.stack.enter_context(Listener(talk))
        for port in (80, 443):
            world.network.send(f"{host}:{port}", listener.port)

    return spoil


def answers(answer: Handler, http2: bool = False) -> Spoil:
    """The origin answers the target otherwise."""

    def spoil(world: World, host: str, target: str) -> None:
        if http2:
            world.origin.http2_hosts.add(host)
        world.origin.handle(host, target, answer, scheme="https")

    return spoil


def says_nothing(sock: socket.socket, seconds: float = 30) -> None:
    """Takes the connection, and waits until the other end leaves, or loses patience."""
    sock.settimeout(seconds)
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


def sends_alert(sock: socket.socket) -> None:
    """Refuses the handshake."""
    sock.recv(65536)
    sock.sendall(ALERT)


def hangs_up(sock: socket.socket) -> None:
    """Closes in the middle of the handshake."""
    sock.recv(65536)


def stalls(
    status: int = 200,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    chunked: bool = False,
    seconds: float = 30,
) -> Handler:
    """Sends a head and what there is of a longer body, then nothing, then breaks off."""

    async def handler(_: Request, reply: Reply) -> None:
        length = None if chunked else 2_000_000
        await reply.head(status, headers, length=length, chunked=chunked)
        await reply.send(body)
        await asyncio.sleep(seconds)
        reply.abort()

    return handler


@pytest.fixture
def world(origin: Origin, network: Network) -> Iterator[World]:
    """What a case can make trouble with."""
    with ExitStack() as stack:
        yield World(origin, network, stack)


def timed(proxy: Proxy, url: str, http2: bool = False) -> tuple[float, Answer | str]:
    """A whole answer, or why there is none, and the seconds from the request to it."""
    client = (H2Client if http2 else Connection)(proxy, url, timeout=4)
    with client:
        started = time.monotonic()
        try:
            answer: Answer | str = client.fetch()
        except (Incomplete, OSError) as error:
            answer = repr(error)
        return time.monotonic() - started, answer


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
    for name, spoil in HANGING.items():
        spoil(world, f"{name}.{host}", target)
    with ThreadPoolExecutor(len(urls)) as pool:
        firsts = list(pool.map(lambda url: timed(shared_proxy, url, http2), urls.values()))
    asked = {name: world.origin.count(url) for name, url in urls.items()}
    problems = []
    for (name, url), first in zip(urls.items(), firsts, strict=True):
        for which, limit, again in (
            ("first", 3.0, lambda first=first: first),
            ("second", 1.0, partial(timed, shared_proxy, url, http2)),
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


def redirects(world: World, name: str, host: str) -> tuple[str, str, str]:
    """A URL that leads to a file on another host: the URL, and that host and its target."""
    url, there = f"https://{name}.{host}/a.zip", f"cdn-{name}.{host}"
    headers = {"Location": f"https://{there}/b.zip", "Cache-Control": "max-age=0"}
    world.origin.route(url, b"", 302, headers)
    world.origin.route(f"https://{there}/b.zip", STORED, 200, MAX_AGE_0)
    return url, there, "/b.zip"


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
        if not good or took > 3:
            problems.append(f"{name}: took {took:.1f} s: {str(reply)[:200]}")
            continue
        asked = world.origin.count(url)
        took, reply = timed(shared_proxy, url)
        if not isinstance(reply, Answer) or reply.body != STORED or took > 1:
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
        assert took < 1


FAILING: dict[str, tuple[Spoil, float]] = {
    "noname": (network_trouble("noname"), 0),
    "refused": (network_trouble("refused"), 0),
    "untrusted": (untrusted, 0),
    "handshake-refused": (talks(sends_alert), 0),
    "handshake-closed": (talks(hangs_up), 0),
    "handshake-slow": (talks(partial(says_nothing, seconds=1.5)), 1.5),
}


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_nothing_stored(shared_proxy: Proxy, world: World, host: str, http2: bool) -> None:
    """No sooner has the origin failed than there is a 502 that names the URL and the reason."""
    urls = {name: f"https://{name}.{host}/a" for name in FAILING}
    for name, (spoil, _) in FAILING.items():
        spoil(world, f"{name}.{host}", "/a")
    with ThreadPoolExecutor(len(urls)) as pool:
        replies = list(pool.map(lambda url: timed(shared_proxy, url, http2), urls.values()))
    problems = []
    for (name, url), (took, reply) in zip(urls.items(), replies, strict=True):
        limit = FAILING[name][1] + 1
        text = reply.body.decode() if isinstance(reply, Answer) else ""
        named = url in text and "can't be reached: " in text
        if not isinstance(reply, Answer) or reply.status != 502 or not named or took > limit:
            problems.append(f"{name}: took {took:.1f} s: {str(reply)[:300]}")
    assert not problems, "\n".join(problems)


async def silent(_: Request, reply: Reply) -> None:
    """Says nothing, and then breaks off."""
    await asyncio.sleep(1)
    reply.abort()


BROKEN: dict[str, tuple[Spoil, bool]] = {
    "head-alone": (answers(stalls(seconds=1)), False),
    "head-alone-h2": (answers(stalls(seconds=1), http2=True), False),
    "some-bytes": (answers(stalls(body=b"some", seconds=1)), False),
    "some-bytes-h2": (answers(stalls(body=b"some", seconds=1), http2=True), False),
    "chunked": (answers(stalls(body=b"some", chunked=True, seconds=1)), False),
    "404": (answers(stalls(404, b"some", seconds=1)), False),
    "no-store": (
        answers(stalls(200, b"some", {"Cache-Control": "no-store"}, seconds=1)),
        False,
    ),
    "silent": (answers(silent), True),
    "silent-h2": (answers(silent, http2=True), True),
}


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_nothing_stored_and_a_body_that_stalls(
    shared_proxy: Proxy, shared_dir: Path, world: World, host: str, http2: bool
) -> None:
    """No sooner has the origin broken off than the client's body does, for all who wait."""
    for name, (spoil, _) in BROKEN.items():
        spoil(world, f"{name}.{host}", "/a")
    urls = [f"https://{name}.{host}/a" for name in BROKEN for _ in range(2)]
    with ThreadPoolExecutor(len(urls)) as pool:
        replies = list(pool.map(lambda url: timed(shared_proxy, url, http2), urls))
    problems = []
    for url, (took, reply) in zip(urls, replies, strict=True):
        _, whole = BROKEN[url.removeprefix("https://").partition(".")[0]]
        good = (
            isinstance(reply, Answer) and reply.status == 502 and url in reply.body.decode()
            if whole
            else isinstance(reply, str) and "TimeoutError" not in reply
        )
        if not good or took > 2.5:
            problems.append(f"{url}: took {took:.1f} s: {str(reply)[:300]}")
    assert not problems, "\n".join(problems)
    assert not [path for path in tree(shared_dir) if host in path]
    wait_until(lambda: not list((shared_dir / ".cachy/tmp").iterdir()))


def test_nothing_stored_behind_a_redirect(shared_proxy: Proxy, world: World, host: str) -> None:
    """The client gets the redirect itself as soon as the other host has failed."""
    failing = {**{k: v[0] for k, v in FAILING.items()}, "silent": answers(silent)}
    there = {name: redirects(world, name, host) for name in failing}
    for name, spoil in failing.items():
        spoil(world, *there[name][1:])
    with ThreadPoolExecutor(len(there)) as pool:
        replies = list(pool.map(lambda it: timed(shared_proxy, it[0]), there.values()))
    problems = []
    for name, (took, reply) in zip(there, replies, strict=True):
        if not isinstance(reply, Answer) or reply.status != 302 or took > 2.5:
            problems.append(f"{name}: took {took:.1f} s: {str(reply)[:300]}")
    assert not problems, "\n".join(problems)


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


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("where", ["connect", "head", "body"])
def test_all_who_waited_have_left(
    shared_proxy: Proxy, shared_dir: Path, world: World, host: str, where: str, http2: bool
) -> None:
    """Nobody waits any more for an origin that hangs: the next client asks it anew."""
    url = f"https://{host}/a"
    spoil = {
        "connect": network_trouble("nodns"),
        "head": answers(stalls_before_head),
        "body": answers(stalls(body=b"some")),
    }[where]
    spoil(world, host, "/a")
    kind = H2Client if http2 else Connection
    clients = [kind(shared_proxy, url) for _ in range(3)]
    for client in clients:
        client.send_request()
        fetch(shared_proxy, f"https://other.{host}/")
    if where == "body":
        wait_until(lambda: list((shared_dir / ".cachy/tmp").iterdir()))
    for client in clients:
        client.close()
        fetch(shared_proxy, f"https://other.{host}/")
    world.network.clear()
    world.origin.route(url, b"body")
    reply = fetch(shared_proxy, url, timeout=3)
    assert (reply.body, reply.cache_status) == (b"body", "cachy; fwd=uri-miss; stored")


async def stalls_before_head(_: Request, reply: Reply) -> None:
    """Says nothing."""
    await asyncio.sleep(30)
