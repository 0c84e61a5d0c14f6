"""The supervisor of `cachy serve --workers` outlives its workers, whatever becomes of them."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.activator import Manager
from support.client import Connection, Incomplete, fetch
from support.command import Cachy
from support.gated import before_head
from support.origin import Origin
from support.served import Served
from support.tree import wait_until

TWO = ["--workers", "2"]


@contextmanager
def load(served: Served, url: str, body: bytes) -> Iterator[list[BaseException]]:
    """Clients that ask again and again; what became of those that were not just broken off."""
    stop, wrong = threading.Event(), list[BaseException]()

    def ask() -> None:
        while not stop.is_set():
            try:
                assert fetch(served, url, timeout=30).body == body
            except (ConnectionError, Incomplete, EOFError):
                continue  # With the worker.
            except Exception as error:  # noqa: BLE001
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    try:
        yield wrong
    finally:
        stop.set()
        for each in threads:
            each.join()


def test_killed_under_load(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """One after the other, and all at once: others come, and clients wait until then."""
    url = f"http://{host}/a"
    origin.route(url, b"body")
    with Served(command, tmp_path, TWO) as served, load(served, url, b"body") as wrong:
        for victims in (1, 1, 2, 2):
            before = served.workers
            assert len(before) == 2
            for pid in sorted(before)[:victims]:
                os.kill(pid, signal.SIGKILL)
            for _ in range(victims):
                served.wait_for_line("another one has taken its place")
            assert len(served.workers - before) == victims
            assert fetch(served, url, timeout=30).body == b"body"
    assert wrong == []


def test_no_worker_is_left(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """It says so; who connects meanwhile waits, and is answered."""
    url = f"http://{host}/a"
    origin.route(url, b"body")
    with Served(command, tmp_path, TWO) as served:
        for pid in served.workers:
            os.kill(pid, signal.SIGKILL)
        with Connection(served, url, timeout=30) as client:
            client.send_request()
            served.wait_for_line("no worker is left, and clients wait until one is")
            assert client.read_head().status == 200
            assert client.read_to_end() == b"body"


def test_a_worker_that_does_not_start(command: Cachy, tmp_path: Path) -> None:
    """It is tried again, less and less often, until it does."""
    script = tmp_path / "script.py"
    script.write_text("")
    with Served(command, tmp_path / "tree", TWO, ["-s", str(script)]) as served:
        script.write_text("raise ValueError('broken meanwhile')")
        # Those that run have loaded it, too, but it's only at the start that this is fatal.
        first, _ = sorted(served.workers)
        os.kill(first, signal.SIGKILL)
        served.wait_for_line("a worker did not start: worker 3 ended with 1")
        served.wait_for_line("the next start is in 2 s")
        script.write_text("")
        served.wait_for_line("another one has taken its place")
        assert len(served.workers) == 2


def test_a_worker_that_hangs(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """It is ended and replaced. What it has not taken is served by another one, what comes meanwhile too."""
    url = f"http://{host}/a"
    origin.route(url, b"body")
    with (
        Manager(tmp_path) as manager,
        Served(command, tmp_path / "tree", TWO, env=manager.env(watchdog=6)) as served,
    ):
        hanging, other = sorted(served.workers)
        os.kill(hanging, signal.SIGSTOP)
        clients = [Connection(served, url, timeout=30) for _ in range(6)]
        for each in clients:
            each.send_request()
        served.wait_for_line("hangs: it has been silent for 6 s")
        for each in clients:
            assert each.read_head().status == 200
            assert each.read_to_end() == b"body"
            each.close()
        served.wait_for_line("was ended by SIGKILL; another one has taken its place")
        assert hanging not in served.workers
        assert other in served.workers


def test_a_silent_worker_is_not_asked(
    command: Cachy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """After a few seconds, long before it is ended."""
    url = f"http://{host}/a"
    origin.route(url, b"body")
    with Served(command, tmp_path, TWO) as served:
        hanging, _ = sorted(served.workers)
        os.kill(hanging, signal.SIGSTOP)
        try:
            time.sleep(4.5)
            for _ in range(6):
                assert fetch(served, url, timeout=10).body == b"body"
        finally:
            os.kill(hanging, signal.SIGCONT)


def test_a_worker_is_asked_to_end(
    command: Cachy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """By somebody else's SIGTERM: it finishes what it does, and another one comes."""
    url = f"http://{host}/a"
    handler, go_on = before_head(origin, origin.route(url, b"body"))
    origin.handle(host, "/a", handler, scheme="http")
    with Served(command, tmp_path, TWO) as served:
        with Connection(served, url, timeout=30) as one, Connection(served, url) as two:
            for each in (one, two):
                each.send_request()
            wait_until(lambda: origin.count(url))
            before = served.workers
            for pid in before:
                os.kill(pid, signal.SIGTERM)
            for _ in before:
                served.wait_for_line("was asked to end; another one has taken its place")
            assert len(served.workers - before) == 2
            go_on()
            for each in (one, two):
                assert each.read_head().status == 200
                assert each.read_to_end() == b"body"
        wait_until(lambda: not served.workers & before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_it_starts(command: Cachy, tmp_path: Path, number: signal.Signals) -> None:
    """It ends, or for SIGHUP it goes on to start."""
    own = ["serve", "--port", "0", "--dir", str(tmp_path), *TWO]
    with command.start(*own, "--", *command.arguments) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: children.read_text().split())
        process.send_signal(number)
        if number == signal.SIGHUP:
            assert process.stdout
            assert "listens on" in process.stdout.readline()
            process.terminate()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, (out, err)
    assert "Traceback" not in err
