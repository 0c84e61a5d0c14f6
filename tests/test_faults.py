"""Upstream fails: what is stored is served, in time, and what isn't is passed on."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.client import Reply as Answer
from support.client_h2 import H2Client
from support.message import Request
from support.network import Network, Trouble
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree

MAX_AGE_0 = {"Cache-Control": "max-age=0"}
STALE_IF_ERROR = "cachy; hit; detail=stale-if-error"


async def silent(_: Request, reply: Reply) -> None:
    """Reads the request and says nothing for long."""
    await asyncio.sleep(30)


async def hang_up(_: Request, reply: Reply) -> None:
    """Closes the connection in the place of an answer."""
    reply.abort()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_failing_status(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int, framing: str
) -> None:
    """A 5xx or 429 to a check leaves what is stored, and serves it."""
    url = f"https://{host}/a"
    answer = origin.route(url, b"good", 200, MAX_AGE_0)
    fetch(shared_proxy, url)
    answer.status, answer.body = status, b"bad" * 100_000
    answer.framing = "chunked" if framing == "chunked" else "length"
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body, reply.cache_status) == (200, b"good", STALE_IF_ERROR)
    assert origin.count(url) == 2
    assert tree(shared_dir)[f"{host}/a"] == b"good"
    assert fetch(shared_proxy, url).cache_status == STALE_IF_ERROR
    assert origin.count(url) == 2, "it is left alone for a while"
    origin.route(f"https://{host}/b", b"alive")
    assert fetch(shared_proxy, f"https://{host}/b").body == b"alive", "but the origin isn't"


@pytest.mark.parametrize("trouble", ["refused", "noname", "hang-up"])
def test_dead_at_once(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str, trouble: Trouble | str
) -> None:
    """An origin that can't be reached costs no time, and is not tried again for a while."""
    first, second = f"https://{host}/a", f"https://{host}/b"
    for url in (first, second):
        origin.route(url, b"stored", 200, MAX_AGE_0)
        fetch(shared_proxy, url)
    if trouble == "hang-up":
        origin.handle(host, "/a", hang_up, scheme="https")
    else:
        network.down(host, "refused" if trouble == "refused" else "noname")
    reply = fetch(shared_proxy, first, timeout=1)
    assert (reply.status, reply.body, reply.cache_status) == (200, b"stored", STALE_IF_ERROR)
    network.up()
    if trouble != "hang-up":
        assert fetch(shared_proxy, second).cache_status == STALE_IF_ERROR
        assert origin.count(second) == 1
        assert fetch(shared_proxy, f"https://{host}/new").status == 418, "a miss is tried"
        assert fetch(shared_proxy, second).cache_status == "cachy; fwd=stale; stored"


def timed(proxy: Proxy, url: str, http2: bool = False) -> tuple[float, Answer]:
    """A whole answer and the seconds it took."""
    started = time.monotonic()
    if http2:
        with H2Client(proxy, url, timeout=9) as client:
            reply = client.fetch()
    else:
        reply = fetch(proxy, url, timeout=9)
    return time.monotonic() - started, reply


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    """What is closed at the end, come what may."""
    with ExitStack() as stack:
        yield stack


HANGING: list[tuple[str, Trouble | None, bool, float]] = [
    ("http", "blackhole", False, 2),
    ("https", "blackhole", False, 2),
    ("https", "blackhole", True, 2),
    ("https", "nodns", False, 2),
    ("http", None, False, 5),
    ("https", None, False, 5),
    ("https", None, True, 5),
]


CHECKED = "cachy; fwd=stale; stored"


def test_origins_that_hang(
    shared_proxy: Proxy,
    origin: Origin,
    network: Network,
    host: str,
    connections: ExitStack,
) -> None:
    """No connection in 2 s or no header in 5 s, then what is stored; afterwards at once.

    All at the same time, because each takes its time. A body that is slow is no failure.
    """
    gate = origin.gate()

    async def slowly(_: Request, reply: Reply) -> None:
        await reply.head(length=1000)
        for number in range(998):
            await reply.send(b"n")
            if number > 10 and gate.is_open:
                await reply.send(b"n" * (1000 - reply.sent))
                break
            await asyncio.sleep(0.2)
        await reply.end()

    slow_url = f"https://slow.{host}/a"
    origin.route(slow_url, b"old", 200, MAX_AGE_0)
    fetch(shared_proxy, slow_url)
    origin.handle(f"slow.{host}", "/a", slowly, scheme="https")
    slow = connections.enter_context(Connection(shared_proxy, slow_url))
    slow.send_request()
    assert slow.read_head().cache_status == "cachy; fwd=stale; stored"
    assert slow.read_exactly(3) == b"nnn"
    jobs = []
    for number, (scheme, trouble, http2, limit) in enumerate(HANGING):
        name = f"n{number}.{host}"
        url = f"{scheme}://{name}"
        for path in ("a", "b"):
            origin.route(f"{url}/{path}", b"stored", 200, MAX_AGE_0)
            fetch(shared_proxy, f"{url}/{path}")
        if trouble is None:
            origin.handle(name, "/a", silent, scheme=scheme)
        else:
            network.down(name, trouble)
        jobs.append((url, http2, limit))
    with ThreadPoolExecutor(len(jobs)) as pool:
        firsts = [pool.submit(timed, shared_proxy, f"{url}/a", h2) for url, h2, _ in jobs]
    problems = []
    for future, (url, http2, limit), case in zip(firsts, jobs, HANGING, strict=True):
        try:
            took, reply = future.result()
        except TimeoutError:
            problems.append((case, "no answer"))
            continue
        good = (reply.status, reply.body, reply.cache_status) == (200, b"stored", STALE_IF_ERROR)
        if not good or not limit - 0.2 < took < limit + 1.5:
            problems.append((case, f"{reply} after {took} s"))
        # Where there is no connection, that holds for the whole origin.
        path = "a" if case[1] is None else "b"
        asked = origin.count(f"{url}/{path}")
        took, reply = timed(shared_proxy, f"{url}/{path}", http2)
        again = origin.count(f"{url}/{path}") > asked
        if reply.cache_status != STALE_IF_ERROR or took > 1 or again:
            problems.append((case, f"is not remembered: {reply} after {took} s"))
        if case[1] is None and timed(shared_proxy, f"{url}/b", http2)[1].cache_status != CHECKED:
            problems.append((case, "is held against the whole origin"))
    assert not problems
    gate.open()
    assert slow.read_to_end() == b"n" * 997


@pytest.mark.parametrize("status", [401, 403, 407, 429, 500, 503, 400, 451])
def test_failure_is_passed_and_not_stored(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """With nothing stored the client gets the origin's own answer, each time anew."""
    url = f"https://{host}/a"
    origin.route(url, b"no", status, {"X-Mark": "1", "WWW-Authenticate": "Basic"})
    for count in (1, 2):
        reply = fetch(shared_proxy, url)
        assert (reply.status, reply.body, reply.header("x-mark")) == (status, b"no", "1")
        assert "stored" not in reply.cache_status
        assert origin.count(url) == count
    assert not [path for path in tree(shared_dir) if path.startswith(host)]


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_to_a_check(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """A 401 or 403 to a check is the origin's word: passed on; what is stored stays."""
    url = f"https://{host}/a"
    answer = origin.route(url, b"good", 200, MAX_AGE_0)
    fetch(shared_proxy, url)
    answer.status, answer.body = status, b"no"
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body) == (status, b"no")
    assert "stored" not in reply.cache_status
    assert tree(shared_dir)[f"{host}/a"] == b"good"


@pytest.mark.parametrize("trouble", ["refused", "noname"])
def test_nothing_stored_and_no_origin(
    shared_proxy: Proxy, network: Network, host: str, trouble: Trouble
) -> None:
    """A 502 that names the URL, at once."""
    network.down(host, trouble)
    url = f"https://{host}/a"
    reply = fetch(shared_proxy, url, timeout=2)
    assert reply.status == 502
    assert url in reply.body.decode()
