"""Trouble with the disk is in the log once, and again when it comes back."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cachy.workers.supervisor import SHORT
from support.client import Connection, fetch
from support.command import Cachy
from support.disk import mounted
from support.factory import ProxyFactory
from support.origin import Origin
from support.tree import wait_until
from support.wire import Target

KB, MB = 1 << 10, 1 << 20
#: A mitmproxy script that changes an option of ours when a file is there.
CHANGE = """
import asyncio
from pathlib import Path
from mitmproxy import ctx

async def running():
    asked, done = Path({asked!r}), Path({done!r})
    async def look():
        while not asked.exists():
            await asyncio.sleep(0.02)
        ctx.options.update(cachy_freshness="forever")
        done.touch()
    global task
    task = asyncio.create_task(look())
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB that can be made read-only."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as place:
        yield place


def remount(disk: Path, how: str) -> None:
    """Makes a disk read-only (ro), or not (rw)."""
    command = ["mount", "-o", f"remount,{how}", str(disk)]
    subprocess.run(command, check=True, capture_output=True)


def said(log: str, disk: Path, what: str) -> int:
    """How often a log complains of a disk."""
    lines = [line for line in log.splitlines() if str(disk) in line and "cannot " in line]
    assert all(what in line for line in lines), lines
    return len(lines)


def ask(proxy: Target, origin: Origin, url: str, size: int) -> bool:
    """Fetches something, and tells whether it was stored."""
    origin.route(url, b"x" * size)
    reply = fetch(proxy, url)
    assert (reply.status, len(reply.body)) == (200, size)
    hit = fetch(proxy, url).cache_status == "cachy; hit"
    return hit


def test_a_full_disk(start_proxy: ProxyFactory, disk: Path, origin: Origin, host: str) -> None:
    """What is large does not fit and what is small does, in turn; then there is room; then none."""
    proxy = start_proxy(cachy_dir=disk)
    full, filler = "No space left", disk / "filler.example"
    filler.write_bytes(bytes(1500 * KB))
    for n in range(5):
        assert not ask(proxy, origin, f"https://{host}/large{n}", MB)
        assert ask(proxy, origin, f"https://other.{host}/small{n}", 10)
        assert said(proxy.log(), disk, full) == 1
    filler.unlink()
    assert ask(proxy, origin, f"https://{host}/fits", MB)
    filler.write_bytes(bytes(900 * KB))
    for n in range(5):
        assert not ask(proxy, origin, f"https://other.{host}/again{n}", MB)
        assert said(proxy.log(), disk, full) == 2


def test_a_read_only_disk(start_proxy: ProxyFactory, disk: Path, origin: Origin, host: str) -> None:
    """Whatever is asked for meanwhile."""
    proxy = start_proxy(cachy_dir=disk)
    remount(disk, "ro")
    for n in range(3):
        for size in (10, 300 * KB):
            assert not ask(proxy, origin, f"https://{n}.{host}/{size}", size)
    assert said(proxy.log(), disk, "ead-only") == 1
    remount(disk, "rw")
    assert ask(proxy, origin, f"https://{host}/a", 10)


def test_an_option_changes(
    start_proxy: ProxyFactory, disk: Path, origin: Origin, host: str, tmp_path: Path
) -> None:
    """That is no news of the disk."""
    remount(disk, "ro")
    asked, done = tmp_path / "asked", tmp_path / "done"
    script = tmp_path / "change.py"
    script.write_text(CHANGE.format(asked=str(asked), done=str(done)))
    proxy = start_proxy(cachy_dir=disk, args=["-s", str(script)])
    assert not ask(proxy, origin, f"https://{host}/a", 10)
    asked.touch()
    wait_until(done.exists)
    assert not ask(proxy, origin, f"https://{host}/b", 10)
    assert said(proxy.log(), disk, "ead-only") == 1


@pytest.mark.parametrize("here", [False, True])
def test_workers(
    command: Cachy,
    disk: Path,
    origin: Origin,
    host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    here: bool,
) -> None:
    """Whichever of them meets it, wherever they tell each other."""
    if here:
        if len(str(disk)) >= SHORT:
            pytest.skip("no socket can lie in so long a folder")
        monkeypatch.setitem(command.env, "TMPDIR", str(disk))
    log, filler = tmp_path / "log", disk / "filler.example"
    words = ["serve", "--port", "0", "--workers", "3", "--dir", str(disk), "--"]
    with log.open("w") as output:
        # Where mitmproxy's log goes.
        process = command.start(*words, *command.arguments, stdout=output)
    with process:
        try:
            listens = re.compile(r"listens on http://127\.0\.0\.1:(\d+)\n")
            found = wait_until(lambda: listens.search(log.read_text()), 30)
            assert found
            proxy = Listening(int(found[1]), command)
            for times in (1, 2):
                filler.write_bytes(bytes(1500 * KB if times == 1 else 600 * KB))
                for n in range(4):
                    # Of connections that are open at once, each worker has some.
                    urls = [f"https://{n}.{host}/{times}/{m}" for m in range(6)]
                    assert not any(together(proxy, origin, urls))
                assert said(log.read_text(), disk, "No space left") == times
                filler.unlink()
                if times == 1:
                    assert ask(proxy, origin, f"https://{host}/fits", MB)
        finally:
            process.terminate()
            process.communicate(timeout=20)


class Listening:
    """What `fetch` needs of `cachy serve`."""

    host = "127.0.0.1"

    def __init__(self, port: int, command: Cachy) -> None:
        self.port = port
        self.ca_pem = command.confdir / "mitmproxy-ca-cert.pem"


def together(proxy: Listening, origin: Origin, urls: list[str]) -> list[bool]:
    """As `ask`, on connections that are open at once."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(proxy, url)) for url in urls]
        for url, client in zip(urls, clients, strict=True):
            origin.route(url, bytes(MB))
            assert len(client.fetch().body) == MB
        return [client.fetch().cache_status == "cachy; hit" for client in clients]
