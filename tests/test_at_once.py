"""Hooks run without tasks of their own: what has to wait still does, and nobody has to wait for others."""

import threading
import time
from pathlib import Path

from cachy import addon_path
from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.origin import Origin
from support.tree import temporary, tree, wait_until

#: An addon of a person's: some handlers wait, in a task of their own.
PATIENT = """
import asyncio


async def request(flow):
    task = asyncio.current_task()
    async with asyncio.timeout(5):
        await asyncio.sleep(0.05)
    assert asyncio.current_task() is task
    flow.request.headers["x-waited"] = "yes"


async def responseheaders(flow):
    flow.response.headers["x-first"] = "yes"


def response(flow):
    assert flow.response.headers["x-first"] == "yes"
    print("whole", flow.request.path, flush=True)
"""


def test_handlers_that_wait(
    start_proxy: ProxyFactory, tmp_path: Path, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """Another addon's coroutines are awaited, in a task, before the request goes on."""
    script = tmp_path / "patient.py"
    script.write_text(PATIENT)
    proxy = start_proxy(scripts=[Path(addon_path()), script], options={"cachy_dir": str(cachy_dir)})
    for number in range(3):
        url = f"https://{host}/{number}"
        origin.route(url, b"body")
        reply = fetch(proxy, url)
        assert (reply.body, reply.header("x-first")) == (b"body", "yes")
        assert origin.asked(url)[0].header("x-waited") == "yes"
        wait_until(lambda: f"whole /{number}" in proxy.log())  # noqa: B023


def test_many_requests_in_one_piece(start_proxy: ProxyFactory, origin: Origin, host: str) -> None:
    """Hundreds of hits that one client asks for at once hold up nobody else."""
    proxy = start_proxy(options={"cachy_lane": "off"})
    origin.route(f"http://{host}/a", b"small")
    fetch(proxy, f"http://{host}/a")
    many, slowest, over = 400, 0.0, threading.Event()

    def ask() -> None:
        nonlocal slowest
        with Connection(proxy, f"http://{host}/a") as other:
            while not over.is_set():
                begun = time.monotonic()
                assert other.fetch(f"http://{host}/a").body == b"small"
                slowest = max(slowest, time.monotonic() - begun)

    thread = threading.Thread(target=ask)
    begun = time.monotonic()
    with Connection(proxy, f"http://{host}/a") as client:
        client.send_raw(f"GET http://{host}/a HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * many)
        thread.start()
        for _ in range(many):
            assert client.read_head().status == 200
            assert client.read_to_end() == b"small"
        took = time.monotonic() - begun
        over.set()
        thread.join()
    assert slowest < took / 2, "it had its turn in between"


def test_in_the_tree_with_the_last_byte(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """Who has all of a body finds it in the tree, and asks the origin no more; also with files made ahead."""
    proxy = start_proxy()
    with Connection(proxy, f"https://{host}/0") as client:
        for number in range(50):
            url, body = f"https://{host}/{number}", f"body {number}".encode()
            origin.route(url, body)
            assert client.fetch(url).body == body
            assert tree(cachy_dir)[f"{host}/{number}"] == body
    assert temporary(cachy_dir) == []
    assert all(origin.count(f"https://{host}/{number}") == 1 for number in range(50))
