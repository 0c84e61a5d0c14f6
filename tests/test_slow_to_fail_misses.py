"""Upstream takes its time to fail: what isn't stored gets a clear error as soon as it has.

The cases of a test run at the same time, since they wait.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.client import Reply as Answer
from support.client_h2 import H2Client
from support.proxy import Proxy
from support.tree import temporary, tree, wait_until
from support.trouble import (
    Spoil,
    World,
    answers,
    hangs_up,
    is_silent,
    network_trouble,
    redirects,
    says_nothing,
    sends_alert,
    stalls,
    talks,
    timed,
    untrusted,
)

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
    # Each asks twice, in its turn.
    "silent": (answers(is_silent(0.5)), True),
    "silent-h2": (answers(is_silent(0.5), http2=True), True),
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
    wait_until(lambda: not temporary(shared_dir))


def test_nothing_stored_behind_a_redirect(shared_proxy: Proxy, world: World, host: str) -> None:
    """The client gets the redirect itself as soon as the other host has failed."""
    failing = {**{k: v[0] for k, v in FAILING.items()}, "silent": answers(is_silent(1))}
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


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("where", ["connect", "head", "body"])
def test_all_who_waited_have_left(
    shared_proxy: Proxy, shared_dir: Path, world: World, host: str, where: str, http2: bool
) -> None:
    """Nobody waits any more for an origin that hangs: the next client asks it anew."""
    url = f"https://{host}/a"
    spoil = {
        "connect": network_trouble("nodns"),
        "head": answers(is_silent()),
        "body": answers(stalls(body=b"some")),
    }[where]
    spoil(world, host, "/a")
    kind = H2Client if http2 else Connection
    clients = [kind(shared_proxy, url) for _ in range(3)]
    for client in clients:
        client.send_request()
        fetch(shared_proxy, f"https://other.{host}/")
    if where == "body":
        wait_until(lambda: temporary(shared_dir))
    for client in clients:
        client.close()
        fetch(shared_proxy, f"https://other.{host}/")
    world.network.clear()
    world.origin.route(url, b"body")
    reply = fetch(shared_proxy, url, timeout=3)
    assert (reply.body, reply.cache_status) == (b"body", "cachy; fwd=uri-miss; stored")
