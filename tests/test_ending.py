"""A proxy that is told to end does so, whatever it is in the middle of, and leaves a tree in order."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.inspection import inspect
from support.load import Load
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.reply import Reply
from support.tree import temporary, tree, wait_until

MB = 1 << 20


def test_in_the_middle_of_fetches(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, network: Network, host: str
) -> None:
    """Led, followed, left by its client, without a client, behind a redirect, not even connected."""
    proxy = start_proxy()
    gate = origin.gate()

    async def half(_: Request, reply: Reply) -> None:
        await reply.head(length=4 * MB)
        await reply.send(b"x" * MB)
        await gate.passed()

    async def silent(_: Request, reply: Reply) -> None:
        await gate.passed()

    for name in ("led", "left", "ranged", "cdn"):
        origin.handle(host if name == "led" else f"{name}.{host}", "/a.zip", half)
    origin.route(
        f"https://moved.{host}/a.zip", b"", 302, [("Location", f"https://cdn.{host}/a.zip")]
    )
    origin.handle(f"silent.{host}", "/a.zip", silent)
    for name in ("stale", "hung"):
        origin.route(f"https://{name}.{host}/a.zip", b"stored", 200, {"Cache-Control": "max-age=0"})
        fetch(proxy, f"https://{name}.{host}/a.zip")
    origin.handle(f"stale.{host}", "/a.zip", silent, scheme="https")
    network.down(f"hung.{host}", "blackhole")
    network.down(f"nodns.{host}", "nodns")
    stored = tree(cachy_dir)
    with ExitStack() as stack:

        def ask(name: str) -> Connection:
            client = stack.enter_context(Connection(proxy, f"https://{name}{host}/a.zip"))
            client.send_request(headers={"Range": "bytes=5-2000000"} if name == "ranged." else None)
            return client

        for name in ("", "", "ranged.", "moved.", "moved.", "left."):
            client = ask(name)
            client.read_head()
            assert client.read(1) == b"x"
        left, client = client, ask("left.")
        client.read_head()
        assert client.read(1) == b"x"
        left.close()
        stack.enter_context(H2Client(proxy, f"https://{host}/a.zip")).send_request()
        for name in ("silent.", "silent.", "stale.", "stale.", "hung.", "hung.", "nodns."):
            ask(name)
        wait_until(lambda: origin.count(f"https://stale.{host}/a.zip") == 2)
        wait_until(lambda: origin.count(f"https://silent.{host}/a.zip") == 1)
        fetch(proxy, f"https://{host}/other")
        assert len(temporary(cachy_dir)) == 4
        started = time.monotonic()
        assert proxy.stop(8) == 0
        assert time.monotonic() - started < 4
    assert tree(cachy_dir) == stored
    proxy.start()
    assert not temporary(cachy_dir)
    assert tree(cachy_dir) == stored


@pytest.mark.parametrize("seed", range(3))
def test_under_load(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str, seed: int
) -> None:
    """Clients at work: it ends in time, and the tree is whole."""
    proxy = start_proxy(options={"cachy_mode": "refresh"})
    with Load([proxy], origin, host, seed) as load:
        wait_until(lambda: load.answered > 10)
        started = time.monotonic()
        status = proxy.stop(8)
        took = time.monotonic() - started
    assert (status, took < 4) == (0, True), took
    assert not load.wrong, "\n".join(load.wrong)
    assert inspect(cachy_dir)


def test_nothing_stays_open(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """After much work of all kinds no file of the tree is open, and no more sockets than before."""
    proxy = start_proxy(options={"cachy_mode": "refresh"})
    fetch(proxy, f"https://{host}/other")
    wait_until(lambda: origin.open_connections == 0)
    before = proxy.open_fds()
    for seed in range(2):
        with Load([proxy], origin, host, seed) as load:
            wait_until(lambda load=load: load.answered > 150, 20)  # type: ignore[misc]
        assert not load.wrong, "\n".join(load.wrong)
    wait_until(lambda: not proxy.open_files(cachy_dir), what="letting go of files")
    wait_until(lambda: origin.open_connections == 0, what="letting go of origins")
    wait_until(lambda: proxy.open_fds() <= before + 3, what="letting go of sockets")


def test_a_fetch_whose_client_left(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """It left before the answer, which another one still waits for: the file is closed after that."""
    proxy, url, gate = start_proxy(), f"https://{host}/a.zip", origin.gate()

    async def answer(_: Request, reply: Reply) -> None:
        await gate.passed()
        await reply.head(length=MB)
        await reply.send(b"x" * MB)
        await reply.end()

    origin.handle(host, "/a.zip", answer)
    with Connection(proxy, url) as left, Connection(proxy, url) as stays:
        left.send_request()
        wait_until(lambda: origin.count(url) == 1)
        stays.send_request()
        fetch(proxy, f"https://{host}/other")
        left.close()
        fetch(proxy, f"https://{host}/another")
        gate.open()
        assert stays.read_head().status == 200
        assert stays.read_to_end() == b"x" * MB
    assert origin.count(url) == 1
    wait_until(lambda: not proxy.open_files(cachy_dir), 5, "closing the file")
