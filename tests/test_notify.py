"""What `cachy serve` tells systemd."""

import os
import signal
import time
from pathlib import Path

import pytest

from cachy.notify import Notifier
from support.activator import Manager
from support.client import Connection
from support.command import Cachy
from support.gated import before_head
from support.origin import Origin
from support.served import Served
from support.tree import wait_until

COUNTS = pytest.mark.parametrize("count", ["1", "2"])


@COUNTS
def test_a_whole_life(command: Cachy, tmp_path: Path, count: str) -> None:
    """It is ready when it listens, reloads and is ready again, and stops."""
    options = ["--workers", count, "--grace", "7s"]
    with Manager(tmp_path) as manager:
        begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        with Served(command, tmp_path / "tree", options, env=manager.env()) as served:
            assert manager.hear()["READY"] == "1"
            served.process.send_signal(signal.SIGHUP)
            reloading = manager.hear()
            assert reloading["RELOADING"] == "1"
            assert int(reloading["MONOTONIC_USEC"]) > begun
            assert manager.hear()["READY"] == "1"
            served.process.send_signal(signal.SIGTERM)
            stopping = manager.hear()
            assert stopping["STOPPING"] == "1"
            assert int(stopping["EXTEND_TIMEOUT_USEC"]) >= 7_000_000
            assert served.process.wait(10) == 0
        assert all("WATCHDOG" not in message for message in manager.messages)


@COUNTS
def test_the_watchdog_is_fed(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, count: str
) -> None:
    """By the event loop, in time, and to the very end."""
    url = f"http://{host}/a"
    handler, go_on = before_head(origin, origin.route(url, b"body"))
    origin.handle(host, "/a", handler, scheme="http")
    options = ["--workers", count]
    with (
        Manager(tmp_path) as manager,
        Served(command, tmp_path / "tree", options, env=manager.env(watchdog=3)) as served,
        Connection(served, url) as client,
    ):
        for _ in range(3):
            manager.wait_for("WATCHDOG")
        client.send_request()
        wait_until(lambda: origin.count(url))
        served.process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING")
        for _ in range(2):
            manager.wait_for("WATCHDOG")
        go_on()
        assert client.read_head().status == 200
        client.read_to_end()
        assert served.process.wait(10) == 0


def test_one_that_hangs_feeds_no_watchdog(command: Cachy, tmp_path: Path) -> None:
    """So systemd ends it."""
    with (
        Manager(tmp_path) as manager,
        Served(command, tmp_path / "tree", env=manager.env(watchdog=1.5)) as served,
    ):
        manager.wait_for("WATCHDOG")
        served.process.send_signal(signal.SIGSTOP)
        try:
            manager.sock.settimeout(2)
            with pytest.raises(TimeoutError):
                while True:
                    manager.hear()
        finally:
            served.process.send_signal(signal.SIGCONT)


def test_nobody_else_is_told_to_speak(command: Cachy, tmp_path: Path) -> None:
    """The variables are not for what `cachy serve` starts."""
    env = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "9000000"}
    with Served(command, tmp_path / "tree", ["--workers", "2"], env=env) as served:
        for pid in served.workers:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"NOTIFY_SOCKET" not in environ
            assert b"WATCHDOG_USEC" not in environ


@pytest.mark.parametrize(
    ("environ", "patience"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_how_patient_systemd_is(environ: dict[str, str], patience: float | None) -> None:
    """What is for another process is not for this one."""
    assert Notifier(environ).patience == patience
    assert environ == {}


def test_an_abstract_socket() -> None:
    """Its name begins with @."""
    assert Notifier({"NOTIFY_SOCKET": "@a"}).address == "\0a"
